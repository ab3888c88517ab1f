"""Demand: the mean power over a period, in blocks or sliding, and its maximum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meterseal.collection.meter.tariff import MINUTE

__all__ = ["DemandMeter"]

_STEP: Final = 100_000  # microwatts in 0.0001 kW


@dataclass(frozen=True, slots=True)
class DemandMeter:
    """Demand of one direction, in steps of 0.0001 kW.

    `minutes` holds the work of the last whole minutes in microwatt milliseconds, the latest last.
    A minute that was not measured whole (a start, a clock that was set) begins them anew, so that
    no period is ever made of less than its time. `maximum` is (steps, ms since 1970 of its end).
    """

    minutes: tuple[int, ...] = ()
    running: int = 0
    covered: int = 0  # ms of the running minute
    latest: int = 0
    maximum: tuple[int, int] = (0, 0)

    def added(self, power: int, elapsed: int) -> DemandMeter:
        """Return the demand after `elapsed` ms at `power` microwatts within one minute."""
        return replace(self, running=self.running + power * elapsed, covered=self.covered + elapsed)

    def minute_ended(self, at: int, period: int, step: int) -> DemandMeter:
        """Return the demand after a minute that ended `at`; period and step are in minutes."""
        if self.covered != MINUTE:
            return self.restarted()
        minutes = (*self.minutes, self.running)[-period:]
        if len(minutes) < period or at // MINUTE % step:
            return replace(self, minutes=minutes, running=0, covered=0)
        latest = sum(minutes) // (period * MINUTE * _STEP)
        maximum = (latest, at) if latest > self.maximum[0] else self.maximum
        return DemandMeter(minutes, 0, 0, latest, maximum)

    def restarted(self) -> DemandMeter:
        """Return the demand with a new period to begin; the maximum stays."""
        return replace(self, minutes=(), running=0, covered=0, latest=0)

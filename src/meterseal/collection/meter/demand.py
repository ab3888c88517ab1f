"""Demand: the mean power over a period, in blocks or sliding, and its maximum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from meterseal.collection.meter.tariff import MINUTE, Tariff

__all__ = ["NO_MAXIMA", "DemandMeter", "Maximum"]

Maximum: TypeAlias = tuple[int, int]
NO_MAXIMA: Final[tuple[Maximum, ...]] = ((0, 0),) * (1 + len(Tariff))

_STEP: Final = 100_000  # microwatts in 0.0001 kW


@dataclass(frozen=True, slots=True)
class DemandMeter:
    """Demand of one direction, in steps of 0.0001 kW.

    `minutes` holds the work of the last whole minutes in microwatt milliseconds, the latest last.
    A minute that was not measured whole (a start, a clock that was set) begins them anew, so that
    no period is ever made of less than its time. `maxima` are (steps, ms since 1970 of its end), of
    all times and of each tariff: a period that a switch of tariffs divides counts for none of them.
    """

    minutes: tuple[int, ...] = ()
    running: int = 0
    covered: int = 0  # ms of the running minute
    latest: int = 0
    maxima: tuple[Maximum, ...] = NO_MAXIMA

    @property
    def maximum(self) -> Maximum:
        """The maximum of all times."""
        return self.maxima[0]

    def added(self, power: int, elapsed: int) -> DemandMeter:
        """Return the demand after `elapsed` ms at `power` microwatts within one minute."""
        return replace(self, running=self.running + power * elapsed, covered=self.covered + elapsed)

    def minute_ended(
        self, at: int, period: int, step: int, tariff: Tariff | None = None
    ) -> DemandMeter:
        """Return the demand after a minute that ended `at`; period and step are in minutes.

        `tariff` is the one that was in force in the whole period.
        """
        if self.covered != MINUTE:
            return self.restarted()
        minutes = (*self.minutes, self.running)[-period:]
        if len(minutes) < period or at // MINUTE % step:
            return replace(self, minutes=minutes, running=0, covered=0)
        latest = sum(minutes) // (period * MINUTE * _STEP)
        places = {0} if tariff is None else {0, int(tariff)}
        maxima = tuple(
            (latest, at) if place in places and latest > known[0] else known
            for place, known in enumerate(self.maxima)
        )
        return DemandMeter(minutes, 0, 0, latest, maxima)

    def restarted(self) -> DemandMeter:
        """Return the demand with a new period to begin; the maxima stay."""
        return replace(self, minutes=(), running=0, covered=0, latest=0)

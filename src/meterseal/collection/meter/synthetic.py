"""A supply and a load that look like a neighbourhood's, made of a seed and the time alone.

Nothing is stored, so ten thousand meters cost no more memory than one: chance is a hash of the
seed, the time and what it is for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.sources import PointSource
from meterseal.collection.meter.waveform import OperatingPoint, PhasePoint

__all__ = ["SyntheticLoad", "synthetic_source"]

_VOLTAGE_HARMONICS: Final = ((3, 0.006), (5, 0.014), (7, 0.009), (11, 0.004), (13, 0.003))
_CURRENT_HARMONICS: Final = ((3, 0.060), (5, 0.035), (7, 0.020), (9, 0.008), (11, 0.006))
_PEAKS: Final = ((7.5, 1.3, 0.9), (12.5, 1.2, 0.6), (19.5, 2.0, 1.6))  # hour, width, height
_BASE: Final = 0.25
_MASK: Final = (1 << 64) - 1
_QUARTER: Final = 900_000  # ms


@dataclass(frozen=True, slots=True)
class SyntheticLoad:
    """Operating points by the moment; `peak` is the highest of the day in kW per phase, roughly.

    `solar` is the peak of a plant on the roof, in kW per phase; `offset` in minutes is local time.
    """

    seed: int
    ratings: Ratings = field(default_factory=Ratings)
    peak: float = 2.0
    solar: float = 0.0
    frequency: float = 50.0
    offset: int = 480

    def __call__(self, moment: int) -> OperatingPoint:
        """Return the operating point of a moment in ms since 1970."""
        a, b, c = (self._phase(moment, index) for index in range(3))
        frequency = self.frequency + 0.03 * self._drift(moment, 20_000, 9)
        return OperatingPoint((a, b, c), frequency, _VOLTAGE_HARMONICS, _CURRENT_HARMONICS)

    def _phase(self, moment: int, index: int) -> PhasePoint:
        hour = (moment / 3_600_000 + self.offset / 60) % 24
        load = _BASE + sum(h * math.exp(-(((hour - at) / w) ** 2)) for at, w, h in _PEAKS)
        load += 0.5 * self._appliance(moment, index)
        load *= self.peak / 2 * (0.8 + 0.4 * self._chance(0, 20 + index))
        load *= 1 + 0.05 * self._drift(moment, 5_000, index)
        active = load - self.solar * max(0.0, math.sin((hour - 6) * math.pi / 12)) ** 2
        reactive = load * (0.25 + 0.10 * self._drift(moment, 60_000, 10 + index))
        voltage = (
            self.ratings.voltage
            * (
                1.015
                + 0.004 * self._drift(moment, 10_000, 6)
                + 0.002 * self._drift(moment, 800, 3 + index)
            )
            - 0.8 * active
        )
        current = 1000 * math.hypot(active, reactive) / voltage
        angle = -120.0 * index + 0.2 * self._drift(moment, 30_000, 13 + index)
        lag = math.degrees(math.atan2(reactive, active))
        return PhasePoint(voltage, current, lag, angle)

    def _appliance(self, moment: int, index: int) -> float:
        """Something that is on for a quarter of an hour now and then."""
        return 1.0 if self._chance(moment // _QUARTER, 30 + index) > 0.75 else 0.0  # noqa: PLR2004

    def _drift(self, moment: int, period: int, purpose: int) -> float:
        """Return a value from -1 to 1 that changes from one chance to the next over a period."""
        step, part = divmod(moment, period)
        before, after = self._chance(step, purpose), self._chance(step + 1, purpose)
        return 2 * (before + (after - before) * part / period) - 1

    def _chance(self, step: int, purpose: int) -> float:
        """Return a number from 0 to 1 by a mixing of bits (splitmix64): quick, and no secret."""
        mixed = (self.seed * 0x9E3779B97F4A7C15 + step * 0xD1342543DE82EF95 + purpose) & _MASK
        mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ mixed >> 31) / (_MASK + 1)


def synthetic_source(seed: int, *, light: bool = False, solar: float = 0.0) -> PointSource:
    """Return a household's supply; `light` does without waveforms."""
    return PointSource(SyntheticLoad(seed, solar=solar), light=light)

"""What a meter measures: a source gives one window of measurements for any moment.

A source keeps no state: the same moment gives the same measurement, in any order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from meterseal.collection.meter.analysis import SAMPLES_PER_CYCLE, analyse, samples_needed
from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.waveform import Waveforms, measure_point, render, with_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.collection.meter.measurement import Measurement
    from meterseal.collection.meter.waveform import OperatingPoint

__all__ = ["PointSource", "RecordedSource", "Source"]

_RATE: Final = 6400.0  # samples per second of a rendered waveform
_NOISE: Final = 2e-5  # of the rated values: that of a good converter


class Source(Protocol):
    """What is connected to a meter."""

    @property
    def ratings(self) -> Ratings:
        """Rated values of a meter that fits."""

    def measure(self, moment: int) -> Measurement:
        """Return the window of 10 cycles at a moment, in ms since 1970."""

    def waveforms(self, moment: int) -> Waveforms:
        """Return the waveforms of that window."""


@dataclass(frozen=True, slots=True)
class PointSource:
    """A source that knows the operating point of each moment.

    `light` computes quantities from the point and renders waveforms only where they are asked for.
    """

    point: Callable[[int], OperatingPoint]
    ratings: Ratings = field(default_factory=Ratings)
    light: bool = False

    def measure(self, moment: int) -> Measurement:
        """Return the window at a moment."""
        return measure_point(self.point(moment)) if self.light else analyse(self.waveforms(moment))

    def waveforms(self, moment: int) -> Waveforms:
        """Return waveforms with a converter's noise."""
        start = moment % 1000 / 1000  # phases begin anew each second: no window spans one
        waves = render(self.point(moment), _RATE, samples_needed(_RATE), start)
        seed = int.from_bytes(hashlib.blake2b(str(moment).encode(), digest_size=8).digest())
        return with_noise(waves, _NOISE * self.ratings.voltage, _NOISE * self.ratings.current, seed)


@dataclass(frozen=True, slots=True)
class RecordedSource:
    """A recording of waveforms, played over and over; no window spans its end."""

    recording: Waveforms
    ratings: Ratings

    def measure(self, moment: int) -> Measurement:
        """Return the window at a moment."""
        return analyse(self.waveforms(moment))

    def waveforms(self, moment: int) -> Waveforms:
        """Return the samples of that window."""
        rate, needed = self.recording.rate, samples_needed(self.recording.rate)
        places = self.recording.voltages.shape[1] - needed + 1
        start = int(moment * rate / 1000) % places
        window = slice(start, start + needed)
        return Waveforms(
            rate, self.recording.voltages[:, window], self.recording.currents[:, window]
        )


def one_cycle(waveforms: Waveforms) -> Waveforms:
    """Return the first cycle at the nominal frequency, with 128 samples at most."""
    step = max(1, round(waveforms.rate / 50 / SAMPLES_PER_CYCLE))
    count = round(waveforms.rate / 50)
    return Waveforms(
        waveforms.rate / step,
        waveforms.voltages[:, :count:step],
        waveforms.currents[:, :count:step],
    )

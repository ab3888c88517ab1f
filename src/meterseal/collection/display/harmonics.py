"""Harmonics of a snapshot: sinusoids fitted to the samples. Pure.

A fit, not a transform: the samples need not hold a whole number of cycles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meterseal.collection.model import Snapshot

__all__ = ["HIGHEST", "Spectrum", "spectra"]

HIGHEST: Final = 40
_LOWEST_FREQUENCY, _HIGHEST_FREQUENCY, _STEP = 42.5, 57.5, 0.5
_ROUNDS: Final = 24
_STRONG: Final = (1, 3, 5, 7)  # what a voltage is made of, nearly
_WINDOWS: Final = 5
"""Per second: 200 ms of samples are looked at, as IEC 61000-4-7 does."""

_Floats: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.float64]]"


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The fundamental's frequency (Hz) and effective value, and of each order its share in %.

    `shares[0]` is order 2; orders that the sampling rate does not reach are left out.
    """

    frequency: float
    fundamental: float
    shares: list[float]

    @property
    def distortion(self) -> float:
        """Total harmonic distortion in %, up to the last order."""
        return float(np.sqrt(np.sum(np.square(self.shares))))


def spectra(snapshot: Snapshot) -> Mapping[str, Spectrum]:
    """Return the spectrum of each channel that has one; all share the frequency of a voltage."""
    samples = {
        name: np.asarray(channel[: snapshot.rate // _WINDOWS], dtype=float)
        * float(snapshot.voltage_scale if name.startswith("U") else snapshot.current_scale)
        for name, channel in snapshot.channels.items()
    }
    voltages = [each for name, each in samples.items() if name.startswith("U") and each.any()]
    if not voltages or len(voltages[0]) * 50 < snapshot.rate:  # not even one cycle
        return {}
    frequency = _frequency(max(voltages, key=lambda each: float(each.std())), snapshot.rate)
    found = {name: _spectrum(each, snapshot.rate, frequency) for name, each in samples.items()}
    return {name: each for name, each in found.items() if each is not None}


def _spectrum(samples: _Floats, rate: int, frequency: float) -> Spectrum | None:
    orders = range(1, min(HIGHEST, int(rate / 2 / frequency - 0.5)) + 1)
    if len(samples) < 2 * len(orders) + 1 or not orders:
        return None
    amplitudes = _amplitudes(_fit(samples, rate, frequency, orders)[0])
    fundamental = amplitudes[0]
    if fundamental <= 0:
        return None
    return Spectrum(
        frequency, fundamental / 2**0.5, [100 * each / fundamental for each in amplitudes[1:]]
    )


def _frequency(samples: _Floats, rate: int) -> float:
    """Find the frequency whose sinusoids leave the least residue (golden section)."""
    orders = [order for order in _STRONG if 2 * order * _HIGHEST_FREQUENCY < rate]

    def residue(frequency: float) -> float:
        return _fit(samples, rate, frequency, orders)[1]

    coarse: list[float] = np.arange(_LOWEST_FREQUENCY, _HIGHEST_FREQUENCY + _STEP, _STEP).tolist()
    nearest = min(coarse, key=residue)
    ratio = (5**0.5 - 1) / 2
    low, high = nearest - _STEP, nearest + _STEP
    for _ in range(_ROUNDS):
        one, other = high - ratio * (high - low), low + ratio * (high - low)
        if residue(one) < residue(other):
            high = other
        else:
            low = one
    return (low + high) / 2


def _fit(
    samples: _Floats,
    rate: int,
    frequency: float,
    orders: Sequence[int],
) -> tuple[_Floats, float]:
    """Fit a constant, and cosine and sine of each order; returns coefficients and residue."""
    angles = 2 * np.pi * frequency / rate * np.outer(np.arange(len(samples)), orders)
    matrix = np.hstack([np.cos(angles), np.sin(angles), np.ones((len(samples), 1))])
    coefficients = np.linalg.lstsq(matrix, samples, rcond=None)[0]
    residue = samples - matrix @ coefficients
    return coefficients[:-1], float(residue @ residue)


def _amplitudes(coefficients: _Floats) -> list[float]:
    half = len(coefficients) // 2
    found: list[float] = np.hypot(coefficients[:half], coefficients[half:]).tolist()
    return found

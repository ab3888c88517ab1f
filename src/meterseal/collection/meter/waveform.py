"""Operating points of a supply, and the waveforms that they stand for."""

from __future__ import annotations

import cmath
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from meterseal.collection.meter.measurement import (
    HIGHEST_ORDER,
    Measurement,
    PhaseMeasurement,
    combine,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["OperatingPoint", "PhasePoint", "Waveforms", "measure_point", "render", "with_noise"]

Harmonics: TypeAlias = tuple[tuple[int, float], ...]
"""Pairs of an order from 2 to 40 and its content as a fraction of the fundamental."""

_SQRT2: Final = math.sqrt(2)


@dataclass(frozen=True, slots=True)
class Waveforms:
    """Samples of three phases taken together, `rate` per second.

    `voltages` in V and `currents` in A have the shape (3, n); an absent phase is all NaN.
    """

    rate: float
    voltages: NDArray[np.float64]
    currents: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PhasePoint:
    """RMS of the fundamentals in V and A; angles in degrees.

    `lag` is by how much the current lags the voltage, `angle` where the voltage stands.
    """

    voltage: float
    current: float
    lag: float = 0.0
    angle: float = 0.0


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A steady state of the supply and its load; an absent phase is None."""

    phases: tuple[PhasePoint | None, PhasePoint | None, PhasePoint | None]
    frequency: float = 50.0
    voltage_harmonics: Harmonics = ()
    current_harmonics: Harmonics = ()

    @classmethod
    def balanced(cls, voltage: float, current: float, lag: float = 0.0) -> OperatingPoint:
        """Three equal phases in the order A, B, C at 50 Hz."""
        a, b, c = (PhasePoint(voltage, current, lag, angle) for angle in (0.0, -120.0, 120.0))
        return cls((a, b, c))


def render(point: OperatingPoint, rate: float, samples: int, start: float = 0.0) -> Waveforms:
    """Return `samples` samples from `start` seconds on."""
    turns = 2 * np.pi * point.frequency * (start + np.arange(samples) / rate)
    voltages, currents = np.full((2, 3, samples), np.nan)
    for index, phase in enumerate(point.phases):
        if phase is not None:
            angle = math.radians(phase.angle)
            voltages[index] = _wave(turns + angle, phase.voltage, point.voltage_harmonics)
            angle -= math.radians(phase.lag)
            currents[index] = _wave(turns + angle, phase.current, point.current_harmonics)
    return Waveforms(rate, voltages, currents)


def with_noise(waveforms: Waveforms, volts: float, amperes: float, seed: int) -> Waveforms:
    """Return the waveforms with white noise of these RMS values; a seed gives the same noise."""
    random = np.random.default_rng(seed)
    shape = waveforms.voltages.shape
    return Waveforms(
        waveforms.rate,
        waveforms.voltages + random.normal(0, volts, shape),
        waveforms.currents + random.normal(0, amperes, shape),
    )


def _wave(turns: NDArray[np.float64], rms: float, harmonics: Harmonics) -> NDArray[np.float64]:
    wave = np.cos(turns)
    for order, content in harmonics:
        wave += content * np.cos(order * turns)
    return _SQRT2 * rms * wave


def measure_point(point: OperatingPoint) -> Measurement:
    """Return what an ideal meter would find, without the waveforms: for meters by the thousand."""
    phases = [_measure_phase(point, phase) for phase in point.phases]
    return combine(phases, point.frequency, _neutral_current(point, phases))


def _measure_phase(point: OperatingPoint, phase: PhasePoint | None) -> PhaseMeasurement | None:
    if phase is None:
        return None
    angle, lag = math.radians(phase.angle), math.radians(phase.lag)
    shares = _harmonic_powers(point.voltage_harmonics, point.current_harmonics)
    factor = math.cos(lag) + sum(share * math.cos(order * lag) for order, share in shares)
    return PhaseMeasurement(
        voltage=phase.voltage * _swelling(point.voltage_harmonics),
        current=phase.current * _swelling(point.current_harmonics),
        active=phase.voltage * phase.current * factor,
        voltage_phasor=cmath.rect(phase.voltage, angle),
        current_phasor=cmath.rect(phase.current, angle - lag),
        voltage_harmonics=_spectrum(point.voltage_harmonics),
        current_harmonics=_spectrum(point.current_harmonics),
    )


def _neutral_current(
    point: OperatingPoint, phases: Sequence[PhaseMeasurement | None]
) -> float | None:
    """Return RMS of the currents' sum: each harmonic turns by its order in every phase."""
    if any(phase is None for phase in phases):
        return None
    total = 0.0
    for order, content in ((1, 1.0), *point.current_harmonics):
        together = sum(
            phase.current * cmath.rect(content, order * math.radians(phase.angle - phase.lag))
            for phase in point.phases
            if phase is not None
        )
        total += abs(together) ** 2
    return math.sqrt(total)


@functools.lru_cache(maxsize=256)
def _harmonic_powers(voltages: Harmonics, currents: Harmonics) -> Harmonics:
    of_current = dict(currents)
    return tuple(
        (order, content * of_current[order]) for order, content in voltages if order in of_current
    )


@functools.lru_cache(maxsize=256)
def _swelling(harmonics: Harmonics) -> float:
    """By how much harmonics make the RMS larger than that of the fundamental."""
    return math.sqrt(1 + sum(content**2 for _, content in harmonics))


@functools.lru_cache(maxsize=256)
def _spectrum(harmonics: Harmonics) -> tuple[float, ...]:
    contents = dict(harmonics)
    return (100.0, *(100 * contents.get(order, 0.0) for order in range(2, HIGHEST_ORDER + 1)))

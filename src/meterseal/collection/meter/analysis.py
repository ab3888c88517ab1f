"""From waveforms to quantities, in windows of 10 cycles: the mathematics of a metering chip.

A window is cut between two zero crossings of the fundamental of the voltage, resampled to a whole
number of samples per cycle, and freed of its mean. What follows is sums over samples (RMS, active
power) and one Fourier transform (phasors, harmonics), which then have no leakage to correct.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from meterseal.collection.meter.measurement import (
    HIGHEST_ORDER,
    Measurement,
    PhaseMeasurement,
    combine,
)
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meterseal.collection.meter.waveform import Waveforms

__all__ = ["CYCLES", "SAMPLES_PER_CYCLE", "analyse", "samples_needed"]

CYCLES: Final = 10
SAMPLES_PER_CYCLE: Final = 128
NOMINAL_FREQUENCY: Final = 50.0
_LOWEST_FREQUENCY: Final = 42.5  # the range of IEC 61000-4-30 for 50 Hz
_HIGHEST_FREQUENCY: Final = 57.5
_REACH: Final = 16  # input samples on either side of one resampled
_KAISER: Final = 9.0
_TABLE_STEPS: Final = 1024  # of fractions of a sample; between them weights are interpolated
_SPARE_CYCLES: Final = 4  # two for the band-pass, one until a zero crossing, one for resampling
_HARMONICS: Final = np.arange(1, HIGHEST_ORDER + 1) * CYCLES
_LEAST_RATE: Final = 2.2 * HIGHEST_ORDER * NOMINAL_FREQUENCY
_PRESENT: Final = 1.0  # V: a phase with less has no frequency


def samples_needed(rate: float) -> int:
    """How many samples `analyse` needs of waveforms with `rate` samples per second."""
    return math.ceil((CYCLES + _SPARE_CYCLES) * rate / _LOWEST_FREQUENCY)


def analyse(waveforms: Waveforms) -> Measurement:
    """Measure one window of 10 cycles.

    Without any voltage the frequency is None and the window that of the nominal one. Raises
    `UsageError` where there are too few samples, or too few per second for the 40th harmonic.
    """
    _check(waveforms)
    begin, end, frequency = _find_window(waveforms)
    channels = np.concatenate((waveforms.voltages, waveforms.currents))
    window = _resample(channels, begin, end)
    window -= window.mean(axis=1, keepdims=True)
    # One-sided RMS spectrum; the window begins anywhere, so angles are told against each other.
    spectrum = np.fft.rfft(window, axis=1) * (math.sqrt(2) / window.shape[1])
    phases = [_measure_phase(window, spectrum, index) for index in range(3)]
    neutral = window[3:].sum(axis=0)
    return combine(phases, frequency, _rms(neutral) if not np.isnan(neutral[0]) else None)


def _check(waveforms: Waveforms) -> None:
    if waveforms.rate < _LEAST_RATE:
        raise UsageError(
            f"{waveforms.rate:g} samples per second are too few: at least {_LEAST_RATE:g} expected"
        )
    least = samples_needed(waveforms.rate)
    shape = waveforms.voltages.shape
    if shape != waveforms.currents.shape or shape[0] != 3 or shape[1] < least:  # noqa: PLR2004
        raise UsageError(
            f"three phases of at least {least} samples expected, voltages have {shape} "
            f"and currents {waveforms.currents.shape}"
        )


def _find_window(waveforms: Waveforms) -> tuple[float, float, float | None]:
    """Where 10 cycles begin and end, in samples, and the frequency if there is a voltage."""
    reference = _strongest(waveforms.voltages)
    if reference is not None:
        crossings = _rising_crossings(reference, waveforms.rate)
        if len(crossings) > CYCLES:
            begin, end = crossings[0], crossings[CYCLES]
            frequency = CYCLES * waveforms.rate / (end - begin)
            if _LOWEST_FREQUENCY <= frequency <= _HIGHEST_FREQUENCY:
                return begin, end, frequency
    begin = float(_REACH)
    return begin, begin + CYCLES * waveforms.rate / NOMINAL_FREQUENCY, None


def _strongest(voltages: NDArray[np.float64]) -> NDArray[np.float64] | None:
    levels = [0.0 if np.isnan(row[0]) else _rms(row) for row in voltages]
    strongest = int(np.argmax(levels))
    return voltages[strongest] if levels[strongest] >= _PRESENT else None


def _rising_crossings(samples: NDArray[np.float64], rate: float) -> list[float]:
    """Where the fundamental rises through zero, in samples.

    The band-pass is complex: its phase grows evenly, and is interpolated without error between
    two samples, as the samples themselves would not be.
    """
    kernel = _band_pass(rate)
    turns = np.unwrap(np.angle(np.convolve(samples, kernel, mode="valid"))) / (2 * np.pi) + 0.25
    first = math.ceil(turns[0])
    wanted = np.arange(first, math.floor(turns[-1]) + 1)
    offset = (len(kernel) - 1) / 2
    crossings = np.interp(wanted, turns, np.arange(len(turns)) + offset)
    return [float(crossing) for crossing in crossings if crossing >= _REACH]


@functools.lru_cache(maxsize=8)
def _band_pass(rate: float) -> NDArray[np.complex128]:
    """Two cycles of the nominal frequency under a Hann window: harmonics fall on its zeros."""
    half = round(rate / NOMINAL_FREQUENCY)
    steps = np.arange(-half, half + 1)
    envelope = np.hanning(len(steps))
    turning = np.exp(2j * np.pi * NOMINAL_FREQUENCY * steps / rate)
    return np.asarray(envelope * turning / envelope.sum(), dtype=np.complex128)


def _resample(channels: NDArray[np.float64], begin: float, end: float) -> NDArray[np.float64]:
    """Return 10 cycles at 128 samples each, interpolated by a sinc under a Kaiser window."""
    count = CYCLES * SAMPLES_PER_CYCLE
    places = begin + (end - begin) * np.arange(count) / count
    whole = np.floor(places).astype(np.int64)
    around = np.arange(-_REACH + 1, _REACH + 1)
    weights = _weights(places - whole)
    return np.asarray(np.einsum("cnk,nk->cn", channels[:, whole[:, None] + around], weights))


def _weights(fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of the samples around places that lie such fractions behind a sample."""
    table = _weight_table()
    steps = fractions * _TABLE_STEPS
    row = steps.astype(np.int64)
    share = (steps - row)[:, None]
    return np.asarray(table[row] * (1 - share) + table[row + 1] * share)


@functools.cache
def _weight_table() -> NDArray[np.float64]:
    fractions = np.arange(_TABLE_STEPS + 1)[:, None] / _TABLE_STEPS
    distance = fractions - np.arange(-_REACH + 1, _REACH + 1)
    inside = np.sqrt(np.maximum(0.0, 1 - (distance / _REACH) ** 2))
    weights = np.sinc(distance) * np.i0(_KAISER * inside)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _measure_phase(
    window: NDArray[np.float64], spectrum: NDArray[np.complex128], index: int
) -> PhaseMeasurement | None:
    voltage, current = window[index], window[index + 3]
    if np.isnan(voltage[0]) or np.isnan(current[0]):
        return None
    return PhaseMeasurement(
        voltage=_rms(voltage),
        current=_rms(current),
        active=float(np.mean(voltage * current)),
        voltage_phasor=complex(spectrum[index, CYCLES]),
        current_phasor=complex(spectrum[index + 3, CYCLES]),
        voltage_harmonics=_contents(spectrum[index]),
        current_harmonics=_contents(spectrum[index + 3]),
    )


def _contents(spectrum: NDArray[np.complex128]) -> tuple[float, ...]:
    """Harmonic subgroups in percent of the fundamental's (IEC 61000-4-7, 5.6)."""
    power = np.abs(spectrum) ** 2
    groups = np.sqrt(power[_HARMONICS - 1] + power[_HARMONICS] + power[_HARMONICS + 1])
    if groups[0] == 0:
        return (0.0,) * HIGHEST_ORDER
    return tuple((100 * groups / groups[0]).tolist())


def _rms(samples: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.mean(samples * samples)))

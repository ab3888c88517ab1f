"""What one measuring window of 10 cycles comes to, and how totals follow from the phases.

Signs: power is positive where it flows to the load; reactive power, and the angle by which the
current lags its voltage, are positive for an inductive load. Angles lie in 0 to 360 degrees.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.collection.model import Quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HIGHEST_ORDER", "Measurement", "PhaseMeasurement", "SymmetricalComponents", "combine"]

HIGHEST_ORDER: Final = 40
_NO_CURRENT: Final = 1e-4  # A: below it a phasor has no angle worth telling
_NO_VOLTAGE: Final = 0.5  # V
_A: Final = cmath.rect(1, 2 * math.pi / 3)
_WATTS: Final = 1000


@dataclass(frozen=True, slots=True)
class PhaseMeasurement:
    """One phase: V, A, W, var, VA; phasors of the fundamental; harmonics in percent of it.

    `active` counts all harmonics, `reactive` is that of the fundamental: U1 I1 sin(phi1). The
    harmonics begin with order 1, which is 100 (or 0 where there is no fundamental).
    """

    voltage: float
    current: float
    active: float
    voltage_phasor: complex
    current_phasor: complex
    voltage_harmonics: tuple[float, ...]
    current_harmonics: tuple[float, ...]

    @property
    def reactive(self) -> float:
        """Reactive power of the fundamental, positive for an inductive load."""
        return (self.voltage_phasor * self.current_phasor.conjugate()).imag

    @property
    def apparent(self) -> float:
        """Product of the two RMS values."""
        return self.voltage * self.current

    @property
    def lag(self) -> float | None:
        """Degrees by which the current lags the voltage; None where one of them is missing."""
        if abs(self.current_phasor) < _NO_CURRENT:
            return None
        return _angle(self.voltage_phasor, self.current_phasor)

    @property
    def voltage_thd(self) -> float | None:
        """Total harmonic distortion in percent: orders 2 to 40 against the fundamental."""
        return _distortion(self.voltage_harmonics) if _speaks(self.voltage_phasor) else None

    @property
    def current_thd(self) -> float | None:
        """As `voltage_thd`."""
        if abs(self.current_phasor) < _NO_CURRENT:
            return None
        return _distortion(self.current_harmonics)


@dataclass(frozen=True, slots=True)
class SymmetricalComponents:
    """Zero, positive and negative sequence of three phasors."""

    zero: complex
    positive: complex
    negative: complex

    @classmethod
    def of(cls, a: complex, b: complex, c: complex) -> SymmetricalComponents:
        """Split three phasors (Fortescue)."""
        return cls(
            zero=(a + b + c) / 3,
            positive=(a + _A * b + _A * _A * c) / 3,
            negative=(a + _A * _A * b + _A * c) / 3,
        )

    def unbalance(self, least: float) -> float | None:
        """Negative against positive sequence in percent; None where there is next to nothing."""
        larger = max(abs(self.positive), abs(self.negative))
        if larger < least:
            return None
        return min(100 * abs(self.negative) / max(abs(self.positive), 1e-12), 600.0)

    @property
    def is_reversed(self) -> bool:
        """Whether the phases follow each other the wrong way round."""
        return abs(self.negative) > abs(self.positive)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Three phases measured together; an absent phase is None."""

    phases: tuple[PhaseMeasurement | None, PhaseMeasurement | None, PhaseMeasurement | None]
    frequency: float | None
    neutral_current: float | None
    active: float
    reactive: float
    apparent_arithmetic: float
    voltages: SymmetricalComponents | None
    currents: SymmetricalComponents | None

    @property
    def apparent_vector(self) -> float:
        """Length of the vector (P, Q): what the phases add up to as a whole."""
        return math.hypot(self.active, self.reactive)

    def values(self) -> dict[Quantity, int | None]:
        """All quantities in steps of their resolution; None for what an absent phase lacks."""
        values: dict[Quantity, int | None] = {}
        for quantities, phase in zip(_PHASES, self.phases, strict=True):
            amounts = _amounts(phase) if phase is not None else [None] * len(quantities)
            for quantity, amount in zip(quantities, amounts, strict=True):
                values[quantity] = _steps(quantity, amount)
        for quantity, amount in self._totals():
            values[quantity] = _steps(quantity, amount)
        return values

    def _totals(self) -> Sequence[tuple[Quantity, float | None]]:
        a, b, c = (phase.voltage_phasor if phase is not None else None for phase in self.phases)
        return (
            (Quantity.CURRENT_NEUTRAL, self.neutral_current),
            (Quantity.ACTIVE_POWER, self.active / _WATTS),
            (Quantity.REACTIVE_POWER, self.reactive / _WATTS),
            (Quantity.APPARENT_POWER, self.apparent_arithmetic / _WATTS),
            (Quantity.POWER_FACTOR, _factor(self.active, self.apparent_arithmetic)),
            (Quantity.VOLTAGE_ANGLE_B, _angle(b, a)),
            (Quantity.VOLTAGE_ANGLE_C, _angle(c, a)),
            (Quantity.FREQUENCY, self.frequency),
            (Quantity.VOLTAGE_UNBALANCE, _unbalance(self.voltages, _NO_VOLTAGE)),
            (Quantity.CURRENT_UNBALANCE, _unbalance(self.currents, _NO_CURRENT)),
        )


def combine(
    phases: Sequence[PhaseMeasurement | None],
    frequency: float | None,
    neutral_current: float | None,
) -> Measurement:
    """Add up three phases: powers algebraically, apparent power arithmetically."""
    a, b, c = phases
    present = [phase for phase in phases if phase is not None]
    complete = a is not None and b is not None and c is not None
    return Measurement(
        phases=(a, b, c),
        frequency=frequency,
        neutral_current=neutral_current,
        active=sum(phase.active for phase in present),
        reactive=sum(phase.reactive for phase in present),
        apparent_arithmetic=sum(phase.apparent for phase in present),
        voltages=SymmetricalComponents.of(*(phase.voltage_phasor for phase in present))
        if complete
        else None,
        currents=SymmetricalComponents.of(*(phase.current_phasor for phase in present))
        if complete
        else None,
    )


_PHASE_QUANTITIES: Final = (
    "VOLTAGE",
    "CURRENT",
    "ACTIVE_POWER",
    "REACTIVE_POWER",
    "APPARENT_POWER",
    "POWER_FACTOR",
    "PHASE_ANGLE",
    "VOLTAGE_THD",
    "CURRENT_THD",
)
_PHASES: Final = tuple(
    tuple(Quantity[f"{name}_{phase}"] for name in _PHASE_QUANTITIES) for phase in "ABC"
)


def _amounts(phase: PhaseMeasurement) -> list[float | None]:
    """In the order of `_PHASE_QUANTITIES`."""
    return [
        phase.voltage,
        phase.current,
        phase.active / _WATTS,
        phase.reactive / _WATTS,
        phase.apparent / _WATTS,
        _factor(phase.active, phase.apparent),
        phase.lag,
        phase.voltage_thd,
        phase.current_thd,
    ]


def _unbalance(components: SymmetricalComponents | None, least: float) -> float | None:
    return None if components is None else components.unbalance(least)


def _steps(quantity: Quantity, amount: float | None) -> int | None:
    if amount is None:
        return None
    scale = int(10**quantity.decimals)
    steps = round(amount * scale)
    return steps % (360 * scale) if quantity.unit == "°" else steps


def _factor(active: float, apparent: float) -> float:
    """Power factor with the sign of the active power; 1 where nothing flows."""
    return max(-1.0, min(1.0, active / apparent)) if apparent > _NO_CURRENT else 1.0


def _speaks(phasor: complex | None) -> bool:
    return phasor is not None and abs(phasor) >= _NO_VOLTAGE


def _angle(phasor: complex | None, reference: complex | None) -> float | None:
    """Degrees from the reference to the phasor, counter-clockwise; None where one is missing."""
    if phasor is None or reference is None or abs(phasor) == 0 or abs(reference) == 0:
        return None
    return math.degrees(cmath.phase(phasor / reference)) % 360


def _distortion(harmonics: tuple[float, ...]) -> float:
    return math.sqrt(sum(content * content for content in harmonics[1:]))

"""The phasors of a meter, and what they tell of its wiring. Pure.

Angles in degrees, counter-clockwise; the voltage of phase A points up (0). A lagging (inductive)
current lies clockwise of its voltage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations, product
from statistics import median
from typing import TYPE_CHECKING, Final

from meterseal.collection.model import Quantity

if TYPE_CHECKING:
    from meterseal.collection.model import Values

__all__ = ["PHASES", "Hint", "Phasor", "hints", "phasors"]

PHASES: Final = ("A", "B", "C")
_NOMINAL: Final = {"A": 0.0, "B": 240.0, "C": 120.0}
_MISSING_VOLTAGE: Final = 0.6  # of the other phases
_MISSING_CURRENT: Final = 0.01  # of the largest
_LEAST_CURRENT: Final = 0.01  # A: below it an angle says nothing
_SEQUENCE_TOLERANCE: Final = 30.0
_SPREAD: Final = 30.0
"""Degrees that the lags of three phases of one installation may differ."""
_MOST_LAG: Final = 65.0
_UNBALANCE: Final = 2.0  # %, GB/T 15543-2008, 4.1
_EVERYTHING: Final = len(PHASES)


@dataclass(frozen=True, slots=True)
class Phasor:
    """An arrow: `kind` "U" or "I", RMS value in V or A, degrees; `assumed` if not measured."""

    kind: str
    phase: str
    magnitude: float
    angle: float
    assumed: bool = False

    def tip(self, length: float) -> tuple[float, float]:
        """Return where the arrow ends on a drawing, x to the right and y down."""
        radians = math.radians(self.angle)
        return -length * math.sin(radians), -length * math.cos(radians)


@dataclass(frozen=True, slots=True)
class Hint:
    """What a rule found: the key of its text, and the phases concerned."""

    rule: str
    phases: str = ""


def phasors(values: Values) -> list[Phasor]:
    """Return the arrows that these values give: those of missing phases are left out."""
    found = []
    for phase in PHASES:
        voltage = _amount(values, f"VOLTAGE_{phase}")
        current = _amount(values, f"CURRENT_{phase}")
        measured = 0.0 if phase == "A" else _amount(values, f"VOLTAGE_ANGLE_{phase}")
        angle = _NOMINAL[phase] if measured is None else measured
        if voltage:
            found.append(Phasor("U", phase, voltage, angle, measured is None))
        lag = _amount(values, f"PHASE_ANGLE_{phase}")
        if current and lag is not None:
            found.append(Phasor("I", phase, current, (angle - lag) % 360, measured is None))
    return found


def hints(values: Values) -> list[Hint]:
    """Say what the arrows look like to whoever wires meters; the most likely cause of each."""
    arrows = {(each.kind, each.phase): each for each in phasors(values)}
    voltages = {
        phase: _amount(values, f"VOLTAGE_{phase}")
        for phase in PHASES
        if Quantity[f"VOLTAGE_{phase}"] in values  # what nobody asked for is not missing
    }
    found = [*_missing_voltages(voltages)]
    if not found:
        found += _sequence(arrows)
    found += _missing_currents(values)
    found += _wiring(arrows)
    unbalance = _amount(values, "VOLTAGE_UNBALANCE")
    if unbalance is not None and unbalance > _UNBALANCE:
        found.append(Hint("hint_voltage_unbalance"))
    return found


def _missing_voltages(voltages: dict[str, float | None]) -> list[Hint]:
    known = [voltage for voltage in voltages.values() if voltage]
    if not known:
        return [Hint("hint_no_voltage")] if voltages else []
    usual = median(known) if len(known) == _EVERYTHING else max(known)
    return [
        Hint("hint_missing_phase", phase)
        for phase, voltage in voltages.items()
        if (voltage or 0) < _MISSING_VOLTAGE * usual
    ]


def _missing_currents(values: Values) -> list[Hint]:
    currents = {phase: _amount(values, f"CURRENT_{phase}") for phase in PHASES}
    most = max((current or 0 for current in currents.values()), default=0)
    if most < _LEAST_CURRENT:
        return []
    return [
        Hint("hint_missing_current", phase)
        for phase, current in currents.items()
        if current is not None and current < _MISSING_CURRENT * most
    ]


def _sequence(arrows: dict[tuple[str, str], Phasor]) -> list[Hint]:
    if any(("U", phase) not in arrows or arrows["U", phase].assumed for phase in PHASES):
        return []
    b, c = arrows["U", "B"].angle, arrows["U", "C"].angle
    if _apart(b, 120) < _SEQUENCE_TOLERANCE and _apart(c, 240) < _SEQUENCE_TOLERANCE:
        return [Hint("hint_voltage_sequence", "BC")]
    if _apart(b, 240) > _SEQUENCE_TOLERANCE or _apart(c, 120) > _SEQUENCE_TOLERANCE:
        return [Hint("hint_voltage_angles")]
    return []


def _wiring(arrows: dict[tuple[str, str], Phasor]) -> list[Hint]:
    """Find the fewest exchanged or turned current transformers that would explain the angles."""
    if any((kind, phase) not in arrows for kind, phase in product("UI", PHASES)):
        return _reversed_alone(arrows)
    voltage = [arrows["U", phase].angle for phase in PHASES]
    current = [arrows["I", phase].angle for phase in PHASES]
    found: dict[int, list[list[Hint]]] = {}
    for order, turned in product(permutations(range(3)), product((False, True), repeat=3)):
        lags = [
            (voltage[place] - current[source] - (180 if turned[source] else 0)) % 360
            for place, source in enumerate(order)
        ]
        if _plausible(lags):
            moved = [place for place, source in enumerate(order) if place != source]
            causes = [Hint("hint_reversed_ct", PHASES[n]) for n in range(3) if turned[n]]
            if moved:
                causes.append(Hint("hint_swapped_currents", "".join(PHASES[n] for n in moved)))
            # Turning all of them is one cause: power that flows back.
            effort = max(len(moved) - 1, 0) + (1 if all(turned) else sum(turned))
            found.setdefault(effort, []).append(causes)
    if not found:
        return [Hint("hint_unexplained")]
    best = found[min(found)]
    if not best[0]:
        return []
    if [hint.rule for hint in best[0]] == ["hint_reversed_ct"] * 3:
        return [Hint("hint_feeding_back")]
    return best[0] if len(best) == 1 else [Hint("hint_ambiguous")]


def _reversed_alone(arrows: dict[tuple[str, str], Phasor]) -> list[Hint]:
    """Without all six arrows nothing can be exchanged; a current turned round still shows."""
    found = []
    for phase in PHASES:
        if ("U", phase) in arrows and ("I", phase) in arrows:
            lag = arrows["U", phase].angle - arrows["I", phase].angle
            if _apart(lag, 180) < _MOST_LAG:
                found.append(Hint("hint_reversed_ct", phase))
    return found


def _plausible(lags: list[float]) -> bool:
    """Whether three lags are those of one installation that takes power."""
    signed = [(lag + 180) % 360 - 180 for lag in lags]
    return max(map(abs, signed)) <= _MOST_LAG and max(signed) - min(signed) <= _SPREAD


def _apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


def _amount(values: Values, name: str) -> float | None:
    quantity = Quantity[name]
    steps = values.get(quantity)
    return None if steps is None else float(quantity.amount(steps))

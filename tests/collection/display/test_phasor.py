"""Where the arrows point, and what is said of the wiring."""

from __future__ import annotations

import pytest

from meterseal.collection.display.phasor import Hint, Phasor, hints, phasors
from meterseal.collection.model import Quantity

VOLTAGE_ANGLES = {"A": 0.0, "B": 240.0, "C": 120.0}


def values(
    *,
    voltages: tuple[float | None, ...] = (220, 221, 219),
    currents: tuple[float | None, ...] = (5, 5, 5),
    current_angles: tuple[float, ...] = (335, 215, 95),
    voltage_angles: tuple[float, ...] | None = (0, 240, 120),
) -> dict[Quantity, int | None]:
    """What a meter would say of these arrows."""
    found: dict[Quantity, int | None] = {}

    def put(name: str, value: float | None) -> None:
        found[Quantity[name]] = None if value is None else Quantity[name].steps(value)

    turned = voltage_angles or (0, 240, 120)
    for number, phase in enumerate("ABC"):
        put(f"VOLTAGE_{phase}", voltages[number])
        put(f"CURRENT_{phase}", currents[number])
        put(f"PHASE_ANGLE_{phase}", (turned[number] - current_angles[number]) % 360)
    if voltage_angles:
        put("VOLTAGE_ANGLE_B", voltage_angles[1])
        put("VOLTAGE_ANGLE_C", voltage_angles[2])
    return found


def rules(**arrows: object) -> list[tuple[str, str]]:
    return [(hint.rule, hint.phases) for hint in hints(values(**arrows))]  # type: ignore[arg-type]


def test_arrows_point_where_they_were_measured() -> None:
    found = {each.kind + each.phase: each for each in phasors(values())}
    assert found["UB"] == Phasor("U", "B", 221.0, 240.0)
    assert {name: round(each.angle) for name, each in found.items()} == {
        "UA": 0, "UB": 240, "UC": 120, "IA": 335, "IB": 215, "IC": 95,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("angle", "tip"), [(0, (0, -10)), (90, (-10, 0)), (180, (0, 10)), (240, (8.66, 5))]
)
def test_phase_a_points_up_and_angles_run_counter_clockwise(
    angle: float, tip: tuple[float, float]
) -> None:
    assert Phasor("U", "A", 220, angle).tip(10) == pytest.approx(tip, abs=1e-3)


def test_angles_that_were_not_reported_are_assumed_and_say_so() -> None:
    found = {each.kind + each.phase: each for each in phasors(values(voltage_angles=None))}
    assert (found["UB"].angle, found["UB"].assumed) == (240.0, True)
    assert not found["UA"].assumed


def test_missing_phases_have_no_arrow() -> None:
    found = phasors(values(voltages=(220, None, 219), currents=(5, None, 5)))
    assert {each.phase for each in found} == {"A", "C"}
    assert phasors({}) == []


def test_sound_wiring_has_no_hint() -> None:
    assert rules() == []
    assert rules(current_angles=(20, 260, 140)) == []  # capacitive
    assert rules(currents=(0.0, 0.0, 0.0)) == []


@pytest.mark.parametrize(
    ("arrows", "expected"),
    [
        ({"voltages": (220, 10, 219)}, ("hint_missing_phase", "B")),
        ({"voltages": (None, 220, 219)}, ("hint_missing_phase", "A")),
        ({"currents": (5, 5, 0)}, ("hint_missing_current", "C")),
        ({"current_angles": (155, 215, 95)}, ("hint_reversed_ct", "A")),
        ({"current_angles": (335, 35, 95)}, ("hint_reversed_ct", "B")),
        ({"current_angles": (335, 95, 215)}, ("hint_swapped_currents", "BC")),
        ({"current_angles": (215, 335, 95)}, ("hint_swapped_currents", "AB")),
        ({"current_angles": (155, 35, 275)}, ("hint_feeding_back", "")),
        (
            {"voltage_angles": (0, 120, 240), "current_angles": (335, 95, 215)},
            ("hint_voltage_sequence", "BC"),
        ),
        (
            {"voltage_angles": (0, 180, 120), "current_angles": (335, 155, 95)},
            ("hint_voltage_angles", ""),
        ),
    ],
)
def test_faults_are_named(arrows: dict[str, object], expected: tuple[str, str]) -> None:
    assert expected in rules(**arrows)


def test_a_reversed_transformer_shows_without_the_other_phases() -> None:
    found = rules(voltages=(220, None, None), currents=(5, None, None), current_angles=(160, 0, 0))
    assert ("hint_reversed_ct", "A") in found


def test_angles_that_nothing_explains_are_told() -> None:
    assert rules(current_angles=(335, 300, 10)) == [("hint_unexplained", "")]


def test_no_voltage_at_all_is_told() -> None:
    assert rules(voltages=(None, 0, None), currents=(0, 0, 0)) == [("hint_no_voltage", "")]


def test_what_was_not_read_is_not_missing() -> None:
    assert hints({}) == []
    assert hints({Quantity.VOLTAGE_A: 22000}) == []


def test_unbalance_is_told_above_two_percent() -> None:
    for steps, told in ((200, False), (201, True)):
        found = hints({**values(), Quantity.VOLTAGE_UNBALANCE: steps})
        assert (Hint("hint_voltage_unbalance") in found) is told

"""Quantities of one window, sign for sign."""

import math

import numpy as np
import pytest

from meterseal.collection.meter.analysis import analyse, samples_needed
from meterseal.collection.meter.measurement import Measurement
from meterseal.collection.meter.waveform import (
    OperatingPoint,
    PhasePoint,
    Waveforms,
    measure_point,
    render,
)
from meterseal.collection.model import Quantity
from meterseal.errors import UsageError

RATE = 6400.0


def measure(point: OperatingPoint) -> Measurement:
    return analyse(render(point, RATE, samples_needed(RATE), start=0.00371))


def steps(quantity: Quantity, point: OperatingPoint) -> int | None:
    return measure(point).values()[quantity]


@pytest.mark.parametrize(
    ("lag", "active", "reactive", "factor", "angle"),
    [
        (60.0, 110, 191, 500, 600),  # I: import, inductive
        (120.0, -110, 191, -500, 1200),  # II: export, inductive
        (240.0, -110, -191, -500, 2400),  # III
        (300.0, 110, -191, 500, 3000),  # IV: import, capacitive
    ],
)
def test_signs_follow_the_quadrant(
    lag: float, active: int, reactive: int, factor: int, angle: int
) -> None:
    values = measure(OperatingPoint.balanced(220.0, 1.0, lag)).values()
    assert values[Quantity.ACTIVE_POWER_A] == active * 10
    assert values[Quantity.REACTIVE_POWER_A] == pytest.approx(reactive * 10, abs=6)
    assert values[Quantity.POWER_FACTOR_A] == factor
    assert values[Quantity.PHASE_ANGLE_A] == angle
    assert values[Quantity.ACTIVE_POWER] == active * 30


def test_voltages_follow_each_other_counter_clockwise() -> None:
    point = OperatingPoint.balanced(220.0, 1.0)
    assert steps(Quantity.VOLTAGE_ANGLE_B, point) == 2400
    assert steps(Quantity.VOLTAGE_ANGLE_C, point) == 1200
    assert steps(Quantity.VOLTAGE_UNBALANCE, point) == 0


def test_a_reversed_sequence_is_seen() -> None:
    a, b, c = (PhasePoint(220.0, 1.0, 0.0, angle) for angle in (0.0, 120.0, -120.0))
    voltages = measure(OperatingPoint((a, b, c))).voltages
    assert voltages is not None
    assert voltages.is_reversed


def test_unbalance_is_negative_over_positive_sequence() -> None:
    a, b, c = (
        PhasePoint(u, 1.0, 0.0, angle) for u, angle in ((220.0, 0.0), (220.0, -120), (200.0, 120.0))
    )
    # 220, 220, 200 V: U1 = 640/3, U2 = 20/3, hence 3.125 %.
    assert steps(Quantity.VOLTAGE_UNBALANCE, OperatingPoint((a, b, c))) in {312, 313}


def test_apparent_power_is_named_by_its_sum() -> None:
    a, b, c = (
        PhasePoint(220.0, i, lag, angle)
        for i, lag, angle in ((3.0, 60.0, 0.0), (1.0, -60.0, -120.0), (2.0, 0.0, 120.0))
    )
    found = measure(OperatingPoint((a, b, c)))
    assert found.apparent_arithmetic == pytest.approx(1320.0, rel=1e-5)
    assert found.apparent_vector == pytest.approx(math.hypot(880.0, 381.05), rel=1e-4)


def test_reactive_power_is_that_of_the_fundamental() -> None:
    third = ((3, 0.3),)
    pure = OperatingPoint.balanced(220.0, 1.0, 40.0)
    bent = OperatingPoint(pure.phases, 50.0, third, third)
    assert measure(bent).reactive == pytest.approx(measure(pure).reactive, rel=1e-5)
    expected = 660.0 * (math.cos(math.radians(40)) + 0.09 * math.cos(math.radians(120)))
    assert measure(bent).active == pytest.approx(expected, rel=1e-5)


def test_distortion_counts_orders_2_to_40() -> None:
    point = OperatingPoint.balanced(220.0, 1.0)
    bent = OperatingPoint(point.phases, 50.0, ((2, 0.03), (40, 0.04)))
    assert steps(Quantity.VOLTAGE_THD_B, bent) == 500


def test_a_constant_offset_is_not_measured() -> None:
    waves = render(OperatingPoint.balanced(220.0, 1.0), RATE, samples_needed(RATE))
    shifted = analyse(Waveforms(RATE, waves.voltages + 20.0, waves.currents + 0.3))
    assert shifted.active == pytest.approx(660.0, rel=1e-5)
    assert shifted.phases[0] is not None
    assert shifted.phases[0].voltage == pytest.approx(220.0, rel=1e-5)


def test_an_absent_phase_has_no_values_but_missing_ones() -> None:
    phase = PhasePoint(220.0, 1.0)
    values = measure(OperatingPoint((phase, None, None))).values()
    assert values[Quantity.VOLTAGE_A] == 22000
    for quantity in (Quantity.VOLTAGE_B, Quantity.ACTIVE_POWER_C, Quantity.VOLTAGE_ANGLE_B):
        assert values[quantity] is None
    assert values[Quantity.CURRENT_NEUTRAL] is None
    assert values[Quantity.ACTIVE_POWER] == 2200


def test_without_voltage_there_is_no_frequency() -> None:
    dead = OperatingPoint.balanced(0.0, 1.0)
    values = measure(dead).values()
    assert values[Quantity.FREQUENCY] is None
    assert values[Quantity.CURRENT_A] == 1000
    assert values[Quantity.VOLTAGE_A] == 0


def test_the_light_path_agrees_with_the_waveforms_on_every_quantity() -> None:
    a, b, c = (
        PhasePoint(u, i, lag, angle)
        for u, i, lag, angle in (
            (221.0, 3.0, 31.0, 0.0),
            (219.0, 1.0, 200.0, -119.0),
            (215.0, 2.0, -12.0, 121.0),
        )
    )
    point = OperatingPoint((a, b, c), 50.2, ((5, 0.02),), ((3, 0.1), (5, 0.04)))
    found, true = measure(point).values(), measure_point(point).values()
    assert found.keys() == true.keys()
    for quantity, steps in true.items():
        assert found[quantity] == pytest.approx(steps, abs=1), quantity


def test_too_few_samples_are_refused() -> None:
    waves = render(OperatingPoint.balanced(220.0, 1.0), RATE, 100)
    with pytest.raises(UsageError, match="samples expected"):
        analyse(waves)


def test_a_rate_below_the_fortieth_harmonic_is_refused() -> None:
    waves = render(OperatingPoint.balanced(220.0, 1.0), 3200.0, 4000)
    with pytest.raises(UsageError, match="samples per second"):
        analyse(waves)


def test_a_frequency_outside_the_range_is_not_told() -> None:
    waves = render(OperatingPoint(OperatingPoint.balanced(220.0, 1.0).phases, 60.0), RATE, 4000)
    assert analyse(waves).frequency is None
    assert np.isfinite(analyse(waves).active)

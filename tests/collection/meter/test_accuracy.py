"""The class 0.2S over its table of limits (IEC 62053-22, GB/T 17215.322), and beyond it."""

from dataclasses import replace

import pytest

from meterseal.collection.meter.analysis import analyse, samples_needed
from meterseal.collection.meter.registers import Power
from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.waveform import (
    OperatingPoint,
    PhasePoint,
    measure_point,
    render,
    with_noise,
)

RATINGS = Ratings(voltage=220.0, current=1.5, maximum_current=6.0)
RATES = (5760.0, 6400.0, 12_800.0)  # 115.2 samples per cycle, 128 and 256
HARMONICS_U = ((3, 0.02), (5, 0.03), (7, 0.015), (39, 0.005))
HARMONICS_I = ((3, 0.05), (5, 0.06), (11, 0.02), (40, 0.01))
# Current in In, angle in degrees, limit of class 0.2S in percent.
TABLE = [
    *((i, 0.0, 0.4) for i in (0.01, 0.049)),
    *((i, 0.0, 0.2) for i in (0.05, 0.1, 1.0, 4.0)),
    *((i, lag, 0.5) for i in (0.02, 0.099) for lag in (60.0, -36.87)),
    *((i, lag, 0.3) for i in (0.1, 1.0, 4.0) for lag in (60.0, -36.87)),
]


@pytest.mark.parametrize("frequency", [49.5, 50.0, 50.5])
@pytest.mark.parametrize("rate", RATES)
def test_active_power_keeps_class_02s_with_harmonics_and_noise(
    frequency: float, rate: float
) -> None:
    for current, lag, limit in TABLE:
        point = replace(
            OperatingPoint.balanced(RATINGS.voltage, current * RATINGS.current, lag),
            frequency=frequency,
            voltage_harmonics=HARMONICS_U,
            current_harmonics=HARMONICS_I,
        )
        waves = render(point, rate, samples_needed(rate), start=0.0123)
        waves = with_noise(waves, 0.05, 0.0005 * current * RATINGS.current, seed=7)
        found, true = analyse(waves), measure_point(point)
        error = 100 * abs(found.active / true.active - 1)
        assert error < limit, f"{current} In, {lag} degrees: {error} %"


@pytest.mark.parametrize("frequency", [49.5, 50.0, 50.5])
def test_a_quiet_signal_is_measured_far_within_the_class(frequency: float) -> None:
    point = replace(
        OperatingPoint.balanced(220.0, 1.5, 60.0),
        frequency=frequency,
        voltage_harmonics=HARMONICS_U,
        current_harmonics=HARMONICS_I,
    )
    for rate in RATES:
        found, true = analyse(render(point, rate, samples_needed(rate), 0.4)), measure_point(point)
        assert found.active == pytest.approx(true.active, rel=2e-5)
        assert found.reactive == pytest.approx(true.reactive, rel=2e-5)
        assert found.apparent_arithmetic == pytest.approx(true.apparent_arithmetic, rel=2e-5)
        assert found.frequency == pytest.approx(frequency, abs=1e-5)
        assert found.neutral_current == pytest.approx(true.neutral_current, rel=1e-4)
        for measured, expected in zip(found.phases, true.phases, strict=True):
            assert measured is not None
            assert expected is not None
            assert measured.voltage == pytest.approx(expected.voltage, rel=1e-5)
            assert measured.current == pytest.approx(expected.current, rel=1e-5)
            assert measured.lag == pytest.approx(60.0, abs=1e-3)
            assert measured.current_thd == pytest.approx(expected.current_thd, rel=1e-3)
            assert measured.voltage_harmonics == pytest.approx(expected.voltage_harmonics, abs=2e-3)
            assert measured.current_harmonics == pytest.approx(expected.current_harmonics, abs=2e-3)


@pytest.mark.parametrize("ratio", [1, 10, 100, 1000, 5000])
def test_rms_and_power_are_linear_over_5000_to_1(ratio: int) -> None:
    point = OperatingPoint.balanced(220.0, 6.0 / ratio, 30.0)
    found, true = analyse(render(point, 5760.0, samples_needed(5760.0))), measure_point(point)
    assert found.active == pytest.approx(true.active, rel=1e-3)
    assert found.phases[2] is not None
    assert found.phases[2].current == pytest.approx(6.0 / ratio, rel=1e-3)


def test_a_meter_without_current_does_not_creep() -> None:
    point = OperatingPoint.balanced(1.15 * 220.0, 0.0)
    waves = with_noise(render(point, 6400.0, samples_needed(6400.0)), 0.05, 2e-4, seed=3)
    assert Power.of(analyse(waves), RATINGS.starting_current) == Power(0, 0)


def test_a_meter_starts_at_a_thousandth_of_its_rated_current() -> None:
    point = OperatingPoint.balanced(220.0, 0.001 * RATINGS.current)
    found = analyse(render(point, 6400.0, samples_needed(6400.0)))
    assert Power.of(found, RATINGS.starting_current).active == pytest.approx(990_000, rel=1e-3)


def test_unbalanced_and_missing_phases_are_told_apart() -> None:
    a, b = PhasePoint(220.0, 2.0, 10.0, 0.0), PhasePoint(200.0, 1.0, 200.0, -120.0)
    waves = render(OperatingPoint((a, b, None)), 6400.0, samples_needed(6400.0))
    found = analyse(waves)
    assert found.phases[2] is None
    assert found.voltages is None
    assert found.neutral_current is None
    assert found.phases[1] is not None
    assert found.phases[1].active < 0
    assert found.phases[1].lag == pytest.approx(200.0, abs=1e-3)

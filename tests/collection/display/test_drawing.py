"""Values become places: gaps stay gaps, ticks are round."""

from __future__ import annotations

import json

import pytest

from meterseal.collection.display.drawing import bars, curve_chart, spark_path, stacks, wave_path
from meterseal.collection.display.history import step_of
from meterseal.collection.model import Quantity
from meterseal.collection.station.views import LoadCurve

MINUTE = 60_000


def curve(mean: list[float | None]) -> LoadCurve:
    whole = [None if each is None else int(each) for each in mean]
    low = [None if each is None else each - 100 for each in whole]
    return LoadCurve(Quantity.VOLTAGE_A, 0, MINUTE, low, mean, whole, whole, [1] * len(mean))


def test_a_small_line_begins_at_zero_and_keeps_its_gaps() -> None:
    assert spark_path([0.0, 2.0, None, 1.0]) == "M0 24L40 0M120 12"
    assert spark_path([-1.0, 1.0]) == "M0 24L120 0"
    assert spark_path([5.0]) == "M0 0"
    assert spark_path([None, None]) == ""


def test_a_gap_ends_the_line_and_a_lone_value_is_a_point() -> None:
    chart = curve_chart(curve([22000, 22100, None, 22050, None, None, 22000, 22000, 22000]), 0)
    assert [line.count("L") for line in chart.lines] == [1, 2]
    assert len(chart.bands) == 2
    assert len(chart.points) == 1
    assert json.loads(chart.data)["mean"][:4] == [220.0, 221.0, None, 220.5]


def test_higher_values_lie_higher_within_round_ticks() -> None:
    chart = curve_chart(curve([22000, 23000]), 0)
    first, second = (point.split() for point in chart.lines[0].lstrip("M").split("L"))
    assert float(second[1]) < float(first[1])
    assert [tick.label for tick in chart.up] == ["217.5", "220", "222.5", "225", "227.5", "230"]
    places = [tick.place for tick in chart.up]
    assert places == sorted(places, reverse=True)


def test_a_curve_without_data_is_an_empty_drawing() -> None:
    chart = curve_chart(curve([None] * 60), 0)
    assert (chart.lines, chart.bands, chart.points) == ([], [], [])
    assert len(chart.across) > 3


def test_times_are_those_of_the_zone() -> None:
    chart = curve_chart(curve([1.0] * 1440), 8 * 60 * MINUTE)
    assert [tick.label for tick in chart.across] == ["08:00", "12:00", "16:00", "20:00", "01-02",
                                                     "04:00", "08:00"]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "interval", "minutes"),
    [(1 / 24, 60, 1), (1, 60, 5), (1, 1, 5), (7, 60, 15), (30, 60, 60), (1, 900, 15),
     (400, 60, 1440), (1 / 24, 3600, 60), (1, 86400 * 2, 1440)],
)  # fmt: skip
def test_steps_are_neither_too_many_nor_shorter_than_the_interval(
    days: float, interval: int, minutes: int
) -> None:
    assert step_of(int(days * 86_400_000), interval * 1000) == minutes * MINUTE


def test_bars_and_stacks_stand_on_the_axis() -> None:
    drawn = bars([1.0, 2.0, 0.0], 4.0)
    assert [y + height for _, y, _, height in drawn.bars] == pytest.approx([296] * 3)
    assert drawn.bars[1][3] == pytest.approx(2 * drawn.bars[0][3], abs=0.2)
    piled = stacks([[1.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    (lower, upper) = piled.pieces
    assert (lower[0], upper[0]) == (0, 2)
    assert upper[2] + upper[4] == pytest.approx(lower[2], abs=0.2)


def test_a_wave_swings_around_the_middle() -> None:
    places = [float(point.split()[1]) for point in wave_path([0, 10, -10], 10)[1:].split("L")]
    assert places == [154, 12, 296]

"""The judge of timings, on times that are made up: nothing is measured here."""

import math
import random

import pytest
from scipy import stats

from meterseal.lab.attack.statistics import (
    SUSPICIOUS,
    differences,
    finest,
    leaks,
    welch,
    worst_welch,
)


def made_up(shift: float, seed: int) -> dict[str, list[int]]:
    """2000 rounds of four classes, a tenth disturbed; the last is slower by `shift` nanoseconds."""
    chance = random.Random(seed)  # noqa: S311  # the same in every run
    times: dict[str, list[int]] = {name: [] for name in "abcd"}
    for _ in range(2000):
        load = chance.gauss(20_000, 3000) + (chance.random() < 0.1) * 500_000
        for name, column in times.items():
            column.append(round(load + chance.gauss(0, 300) + shift * (name == "d")))
    return times


@pytest.mark.parametrize("shift", [60, -60])
def test_a_small_difference_below_much_noise_is_found(shift: float) -> None:
    assert leaks([differences(made_up(shift, seed)) for seed in range(3)]) == ["d"]


def test_what_is_said_to_be_found_is_found() -> None:
    limit = finest(made_up(0, 99))
    found = [differences(made_up(limit, seed))["d"] > SUSPICIOUS for seed in range(40)]
    assert found.count(True) >= 36
    third = [differences(made_up(limit / 3, seed))["d"] > SUSPICIOUS for seed in range(40)]
    assert third.count(True) <= 4, "it is no finer than it says"


def test_more_rounds_find_less_and_too_few_find_nothing() -> None:
    times = made_up(0, 1)
    quarter = {name: column[:500] for name, column in times.items()}
    assert finest(quarter) == pytest.approx(2 * finest(times), rel=0.2)
    assert finest({name: column[:10] for name, column in times.items()}) == math.inf


def test_equal_times_are_not_accused() -> None:
    for first in range(20):
        runs = [differences(made_up(0, first + 100 * i)) for i in range(3)]
        assert leaks(runs) == []


def test_what_stands_out_once_or_to_both_sides_is_chance() -> None:
    assert leaks([{"a": 9.0}, {"a": 1.0}, {"a": 9.0}]) == []
    assert leaks([{"a": 9.0}, {"a": -9.0}, {"a": 9.0}]) == []
    assert leaks([{"a": 9.0}, {"a": 8.0}, {"a": 7.0}]) == ["a"]


def test_a_class_that_was_never_disturbed_is_not_accused_for_it() -> None:
    """On a busy machine the others were, so often that cropping does not help."""
    chance = random.Random(7)  # noqa: S311
    times = {
        name: [
            round(chance.gauss(20_000, 50) + (name != "d" and chance.random() < 0.4) * 90_000)
            for _ in range(300)
        ]
        for name in "abcd"
    }
    assert abs(differences(times)["d"]) < 30  # against the mean alone it would be hundreds


def test_welchs_test_agrees_with_scipy() -> None:
    chance = random.Random(3)  # noqa: S311
    left = [chance.gauss(10, 1) for _ in range(200)]
    right = [chance.gauss(10.2, 3) for _ in range(150)]
    assert welch(left, right) == pytest.approx(
        float(stats.ttest_ind(left, right, equal_var=False).statistic)
    )


def test_too_few_times_say_nothing_and_equal_ones_no_more() -> None:
    assert welch([1.0], [2.0, 3.0]) == 0.0
    assert welch([5.0, 5.0], [5.0, 5.0]) == 0.0
    assert welch([6.0, 6.0], [5.0, 5.0]) == float("inf")


def test_crops_find_a_difference_below_interruptions() -> None:
    found = worst_welch(made_up(900, 1))
    assert found.name == "d"
    assert found.t > 4.5

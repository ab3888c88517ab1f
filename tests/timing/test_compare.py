"""The judge of timings, on times that are made up: nothing is measured here."""

import random

import pytest

from timing.compare import differences, leaks


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


def test_equal_times_are_not_accused() -> None:
    for first in range(20):
        runs = [differences(made_up(0, first + 100 * i)) for i in range(3)]
        assert leaks(runs) == []


def test_what_stands_out_once_or_to_both_sides_is_chance() -> None:
    assert leaks([{"a": 9.0}, {"a": 1.0}, {"a": 9.0}]) == []
    assert leaks([{"a": 9.0}, {"a": -9.0}, {"a": 9.0}]) == []
    assert leaks([{"a": 9.0}, {"a": 8.0}, {"a": 7.0}]) == ["a"]

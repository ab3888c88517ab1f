"""Whether classes of one operation take different times: measured in turns, tested in pairs."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Times = Mapping[str, Sequence[int]]

SUSPICIOUS = 4.5  # of dudect's authors: above 5 is probably a leak, above 10 surely
KEPT = 0.8


def measure(prepare: Mapping[str, Callable[[], Callable[[], object]]], seconds: float) -> Times:
    """Nanoseconds of each class, once in every round, in an order that chance decides.

    `prepare[name]()` returns the operation to time; what it does itself is not timed.
    """
    times: dict[str, list[int]] = {name: [] for name in prepare}
    names = list(prepare)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        random.shuffle(names)
        for name in names:
            operation = prepare[name]()
            start = time.perf_counter_ns()
            operation()
            elapsed = time.perf_counter_ns() - start
            times[name].append(elapsed)
    return times


def differences(times: Times) -> dict[str, float]:
    """The t value of each class against the median of all classes of its round.

    Rounds in which anything was interrupted, the slowest fifth, are left out for all classes.
    """
    rounds = list(zip(*times.values(), strict=True))
    rounds.sort(key=max)
    kept = rounds[: int(KEPT * len(rounds))]
    columns: list[list[float]] = [[] for _ in times]
    for values in kept:
        middle = sorted(values)[len(values) // 2]
        for column, value in zip(columns, values, strict=True):
            column.append(value - middle)
    # Against the mean of all, so that a class which is the median itself has no advantage.
    overall = sum(map(sum, columns)) / max(1, sum(map(len, columns)))
    return {name: t_value(c, overall) for name, c in zip(times, columns, strict=True)}


def t_value(sample: Sequence[float], expected: float) -> float:
    """Student's t of a sample against a mean."""
    count = len(sample)
    if count < 2:
        return 0.0
    mean = sum(sample) / count
    variance = sum((value - mean) ** 2 for value in sample) / (count - 1)
    if variance == 0:
        return 0.0 if mean == expected else math.inf
    return (mean - expected) / math.sqrt(variance / count)


def leaks(runs: Sequence[Mapping[str, float]]) -> list[str]:
    """The classes that stand out in every run, always to the same side."""
    return [
        name
        for name in runs[0]
        if all(run[name] > SUSPICIOUS for run in runs)
        or all(run[name] < -SUSPICIOUS for run in runs)
    ]

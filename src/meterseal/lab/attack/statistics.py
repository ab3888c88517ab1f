"""Whether classes of one operation take different times.

Measured in turns, so that what disturbs disturbs all. Judged twice: by Welch's t-test with times
cropped at many percentiles, as dudect does, and by pairs within each round, which sees a small
difference below much noise.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    _Array: TypeAlias = NDArray[np.float64]
    Times: TypeAlias = Mapping[str, Sequence[int]]

__all__ = [
    "SUSPICIOUS",
    "Welch",
    "differences",
    "finest",
    "leaks",
    "measure",
    "welch",
    "worst_welch",
]

SUSPICIOUS: Final = 4.5
"""Of dudect's authors: above 5 is probably a leak, above 10 surely."""
_KEPT: Final = 0.8
_CROPS: Final = 20
_SURELY: Final = 1.96
"""Standard errors above the limit at which 39 of 40 measurements exceed it."""
_LEAST: Final = 20
"""A crop with fewer times than these says nothing."""


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


# --- Welch's test --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Welch:
    """The largest |t| of all crops: of which class against all others, over how many times."""

    t: float
    name: str = "-"
    kept: int = 0

    def __str__(self) -> str:
        return f"t = {self.t:.1f} ({self.name}, {self.kept} times)"


def welch(left: Sequence[float], right: Sequence[float]) -> float:
    """Welch's t of two samples of unequal variances; 0 if there are too few."""
    return _welch(np.asarray(left, float), np.asarray(right, float))


def worst_welch(times: Times) -> Welch:
    """Compare each class with all others together, whole and cropped at rising percentiles.

    Crops leave out what was interrupted; that many are tried, of which the worst is told, makes
    this test quick to accuse. They are dudect's: 1 - 2^(-10 (i + 1) / crops).
    """
    columns = {name: np.asarray(column, float) for name, column in times.items()}
    every = np.concatenate(list(columns.values()))
    shares = [1 - 0.5 ** (10 * (i + 1) / _CROPS) for i in range(_CROPS)]
    limits = [*np.quantile(every, shares), every.max()]
    worst = Welch(0.0)
    for name, column in columns.items():
        others = np.concatenate([rest for other, rest in columns.items() if other != name])
        for limit in limits:
            kept = column[column <= limit]
            t = _welch(kept, others[others <= limit]) if len(kept) >= _LEAST else 0.0
            if abs(t) > abs(worst.t):
                worst = Welch(t, name, len(kept))
    return worst


def _welch(left: _Array, right: _Array) -> float:
    if min(len(left), len(right)) < 2:  # noqa: PLR2004  (a variance needs two)
        return 0.0
    apart = float(left.mean() - right.mean())
    error = _standard_error(left, right)
    if error == 0:
        return math.copysign(math.inf, apart) if apart else 0.0
    return apart / error


def _standard_error(left: _Array, right: _Array) -> float:
    return math.sqrt(left.var(ddof=1) / len(left) + right.var(ddof=1) / len(right))


# --- pairs ---------------------------------------------------------------------------------


def differences(times: Times) -> dict[str, float]:
    """Welch's t of each class against the others, in distances from the median of their round."""
    return {name: _welch(one, others) for name, one, others in _apart(times)}


def finest(times: Times) -> float:
    """The difference of one class in nanoseconds that such a measurement finds 39 times in 40.

    It is that of the class whose times vary most; infinite where there are too few.
    """
    if min(map(len, times.values())) < _LEAST:
        return math.inf
    errors = (_standard_error(one, others) for _, one, others in _apart(times))
    return (SUSPICIOUS + _SURELY) * max(errors)


def _apart(times: Times) -> Iterator[tuple[str, _Array, _Array]]:
    """Name each class, its distances from the median of their round, and those of all others.

    Rounds in which anything was interrupted, the slowest fifth, are left out for all classes.
    """
    rounds = np.array(list(zip(*times.values(), strict=True)), float)
    rounds = rounds[np.argsort(rounds.max(axis=1))][: int(_KEPT * len(rounds))]
    apart = rounds - np.median(rounds, axis=1, keepdims=True)
    for i, name in enumerate(times):
        yield name, apart[:, i], np.delete(apart, i, axis=1).ravel()


def leaks(runs: Sequence[Mapping[str, float]]) -> list[str]:
    """The classes that stand out in every run, always to the same side."""
    return [
        name
        for name in runs[0]
        if all(run[name] > SUSPICIOUS for run in runs)
        or all(run[name] < -SUSPICIOUS for run in runs)
    ]

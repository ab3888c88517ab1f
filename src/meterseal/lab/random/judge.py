"""What many samples say together (GM/T 0005-2021, 6): how many pass, and how Q is spread."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaincc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.lab.random.bits import Values
    from meterseal.lab.random.suite import Item

__all__ = ["Report", "Row", "judge", "required_passes", "uniformity"]

SIGNIFICANCE = 0.01
UNIFORMITY = 0.0001
_BINS = 10


def required_passes(samples: int) -> int:
    """How many of the samples must pass a test (6.2)."""
    share = 1 - SIGNIFICANCE - 3 * math.sqrt(SIGNIFICANCE * (1 - SIGNIFICANCE) / samples)
    return max(0, math.ceil(samples * share))


def uniformity(q: Sequence[float]) -> float:
    """P of the hypothesis that the values are evenly spread over 0 to 1, in ten classes (6.3)."""
    classes = np.minimum((np.asarray(q) * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(classes, minlength=_BINS)
    expected = len(q) / _BINS
    statistic = float(((counts - expected) ** 2).sum()) / expected
    return float(gammaincc((_BINS - 1) / 2, statistic / 2))


@dataclass(frozen=True)
class Row:
    """One value of one test over all samples."""

    number: int
    test: str
    setting: str
    passed: int
    uniformity: float
    least_p: float
    is_good: bool


@dataclass(frozen=True)
class Report:
    """The judgement of a group of samples."""

    source: str
    samples: int
    length: int
    required: int
    rows: tuple[Row, ...]

    @property
    def failed(self) -> list[str]:
        """The tests of which one value is bad, in their order."""
        return list(dict.fromkeys(row.test for row in self.rows if not row.is_good))

    @property
    def tests(self) -> int:
        """How many tests were made."""
        return len({row.number for row in self.rows})

    @property
    def is_good(self) -> bool:
        """Whether all tests hold."""
        return not self.failed


def judge(
    source: str, length: int, items: Sequence[Item], values: Sequence[Sequence[Values]]
) -> Report:
    """Judge the values of samples, each in the order of `items`."""
    required = required_passes(len(values))
    rows = tuple(
        _row(item, required, [sample[place] for sample in values])
        for place, item in enumerate(items)
    )
    return Report(source, len(values), length, required, rows)


def _row(item: Item, required: int, values: Sequence[Values]) -> Row:
    passed = sum(value.p >= SIGNIFICANCE for value in values)
    even = uniformity([value.q for value in values])
    good = passed >= required and even >= UNIFORMITY
    least = min(value.p for value in values)
    return Row(item.number, item.test, item.setting, passed, even, least, good)

"""Runs of equal bits, and sums (GM/T 0005-2021, 5.5 to 5.9 and 5.11)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from meterseal.lab.random.bits import Bits, Values, chi_square, normal

__all__ = [
    "autocorrelation",
    "binary_derivative",
    "cumulative_sums",
    "longest_run",
    "run_distribution",
    "total_runs",
]

_LEAST_EXPECTED = 5
# Of the longest run in blocks of so many bits: shortest class, and the probability of each class.
_LONGEST = {
    8: (1, (0.2148, 0.3672, 0.2305, 0.1875)),
    128: (4, (0.1174, 0.2430, 0.2494, 0.1752, 0.1027, 0.1124)),
    10000: (10, (0.086632, 0.208201, 0.248419, 0.193913, 0.121458, 0.068011, 0.073366)),
}


def total_runs(bits: Bits) -> Values:
    """Whether there are as many runs as the share of ones lets expect (5.5)."""
    share = float(bits.mean())
    if share in {0.0, 1.0}:
        return Values(0.0, 0.0)
    runs = 1 + np.count_nonzero(bits[1:] != bits[:-1])
    expected = 2 * bits.size * share * (1 - share)
    return normal((runs - expected) / (2 * np.sqrt(bits.size) * share * (1 - share)))


def run_distribution(bits: Bits) -> Values:
    """Whether runs of each length are as many as they should be (5.6)."""
    longest = _longest_expected(bits.size)
    starts = np.concatenate([[0], np.flatnonzero(bits[1:] != bits[:-1]) + 1])
    lengths = np.minimum(np.diff(np.append(starts, bits.size)), longest)
    of_ones = bits[starts] == 1
    expected = len(starts) / 2.0 ** np.minimum(np.arange(2, longest + 2), longest)
    statistic = 0.0
    for which in (of_ones, ~of_ones):
        counts = np.bincount(lengths[which], minlength=longest + 1)[1:]
        statistic += float(((counts - expected) ** 2 / expected).sum())
    return chi_square(statistic, 2 * longest - 2)


def _longest_expected(size: int) -> int:
    """The greatest length of which at least five runs are expected."""
    length = 1
    while (size - (length + 1) + 3) / 2 ** (length + 3) >= _LEAST_EXPECTED:
        length += 1
    return length


def longest_run(bits: Bits, m: int, of: int) -> Values:
    """Whether the longest runs, `of` ones or zeros, in blocks of `m` bits are as expected (5.7)."""
    shortest, probabilities = _LONGEST[m]
    blocks = bits[: bits.size // m * m].reshape(-1, m) == of
    longest = _longest_in_each(blocks)
    classes = np.clip(longest - shortest, 0, len(probabilities) - 1)
    counts = np.bincount(classes, minlength=len(probabilities))
    expected = len(blocks) * np.array(probabilities)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return chi_square(statistic, len(probabilities) - 1)


def _longest_in_each(blocks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The length of the longest run of True in each row."""
    rows, m = blocks.shape
    fenced = np.zeros((rows, m + 1), np.int8)
    fenced[:, :m] = blocks
    steps = np.diff(fenced.ravel(), prepend=0)
    starts = np.flatnonzero(steps == 1)
    longest = np.zeros(rows, np.int64)
    np.maximum.at(longest, starts // (m + 1), np.flatnonzero(steps == -1) - starts)
    return longest


def binary_derivative(bits: Bits, k: int) -> Values:
    """Whether ones are half after adding neighbours `k` times (5.8)."""
    for _ in range(k):
        bits = bits[1:] ^ bits[:-1]
    return normal((2 * int(np.count_nonzero(bits)) - bits.size) / np.sqrt(bits.size))


def autocorrelation(bits: Bits, d: int) -> Values:
    """Whether the sample differs from itself, moved by `d` bits, in half of its places (5.9)."""
    different = int(np.count_nonzero(bits[d:] != bits[:-d]))
    size = bits.size - d
    return normal((2 * different - size) / np.sqrt(size))


def cumulative_sums(bits: Bits, *, backward: bool) -> Values:
    """Whether the walk of the sample from one of its ends goes too far or stays too near (5.11)."""
    steps = 2 * (bits[::-1] if backward else bits).astype(np.int64) - 1
    farthest = int(np.abs(np.cumsum(steps)).max())
    size = bits.size
    scale = farthest / np.sqrt(size)
    first = np.arange(_toward_zero((-size / farthest + 1) / 4), _last(size, farthest))
    second = np.arange(_toward_zero((-size / farthest - 3) / 4), _last(size, farthest))
    p = 1 - float((ndtr((4 * first + 1) * scale) - ndtr((4 * first - 1) * scale)).sum())
    p += float((ndtr((4 * second + 3) * scale) - ndtr((4 * second + 1) * scale)).sum())
    return Values(p, p)


def _last(size: int, farthest: int) -> int:
    return _toward_zero((size / farthest - 1) / 4) + 1


def _toward_zero(number: float) -> int:
    return int(number)

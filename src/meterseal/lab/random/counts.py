"""How often values occur: tests of frequencies and patterns (GM/T 0005-2021, 5.1 to 5.4, 5.12)."""

from __future__ import annotations

import numpy as np

from meterseal.lab.random.bits import Bits, Floats, Values, chi_square, normal

__all__ = ["approximate_entropy", "block_frequency", "monobit", "overlapping", "poker"]


def monobit(bits: Bits) -> Values:
    """Whether ones and zeros are as many (5.1)."""
    ones = int(np.count_nonzero(bits))
    return normal((2 * ones - bits.size) / np.sqrt(bits.size))


def block_frequency(bits: Bits, m: int) -> Values:
    """Whether ones are half of each block of `m` bits (5.2)."""
    blocks = bits[: bits.size // m * m].reshape(-1, m)
    share = blocks.mean(axis=1)
    return chi_square(4 * m * float(((share - 0.5) ** 2).sum()), len(blocks))


def poker(bits: Bits, m: int) -> Values:
    """Whether the blocks of `m` bits, next to each other, are all as frequent (5.3)."""
    blocks = bits[: bits.size // m * m].reshape(-1, m)
    weights = 1 << np.arange(m - 1, -1, -1)
    counts = np.bincount(blocks @ weights, minlength=1 << m).astype(np.float64)
    statistic = (1 << m) / len(blocks) * float((counts**2).sum()) - len(blocks)
    return chi_square(statistic, (1 << m) - 1)


def overlapping(bits: Bits, m: int) -> tuple[Values, Values]:
    """Whether patterns of `m` bits, taken at every place, are all as frequent (5.4)."""
    psi = [_psi_square(_pattern_counts(bits, length), bits.size) for length in (m, m - 1, m - 2)]
    first = chi_square(psi[0] - psi[1], 1 << (m - 1))
    second = chi_square(psi[0] - 2 * psi[1] + psi[2], 1 << (m - 2))
    return first, second


def approximate_entropy(bits: Bits, m: int) -> Values:
    """Whether patterns of `m` and of `m` + 1 bits differ in frequency as they should (5.12)."""
    entropy = _phi(bits, m) - _phi(bits, m + 1)
    return chi_square(2 * bits.size * (np.log(2) - entropy), 1 << m)


def _psi_square(counts: Floats, size: int) -> float:
    return len(counts) / size * float((counts**2).sum()) - size


def _phi(bits: Bits, m: int) -> float:
    share = _pattern_counts(bits, m) / bits.size
    share = share[share > 0]
    return float((share * np.log(share)).sum())


def _pattern_counts(bits: Bits, m: int) -> Floats:
    """How often each pattern of `m` bits occurs, the end of the sample joined to its beginning."""
    if m == 0:
        return np.array([float(bits.size)])
    ring = np.concatenate([bits, bits[: m - 1]])
    patterns = np.zeros(bits.size, np.uint16)
    for place in range(m):
        patterns = patterns << 1 | ring[place : place + bits.size]
    return np.bincount(patterns, minlength=1 << m).astype(np.float64)

"""Linear relations, compression and periods (GM/T 0005-2021, 5.10 and 5.13 to 5.15)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from meterseal.lab.random.bits import Bits, Values, chi_square, normal

__all__ = ["fourier", "linear_complexity", "matrix_rank", "universal"]

_SIDE = 32
_RANKS = (0.2888, 0.5776, 0.1336)  # full, one less, still less
_WORD = 64
_COMPLEXITIES = (0.010417, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833)
# Of blocks of 6 and 7 bits: how far back the same block stands, as a logarithm, and the variance.
_DISTANCE = {6: (5.2177052, 2.954), 7: (6.1962507, 3.125)}


def matrix_rank(bits: Bits) -> Values:
    """Whether matrices of 32 x 32 bits have the ranks that they should (5.10)."""
    matrices = bits.size // _SIDE**2
    rows = np.packbits(bits[: matrices * _SIDE**2]).view(">u4").astype(np.uint32)
    missing = np.clip(_SIDE - _ranks(rows.reshape(matrices, _SIDE)), 0, 2)
    expected = matrices * np.array(_RANKS)
    counts = np.bincount(missing, minlength=len(_RANKS))
    return chi_square(float(((counts - expected) ** 2 / expected).sum()), 2)


def _ranks(rows: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """The rank of each matrix, by elimination in all at once; a used row becomes zero."""
    rank = np.zeros(len(rows), np.int64)
    every = np.arange(len(rows))
    for column in range(_SIDE):
        has = (rows >> np.uint32(column) & np.uint32(1)).astype(np.uint32)
        pivot = has.argmax(axis=1)
        found = has[every, pivot]
        rank += found
        rows ^= has * rows[every, pivot][:, None]  # the pivot's row adds itself to itself
    return rank


def linear_complexity(bits: Bits, m: int) -> Values:
    """Whether the shortest registers that make blocks of `m` bits are as expected (5.13)."""
    blocks = bits[: bits.size // m * m].reshape(-1, m)
    sign = -1.0 if m % 2 else 1.0
    mean = m / 2 + (9 - sign) / 36 - (m / 3 + 2 / 9) / 2.0**m
    deviation = sign * (_register_lengths(blocks) - mean) + 2 / 9
    classes = np.searchsorted((-2.5, -1.5, -0.5, 0.5, 1.5, 2.5), deviation, side="left")
    expected = len(blocks) * np.array(_COMPLEXITIES)
    counts = np.bincount(classes, minlength=len(_COMPLEXITIES))
    return chi_square(float(((counts - expected) ** 2 / expected).sum()), len(_COMPLEXITIES) - 1)


def _register_lengths(blocks: Bits) -> npt.NDArray[np.int64]:
    """Berlekamp and Massey's algorithm in all blocks at once, polynomials as rows of words."""
    count, m = blocks.shape
    words = m // _WORD + 1
    current, past, window = (np.zeros((words, count), np.uint64) for _ in range(3))
    current[0] = past[0] = 1
    length = np.zeros(count, np.int64)
    for step in range(m):
        used = (step + 1) // _WORD + 1
        _shift(window[:used])
        window[0] |= blocks[:, step]
        _shift(past[:used])
        common = np.bitwise_xor.reduce(current[:used] & window[:used], axis=0)
        wrong = (np.bitwise_count(common) & 1).astype(bool)
        grows = wrong & (2 * length <= step)
        before = current[:used].copy()
        current[:used] ^= np.where(wrong, past[:used], np.uint64(0))
        past[:used] = np.where(grows, before, past[:used])
        length = np.where(grows, step + 1 - length, length)
    return length


def _shift(words: npt.NDArray[np.uint64]) -> None:
    """Multiply polynomials by x, the lowest word first."""
    carry = words[:-1] >> np.uint64(_WORD - 1)
    words <<= np.uint64(1)
    words[1:] |= carry


def universal(bits: Bits, length: int, initial: int) -> Values:
    """How far back the same block of `length` bits stands: what compression would use (5.14)."""
    blocks = bits[: bits.size // length * length].reshape(-1, length)
    values = (blocks @ (1 << np.arange(length - 1, -1, -1))).astype(np.uint8)
    order = np.argsort(values, kind="stable")
    position = order + 1
    same = np.diff(values[order].astype(np.int16), prepend=-1) == 0
    distance = np.where(same, np.diff(position, prepend=0), position)
    tested = len(values) - initial
    mean = float(np.log2(distance[position > initial]).sum()) / tested
    expected, variance = _DISTANCE[length]
    correction = 0.7 - 0.8 / length + (4 + 32 / length) * tested ** (-3 / length) / 15
    return normal((mean - expected) / (correction * np.sqrt(variance / tested)))


def fourier(bits: Bits) -> Values:
    """Whether too many or too few periods stand out in the spectrum (5.15)."""
    size = bits.size
    spectrum = np.abs(rfft(2.0 * bits - 1))[: size // 2]
    low = int(np.count_nonzero(spectrum < np.sqrt(2.995732274 * size)))
    return normal((low - 0.95 * size / 2) / np.sqrt(0.95 * 0.05 * size / 3.8))

"""A sample as numbers: one byte for each bit, 0 or 1, the highest bit of a byte first."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import erfc, gammaincc

__all__ = ["Bits", "Floats", "Values", "chi_square", "normal", "unpack"]

Bits: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float64]


class Values(NamedTuple):
    """What a test says of a sample: P decides, Q is what must be evenly spread over samples."""

    p: float
    q: float


def unpack(data: bytes, length: int | None = None) -> Bits:
    """Return the bits of `data`, or the first `length` of them."""
    return np.unpackbits(np.frombuffer(data, np.uint8), count=length)


def normal(deviation: float) -> Values:
    """P and Q of a number of standard deviations: both ends, and one."""
    scaled = deviation / np.sqrt(2)
    return Values(float(erfc(abs(scaled))), float(erfc(scaled)) / 2)


def chi_square(statistic: float, freedom: int) -> Values:
    """P and Q, which are the same, of a chi-square statistic with so many degrees of freedom."""
    p = float(gammaincc(freedom / 2, statistic / 2))
    return Values(p, p)

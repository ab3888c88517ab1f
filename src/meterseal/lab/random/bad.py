"""Generators that must not pass, and one that passes although everybody can foretell it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "Clock",
    "biased",
    "constant",
    "counter",
    "rand_seeded_by_time",
    "twister_seeded_by_time",
]

Clock = Callable[[], float]
"""Seconds since 1970."""

_MULTIPLIER, _INCREMENT = 1103515245, 12345
_SHARE_OF_ONES = 0.51


def constant(size: int) -> Iterator[bytes]:
    """The same byte for ever."""
    while True:
        yield b"\xa5" * size


def counter(size: int) -> Iterator[bytes]:
    """Numbers of 32 bits, each one more than the last."""
    start = 0
    while True:
        words = size // 4 + 1
        yield np.arange(start, start + words, dtype=">u4").tobytes()[:size]
        start += words


def biased(size: int) -> Iterator[bytes]:
    """Bits of a good generator, of which 51 in a hundred are ones."""
    source = np.random.default_rng()
    while True:
        yield np.packbits(source.random(8 * size) < _SHARE_OF_ONES).tobytes()


def rand_seeded_by_time(size: int, clock: Clock = time.time) -> Iterator[bytes]:
    """The rand() of the C standard's example, seeded with the time: bits 16 to 23 of each state."""
    seed = int(clock())
    while True:
        yield (_congruential(seed, size) >> 16).astype(np.uint8).tobytes()
        seed += 1


def _congruential(state: int, size: int) -> npt.NDArray[np.uint32]:
    """The states that follow, doubled in number with each step."""
    multiplier, increment = _MULTIPLIER, _INCREMENT
    states = np.array([(state * multiplier + increment) % 2**32], np.uint32)
    while len(states) < size:
        states = np.concatenate([states, states * np.uint32(multiplier) + np.uint32(increment)])
        increment = (increment * multiplier + increment) % 2**32
        multiplier = multiplier**2 % 2**32
    return states[:size]


def twister_seeded_by_time(size: int, clock: Clock = time.time) -> Iterator[bytes]:
    """The Mersenne Twister, seeded with the time."""
    source = random.Random(int(clock()))  # noqa: S311  (that it can be foretold is the point)
    while True:
        yield source.randbytes(size)

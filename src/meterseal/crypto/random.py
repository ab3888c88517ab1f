"""Random bytes from an SM3 generator in the manner of GM/T 0105-2021, with UTC time mixed in.

The seed is the operating system's; each call mixes in 32 fresh bytes of it, UTC time in nanoseconds
and a counter. Time is never counted as entropy: it is additional input, which can only help
(SP 800-90A, 8.7.2). The generator reseeds after 1024 blocks or 60 seconds and after every fork,
tests its source continuously, and raises `RandomnessFailure` rather than fall back on anything. Of
noise for signatures it keeps at most 1 KiB in reserve, never longer than the seed that it is from.
"""

from collections.abc import Callable
from operator import index
from typing import TypeAlias

from meterseal._core import Sm3Drbg, random_bytes
from meterseal.errors import UsageError

__all__ = ["Clock", "EntropySource", "Sm3Drbg", "random_bytes", "random_with_time"]

EntropySource: TypeAlias = Callable[[int], bytes]
"""Gives as many bytes of full entropy as asked."""

Clock: TypeAlias = Callable[[], int]
"""Gives UTC nanoseconds since 1970."""

_TIME_LENGTH = 4


def random_with_time(seconds: int, length: int = 32) -> bytes:
    """Return `length` bytes: four of UTC seconds, then random ones (RFC 5246, 7.4.1.2).

    Raises UsageError for a length below 4.
    """
    if length < _TIME_LENGTH:
        raise UsageError(f"expected a length of at least 4, got {length}")
    time = index(seconds) % 2**32
    return time.to_bytes(_TIME_LENGTH, "big") + random_bytes(length - _TIME_LENGTH)

"""The fifteen tests with the settings of GM/T 0005-2021, annex A, as data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from meterseal.errors import UsageError
from meterseal.lab.random import counts, runs, structure
from meterseal.lab.random.bits import Bits, Values, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LENGTHS", "Item", "examine", "items"]


class Item(NamedTuple):
    """One value of one test: the test's number and name, its setting, and how to compute it."""

    number: int
    test: str
    setting: str
    compute: Callable[[Bits], Values]


class _Settings(NamedTuple):
    """What annex A sets for a length of samples."""

    block: int
    longest: int
    shifts: tuple[int, ...]
    complexity: int | None


_SETTINGS = {
    20_000: _Settings(block=1000, longest=128, shifts=(2, 8, 16), complexity=None),
    1_000_000: _Settings(block=10_000, longest=10_000, shifts=(1, 2, 8, 16), complexity=500),
}
LENGTHS = tuple(_SETTINGS)
"""Bits that a sample can have. Of the shorter ones twelve tests are made, as annex A says."""


def items(length: int) -> list[Item]:
    """Return all that is computed of a sample of so many bits. Raises UsageError for a length."""
    if length not in _SETTINGS:
        raise UsageError(f"expected samples of {LENGTHS} bits, got {length}")
    settings = _SETTINGS[length]
    return [*_of_every_length(settings), *_of_long_samples(settings)]


def _of_every_length(settings: _Settings) -> list[Item]:
    block, longest = settings.block, settings.longest
    return [
        Item(1, "monobit frequency", "", counts.monobit),
        Item(2, "frequency in blocks", f"m={block}", partial(counts.block_frequency, m=block)),
        *(Item(3, "poker", f"m={m}", partial(counts.poker, m=m)) for m in (4, 8)),
        *(
            Item(4, "overlapping subsequences", f"m={m}, P{which + 1}", _overlapping(m, which))
            for m in (3, 5)
            for which in (0, 1)
        ),
        Item(5, "total of runs", "", runs.total_runs),
        Item(6, "distribution of runs", "", runs.run_distribution),
        *(
            Item(
                7,
                "longest run in blocks",
                f"of {name}",
                partial(runs.longest_run, m=longest, of=of),
            )
            for name, of in (("ones", 1), ("zeros", 0))
        ),
        *(
            Item(8, "binary derivative", f"k={k}", partial(runs.binary_derivative, k=k))
            for k in (3, 7)
        ),
        *(
            Item(9, "autocorrelation", f"d={d}", partial(runs.autocorrelation, d=d))
            for d in settings.shifts
        ),
        Item(10, "rank of matrices", "32x32", structure.matrix_rank),
        *(
            Item(
                11,
                "cumulative sums",
                way,
                partial(runs.cumulative_sums, backward=way == "backward"),
            )
            for way in ("forward", "backward")
        ),
        *(
            Item(12, "approximate entropy", f"m={m}", partial(counts.approximate_entropy, m=m))
            for m in (2, 5)
        ),
    ]


def _of_long_samples(settings: _Settings) -> list[Item]:
    m = settings.complexity
    if m is None:
        return []
    return [
        Item(13, "linear complexity", f"m={m}", partial(structure.linear_complexity, m=m)),
        Item(
            14,
            "Maurer's universal",
            "L=7, Q=1280",
            partial(structure.universal, length=7, initial=1280),
        ),
        Item(15, "discrete Fourier", "", structure.fourier),
    ]


def _overlapping(m: int, which: int) -> Callable[[Bits], Values]:
    return lambda bits: counts.overlapping(bits, m)[which]


def examine(sample: bytes, length: int) -> list[Values]:
    """Return the values of a sample of `length` bits, in the order of `items(length)`."""
    bits = unpack(sample, length)
    return [item.compute(bits) for item in items(length)]

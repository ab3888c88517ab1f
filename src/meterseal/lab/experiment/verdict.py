"""What the numbers say, in words: who is quicker at what, and by how much.

One is quicker than another if the quartiles do not meet. The scheme in Python, which nobody would
use, is not spoken of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.lab.experiment.compare import SIZE_NAMES
from meterseal.lab.experiment.schemes import Optimised, TraditionalPython

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meterseal.lab.experiment.compare import Measured
    from meterseal.lab.experiment.handshakes import Handshake

__all__ = ["losses", "slower_handshakes", "undecided", "wins"]


def wins(measured: Sequence[Measured]) -> list[str]:
    """For each other scheme, where this one is quicker."""
    found = (
        (other.scheme, f"{_what(ours)} {_times(other, ours)}")
        for ours, other in _pairs(measured)
        if ours.time.high < other.time.low
    )
    return [f"than {scheme}: {what}" for scheme, what in _together(found)]


def losses(measured: Sequence[Measured]) -> list[str]:
    """For each other scheme, where it is quicker."""
    found = (
        (other.scheme, f"{_what(ours)} {_times(ours, other)}")
        for ours, other in _pairs(measured)
        if other.time.high < ours.time.low
    )
    return [f"{scheme} is quicker: {what}" for scheme, what in _together(found)]


def undecided(measured: Sequence[Measured]) -> list[str]:
    """For each other scheme, where the quartiles meet."""
    found = (
        (other.scheme, _what(ours))
        for ours, other in _pairs(measured)
        if ours.time.high >= other.time.low and other.time.high >= ours.time.low
    )
    return [f"{scheme}: {what}" for scheme, what in _together(found)]


def slower_handshakes(measured: Sequence[Handshake]) -> list[str]:
    """Which handshakes of OpenSSL take less CPU than which of ours."""
    protocols = [one for one in measured if one.is_protocol]
    found = (
        (theirs.name, f"{ours.name} ({ours.work.median / theirs.work.median:.1f} times)")
        for theirs in protocols
        if "OpenSSL" in theirs.name
        for ours in protocols
        if "OpenSSL" not in ours.name and theirs.work.high < ours.work.low
    )
    return [f"{theirs} takes less CPU than {ours}" for theirs, ours in _together(found)]


def _together(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """One line for each name."""
    lines: dict[str, list[str]] = {}
    for name, what in found:
        lines.setdefault(name, []).append(what)
    return [(name, ", ".join(what)) for name, what in lines.items()]


def _pairs(measured: Sequence[Measured]) -> Iterator[tuple[Measured, Measured]]:
    for ours in measured:
        if ours.scheme == Optimised.name:
            for other in measured:
                same = (other.operation, other.size) == (ours.operation, ours.size)
                if same and other.scheme not in {Optimised.name, TraditionalPython.name}:
                    yield ours, other


def _what(one: Measured) -> str:
    return one.operation if one.size is None else f"{one.operation} {SIZE_NAMES[one.size]}"


def _times(slow: Measured, quick: Measured) -> str:
    return f"{slow.time.median / quick.time.median:.1f} times"

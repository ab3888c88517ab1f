"""The time comparison of figure 13: each scheme signs, agrees and protects, all in turns."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from meterseal.lab.experiment.schemes import SCHEMES, Scheme
from meterseal.lab.experiment.timing import Operation, Spread, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SIZES", "SIZE_NAMES", "Measured", "compare"]

SIZE_NAMES = {16: "16 B", 256: "256 B", 4096: "4 KiB", 65_536: "64 KiB", 1_048_576: "1 MiB"}
SIZES = tuple(SIZE_NAMES)
_READING = b"000000000001 2026-11-23T08:15:00Z 00001234.56 kWh 0000012.34 kvarh"


@dataclass(frozen=True)
class Measured:
    """The time of one operation of one scheme; `size` is that of protected data."""

    scheme: str
    operation: str
    size: int | None
    time: Spread


def compare(rounds: int) -> list[Measured]:
    """Measure every operation of every scheme so many times."""
    found = []
    for operation, size in _operations():
        timed = []
        for scheme in (kind() for kind in SCHEMES):
            if size is None or size <= scheme.largest:
                call = _call(scheme, operation, size)
                timed.append(Operation(scheme.name, call, scheme.running))
        found += [
            Measured(name, operation, size, time) for name, time in measure(timed, rounds).items()
        ]
    return found


def _operations() -> Iterator[tuple[str, int | None]]:
    yield from (("sign", None), ("verify", None), ("authenticate", None), ("agree", None))
    yield from (("protect", size) for size in SIZES)


def _call(scheme: Scheme, operation: str, size: int | None) -> Callable[[], object]:
    if size is not None:
        return partial(_protect, scheme, os.urandom(size))
    with scheme.running():
        signature = scheme.sign(_READING)
    calls: dict[str, Callable[[], object]] = {
        "sign": partial(scheme.sign, _READING),
        "verify": partial(scheme.verify, _READING, signature),
        "authenticate": partial(_authenticate, scheme),
        "agree": partial(_agree, scheme),
    }
    return calls[operation]


def _authenticate(scheme: Scheme) -> None:
    """One end signs, the other verifies."""
    scheme.verify(_READING, scheme.sign(_READING))


def _agree(scheme: Scheme) -> bytes:
    """Both ends."""
    kept, offered = scheme.offer()
    ours, answered = scheme.answer(offered)
    theirs = scheme.accept(kept, answered)
    if ours != theirs:
        raise RuntimeError(f"{scheme.name}: the ends do not agree")
    return ours


def _protect(scheme: Scheme, data: bytes) -> None:
    """One end seals, the other opens."""
    key = b"0123456789abcdef"
    if scheme.open(key, scheme.seal(key, data)) != data:
        raise RuntimeError(f"{scheme.name}: the data was changed")

"""Measures a source: takes samples, examines them on all cores, judges them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from meterseal.errors import UsageError
from meterseal.lab.random.judge import Report, judge
from meterseal.lab.random.suite import examine, items

if TYPE_CHECKING:
    from meterseal.lab.random.bits import Values

__all__ = ["Source", "measure"]

Source = Callable[[int], Iterator[bytes]]
"""Given how many bytes a sample has, gives samples."""

_WAITING_PER_WORKER = 8


def measure(name: str, source: Source, *, samples: int, length: int, workers: int = 0) -> Report:
    """Judge `samples` samples of `length` bits; `workers` processes, 0 for one on each core.

    Raises UsageError if the source ends before.
    """
    known = items(length)
    values = list(_examined(islice(source(length // 8), samples), length, workers))
    if len(values) < samples:
        raise UsageError(f"{name} has {len(values)} samples of {length} bits, expected {samples}")
    return judge(name, length, known, values)


def _examined(samples: Iterator[bytes], length: int, workers: int) -> Iterator[list[Values]]:
    workers = workers or os.cpu_count() or 1
    look = partial(examine, length=length)
    if workers == 1:
        yield from map(look, samples)
        return
    with ProcessPoolExecutor(workers) as pool:
        while some := list(islice(samples, workers * _WAITING_PER_WORKER)):
            yield from pool.map(look, some)

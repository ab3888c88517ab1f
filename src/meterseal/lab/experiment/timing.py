"""Times of operations, taken in turns: what disturbs the machine disturbs them all alike."""

from __future__ import annotations

import random
import statistics
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meterseal.crypto.backends import backend, force_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Operation", "Spread", "measure", "on_backend", "spread"]

_LEAST_SAMPLE = 1_000_000  # nanoseconds
_MOST_CALLS = 256


@contextmanager
def on_backend(name: str) -> Iterator[None]:
    """Let the whole process run on that back-end for a while."""
    before = backend()
    force_backend(name)
    try:
        yield
    finally:
        force_backend(before)


@dataclass(frozen=True)
class Spread:
    """Seconds: the median and the quartiles of so many samples."""

    median: float
    low: float
    high: float
    samples: int


@dataclass
class Operation:
    """Something to be timed: under its name, and while what surrounds it is entered."""

    name: str
    call: Callable[[], object]
    surroundings: Callable[[], AbstractContextManager[None]] = nullcontext
    calls: int = 0
    samples: list[float] = field(default_factory=list)


def spread(samples: list[float]) -> Spread:
    """Return median and quartiles of at least two samples."""
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Spread(median, low, high, len(samples))


def measure(operations: list[Operation], rounds: int) -> dict[str, Spread]:
    """Time all operations in each round, in an order drawn anew; seconds of this thread's CPU.

    A sample is as many calls as take a millisecond; a first one, not counted, warms up.
    """
    for operation in operations:
        _calibrate(operation)
    for _ in range(rounds):
        for operation in random.sample(operations, len(operations)):
            operation.samples.append(_sample(operation, operation.calls) / operation.calls)
    return {operation.name: spread(operation.samples) for operation in operations}


def _calibrate(operation: Operation) -> None:
    calls = 1
    while calls < _MOST_CALLS and _sample(operation, calls) < _LEAST_SAMPLE / 1e9:
        calls *= 2
    operation.calls = calls


def _sample(operation: Operation, calls: int) -> float:
    call = operation.call
    with operation.surroundings():
        start = time.thread_time_ns()
        for _ in range(calls):
            call()
        return (time.thread_time_ns() - start) / 1e9

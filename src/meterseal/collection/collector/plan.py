"""When to read which meter: pure decisions over given times.

Every meter keeps its own place in the interval, found from its address, so that ten thousand
meters do not answer in the same second, and a restart does not move anybody.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm3 import sm3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.collection.model import MeterAddress

__all__ = ["Plan", "place_of"]

_MOST_SKIPPED: Final = 16


def place_of(meter: MeterAddress, spread: int) -> int:
    """Return the meter's own delay within `spread` milliseconds, even over many meters."""
    return int.from_bytes(sm3(meter.encode()).digest()[:8], "big") % max(spread, 1)


@dataclass(slots=True)
class _Turn:
    interval: int
    place: int
    failures: int = 0


class Plan:
    """The turns of the meters on one line; times are UTC in ms.

    A meter that does not answer is asked ever more seldom, up to every 16th turn, so that the
    others need not wait for it; its first answer puts it back.
    """

    def __init__(self, meters: Iterable[tuple[MeterAddress, int]], spread: int, now: int) -> None:
        """Take meters with their intervals in ms; each starts at its place within `spread` ms."""
        self._turns: dict[MeterAddress, _Turn] = {}
        self._queue: list[tuple[int, MeterAddress]] = []
        for meter, interval in meters:
            turn = _Turn(interval, place_of(meter, min(spread, interval)))
            self._turns[meter] = turn
            heapq.heappush(self._queue, (_next_time(turn, now - 1), meter))

    def next_due(self) -> int | None:
        """Return when the next turn is; None if there are no meters."""
        return self._queue[0][0] if self._queue else None

    def take_due(self, now: int) -> MeterAddress | None:
        """Return a meter whose turn has come, and await its outcome; None if none has."""
        if not self._queue or self._queue[0][0] > now:
            return None
        return heapq.heappop(self._queue)[1]

    def record(self, meter: MeterAddress, now: int, *, answered: bool) -> None:
        """Note how the turn went and set the next one.

        Turns that were missed meanwhile are not made up for: a value is read now or not at all.
        """
        turn = self._turns[meter]
        turn.failures = 0 if answered else turn.failures + 1
        skipped = min(2 ** max(turn.failures - 1, 0), _MOST_SKIPPED) - 1
        due = _next_time(turn, now) + skipped * turn.interval
        heapq.heappush(self._queue, (due, meter))

    def rewind(self, now: int) -> None:
        """Set all turns anew from `now`: the clock was set back and none would come for long."""
        self._queue = [(_next_time(self._turns[meter], now), meter) for _, meter in self._queue]
        heapq.heapify(self._queue)


def _next_time(turn: _Turn, now: int) -> int:
    """The first time after `now` that is the meter's own."""
    return ((now - turn.place) // turn.interval + 1) * turn.interval + turn.place

"""What to send next, and what again: pure decisions over ids and given times (seconds).

Two lanes: the backlog, what waited before the uplink came up, and the live one, what came since.
They take turns, so that a long outage is caught up in order while new readings arrive at once. A
statement stays in flight until its receipt; without one it is sent again, and each time more
patiently: a station that is slow or away must not find every statement a hundred times over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Lane", "Window"]

_DOUBLINGS: Final = 5


class Lane(NamedTuple):
    """Ids above `after`, up to and with `last` (None: without end)."""

    after: int
    last: int | None


class Window:
    """At most `size` statements in flight; each is due again `patience` seconds after it was sent.

    The time doubles with each sending, up to 32 times as long, until the connection is a new one.

    Ids rise in the order of arrival, so a lane is a place up to which all was sent.
    """

    def __init__(self, newest: int, size: int = 4096, patience: float = 30.0) -> None:
        """Begin a connection: ids up to `newest` are the backlog, later ones are live."""
        self._boundary = newest
        self._backlog_at = 0
        self._live_at = newest
        self._size = size
        self._patience = patience
        self._due: dict[int, float] = {}  # in flight
        self._sendings: dict[int, int] = {}  # of those
        self._held: dict[int, float] = {}
        self._live_first = False
        self._none_before = 0.0  # before that nothing is due again: nobody need look for it

    @property
    def room(self) -> int:
        """How many more may be sent now."""
        return max(self._size - len(self._due), 0)

    def lanes(self) -> list[Lane]:
        """Return the lanes to try now, the preferred first."""
        lanes = [Lane(self._live_at, None)]
        if self._backlog_at < self._boundary:
            lanes.insert(1 if self._live_first else 0, Lane(self._backlog_at, self._boundary))
        return lanes

    def ran_dry(self, lane: Lane) -> None:
        """Note that there was nothing in this lane: with the backlog, that is its end."""
        if lane.last is not None:
            self._backlog_at = self._boundary

    def sent(self, ids: Iterable[int], now: float) -> None:
        """Note that these went out."""
        self._none_before = min(self._none_before, now + self._patience)
        for each in ids:
            self._held.pop(each, None)
            before = self._sendings.get(each, 0)
            self._due[each] = now + self._patience * 2 ** min(before, _DOUBLINGS)
            self._sendings[each] = before + 1
            if each <= self._boundary:
                self._backlog_at = max(self._backlog_at, each)
            else:
                self._live_at = max(self._live_at, each)
        self._live_first = not self._live_first

    def settled(self, ids: Iterable[int]) -> None:
        """Note that these need not be sent any more."""
        for each in ids:
            self._land(each)
            self._held.pop(each, None)

    def hold(self, ids: Iterable[int], until: float) -> None:
        """Note that the station does not take these now; they are due again later."""
        self._none_before = min(self._none_before, until)
        for each in ids:
            self._land(each)
            self._held[each] = until

    def due(self, now: float, count: int) -> list[int]:
        """Return what must be sent again now, at most `count`, the oldest first."""
        if now < self._none_before:
            return []
        late = [each for each, due in self._due.items() if due <= now]
        late += [each for each, until in self._held.items() if until <= now]
        if not late:
            due = self.next_due()
            self._none_before = now if due is None else due
        return sorted(late)[:count]

    def next_due(self) -> float | None:
        """Return when something will be due again; None if nothing is out."""
        return min((*self._due.values(), *self._held.values()), default=None)

    def _land(self, sent: int) -> None:
        self._due.pop(sent, None)
        self._sendings.pop(sent, None)

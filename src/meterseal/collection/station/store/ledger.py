"""Which statements are new: sequences, what is missing between them, and lives that overlap. Pure.

The ledger knows the digest of every sequence whose day is still kept. Below its `floor` a life of a
meter is forgotten; what comes from there cannot be told from a replay and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Gap", "Key", "Ledger", "Life", "Overlap", "Ruling", "Span"]

Key: TypeAlias = tuple[int, int, int]
"""Meter, epoch, sequence."""
_MAX_SPANS: Final = 1000
"""Holes that are remembered in one life; beyond it new ones are alarmed once and not tracked."""
_OVERLAP: Final = 60_000
"""Milliseconds by which the lives of a meter may overlap before two meters are suspected."""


class Ruling(Enum):
    """What the ledger says of a statement."""

    NEW = "not seen before"
    KNOWN = "seen before, byte for byte"
    CONFLICT = "the sequence is known with other bytes"
    REPLAYED = "the sequence lies below what is remembered"


class Span(NamedTuple):
    """Missing sequences, both ends included; `origin` is the first of the gap it was part of."""

    first: int
    last: int
    origin: int


class Gap(NamedTuple):
    """A gap that opened (`last` set) or was filled (`last` is None)."""

    meter: int
    epoch: int
    origin: int
    last: int | None


class Overlap(NamedTuple):
    """Two lives of one meter that were sampled in the same time: a clone is at work."""

    meter: int
    epoch: int
    other: int


@dataclass(slots=True)
class Life:
    """What is known of one epoch of a meter; sampled times in UTC ms."""

    meter: int
    epoch: int
    highest: int = 0
    floor: int = 0
    first_sampled: int = 0
    last_sampled: int = 0
    spans: list[Span] = field(default_factory=list)
    spans_changed: bool = False

    def overlaps(self, other: Life) -> bool:
        """Whether both were sampled in the same time."""
        begin = max(self.first_sampled, other.first_sampled)
        return min(self.last_sampled, other.last_sampled) - begin > _OVERLAP


class Ledger:
    """Rules over one batch, with what the store knew before; collects what the batch changes."""

    def __init__(self, lives: Iterable[Life], digests: Mapping[Key, bytes]) -> None:
        self._lives = {(life.meter, life.epoch): life for life in lives}
        self._by_meter: dict[int, list[Life]] = {}
        for life in self._lives.values():
            self._by_meter.setdefault(life.meter, []).append(life)
        self._known = dict(digests)
        self.touched: dict[tuple[int, int], Life] = {}
        self.added: dict[Key, bytes] = {}
        self.gaps: list[Gap] = []
        self.overlaps: set[Overlap] = set()

    def rule(self, key: Key, sampled_at: int, digest: bytes) -> Ruling:
        """Decide over one statement of a life that is known, and remember it if it is new."""
        known = self._known.get(key)
        if known is not None:
            return Ruling.KNOWN if known == digest else Ruling.CONFLICT
        meter, epoch, sequence = key
        life = self._lives[meter, epoch]
        if sequence <= life.floor:
            return Ruling.REPLAYED
        self._known[key] = self.added[key] = digest
        self.touched[meter, epoch] = life
        self._count(life, sequence)
        life.first_sampled = min(life.first_sampled, sampled_at)
        life.last_sampled = max(life.last_sampled, sampled_at)
        for other in self._by_meter[meter]:
            if other is not life and life.overlaps(other):
                self.overlaps.add(Overlap(meter, *sorted((epoch, other.epoch))))
        return Ruling.NEW

    def _count(self, life: Life, sequence: int) -> None:
        if sequence <= life.highest:
            self._fill(life, sequence)
            return
        first = life.highest + 1
        if sequence > first and len(life.spans) < _MAX_SPANS:
            life.spans.append(Span(first, sequence - 1, first))
            life.spans_changed = True
            self.gaps.append(Gap(life.meter, life.epoch, first, sequence - 1))
        life.highest = sequence

    def _fill(self, life: Life, sequence: int) -> None:
        for index, (first, last, origin) in enumerate(life.spans):
            if not first <= sequence <= last:
                continue
            rest = [Span(first, sequence - 1, origin), Span(sequence + 1, last, origin)]
            life.spans[index : index + 1] = [span for span in rest if span.first <= span.last]
            life.spans_changed = True
            if not any(span.origin == origin for span in life.spans):
                self.gaps.append(Gap(life.meter, life.epoch, origin, None))
            return

"""Events of a meter: what is pending, what has begun, what is kept of those that are over.

Like the registers an event log is a value: a new one is on the disk before anybody sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from meterseal.collection.model import EventCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meterseal.collection.meter.rules import Rule
    from meterseal.collection.model import Values

__all__ = ["Event", "EventLog"]

_KEPT: Final = 10  # records of each code and phase, as DL/T 645-2007 has them
Key: TypeAlias = tuple[EventCode, int]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: times in ms since 1970 by the meter's clock.

    `before` are the values at its begin, `values` those at its begin or, once it is over, its end.
    """

    code: EventCode
    phase: int
    number: int
    began_at: int
    ended_at: int | None = None
    values: Values = field(default_factory=dict)
    before: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventLog:
    """Events by code and phase.

    `numbers` counts the events of each code, `totals` has (count, ms) of each code and phase,
    `pending` since when a measurement speaks for a change, `active` the events that have begun,
    `records` those that are over, the latest first.
    """

    numbers: Mapping[EventCode, int] = field(default_factory=dict)
    totals: Mapping[Key, tuple[int, int]] = field(default_factory=dict)
    pending: Mapping[Key, int] = field(default_factory=dict)
    active: Mapping[Key, Event] = field(default_factory=dict)
    records: Mapping[Key, tuple[Event, ...]] = field(default_factory=dict)

    def observed(
        self,
        rules: Sequence[Rule[_T]],
        seen: _T,
        now: int,
        values: Callable[[], Values],
    ) -> tuple[EventLog, list[Event]]:
        """Return the log after what was seen, and the events that began or ended by it."""
        log, changed = self, []
        for rule in rules:
            key = (rule.code, rule.phase)
            has_begun = key in log.active
            speaks = rule.ends(seen) if has_begun else rule.begins(seen)
            if not speaks:
                if key in log.pending:
                    log = replace(log, pending=_without(log.pending, key))
                continue
            since = log.pending.get(key, now)
            if now - since < rule.delay:
                log = log if key in log.pending else replace(log, pending={**log.pending, key: now})
                continue
            change = log.ended if has_begun else log.begun
            log, event = change(rule.code, rule.phase, since, values())
            changed.append(event)
        return log, changed

    def begun(self, code: EventCode, phase: int, at: int, values: Values) -> tuple[EventLog, Event]:
        """Return the log with an event that has begun."""
        key = (code, phase)
        event = Event(code, phase, self.numbers.get(code, 0) + 1, at, None, values, values)
        count, duration = self.totals.get(key, (0, 0))
        return replace(
            self,
            numbers={**self.numbers, code: event.number},
            totals={**self.totals, key: (count + 1, duration)},
            pending=_without(self.pending, key),
            active={**self.active, key: event},
        ), event

    def ended(self, code: EventCode, phase: int, at: int, values: Values) -> tuple[EventLog, Event]:
        """Return the log with an event that is over; it must have begun."""
        key = (code, phase)
        # A clock that was set back must not make an event end before it began.
        event = replace(
            self.active[key], ended_at=max(at, self.active[key].began_at), values=values
        )
        count, duration = self.totals[key]
        lasted = (event.ended_at or 0) - event.began_at
        return replace(
            self,
            totals={**self.totals, key: (count, duration + lasted)},
            pending=_without(self.pending, key),
            active=_without(self.active, key),
            records={**self.records, key: (event, *self.records.get(key, ()))[:_KEPT]},
        ), event

    def happened(
        self, code: EventCode, began_at: int, ended_at: int, values: Values
    ) -> tuple[EventLog, Event]:
        """Return the log with an event of the whole meter that is already over."""
        log, _ = self.begun(code, 0, began_at, values)
        return log.ended(code, 0, ended_at, values)

    def switched(
        self, code: EventCode, at: int, values: Values, *, on: bool
    ) -> tuple[EventLog, list[Event]]:
        """Return the log after a contact (a cover) opened or closed; without a change, as it is."""
        if on == ((code, 0) in self.active):
            return self, []
        log, event = (self.begun if on else self.ended)(code, 0, at, values)
        return log, [event]

    def without_pending(self) -> EventLog:
        """Return the log with all delays begun anew: after a restart, or a clock that was set."""
        return replace(self, pending={}) if self.pending else self


def _without(mapping: Mapping[Key, _T], key: Key) -> dict[Key, _T]:
    return {other: value for other, value in mapping.items() if other != key}

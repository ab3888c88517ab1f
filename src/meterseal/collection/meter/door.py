"""The door of a meter to the line: what DL/T 645-2007 may read and, with care, change.

A password of DL/T 645 crosses the line in clear and can be replayed, so a meter has none unless it
is given one, and little is to be had for it: the maximum demands are cleared, the clock moves by at
most an hour, once an hour. A broadcast moves the clock by
five minutes at most, once a day, and not around midnight, as the standard has it. Whatever moves
the clock is an event. All else is refused: clearing the meter, its events, passwords, the address.
"""

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from meterseal.collection.dlt645 import (
    SEALED_BY_SEQUENCE,
    SEALED_FROM,
    SEALED_HELD,
    SEALED_NEWEST,
    ErrorFlag,
    Refused,
)
from meterseal.collection.dlt645 import Registers as LineRegisters
from meterseal.collection.dlt645.values import Clock, Day
from meterseal.collection.envelope import encode
from meterseal.collection.meter.answers import answer
from meterseal.collection.model import EventCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.collection.dlt645 import Authority
    from meterseal.collection.dlt645.values import Value
    from meterseal.collection.meter.meter import Meter
    from meterseal.collection.meter.tariff import Calendar

__all__ = ["Door"]

_T = TypeVar("_T")

_MOST_SEALED: Final = 64
_LARGEST_ANSWER: Final = 40_000  # bytes; following frames carry 49,921
_SEQUENCE_MASK: Final = 0xFFFF
_LOAD_EARLIEST, _LOAD_FROM, _LOAD_LATEST = 0x06000000, 0x06000001, 0x06000002
_DATE, _TIME = 0x04000101, 0x04000102
_BROADCAST_STEP: Final = timedelta(minutes=5)
_WRITTEN_STEP: Final = timedelta(hours=1)
_NOW: Final = "99999999"
_HOUR: Final = 3_600_000


class Door(LineRegisters):
    """The registers of one meter, for `dlt645.Slave`; `steady` is the clock of its steps, in ms."""

    __slots__ = ("_meter", "_steady")

    def __init__(self, meter: Meter, steady: Callable[[], int]) -> None:
        self._meter = meter
        self._steady = steady

    def read(self, code: int) -> bytes | tuple[Value, ...] | None:
        """Return an item, or a block of quantities."""
        if code >> 24 == SEALED_NEWEST >> 24:
            return self._guarded(lambda: self._read_sealed(code))
        return answer(self._meter, code, self._now())

    def read_load_record(self, code: int, count: int, since: datetime | None) -> bytes:
        """Return load records: the earliest (06000000), from a time on (..01), the last (..02)."""
        if code == _LOAD_LATEST:
            first = None
        elif code == _LOAD_FROM and since is not None:
            first = self._calendar.moment(since)
        elif code == _LOAD_EARLIEST:
            first = 0
        else:
            raise Refused(ErrorFlag.NO_SUCH_DATA)
        records = self._guarded(lambda: self._meter.load_records(first, count))
        if not records:
            raise Refused(ErrorFlag.NO_SUCH_DATA)
        return b"".join(records)

    def set_time(self, moment: datetime) -> None:
        """Set the clock by broadcast."""
        now = self._local()
        midnight = moment.replace(hour=0, minute=0, second=0)
        near = min(moment - midnight, midnight + timedelta(days=1) - moment) < _BROADCAST_STEP
        last = self._last_set()
        was_today = last is not None and self._calendar.local(last).date() == now.date()
        if near or was_today or abs(moment - now) > _BROADCAST_STEP:
            raise Refused
        self._set_clock(moment)

    def write(self, code: int, data: bytes, authority: Authority) -> None:
        """Write the date or the time."""
        self._authorise(authority)
        now = self._local()
        if code == _TIME and len(data) == Clock().size:
            moment = datetime.combine(now.date(), Clock().decode(data) or now.time())
        elif code == _DATE and len(data) == Day().size:
            moment = datetime.combine(Day().decode(data) or now.date(), now.time())
        else:
            raise Refused
        last = self._last_set()
        was_just = last is not None and abs(self._now() - last) < _HOUR
        if was_just or abs(moment - now) > _WRITTEN_STEP:
            raise Refused
        self._set_clock(moment)

    def freeze(self, when: str) -> None:
        """Keep a record of the registers; only now, no schedule."""
        if when != _NOW:
            raise Refused
        at = self._now()
        self._guarded(
            lambda: self._meter.command(
                lambda state: (replace(state, registers=state.registers.frozen(at)), ())
            )
        )

    def clear_demand(self, authority: Authority) -> None:
        """Begin new maximum demands."""
        self._authorise(authority)
        self._guarded(
            lambda: self._meter.command(
                lambda state: (replace(state, registers=state.registers.demand_cleared()), ())
            )
        )

    def _authorise(self, authority: Authority) -> None:
        config = self._meter.config
        given, wanted = authority.password.encode(), (config.password or "").encode()
        if not hmac.compare_digest(given, wanted) or authority.level != config.password_level:
            raise Refused(ErrorFlag.NOT_AUTHORISED)

    def _local(self) -> datetime:
        return self._calendar.local(self._now())

    def _now(self) -> int:
        return self._meter.clock(self._steady())

    @property
    def _calendar(self) -> Calendar:
        return self._meter.config.billing.calendar

    def _last_set(self) -> int | None:
        """Return when the clock was set last, in ms since 1970."""
        records = self._meter.state.events.records.get((EventCode.CLOCK_SET, 0), ())
        return records[0].ended_at if records else None

    def _set_clock(self, moment: datetime) -> None:
        utc = self._calendar.moment(moment)
        self._guarded(lambda: self._meter.set_clock(utc, self._steady()))

    @staticmethod
    def _guarded(work: Callable[[], _T]) -> _T:
        try:
            return work()
        except sqlite3.Error as error:  # a full disk, say: nothing has changed
            raise Refused from error

    def _read_sealed(self, code: int) -> bytes | None:
        oldest, newest = self._meter.oldest_sealed(), self._meter.state.sequence
        if oldest is None:
            return None
        if code == SEALED_NEWEST:
            return self._sealed(newest)
        if code == SEALED_HELD:
            return self._sealed_from(oldest)
        # The number that ends in ssss nearest below the next one.
        behind = (newest + 1 - code) & _SEQUENCE_MASK
        sequence = newest + 1 - behind
        family = code & ~_SEQUENCE_MASK
        if family == SEALED_BY_SEQUENCE:
            return self._sealed(sequence) if oldest <= sequence <= newest else None
        return self._sealed_from(max(sequence, oldest)) if family == SEALED_FROM else None

    def _sealed(self, sequence: int) -> bytes | None:
        return next(iter(self._meter.sealed_from(sequence, 1)), None)

    def _sealed_from(self, sequence: int) -> bytes:
        taken: list[bytes] = []
        room = _LARGEST_ANSWER
        for sealed in self._meter.sealed_from(sequence, _MOST_SEALED):
            room -= len(sealed) + 3
            if room < 0:
                break
            taken.append(sealed)
        return encode(taken)

"""What displays ask of a station: plain answers from the store, none of which changes anything.

Measured values are in steps of their quantity; `Quantity.amount` gives them a decimal point. All
times are UTC in ms. Every method blocks for one or a few queries and may be called in any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from meterseal.collection.model import MeterAddress, Quality, Quantity, Reading, Snapshot
from meterseal.collection.receipts import Verdict
from meterseal.collection.sealing import open_sealed
from meterseal.collection.station.store.aggregates import LEVELS, series
from meterseal.collection.station.store.alarms import GAP
from meterseal.collection.station.store.batch import ACTIVITY
from meterseal.collection.station.store.records import LinkRecord, TurnedAway, address
from meterseal.collection.station.store.store import DAY
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from meterseal.collection.model import Statement
    from meterseal.collection.station.registry import Registry
    from meterseal.collection.station.store import Store
    from meterseal.collection.station.store.database import Row

__all__ = [
    "Alarm",
    "ClientsRefused",
    "CollectorStatus",
    "DayEnergy",
    "Latest",
    "Link",
    "LoadCurve",
    "MeterRow",
    "MeterState",
    "Overview",
    "RefusedRow",
    "Views",
]

ONLINE: Final = "online"
LATE: Final = "late"
SILENT: Final = "silent"
MeterState = str
"""`ONLINE`, `LATE` (one reading overdue) or `SILENT` (several are)."""
_LATE_AFTER: Final = 2.5
_SILENT_AFTER: Final = 10
_RATE_WINDOW: Final = 60_000
_GAP_PATIENCE: Final = 60_000
"""Gaps that are filled sooner were only messages overtaking each other."""
MAX_POINTS: Final = 50_000
"""Points of a load curve at most."""
TARIFFS: Final = (
    Quantity.FORWARD_ENERGY,
    Quantity.FORWARD_ENERGY_SHARP,
    Quantity.FORWARD_ENERGY_PEAK,
    Quantity.FORWARD_ENERGY_FLAT,
    Quantity.FORWARD_ENERGY_VALLEY,
    Quantity.REVERSE_ENERGY,
)


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the whole system.

    `completeness` is 0 to 1, None while nothing is due; `complete_since` is from when it counts:
    midnight, or the first reading if all meters are newer.
    """

    meters: int
    online: int
    late: int
    silent: int
    readings_per_second: float
    completeness: float | None
    complete_since: int
    alarms: int
    incidents: int
    refused_today: int


@dataclass(frozen=True, slots=True)
class MeterRow:
    """One line of the list of meters; times are None if nothing came yet."""

    meter: MeterAddress
    state: MeterState
    collectors: tuple[str, ...]
    seals_itself: bool
    interval: int
    sampled_at: int | None
    received_at: int | None
    quality: Quality


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest values of a meter, and what was tried since; `age` in ms."""

    reading: Reading
    age: int
    tried_at: int
    quality: Quality
    received_at: int


@dataclass(frozen=True, slots=True)
class LoadCurve:
    """A quantity on a regular grid from `start`, one entry every `step` ms.

    Where nothing was measured there is None: a gap is shown, not bridged.
    """

    quantity: Quantity
    start: int
    step: int
    low: list[int | None]
    mean: list[float | None]
    high: list[int | None]
    last: list[int | None]
    count: list[int]


@dataclass(frozen=True, slots=True)
class DayEnergy:
    """What the energy registers gained in one day, in their steps; None where unknown.

    A register that ran back (reset, exchanged meter) gives None for that day, never a spike.
    """

    start: int
    gained: dict[Quantity, int | None]
    register: dict[Quantity, int | None]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An event of a meter (`origin` "meter"), or an incident that the station found itself."""

    id: int
    origin: str
    kind: str
    meter: MeterAddress | None
    collector: str | None
    phase: int
    began_at: int
    ended_at: int | None
    detail: str
    acknowledged_by: str | None
    acknowledged_at: int | None


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A statement that was not accepted, with as much of its header as could be read."""

    id: int
    collector: str
    digest: bytes
    verdict: Verdict
    detail: str
    meter: MeterAddress | None
    epoch: int | None
    sequence: int | None
    sampled_at: int | None
    signer: bytes | None
    size: int
    first_at: int
    last_at: int
    times: int


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """What a collector sent, and says of itself: `status` is its JSON, "" if it said nothing."""

    name: str
    last_seen: int
    messages: int
    stored: int
    refused: int
    status: str
    status_at: int


@dataclass(frozen=True, slots=True)
class Link:
    """A client's link: its traffic here, its refusals by reason, its session at the gateway."""

    name: str
    last_seen: int | None
    messages: int
    refused: dict[Verdict, int]
    session: LinkRecord | None


@dataclass(frozen=True, slots=True)
class ClientsRefused:
    """Clients that a gateway turned away for one and the same reason: the last, and how many."""

    last: TurnedAway
    first_at: int
    times: int


class Views:
    """Answers from a store; the registry says which meters there should be."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._read = store.database.read
        self.registry = registry

    def overview(self, now: int) -> Overview:
        """Return the state of the whole system."""
        states = [row.state for row in self.meters(now)]
        open_alarms = self.alarms(now, active=True, limit=100_000)
        incidents = sum(alarm.origin == "station" for alarm in open_alarms)
        today = self._store.day_of(now)
        completeness, since = self.completeness(now)
        refused = self._read("SELECT coalesce(sum(count), 0) FROM refusals WHERE day = ?", (today,))
        return Overview(
            meters=len(states),
            online=states.count(ONLINE),
            late=states.count(LATE),
            silent=states.count(SILENT),
            readings_per_second=self._rate(now),
            completeness=completeness,
            complete_since=since,
            alarms=len(open_alarms) - incidents,
            incidents=incidents,
            refused_today=int(refused[0][0]),
        )

    def meters(self, now: int) -> list[MeterRow]:
        """Return all registered meters by address."""
        columns = "meter, latest_at, last_seen, quality"
        known = {row[0]: row[1:] for row in self._read(f"SELECT {columns} FROM meters")}  # noqa: S608
        rows = []
        for meter, registration in sorted(self.registry.meters.items()):
            latest_at, seen, quality = known.get(int(meter), (-1, None, 0))
            rows.append(
                MeterRow(
                    meter,
                    _state(now - latest_at if latest_at >= 0 else None, registration.interval),
                    tuple(sorted(registration.collectors)),
                    registration.seals_itself,
                    registration.interval,
                    latest_at if latest_at >= 0 else None,
                    seen,
                    Quality(quality),
                )
            )
        return rows

    def completeness(self, now: int) -> tuple[float | None, int]:
        """Return which share of today's readings that were due by now is here, and since when.

        A meter counts from its first statement on, one that was never heard from the first of all:
        before that there was nobody to ask it.
        """
        today = self._store.start_of(self._store.day_of(now))
        here = self._store.readings_of(self._store.day_of(now))
        rows = self._read("SELECT meter, min(first_sampled) FROM lives GROUP BY meter")
        first: dict[int, int] = dict(rows)
        earliest = max(today, min(first.values(), default=today))
        expected = got = 0
        for meter, registration in self.registry.meters.items():
            begin = max(today, first.get(int(meter), earliest))
            due = max(now - begin, 0) // (registration.interval * 1000)
            expected += due
            got += min(here.get(meter, 0), due)
        return (got / expected if expected else None), earliest

    def latest(self, meter: MeterAddress, now: int) -> Latest | None:
        """Return the newest values of a meter, or None if there never were any."""
        columns = "latest, tried_at, quality, last_seen"
        sql = f"SELECT {columns} FROM meters WHERE meter = ? AND latest IS NOT NULL"  # noqa: S608
        for sealed, tried_at, quality, seen in self._read(sql, (int(meter),)):
            reading = open_sealed(sealed).statement
            if isinstance(reading, Reading):
                age = now - reading.sampled_at
                return Latest(reading, age, tried_at, Quality(quality), seen)
        return None

    def snapshot(self, meter: MeterAddress) -> Snapshot | None:
        """Return the newest waveforms of a meter, or None."""
        sql = "SELECT snapshot FROM meters WHERE meter = ? AND snapshot IS NOT NULL"
        for (sealed,) in self._read(sql, (int(meter),)):
            snapshot = open_sealed(sealed).statement
            if isinstance(snapshot, Snapshot):
                return snapshot
        return None

    def load_curve(
        self, meter: MeterAddress, quantity: Quantity, start: int, end: int, step: int = 60_000
    ) -> LoadCurve:
        """Return a quantity from `start` to before `end`, in steps of whole minutes (ms).

        Raises `UsageError` for a step that is none, or if there would be too many points.
        """
        if step < LEVELS[0].width or step % LEVELS[0].width or DAY % step:
            raise UsageError(
                f"a step of {step} ms is not so many whole minutes that a day has some"
            )
        offset = self._store.day_offset
        start = (start + offset) // step * step - offset
        count = -(-(end - start) // step)
        if not 0 <= count <= MAX_POINTS:
            raise UsageError(f"{count} points; from 0 to {MAX_POINTS} are possible")
        level = max(
            (level for level in LEVELS if step % level.width == 0), key=lambda level: level.width
        )
        rows = self._store.aggregates(level.table, meter, start, start + count * step)
        found = series(quantity.code, rows).in_steps_of(step, offset)
        measured = found.counts > 0
        places = ((found.starts - start) // step)[measured]
        pairs = zip(found.totals.tolist(), found.counts.tolist(), strict=True)
        means = [total / number for total, number in pairs if number]

        def on_grid(numbers: Sequence[float] | NDArray[np.int64], empty: int | None) -> list[Any]:
            grid = np.full(count, empty, object)
            grid[places] = numbers
            return grid.tolist()

        return LoadCurve(
            quantity, start, step,
            low=on_grid(found.lows[measured], None),
            mean=on_grid(means, None),
            high=on_grid(found.highs[measured], None),
            last=on_grid(found.lasts[measured], None),
            count=on_grid(found.counts[measured], 0),
        )  # fmt: skip

    def energy(self, meter: MeterAddress, start: int, end: int) -> list[DayEnergy]:
        """Return for each day from `start` to before `end` what the registers gained."""
        first = self._store.start_of(self._store.day_of(start))
        rows = self._store.aggregates("daily", meter, first - DAY, end)
        by_quantity = {quantity: series(quantity.code, rows) for quantity in TARIFFS}
        registers: dict[int, dict[Quantity, tuple[int, int]]] = {}
        for quantity, found in by_quantity.items():
            numbers = (found.starts, found.lows, found.lasts, found.counts)
            for day, low, last, count in zip(*(each.tolist() for each in numbers), strict=True):
                if count:
                    registers.setdefault(day, {})[quantity] = (low, last)
        return [
            _day_energy(day, registers.get(day, {}), registers.get(day - DAY, {}))
            for day in range(first, end, DAY)
        ]

    def alarms(
        self,
        now: int,
        *,
        meter: MeterAddress | None = None,
        active: bool = False,
        limit: int = 1000,
    ) -> list[Alarm]:
        """Return alarms, the newest first; `active` ones are not over, or nobody has seen them."""
        sql = (
            "SELECT id, origin, kind, meter, collector, phase, began_at, ended_at, detail,"
            " acknowledged_by, acknowledged_at FROM alarms"
            " WHERE NOT (kind = ? AND coalesce(ended_at, ?) - began_at < ?)"
        )
        parameters: list[object] = [GAP, now, _GAP_PATIENCE]
        if active:
            sql += " AND (ended_at IS NULL OR acknowledged_by IS NULL)"
        if meter is not None:
            sql += " AND meter = ?"
            parameters.append(int(meter))
        rows = self._read(f"{sql} ORDER BY began_at DESC, id DESC LIMIT ?", (*parameters, limit))
        return [Alarm(*_with_address(row, 3)) for row in rows]

    def refused(self, *, after: int = 0, limit: int = 1000) -> list[RefusedRow]:
        """Return what was refused, the newest first; `after` is the id of one seen before."""
        sql = (
            "SELECT id, collector, digest, verdict, detail, meter, epoch, sequence, sampled_at,"
            " signer, size, first_at, last_at, times FROM refused WHERE id > ?"
            " ORDER BY last_at DESC, id DESC LIMIT ?"
        )
        rows = self._read(sql, (after, limit))
        return [
            RefusedRow(*_with_address((*row[:3], Verdict(row[3]), *row[4:]), 5)) for row in rows
        ]

    def collectors(self) -> list[CollectorStatus]:
        """Return all collectors that were ever heard, by name."""
        columns = ", ".join(CollectorStatus.__dataclass_fields__)
        rows = self._read(f"SELECT {columns} FROM collectors ORDER BY name")  # noqa: S608
        return [CollectorStatus(*row) for row in rows]

    def links(self) -> list[Link]:
        """Return the links of all clients, by name; refusals are those of all days kept."""
        columns = ", ".join(LinkRecord.__dataclass_fields__)
        rows = self._read(f"SELECT {columns} FROM sessions")  # noqa: S608
        sessions = {row[0]: LinkRecord(*row) for row in rows}
        reasons: dict[str, dict[Verdict, int]] = {}
        for name, verdict, count in self._read(
            "SELECT collector, verdict, sum(count) FROM refusals GROUP BY collector, verdict"
        ):
            reasons.setdefault(name, {})[Verdict(verdict)] = int(count)
        collectors = {each.name: each for each in self.collectors()}
        links = []
        for name in sorted(sessions.keys() | collectors.keys()):
            heard = collectors.get(name)
            seen, messages = (heard.last_seen, heard.messages) if heard else (None, 0)
            links.append(Link(name, seen, messages, reasons.get(name, {}), sessions.get(name)))
        return links

    def turned_away(self, limit: int = 1000) -> list[ClientsRefused]:
        """Return whom gateways turned away, the newest first, alike ones together."""
        rows = self._read(
            "SELECT gateway, max(at), address, name, kind, reason, min(at), count(*)"
            " FROM turned_away GROUP BY gateway, address, name, kind, reason"
            " ORDER BY max(at) DESC LIMIT ?",
            (limit,),
        )
        return [ClientsRefused(TurnedAway(*row[:6]), *row[6:]) for row in rows]

    def readings(self, meter: MeterAddress, start: int, end: int) -> Iterator[Reading]:
        """Yield the readings of a meter sampled from `start` to before `end`, in that order."""
        for statement in self.statements(meter, start, end):
            if isinstance(statement, Reading):
                yield statement

    def statements(self, meter: MeterAddress, start: int, end: int) -> Iterator[Statement]:
        """Yield whatever a meter stated, in the order of sampling."""
        for stored in self._store.statements(meter, start, end):
            yield open_sealed(stored.sealed).statement

    def _rate(self, now: int) -> float:
        sql = "SELECT coalesce(sum(stored), 0) FROM activity WHERE start >= ? AND start < ?"
        end = now // ACTIVITY * ACTIVITY
        return int(self._read(sql, (end - _RATE_WINDOW, end))[0][0]) * 1000 / _RATE_WINDOW


def _state(age: int | None, interval: int) -> MeterState:
    """Name the state of a meter whose newest values are so old (ms)."""
    if age is None or age > _SILENT_AFTER * interval * 1000:
        return SILENT
    return LATE if age > _LATE_AFTER * interval * 1000 else ONLINE


def _day_energy(
    start: int,
    here: dict[Quantity, tuple[int, int]],
    before: dict[Quantity, tuple[int, int]],
) -> DayEnergy:
    """Difference of the last registers of two days; of a first day, since its first reading."""
    gained: dict[Quantity, int | None] = dict.fromkeys(TARIFFS)
    register: dict[Quantity, int | None] = dict.fromkeys(TARIFFS)
    for quantity, (low, last) in here.items():
        register[quantity] = last
        _, base = before.get(quantity, (low, low))
        if base <= low <= last:
            gained[quantity] = last - base
    return DayEnergy(start, gained, register)


def _with_address(row: Row, column: int) -> Row:
    number = row[column]
    meter = None if number is None else address(number)
    return (*row[:column], meter, *row[column + 1 :])

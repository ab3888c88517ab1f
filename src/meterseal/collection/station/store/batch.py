"""One batch in one transaction: what is new, what that changes, and the verdicts on all of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from meterseal.collection.model import EventRecord, Quality, Reading, Snapshot
from meterseal.collection.receipts import Entry, Verdict
from meterseal.collection.station.store.alarms import AlarmWriter
from meterseal.collection.station.store.database import chunks
from meterseal.collection.station.store.folding import put_aside
from meterseal.collection.station.store.ledger import Ledger, Life, Ruling, Span
from meterseal.collection.station.store.records import COMMITTED, Committed, Refusal, address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meterseal.collection.model import Statement
    from meterseal.collection.station.store.database import Database, Session
    from meterseal.collection.station.store.ledger import Key
    from meterseal.collection.station.store.records import Arrival, Check

__all__ = ["ACTIVITY", "REFUSED_A_DAY", "BatchWriter"]

ACTIVITY: Final = 10_000
"""Width in ms of the buckets that count what the station does."""
REFUSED_A_DAY: Final = 10_000
"""Refused statements of one collector, for one reason, whose headers are kept."""
_DAY: Final = 86_400_000
_KINDS: Final[dict[type, int]] = {Reading: 1, EventRecord: 2, Snapshot: 3}
_NOBODY: Final = address(0)
_MAX_DETAIL: Final = 500
_FAILED: Final = int(Quality.FAILED)
_DETAILS: Final = {
    Ruling.CONFLICT: (Verdict.CONFLICT, "this sequence is stored with other bytes"),
    Ruling.REPLAYED: (Verdict.REPLAYED, "this sequence lies below what is remembered"),
}


class BatchWriter:
    """Writes one batch within a transaction; `now` in UTC ms."""

    def __init__(self, session: Session, database: Database, day_offset: int, now: int) -> None:
        self._session = session
        self._database = database
        self._offset = day_offset
        self._now = now
        self._today = (now + day_offset) // _DAY
        self._alarms = AlarmWriter(session, now)
        self._entries: defaultdict[str, list[Entry]] = defaultdict(list)

    def write(self, checks: Sequence[Check], refusals: Sequence[Refusal]) -> Committed:
        """Write all of it; what this returns holds only once the transaction is committed."""
        new, refused = self._rule(checks)
        refused += refusals
        for refusal in refused:
            statement = refusal.sealed and refusal.sealed.statement
            self._answer(refusal.arrival, statement, refusal.verdict)
        if new:
            self._add_statements(new)
            put_aside(self._session, [check.sealed.statement for check in new])
            self._update_meters(new)
            events = [check for check in new if isinstance(check.sealed.statement, EventRecord)]
            self._alarms.report_events(events)
        if refused:
            self._add_refused(refused)
            self._alarms.report_clocks(refused, len(checks) + len(refusals), self._today)
        known = len(checks) + len(refusals) - len(new) - len(refused)
        self._count(new, refused, [*checks, *refusals])
        verdicts = Counter(refusal.verdict for refusal in refused)
        return Committed(dict(self._entries), len(new), known, dict(verdicts), self._now, COMMITTED)

    def _rule(self, checks: Sequence[Check]) -> tuple[list[Check], list[Refusal]]:
        """Tell new statements from known ones and from conflicts, and save the ledger."""
        keys = [_key(check.sealed.statement) for check in checks]
        ledger = self._load_ledger(keys, [check.sealed.statement.sampled_at for check in checks])
        new: list[Check] = []
        refused: list[Refusal] = []
        for key, check in zip(keys, checks, strict=True):
            arrival = check.arrival
            ruling = ledger.rule(key, check.sealed.statement.sampled_at, arrival.digest)
            if ruling in _DETAILS:
                refused.append(Refusal(arrival, *_DETAILS[ruling], check.sealed))
                continue
            self._answer(arrival, check.sealed.statement, Verdict.STORED)
            if ruling is Ruling.NEW:
                new.append(check)
        self._save_ledger(ledger)
        self._alarms.report_ledger(ledger)
        self._alarms.report_conflicts(refused)
        return new, refused

    def _load_ledger(self, keys: Sequence[Key], sampled: Sequence[int]) -> Ledger:
        self._lock_lives(keys, sampled)
        meters = sorted({meter for meter, _, _ in keys})
        lives: dict[tuple[int, int], Life] = {}
        for some in chunks(meters):
            marks = ", ".join("?" * len(some))
            rows = self._session.query(
                f"SELECT * FROM lives WHERE meter IN ({marks}) ORDER BY meter, epoch"  # noqa: S608
                + self._database.for_update,
                some,
            )
            lives.update(((row[0], row[1]), Life(*row)) for row in rows)
            rows = self._session.query(
                f"SELECT * FROM missing WHERE meter IN ({marks}) ORDER BY meter, epoch, first",  # noqa: S608
                some,
            )
            for meter, epoch, *span in rows:
                lives[meter, epoch].spans.append(Span(*span))
        seen = {
            key
            for key in keys
            if (life := lives.get(key[:2])) is not None and key[2] <= life.highest
        }
        digests: dict[Key, bytes] = {}
        for known in chunks(sorted(seen)):
            rows = self._session.query(
                "SELECT meter, epoch, sequence, digest FROM ledger"  # noqa: S608
                f" WHERE (meter, epoch, sequence) IN (VALUES {_tuples(len(known), 3)})",
                [part for key in known for part in key],
            )
            digests.update(((row[0], row[1], row[2]), row[3]) for row in rows)
        return Ledger(lives.values(), digests)

    def _lock_lives(self, keys: Sequence[Key], sampled: Sequence[int]) -> None:
        """Make lives that are new, so that there is something to lock.

        Two stations that meet a new meter at the same time must not both believe it has no past.
        """
        begun: dict[tuple[int, int], int] = {}
        for (meter, epoch, _), at in zip(keys, sampled, strict=True):
            begun[meter, epoch] = min(at, begun.get((meter, epoch), at))
        self._session.run_many(
            "INSERT INTO lives VALUES (?, ?, 0, 0, ?, ?) ON CONFLICT DO NOTHING",
            [(*life, at, at) for life, at in sorted(begun.items())],
        )

    def _save_ledger(self, ledger: Ledger) -> None:
        run_many = self._session.run_many
        run_many(
            "INSERT INTO ledger VALUES (?, ?, ?, ?)",
            [(*key, digest) for key, digest in sorted(ledger.added.items())],
        )
        lives = [life for _, life in sorted(ledger.touched.items())]
        run_many(
            "UPDATE lives SET highest = ?, first_sampled = ?, last_sampled = ?"
            " WHERE meter = ? AND epoch = ?",
            [
                (each.highest, each.first_sampled, each.last_sampled, each.meter, each.epoch)
                for each in lives
            ],
        )
        changed = [life for life in lives if life.spans_changed]
        run_many(
            "DELETE FROM missing WHERE meter = ? AND epoch = ?",
            [(life.meter, life.epoch) for life in changed],
        )
        run_many(
            "INSERT INTO missing VALUES (?, ?, ?, ?, ?)",
            [(life.meter, life.epoch, *span) for life in changed for span in life.spans],
        )

    def _add_statements(self, new: Sequence[Check]) -> None:
        signers = self._signers(new)
        by_day: dict[int, list[tuple[object, ...]]] = {}
        for check in new:
            statement, arrival = check.sealed.statement, check.arrival
            day = (statement.sampled_at + self._offset) // _DAY
            row = (
                day, *_key(statement), _KINDS[type(statement)], statement.sampled_at,
                arrival.received_at, int(statement.quality), arrival.collector,
                signers[check.sealed.envelope.key_id], arrival.encoding,
            )  # fmt: skip
            by_day.setdefault(day, []).append(row)
        for day, rows in sorted(by_day.items()):
            if self._session.run("INSERT INTO days VALUES (?) ON CONFLICT DO NOTHING", (day,)) == 1:
                self._database.create_partition(self._session, day)
            marks = ", ".join("?" * len(rows[0]))
            self._session.run_many(f"INSERT INTO statements_{day} VALUES ({marks})", rows)  # noqa: S608

    def _signers(self, new: Iterable[Check]) -> dict[bytes, int]:
        """Return the numbers of the signers' certificates; new chains are kept as evidence."""
        chains = {check.sealed.envelope.key_id: check.chain.chain for check in new}
        found = self._certificate_numbers(sorted(chains))
        if len(found) == len(chains):
            return found
        links = {link.fingerprint(): link for chain in chains.values() for link in chain}
        self._session.run_many(
            "INSERT INTO certificates (fingerprint, encoding, first_seen) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            [(name, link.encoding, self._now) for name, link in sorted(links.items())],
        )
        return self._certificate_numbers(sorted(chains))

    def _certificate_numbers(self, fingerprints: Sequence[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for some in chunks(fingerprints):
            marks = ", ".join("?" * len(some))
            sql = f"SELECT fingerprint, id FROM certificates WHERE fingerprint IN ({marks})"  # noqa: S608
            found.update(self._session.query(sql, some))
        return found

    def _update_meters(self, new: Sequence[Check]) -> None:
        """Keep the newest reading and snapshot of each meter, by the time of sampling."""
        rows: dict[int, _MeterState] = {}
        for check in sorted(new, key=lambda check: check.sealed.statement.sampled_at):
            rows.setdefault(int(check.sealed.statement.meter), _MeterState()).see(check)
        self._session.run_many(
            _SAVE_STATE,
            [(meter, *state.columns()) for meter, state in sorted(rows.items())],
        )

    def _add_refused(self, refused: Iterable[Refusal]) -> None:
        """Keep headers and reasons; a flood is counted to its end, and kept up to a limit a day."""
        rows = []
        counted = self._refused_today()
        for refusal in refused:
            kind = refusal.arrival.collector, int(refusal.verdict)
            counted[kind] += 1
            if counted[kind] <= REFUSED_A_DAY:
                rows.append(_refused_row(refusal))
        self._session.run_many(
            "INSERT INTO refused (collector, digest, verdict, detail, meter, epoch, sequence,"
            " sampled_at, signer, size, first_at, last_at, times, sealed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)"
            " ON CONFLICT (digest, collector, verdict) DO UPDATE SET"
            " last_at = excluded.last_at, times = refused.times + 1",
            sorted(rows, key=itemgetter(1)),
        )

    def _refused_today(self) -> Counter[tuple[str, int]]:
        sql = "SELECT collector, verdict, count FROM refusals WHERE day = ?"
        rows = self._session.query(sql, (self._today,))
        return Counter({(name, verdict): count for name, verdict, count in rows})

    def _count(
        self,
        new: Sequence[Check],
        refused: Sequence[Refusal],
        every: Iterable[Check | Refusal],
    ) -> None:
        """Count by collector, by reason and by time."""
        run_many = self._session.run_many
        seen = Counter(item.arrival.collector for item in every)
        stored = Counter(check.arrival.collector for check in new)
        turned_away = Counter(refusal.arrival.collector for refusal in refused)
        run_many(
            "INSERT INTO collectors VALUES (?, ?, ?, ?, ?, '', 0) ON CONFLICT (name) DO UPDATE SET"
            " last_seen = excluded.last_seen, messages = collectors.messages + excluded.messages,"
            " stored = collectors.stored + excluded.stored,"
            " refused = collectors.refused + excluded.refused",
            [
                (name, self._now, count, stored[name], turned_away[name])
                for name, count in sorted(seen.items())
            ],
        )
        reasons = Counter((refusal.arrival.collector, refusal.verdict) for refusal in refused)
        run_many(
            "INSERT INTO refusals VALUES (?, ?, ?, ?) ON CONFLICT (day, collector, verdict)"
            " DO UPDATE SET count = refusals.count + excluded.count",
            [
                (self._today, name, int(verdict), n)
                for (name, verdict), n in sorted(reasons.items())
            ],
        )
        run_many(
            "INSERT INTO activity VALUES (?, ?, ?) ON CONFLICT (start) DO UPDATE SET"
            " stored = activity.stored + excluded.stored,"
            " refused = activity.refused + excluded.refused",
            [(self._now // ACTIVITY * ACTIVITY, len(new), len(refused))],
        )

    def _answer(self, arrival: Arrival, of: Statement | None, verdict: Verdict) -> None:
        key = (_NOBODY, 0, 0) if of is None else (of.meter, of.epoch, of.sequence)
        self._entries[arrival.collector].append(Entry(*key, arrival.digest, verdict))


_NEWEST: Final = {
    "tried_at": "tried_at", "quality": "tried_at",
    "latest_at": "latest_at", "latest": "latest_at",
    "snapshot_at": "snapshot_at", "snapshot": "snapshot_at",
}  # fmt: skip

_SAVE_STATE: Final = (
    "INSERT INTO meters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (meter) DO UPDATE"  # noqa: S608
    " SET collector = excluded.collector, last_seen = excluded.last_seen,"
    + ", ".join(
        f" {name} = CASE WHEN excluded.{at} >= meters.{at} THEN excluded.{name}"
        f" ELSE meters.{name} END"
        for name, at in _NEWEST.items()
    )
)


class _MeterState:
    """The newest of one meter in a batch; fed in the order of sampling."""

    def __init__(self) -> None:
        self._collector = ""
        self._last_seen = self._tried_at = self._quality = 0
        self._latest_at = self._snapshot_at = -1
        self._latest: bytes | None = None
        self._snapshot: bytes | None = None

    def see(self, check: Check) -> None:
        statement, arrival = check.sealed.statement, check.arrival
        self._collector = arrival.collector
        self._last_seen = max(self._last_seen, arrival.received_at)
        if isinstance(statement, Snapshot):
            self._snapshot_at, self._snapshot = statement.sampled_at, arrival.encoding
        elif isinstance(statement, Reading):
            self._tried_at, self._quality = statement.sampled_at, int(statement.quality)
            if not self._quality & _FAILED:
                self._latest_at, self._latest = statement.sampled_at, arrival.encoding

    def columns(self) -> tuple[object, ...]:
        return (
            self._collector, self._last_seen, self._tried_at, self._quality, self._latest_at,
            self._latest, self._snapshot_at, self._snapshot,
        )  # fmt: skip


def _key(statement: Statement) -> tuple[int, int, int]:
    return int(statement.meter), statement.epoch, statement.sequence


def _tuples(count: int, size: int) -> str:
    one = f"({', '.join('?' * size)})"
    return ", ".join([one] * count)


def _refused_row(refusal: Refusal) -> tuple[object, ...]:
    """The header and the reason; of a conflict, which its signer answers for, the bytes too."""
    arrival, sealed = refusal.arrival, refusal.sealed
    header: tuple[object, ...] = (None,) * 5
    if sealed is not None:
        statement = sealed.statement
        header = (*_key(statement), statement.sampled_at, sealed.envelope.key_id)
    kept = arrival.encoding if refusal.verdict is Verdict.CONFLICT else None
    at = arrival.received_at
    size = len(arrival.encoding)
    reason = (int(refusal.verdict), _printable(refusal.detail))
    return (arrival.collector, arrival.digest, *reason, *header, size, at, at, kept)


def _printable(detail: str) -> str:
    """Return a text that every database takes, whatever a name in a certificate holds."""
    return "".join(each if each.isprintable() else "?" for each in detail[:_MAX_DETAIL])

"""What was read and is not yet signed for by a station: an SQLite file that survives any crash.

A statement gets its sequence number, its signature and its place in the file in one transaction,
and only what is committed is ever sent. So a number that went out is never used for other bytes,
and a number that a crash swallowed never went out. `synchronous=FULL`: a commit is on the disk.

The file is the whole state of a collector. Its `epoch` is its birth: a collector that starts with
an empty folder counts anew under a new epoch, and one restored from an old copy is caught by the
station, which has seen its numbers with other bytes.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from meterseal.collection.model import MeterAddress
from meterseal.collection.receipts import Verdict
from meterseal.collection.sealing import digests_of
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from meterseal.collection.model import Statement
    from meterseal.collection.receipts import Entry, Receipt

__all__ = ["Depth", "MeterHealth", "Outbox", "Outgoing", "Refused", "Settled"]

_log: Final = logging.getLogger("meterseal.collector")
_VERSION: Final = 1
_AT_ONCE: Final = 500
_PORTION: Final = 64
"""Statements whose digests are compared together."""
_Key: TypeAlias = tuple[int, int, int, bytes]
"""Meter, epoch, sequence, digest."""
_GREATEST: Final = 2**63 - 1
_SCHEMA: Final = """
CREATE TABLE life (epoch INTEGER NOT NULL) STRICT;
CREATE TABLE sequences (meter INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
CREATE TABLE outgoing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    sampled_at INTEGER NOT NULL,
    digest BLOB NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (meter, epoch, sequence)
) STRICT;
CREATE TABLE refused (
    id INTEGER PRIMARY KEY,
    meter INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    sampled_at INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE receipts (issued_at INTEGER NOT NULL, encoding BLOB NOT NULL) STRICT;
CREATE INDEX receipts_by_time ON receipts (issued_at);
CREATE TABLE heard (
    meter INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE meters (
    meter INTEGER PRIMARY KEY,
    polls INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    last_good INTEGER,
    last_error TEXT
) STRICT;
"""


class Outgoing(NamedTuple):
    """A sealed statement that waits for its receipt; `id` rises in the order of arrival."""

    id: int
    sealed: bytes


class Settled(NamedTuple):
    """What a receipt changed: rows stored by the station, refused for good, and to be kept."""

    stored: tuple[int, ...]
    refused: tuple[int, ...]
    kept: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits: statements, bytes, and when the oldest was sampled (UTC ms)."""

    statements: int
    size: int
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A statement that the station refused for good; its bytes stay in the file."""

    meter: MeterAddress
    epoch: int
    sequence: int
    sampled_at: int
    verdict: Verdict
    refused_at: int


@dataclass(frozen=True, slots=True)
class MeterHealth:
    """How polling one meter went since the file was made; times in UTC ms."""

    meter: MeterAddress
    polls: int
    failures: int
    last_good: int | None
    last_error: str | None

    @property
    def success_rate(self) -> float:
        """The share of polls that were answered, 0 to 1."""
        return 1 - self.failures / self.polls if self.polls else 0.0


class Outbox:
    """One file, one writer; calls block, so an event loop makes them in a thread of their own.

    `born_at` (seconds since 1970) becomes the epoch of a new file. Raises `UsageError` if the file
    is of another version, `sqlite3.Error` if it cannot be written; what was not committed then is
    not in it.
    """

    def __init__(self, path: Path, born_at: int) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA busy_timeout=5000")
        with self.transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute("INSERT INTO life VALUES (?)", (born_at,))
                db.execute(f"PRAGMA user_version={_VERSION}")
            elif version != _VERSION:
                raise UsageError(f"{path} is an outbox of version {version}, not {_VERSION}")
        self.epoch: int = self._db.execute("SELECT epoch FROM life").fetchone()[0]

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what is called within the block is committed together at its end."""
        if self._db.in_transaction:
            yield self._db
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise

    def add(
        self,
        meters: Sequence[MeterAddress],
        seal: Callable[[Sequence[int]], Sequence[tuple[Statement, bytes]]],
    ) -> int:
        """Number, seal and keep one statement for each of `meters`; returns how many.

        `seal` gets the sequence numbers, in the order of `meters`, and returns each statement with
        its sealed form. If it raises, no number is used.
        """
        with self.transaction() as db:
            numbers = self._number(db, [int(meter) for meter in meters])
            rows = _rows(seal(numbers))
            self._insert(db, rows)
        return len(rows)

    def keep(self, statements: Iterable[tuple[Statement, bytes]]) -> int:
        """Keep statements that their meters sealed themselves; returns how many were new.

        `heard` names the last of each meter from then on.
        """
        with self.transaction() as db:
            rows = _rows(list(statements))
            db.executemany("INSERT OR REPLACE INTO heard VALUES (?, ?, ?)", [r[:3] for r in rows])
            return self._insert(db, rows)

    def heard(self, meter: MeterAddress) -> tuple[int, int] | None:
        """Return epoch and sequence of the last statement that this meter sealed and we kept."""
        query = "SELECT epoch, sequence FROM heard WHERE meter = ?"
        row = self._db.execute(query, (int(meter),)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def waiting(self, after: int, last: int | None, count: int, size: int) -> list[Outgoing]:
        """Return what waits with ids above `after`, up to `last`: at most `count`, within `size`.

        `size` is in bytes; one statement is returned even if it alone is larger. What does not
        match its digest any more (a bit turned on the disk) stays where it is, and is not returned:
        it must not keep the others from being sent.
        """
        query = "SELECT id, digest, sealed FROM outgoing WHERE id > ? AND id <= ? ORDER BY id"
        until = _GREATEST if last is None else last
        return _within(self._db.execute(query, (after, until)), count, size)

    def again(self, ids: Sequence[int], size: int) -> list[Outgoing]:
        """Return those of `ids` that still wait, from the first on, within `size` bytes."""
        places = ",".join("?" * len(ids))
        query = f"SELECT id, digest, sealed FROM outgoing WHERE id IN ({places})"  # noqa: S608  (places only)
        return _within(self._db.execute(query + " ORDER BY id", ids), len(ids), size)

    def last_id(self) -> int:
        """Return the id of the newest statement that waits; 0 if none does."""
        newest = self._db.execute("SELECT max(id) FROM outgoing").fetchone()[0]
        return int(newest or 0)

    def settle(self, receipt: Receipt, encoding: bytes) -> Settled:
        """Let go of what the station stored or refused for good, and keep the receipt.

        An entry counts only for exactly the bytes whose digest it names.
        """
        stored: list[int] = []
        refused: list[int] = []
        kept: list[int] = []
        with self.transaction() as db:
            named = self._find(db, receipt.entries)
            for entry in receipt.entries:
                number = named.pop(_key(entry), None)
                if number is None:
                    continue
                if entry.verdict is Verdict.STORED:
                    stored.append(number)
                elif entry.verdict.is_final:
                    self._remember_refused(db, number, entry.verdict, receipt.issued_at)
                    refused.append(number)
                else:
                    kept.append(number)
            done = stored + refused
            db.executemany("DELETE FROM outgoing WHERE id = ?", [(number,) for number in done])
            if done:
                db.execute("INSERT INTO receipts VALUES (?, ?)", (receipt.issued_at, encoding))
        return Settled(tuple(stored), tuple(refused), tuple(kept))

    def forget_receipts(self, before: int) -> int:
        """Drop receipts issued before this time (UTC ms); returns how many."""
        with self.transaction() as db:
            return db.execute("DELETE FROM receipts WHERE issued_at < ?", (before,)).rowcount

    def receipts(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the receipts issued from `start` to before `end` (UTC ms)."""
        query = "SELECT encoding FROM receipts WHERE issued_at >= ? AND issued_at < ?"
        for (encoding,) in self._db.execute(query, (start, end)).fetchall():
            yield encoding

    def count_polls(self, polls: Iterable[tuple[MeterAddress, int, str | None]]) -> None:
        """Count polls: meter, when it was asked (UTC ms), and what went wrong, if anything did."""
        rows = [
            (int(meter), int(error is not None), None if error else asked_at, error)
            for meter, asked_at, error in polls
        ]
        with self.transaction() as db:
            db.executemany(
                "INSERT INTO meters VALUES (?, 1, ?, ?, ?) ON CONFLICT (meter) DO UPDATE SET"
                " polls = polls + 1, failures = failures + excluded.failures,"
                " last_good = coalesce(excluded.last_good, last_good),"
                " last_error = excluded.last_error",
                rows,
            )

    def depth(self) -> Depth:
        """Say how much waits."""
        query = "SELECT count(*), coalesce(sum(length(sealed)), 0), min(sampled_at) FROM outgoing"
        return Depth(*self._db.execute(query).fetchone())

    def health(self) -> list[MeterHealth]:
        """Say how polling each meter went, by address."""
        rows = self._db.execute("SELECT * FROM meters ORDER BY meter").fetchall()
        return [MeterHealth(MeterAddress.of_number(meter), *rest) for meter, *rest in rows]

    def refused(self, limit: int = 1000) -> list[Refused]:
        """Return what the station refused for good, the newest first."""
        query = (
            "SELECT meter, epoch, sequence, sampled_at, verdict, refused_at FROM refused"
            " ORDER BY id DESC LIMIT ?"
        )
        return [
            Refused(
                MeterAddress.of_number(meter),
                epoch,
                sequence,
                sampled_at,
                Verdict(verdict),
                refused_at,
            )
            for meter, epoch, sequence, sampled_at, verdict, refused_at in self._db.execute(
                query, (limit,)
            )
        ]

    @staticmethod
    def _number(db: sqlite3.Connection, meters: Sequence[int]) -> list[int]:
        """Count one statement of each of `meters`; returns their numbers."""
        last = dict.fromkeys(meters, 0)
        asked = list(last)
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            places = ",".join("?" * len(some))
            query = f"SELECT meter, last FROM sequences WHERE meter IN ({places})"  # noqa: S608  (places only)
            last.update(db.execute(query, some))
        numbers = []
        for meter in meters:
            last[meter] += 1
            numbers.append(last[meter])
        db.executemany("INSERT OR REPLACE INTO sequences VALUES (?, ?)", last.items())
        return numbers

    @staticmethod
    def _insert(db: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> int:
        before = db.total_changes
        db.executemany(
            "INSERT INTO outgoing (meter, epoch, sequence, sampled_at, digest, sealed)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (meter, epoch, sequence) DO NOTHING",
            rows,
        )
        return db.total_changes - before

    @staticmethod
    def _find(db: sqlite3.Connection, entries: Sequence[Entry]) -> dict[_Key, int]:
        """Return the ids of what waits under the numbers of these entries, with its digests."""
        found: dict[_Key, int] = {}
        for start in range(0, len(entries), _AT_ONCE):
            some = entries[start : start + _AT_ONCE]
            places = ", ".join(["(?, ?, ?)"] * len(some))
            query = (
                "SELECT meter, epoch, sequence, digest, id FROM outgoing"  # noqa: S608  (places only)
                f" WHERE (meter, epoch, sequence) IN (VALUES {places})"
            )
            keys = [part for entry in some for part in _key(entry)[:3]]
            found.update((row[:4], row[4]) for row in db.execute(query, keys))
        return found

    @staticmethod
    def _remember_refused(
        db: sqlite3.Connection, number: int, verdict: Verdict, refused_at: int
    ) -> None:
        db.execute(
            "INSERT INTO refused (meter, epoch, sequence, sampled_at, verdict, refused_at, sealed)"
            " SELECT meter, epoch, sequence, sampled_at, ?, ?, sealed FROM outgoing WHERE id = ?",
            (int(verdict), refused_at, number),
        )


def _within(rows: sqlite3.Cursor, count: int, size: int) -> list[Outgoing]:
    """Take rows within these bounds; one that is not what was written is passed over and told."""
    found: list[Outgoing] = []
    with closing(rows):
        while some := rows.fetchmany(_PORTION):
            for each in _undamaged(some):
                size -= len(each.sealed)
                if len(found) == count or (size < 0 and found):
                    return found
                found.append(each)
    return found


def _undamaged(rows: Sequence[tuple[int, bytes, object]]) -> Iterator[Outgoing]:
    contents = [sealed if isinstance(sealed, bytes) else b"" for _, _, sealed in rows]
    digests = digests_of(contents)
    for (number, digest, _), sealed, now in zip(rows, contents, digests, strict=True):
        if now == digest:
            yield Outgoing(number, sealed)
        else:
            _log.error("statement %d in the outbox is damaged and not sent", number)


def _key(entry: Entry) -> _Key:
    return (int(entry.meter), entry.epoch, entry.sequence, entry.digest)


def _rows(statements: Sequence[tuple[Statement, bytes]]) -> list[tuple[object, ...]]:
    digests = digests_of([sealed for _, sealed in statements])
    return [
        (int(each.meter), each.epoch, each.sequence, each.sampled_at, digest, sealed)
        for (each, sealed), digest in zip(statements, digests, strict=True)
    ]

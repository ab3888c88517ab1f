"""Where meters keep their states and sealed statements: an SQLite file that survives any crash.

States and statements of one step are committed together (`synchronous=FULL`: a commit is on the
disk), and nothing is shown that is not committed. So a counter that was read is never smaller after
a crash, and a sequence number that went out is never used for other bytes.

The file is locked while it is open: two processes cannot count in it at once.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from meterseal.collection.model import MeterAddress

__all__ = ["Change", "MeterStore"]

_VERSION: Final = 2
_LOAD_KEPT: Final = 31 * 24 * 3_600_000  # ms
_SCHEMA: Final = """
CREATE TABLE life (epoch INTEGER NOT NULL) STRICT;
CREATE TABLE meters (
    meter INTEGER PRIMARY KEY,
    running BLOB NOT NULL,
    history BLOB NOT NULL
) STRICT;
CREATE TABLE statements (
    meter INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (meter, sequence)
) STRICT;
CREATE TABLE load_records (
    meter INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (meter, stored_at)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What one meter has to bring to the disk; without `history` that stays as it is.

    `load` is a load record and its time in ms since 1970.
    """

    meter: MeterAddress
    running: bytes
    history: bytes | None = None
    statements: tuple[tuple[int, bytes], ...] = ()
    load: tuple[int, bytes] | None = None


class MeterStore:
    """States by meter, the last `held` sealed statements of each, and the last month's load.

    `epoch` is when the file was made, in seconds since 1970: `now` of its first opening.
    """

    def __init__(self, path: Path, now: int, held: int = 2048) -> None:
        """Open or make the file; raises `UsageError` where it is in use or is none of ours."""
        self._held = held
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, timeout=0.5, isolation_level=None)
        try:
            self.epoch = self._prepare(now)
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise UsageError(f"{path} cannot be used: {error}") from error

    def _prepare(self, now: int) -> int:
        execute = self._database.execute
        execute("PRAGMA locking_mode=EXCLUSIVE")
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=FULL")
        (version,) = execute("PRAGMA user_version").fetchone()
        with self._transaction():
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    execute(statement)
                execute("INSERT INTO life VALUES (?)", (max(now, 1),))
                execute(f"PRAGMA user_version={_VERSION}")
            elif version != _VERSION:
                raise sqlite3.DatabaseError(f"its version is {version}")
            (epoch,) = execute("SELECT epoch FROM life").fetchone()
        return int(epoch)

    def load(self, meter: MeterAddress) -> tuple[bytes, bytes] | None:
        """Return the two parts of a state; None for a meter that has none."""
        row = self._database.execute(
            "SELECT running, history FROM meters WHERE meter = ?", (int(meter),)
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def commit(self, changes: Iterable[Change]) -> None:
        """Bring changes to the disk, all or none."""
        with self._transaction():
            for change in changes:
                self._write_state(change)
                self._write_statements(change)
                self._write_load(change)

    def _write_state(self, change: Change) -> None:
        meter, running, history = int(change.meter), change.running, change.history
        execute = self._database.execute
        if history is None:
            execute("UPDATE meters SET running = ? WHERE meter = ?", (running, meter))
        else:
            execute("INSERT OR REPLACE INTO meters VALUES (?, ?, ?)", (meter, running, history))

    def _write_statements(self, change: Change) -> None:
        meter, execute = int(change.meter), self._database.execute
        for sequence, sealed in change.statements:
            execute("INSERT INTO statements VALUES (?, ?, ?)", (meter, sequence, sealed))
            execute(
                "DELETE FROM statements WHERE meter = ? AND sequence <= ?",
                (meter, sequence - self._held),
            )

    def _write_load(self, change: Change) -> None:
        if change.load is None:
            return
        meter, (stored_at, record) = int(change.meter), change.load
        execute = self._database.execute
        # A clock that was set back brings a time round again: its first record stays.
        execute("INSERT OR IGNORE INTO load_records VALUES (?, ?, ?)", (meter, stored_at, record))
        execute(
            "DELETE FROM load_records WHERE meter = ? AND stored_at <= ?",
            (meter, stored_at - _LOAD_KEPT),
        )

    def oldest(self, meter: MeterAddress) -> int | None:
        """Return the lowest sequence number that is held; None where nothing is."""
        (sequence,) = self._database.execute(
            "SELECT min(sequence) FROM statements WHERE meter = ?", (int(meter),)
        ).fetchone()
        return sequence if sequence is None else int(sequence)

    def statements(self, meter: MeterAddress, first: int, most: int) -> list[bytes]:
        """Return at most `most` statements from the sequence number `first` on, in their order."""
        rows = self._database.execute(
            "SELECT sealed FROM statements WHERE meter = ? AND sequence >= ?"
            " ORDER BY sequence LIMIT ?",
            (int(meter), first, most),
        )
        return [sealed for (sealed,) in rows]

    def load_records(self, meter: MeterAddress, since: int, most: int) -> list[bytes]:
        """Return at most `most` load records of a time at or after `since`, in their order."""
        rows = self._database.execute(
            "SELECT record FROM load_records WHERE meter = ? AND stored_at >= ?"
            " ORDER BY stored_at LIMIT ?",
            (int(meter), since, most),
        )
        return [record for (record,) in rows]

    def latest_load(self, meter: MeterAddress) -> int | None:
        """Return the time of the latest load record."""
        (stored_at,) = self._database.execute(
            "SELECT max(stored_at) FROM load_records WHERE meter = ?", (int(meter),)
        ).fetchone()
        return stored_at if stored_at is None else int(stored_at)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # an error of the disk may have ended it already
                self._database.execute("ROLLBACK")
            raise

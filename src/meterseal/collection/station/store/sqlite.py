"""SQLite: one file, one writer, any number of readers (write-ahead log, every commit synced)."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from meterseal.collection.station.store.database import Row, Session, StoreUnavailable
from meterseal.collection.station.store.schema import PARTITION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["SqliteDatabase"]

_TYPES: Final = {
    "int": "INTEGER",
    "blob": "BLOB",
    "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "clustered": "WITHOUT ROWID",
}
_PATIENCE: Final = 5000
"""Milliseconds that a writer waits for another one."""
_LOG_PAGES: Final = 4000
"""Pages of write-ahead log (16 MiB) between checkpoints: fewer rewrites of the same page."""


class SqliteSession:
    """Statements of one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows."""
        return self._connection.execute(sql, parameters).fetchall()

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Change something; returns the number of rows."""
        return self._connection.execute(sql, parameters).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Do the same with each row."""
        self._connection.executemany(sql, rows)


class SqliteDatabase:
    """A file. Raises `StoreUnavailable` if it cannot be opened."""

    for_update = ""  # there is one writer anyway

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._idle = threading.Condition()
        self._reading = 0
        self._is_closed = False
        try:
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode=WAL")
            self._writer.execute("PRAGMA synchronous=FULL")
            self._writer.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            self._writer.execute("PRAGMA cache_size=-65536")
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[SqliteSession]:
        """Begin a writing transaction; committed, durably, when the block ends without error."""
        with self._lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield SqliteSession(self._writer)
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreUnavailable(f"{self._path}: {error}") from error

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query; every thread has its own connection."""
        try:
            with self._in_use():
                return self._reader().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    def create(self, session: Session, schema: str) -> None:
        """Create tables and indexes."""
        for statement in schema.format(**_TYPES).split(";"):
            session.run(statement)

    def create_partition(self, session: Session, day: int) -> None:
        """Create the table `statements_{day}`."""
        columns = PARTITION_COLUMNS.format(**_TYPES)
        session.run(f"CREATE TABLE statements_{day} ({columns})")
        session.run(f"CREATE INDEX by_meter_{day} ON statements_{day} (meter, sampled_at)")

    def close(self) -> None:
        """Let go of all connections, once nobody reads: SQLite bears no close under a query."""
        with self._idle:
            self._is_closed = True
            self._idle.wait_for(lambda: not self._reading)
        with self._lock:
            for connection in (self._writer, *self._readers):
                connection.close()
            self._readers.clear()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._idle:
            if self._is_closed:
                raise StoreUnavailable(f"{self._path} is closed")
            self._reading += 1
        try:
            yield
        finally:
            with self._idle:
                self._reading -= 1
                self._idle.notify_all()

    def _reader(self) -> sqlite3.Connection:
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._connect()
            reader.execute("PRAGMA query_only=1")
            with self._lock:
                self._readers.append(reader)
        return reader

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout={_PATIENCE}")
        return connection

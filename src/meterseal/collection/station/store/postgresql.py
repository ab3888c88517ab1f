"""PostgreSQL: several stations on several machines, partitions by day under one parent table."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from meterseal.collection.station.store.database import Row, Session, StoreUnavailable
from meterseal.collection.station.store.schema import PARTITION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["PostgresDatabase"]

_TYPES: Final = {
    "int": "BIGINT",
    "blob": "BYTEA",
    "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "clustered": "",
}
_PARENT: Final = (
    f"CREATE TABLE IF NOT EXISTS statements ({PARTITION_COLUMNS}) PARTITION BY RANGE (day)"
)
_SETTLING: Final = 0x6D65746572  # "meter": the lock under which tables are made


class PostgresSession:
    """Statements of one transaction."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._cursor = connection.cursor()

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows."""
        return self._cursor.execute(_in_its_words(sql), parameters).fetchall()

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Change something; returns the number of rows."""
        return self._cursor.execute(_in_its_words(sql), parameters).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Do the same with each row, in one pipeline."""
        self._cursor.executemany(_in_its_words(sql), rows)


class PostgresDatabase:
    """A database under `postgresql://...`. Raises `StoreUnavailable` if it cannot be reached.

    A lost connection fails one call, and the next one connects anew.
    """

    for_update = " FOR UPDATE"

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._writer: psycopg.Connection | None = None
        self._local = threading.local()
        self._readers: list[psycopg.Connection] = []

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Begin a writing transaction; committed, durably, when the block ends without error."""
        with self._lock:
            try:
                if self._writer is None or self._writer.closed:
                    self._writer = self._connect()
                    # Whatever the server's default: a receipt promises that it is on the disk.
                    self._writer.execute("SET synchronous_commit = on")
                with self._writer.transaction():
                    yield PostgresSession(self._writer)
            except psycopg.Error as error:
                raise StoreUnavailable(f"PostgreSQL: {error}") from error

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query; every thread has its own connection."""
        reader: psycopg.Connection[Any] | None = getattr(self._local, "reader", None)
        try:
            if reader is None or reader.closed:
                reader = self._local.reader = self._connect()
                with self._lock:
                    self._readers.append(reader)
            return reader.execute(_in_its_words(sql), parameters).fetchall()
        except psycopg.Error as error:
            raise StoreUnavailable(f"PostgreSQL: {error}") from error

    def create(self, session: Session, schema: str) -> None:
        """Create tables and indexes; several stations may start at once."""
        session.run("SELECT pg_advisory_xact_lock(?)", (_SETTLING,))
        for statement in (*schema.split(";"), _PARENT):
            if statement.strip():
                session.run(statement.format(**_TYPES))

    def create_partition(self, session: Session, day: int) -> None:
        """Create the table `statements_{day}`."""
        session.run(
            f"CREATE TABLE statements_{day} PARTITION OF statements"
            f" FOR VALUES FROM ({day}) TO ({day + 1})"
        )
        session.run(f"CREATE INDEX by_meter_{day} ON statements_{day} (meter, sampled_at)")

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            for connection in (self._writer, *self._readers):
                if connection is not None:
                    connection.close()
            self._readers.clear()

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._address, autocommit=True)


def _in_its_words(sql: str) -> str:
    """Parameters are `%s` here; our SQL has no other `?` and no `%`."""
    return sql.replace("?", "%s")

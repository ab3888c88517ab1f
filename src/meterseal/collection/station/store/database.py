"""What the store needs of a database: transactions, queries, and words for the few differences.

All SQL is written once, with `?` for parameters and in the common part of SQLite and PostgreSQL;
`{int}`, `{blob}`, `{serial}` and `{clustered}` in the schema are filled in by the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from meterseal.errors import MeterSealError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

__all__ = ["Database", "Row", "Session", "StoreUnavailable", "chunks"]

Row: TypeAlias = tuple[Any, ...]
_CHUNK = 500


class StoreUnavailable(MeterSealError):
    """The database cannot take the batch now (full, gone, locked): nothing of it is stored."""


class Session(Protocol):
    """Statements of one transaction."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows."""

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Change something; returns the number of rows."""

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Do the same with each row."""


class Database(Protocol):
    """A database; every error of its own comes out as `StoreUnavailable`."""

    for_update: str
    """What stands behind a SELECT whose rows nobody else may change until the commit."""

    def transaction(self) -> AbstractContextManager[Session]:
        """Begin a writing transaction; committed, durably, when the block ends without error."""

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query, outside of any transaction; safe in any thread."""

    def create(self, session: Session, schema: str) -> None:
        """Create tables and indexes."""

    def create_partition(self, session: Session, day: int) -> None:
        """Create the table `statements_{day}`."""

    def close(self) -> None:
        """Let go of all connections."""


def chunks(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Cut a long list of keys into pieces that fit into one query."""
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))

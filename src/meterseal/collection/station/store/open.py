"""Open a store by its address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.collection.station.store.sqlite import SqliteDatabase
from meterseal.collection.station.store.store import BEIJING, Store
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.collection.station.store.database import Database

__all__ = ["open_store"]


def open_store(address: str | Path, *, day_offset: int = BEIJING) -> Store:
    """Open, or make, the store at a path (SQLite) or under `postgresql://...`.

    `day_offset` says by how many ms the station's days are ahead of UTC; it is settled when the
    store is made. Raises `StoreUnavailable`, and `UsageError` for a store of another version.
    """
    return Store(_database(address), day_offset=day_offset)


def _database(address: str | Path) -> Database:
    if isinstance(address, str) and address.startswith(("postgresql://", "postgres://")):
        try:
            from meterseal.collection.station.store.postgresql import (  # noqa: PLC0415
                PostgresDatabase,
            )
        except ImportError:
            raise UsageError("pip install 'meterseal[postgresql]' to use PostgreSQL") from None
        return PostgresDatabase(address)
    return SqliteDatabase(Path(str(address).removeprefix("sqlite:///")))

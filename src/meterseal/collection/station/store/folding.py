"""From readings to aggregates, in two steps: put aside with the batch, and folded many at once.

Aggregates are rewritten where they lie, some pages for each reading: done batch by batch, that
would be most of a station's work. So a batch only appends the values of its readings to `waiting`,
in the transaction that stores them; folding adds what waits to the minutes, quarters and days, and
takes it away, in a transaction of its own. Each reading is counted once, whatever ends the station.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.collection.model import Reading
from meterseal.collection.station.store.aggregates import (
    LEVELS,
    bucket_all,
    by_codes,
    decode_all,
    encode_all,
    merge,
    pack_table,
    unpack_tables,
)
from meterseal.collection.station.store.database import chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meterseal.collection.model import Statement
    from meterseal.collection.station.store.aggregates import Level, Place, Tables
    from meterseal.collection.station.store.database import Row, Session

__all__ = ["fold_some", "put_aside"]

_AT_ONCE: Final = 16_384
"""Readings after which a transaction takes no more: batches that come meanwhile wait for it."""


def put_aside(session: Session, statements: Iterable[Statement]) -> None:
    """Keep the values of readings that are stored, until they are folded."""
    tables = by_codes(each for each in statements if isinstance(each, Reading))
    session.run_many(
        "INSERT INTO waiting (readings, codes, data) VALUES (?, ?, ?)",
        [(len(table[0]), codes, pack_table(table)) for codes, table in sorted(tables.items())],
    )


def fold_some(session: Session, day_offset: int) -> bool:
    """Fold the oldest of what waits; returns whether there is more."""
    # Two stations that share a database fold one after the other.
    session.run("UPDATE meta SET value = value + 1 WHERE name = 'folds'")
    waiting = session.query("SELECT id, readings FROM waiting ORDER BY id")
    some = _oldest(waiting)
    rows: list[Row] = []
    for ids in chunks(some):
        marks = ", ".join("?" * len(ids))
        sql = f"SELECT readings, codes, data FROM waiting WHERE id IN ({marks}) ORDER BY id"  # noqa: S608
        rows += session.query(sql, ids)
    tables = unpack_tables(rows)
    for level in LEVELS:
        _add(session, level, tables, day_offset)
    session.run_many("DELETE FROM waiting WHERE id = ?", [(number,) for number in some])
    return len(some) < len(waiting)


def _oldest(waiting: Sequence[Row]) -> list[int]:
    """Return the ids of the first rows that have enough readings together, or of all."""
    ids: list[int] = []
    readings = 0
    for number, count in waiting:
        if readings >= _AT_ONCE:
            break
        ids.append(number)
        readings += count
    return ids


def _add(session: Session, level: Level, tables: Tables, day_offset: int) -> None:
    buckets = bucket_all(tables, level.width, day_offset)
    stored: list[Row] = []
    for some in chunks(sorted(buckets)):
        stored += _stored(session, level, some)
    merge(buckets, decode_all(stored))
    session.run_many(
        f"INSERT INTO {level.table} VALUES (?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (meter, start) DO UPDATE SET readings = excluded.readings,"
        " codes = excluded.codes, data = excluded.data",
        encode_all(buckets),
    )


def _stored(session: Session, level: Level, places: Sequence[Place]) -> list[Row]:
    marks = ", ".join(["(?, ?)"] * len(places))
    return session.query(
        f"SELECT * FROM {level.table} WHERE (meter, start) IN (VALUES {marks})",  # noqa: S608
        [part for place in places for part in place],
    )

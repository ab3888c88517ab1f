"""Forgetting a day: its statements go at once, its sequences sink below the floor of their life."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meterseal.collection.station.store.database import Session

__all__ = ["forget_day"]


def forget_day(session: Session, day: int) -> None:
    """Drop a day. What arrives again from below the floor is refused as a replay."""
    sql = f"SELECT meter, epoch, max(sequence) FROM statements_{day} GROUP BY meter, epoch"  # noqa: S608
    floors = [(highest, meter, epoch) for meter, epoch, highest in session.query(sql)]
    session.run_many(
        "UPDATE lives SET floor = ? WHERE floor < ? AND meter = ? AND epoch = ?",
        [(highest, highest, meter, epoch) for highest, meter, epoch in floors],
    )
    for table, column in (("ledger", "sequence"), ("missing", "last")):
        session.run_many(
            f"DELETE FROM {table} WHERE {column} <= ? AND meter = ? AND epoch = ?",  # noqa: S608
            floors,
        )
    session.run(f"DROP TABLE statements_{day}")
    session.run("DELETE FROM days WHERE day = ?", (day,))

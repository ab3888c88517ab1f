"""Every role killed at random, again and again: nothing lost, nothing twice, nothing false.

The system is the real one: five processes, real sockets, TLS 1.3 with SM suites, a real broker,
real files. SIGKILL gives no process a chance to say goodbye.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from support.whole_system import drained, judge, lay_out, running, stored_count

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.collection.config import Settings


async def campaign(config: Path, settings: Settings, readings: int, kills: int, seed: int) -> int:
    """Run the system and kill roles at random until enough is stored; returns how many were killed.

    The kills are spread over all the readings: there is no quiet end in which all could be mended.
    """
    dice = random.Random(seed)  # noqa: S311  (a campaign that can be repeated)
    killed = 0
    deadline = time.monotonic() + 60 + readings
    async with running(config) as processes:
        while (stored := stored_count(settings)) < readings or killed < kills:
            assert time.monotonic() < deadline, "the system does not get on"
            await asyncio.sleep(dice.uniform(0.3, 1.5))
            child = dice.choice(processes.children)
            due = min(kills, kills * stored // readings + 1)
            if killed < due and child.is_up and child.process is not None:
                child.process.kill()
                killed += 1
        await drained(settings)
    return killed


def test_twelve_kills_cost_no_reading(tmp_path: Path) -> None:
    config, settings = lay_out(tmp_path, meters=6, interval=1.0)
    killed = asyncio.run(campaign(config, settings, readings=60, kills=12, seed=7))
    assert killed == 12
    assert judge(settings) >= 60
    for spoil in (lose_one, alter_one):
        spoil(settings)
        with pytest.raises(AssertionError):
            judge(settings)


def lose_one(settings: Settings) -> None:
    """Take a statement out of the store: the judge must notice."""
    with contextlib.closing(store_file(settings)) as db, db:
        (table,) = statements_table(db)
        db.execute(f"CREATE TABLE spoilt AS SELECT * FROM {table} LIMIT 1")
        db.execute(f"DELETE FROM {table} WHERE sealed IN (SELECT sealed FROM spoilt)")


def alter_one(settings: Settings) -> None:
    """Put it back, with one bit changed."""
    with contextlib.closing(store_file(settings)) as db, db:
        (table,) = statements_table(db)
        (sealed,) = db.execute("SELECT sealed FROM spoilt").fetchone()
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        db.execute("UPDATE spoilt SET sealed = ?", (changed,))
        db.execute(f"INSERT INTO {table} SELECT * FROM spoilt")


def store_file(settings: Settings) -> sqlite3.Connection:
    assert settings.station is not None
    return sqlite3.connect(settings.station.store)


def statements_table(db: sqlite3.Connection) -> tuple[str]:
    query = "SELECT name FROM sqlite_master WHERE name LIKE 'statements_%' AND type = 'table'"
    (name,) = db.execute(query).fetchone()
    return (name,)


@pytest.mark.slow
def test_hundreds_of_kills_cost_no_reading(tmp_path: Path) -> None:
    """The long form: METERSEAL_READINGS and METERSEAL_KILLS say how long.

    A meter holds its last 2,048 statements: where a machine is too busy to read each of them once
    in half an hour, the oldest are gone, and the judge says so.
    """
    readings = int(os.environ.get("METERSEAL_READINGS", "2000"))
    kills = int(os.environ.get("METERSEAL_KILLS", "100"))
    config, settings = lay_out(tmp_path, meters=60, interval=1.0)
    killed = asyncio.run(campaign(config, settings, readings=readings, kills=kills, seed=1))
    assert killed == kills
    assert judge(settings) >= readings

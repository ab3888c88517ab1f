"""Every role killed at random, again and again: nothing lost, nothing twice, nothing false.

The system is the real one: five processes, real sockets, TLS 1.3 with SM suites, a real broker,
real files. SIGKILL gives no process a chance to say goodbye. Afterwards what the collector and the
meters numbered is compared with what the station stored, statement by statement, and every stored
signature is verified once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.collector.service import OUTBOX
from meterseal.collection.config import Settings, load_settings
from meterseal.collection.model import MeterAddress
from meterseal.collection.processes import Processes
from meterseal.collection.roles import ROLES
from meterseal.collection.sealing import open_sealed
from meterseal.collection.station.evidence import verify_stored
from meterseal.collection.station.store import open_store
from meterseal.collection.workplace import Plan, prepare
from meterseal.x509 import TrustStore, load_certificates
from support.collecting import free_port

if TYPE_CHECKING:
    from pathlib import Path

FOR_EVER = 1 << 60


def stored_count(settings: Settings) -> int:
    assert settings.station is not None
    with contextlib.suppress(sqlite3.Error):
        with sqlite3.connect(f"file:{settings.station.store}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM ledger").fetchone()[0])
    return 0


def waiting_count(settings: Settings) -> int:
    assert settings.collector is not None
    path = settings.collector.state / OUTBOX
    with contextlib.suppress(sqlite3.Error):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM outgoing").fetchone()[0])
    return -1


async def campaign(config: Path, settings: Settings, readings: int, kills: int, seed: int) -> int:
    """Run the system, kill roles at random until enough is stored; returns how many were killed."""
    dice = random.Random(seed)  # noqa: S311  (a campaign that can be repeated)
    processes = Processes(list(ROLES), config, config.parent / "logs")
    work = asyncio.create_task(processes.run())
    killed = 0
    deadline = time.monotonic() + 60 + readings
    try:
        while stored_count(settings) < readings or killed < kills:
            assert time.monotonic() < deadline, "the system does not get on"
            await asyncio.sleep(dice.uniform(0.3, 1.5))
            child = dice.choice(processes.children)
            if killed < kills and child.is_up and child.process is not None:
                child.process.kill()
                killed += 1
        await drained(settings)
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    return killed


async def drained(settings: Settings) -> None:
    """Wait until the collector once holds next to nothing that has no receipt."""
    async with asyncio.timeout(120):
        while not 0 <= waiting_count(settings) <= 20:
            await asyncio.sleep(0.2)


def judge(settings: Settings) -> int:
    """Compare both ends; returns how many statements the station has."""
    assert settings.collector is not None
    assert settings.station is not None
    assert settings.meter is not None
    outbox = Outbox(settings.collector.state / OUTBOX, born_at=0)
    store = open_store(settings.station.store)
    trust = TrustStore(load_certificates(settings.station.identity.ca.read_bytes()))
    total = 0
    try:
        held: dict[str, set[tuple[int, int]]] = {}
        for row in outbox.waiting(0, None, 1 << 30, 1 << 40):
            it = open_sealed(row.sealed).statement
            held.setdefault(it.meter, set()).add((it.epoch, it.sequence))
        assert outbox.refused() == []
        last = dict(outbox._db.execute("SELECT meter, last FROM sequences"))
        heard = {
            meter: (epoch, sequence)
            for meter, epoch, sequence in outbox._db.execute("SELECT * FROM heard")
        }
        for address in settings.meter.meters:
            meter = MeterAddress(address)
            numbers = [(it.epoch, it.sequence) for it in store.statements(meter, 0, FOR_EVER)]
            assert len(numbers) == len(set(numbers)), f"{meter}: stored twice"
            epochs = {epoch for epoch, _ in numbers}
            assert len(epochs) == 1, f"{meter}: {epochs}"
            known = {number for _, number in {*numbers, *held.get(meter, set())}}
            newest = heard[int(meter)][1] if int(meter) in heard else last[int(meter)]
            assert known == set(range(1, newest + 1)), f"{meter}: lost {newest - len(known)}"
            report = verify_stored(store, meter, 0, FOR_EVER, trust)
            assert report.holds, report.findings
            assert report.valid == len(numbers)
            total += len(numbers)
    finally:
        store.close()
        outbox.close()
    return total


def lay_out(folder: Path, meters: int, interval: float) -> tuple[Path, Settings]:
    ports = ("broker", "nats", "gateway", "admin", "meter", "display")
    plan = Plan(
        meters=meters,
        interval=interval,
        **{f"{name}_port": free_port() for name in ports},  # type: ignore[arg-type]
    )
    config = prepare(folder, plan, datetime.now(UTC))
    text = config.read_text().replace("[meter]", "[meter]\nlight = true", 1)
    # Receipts that a kill swallowed are waited for three seconds, not thirty.
    text = text.replace("[collector.uplink]", "[collector.uplink]\npatience = 3.0", 1)
    config.write_text(text)
    return config, load_settings(config, {})


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
    """The long form: METERSEAL_READINGS and METERSEAL_KILLS say how long."""
    readings = int(os.environ.get("METERSEAL_READINGS", "2000"))
    kills = int(os.environ.get("METERSEAL_KILLS", "100"))
    config, settings = lay_out(tmp_path, meters=60, interval=1.0)
    killed = asyncio.run(campaign(config, settings, readings=readings, kills=kills, seed=1))
    assert killed == kills
    assert judge(settings) >= readings

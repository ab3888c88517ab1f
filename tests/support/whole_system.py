"""The whole system as processes of its own, and the judge of what both ends have afterwards.

What the collector and the meters numbered is compared with what the station stored, statement by
statement, and every stored signature is verified once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

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
from meterseal.net.ports import free_port
from meterseal.x509 import TrustStore, load_certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
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


@contextlib.asynccontextmanager
async def running(config: Path, roles: Iterable[str] = tuple(ROLES)) -> AsyncIterator[Processes]:
    """Run these roles, started again whenever they end."""
    processes = Processes(list(roles), config, config.parent / "logs")
    work = asyncio.create_task(processes.run())
    try:
        yield processes
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def until(condition: Callable[[], bool], within: float = 120) -> None:
    """Wait for what other processes do."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.1)


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

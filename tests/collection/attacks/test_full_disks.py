"""Disks that fill under a running system: it says so, keeps what it has, goes on by itself."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.collection.collector.service import OUTBOX
from support.whole_system import (
    drained,
    judge,
    lay_out,
    running,
    stored_count,
    until,
    waiting_count,
)

if TYPE_CHECKING:
    from meterseal.collection.config import Settings
    from meterseal.collection.processes import Child, Processes

NO_LIMIT = resource.RLIM_INFINITY


def fill(child: Child, file: Path) -> None:
    """Let none of the process's files grow beyond what this one has."""
    assert child.process is not None
    size = max(each.stat().st_size for each in file.parent.glob(file.name + "*"))
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (size, NO_LIMIT))


def empty(child: Child) -> None:
    assert child.process is not None
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (NO_LIMIT, NO_LIMIT))


def said(child: Child, words: str) -> bool:
    return words in child.log.read_text(errors="replace")


def test_full_disks_at_the_station_and_the_collector_cost_no_reading(tmp_path: Path) -> None:
    config, settings = lay_out(tmp_path, meters=4, interval=1.0)
    asyncio.run(story(config, settings))
    assert judge(settings) > 20


async def story(config: Path, settings: Settings) -> None:
    assert settings.station is not None
    assert settings.collector is not None
    async with running(config) as processes:
        station, collector = child_of(processes, "station"), child_of(processes, "collector")
        await until(lambda: stored_count(settings) >= 10)

        fill(station, Path(settings.station.store))
        await until(lambda: said(station, "cannot store"))
        full = stored_count(settings)
        await until(lambda: waiting_count(settings) >= 8)
        assert stored_count(settings) == full, "what has no room has no receipt"
        empty(station)
        await until(lambda: stored_count(settings) > full)

        fill(collector, settings.collector.state / OUTBOX)
        await until(lambda: said(collector, "the outbox cannot be written"))
        before = stored_count(settings)
        empty(collector)
        await until(lambda: stored_count(settings) > before + 10)
        await drained(settings)
        assert (station.starts, collector.starts) == (1, 1), "they went on by themselves"


def child_of(processes: Processes, role: str) -> Child:
    (child,) = (each for each in processes.children if each.role == role)
    return child

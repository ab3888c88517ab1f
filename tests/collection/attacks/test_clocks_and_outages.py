"""Thirteen hours without a way, clocks a day off, a collector restored from an old copy."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.model import Quality
from meterseal.collection.receipts import Verdict
from meterseal.collection.sealing import open_sealed
from support.simulation import FOR_EVER, METERS, Simulation, simulate
from support.station import DAY, PLAIN

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.collection.station.store.records import Stored

HOURS = 13


def stored(simulation: Simulation, meter: str = PLAIN) -> list[Stored]:
    found = list(simulation.store.statements(meter, 0, FOR_EVER))
    return sorted(found, key=lambda it: it.sequence)


def alarms(simulation: Simulation) -> list[str]:
    return [kind for (kind,) in simulation.store.database.read("SELECT kind FROM alarms")]


async def read(simulation: Simulation, count: int) -> None:
    for _ in range(count):
        await simulation.read()
        await asyncio.sleep(60)


def test_thirteen_hours_without_a_way_lose_nothing_and_keep_times_and_order(
    tmp_path: Path,
) -> None:
    async def story(simulation: Simulation) -> None:
        times = []
        simulation.way.cut(HOURS * 3600)
        for _ in range(HOURS * 60):
            times.append(simulation.now())
            for meter in METERS:
                await simulation.read(meter)
            await asyncio.sleep(60)
        assert simulation.outbox.depth().statements == len(METERS) * HOURS * 60
        await simulation.heal()
        assert simulation.judge() == len(METERS) * HOURS * 60
        for meter in METERS:
            found = stored(simulation, meter)
            assert [it.sampled_at for it in found] == times, "their own times"
            received = [it.received_at for it in found]
            assert received == sorted(received), "in order"
            assert received[0] >= times[-1]

    simulate(tmp_path, story)


@pytest.mark.parametrize("who", ["collector", "station"])
@pytest.mark.parametrize("step", [DAY, -DAY], ids=["ahead", "behind"])
def test_a_clock_a_day_off_loses_nothing_and_lets_no_replay_in(
    tmp_path: Path, who: str, step: int
) -> None:
    async def story(simulation: Simulation) -> None:
        await read(simulation, 3)
        setattr(simulation, f"{who}_ahead", step)
        await read(simulation, 3)
        for topic, payload in list(simulation.way.history):
            if topic.endswith("/up"):
                simulation.way.to_station(topic, payload)
        await asyncio.sleep(60)
        assert simulation.outbox.refused() == [], "no clock refuses for good"
        assert simulation.clock.in_doubt
        setattr(simulation, f"{who}_ahead", 0)
        simulation.skipped = DAY  # the day that the clock was ahead is over
        await simulation.heal()
        assert simulation.judge() == 6
        doubtful = [
            Quality.CLOCK_IN_DOUBT in open_sealed(it.sealed).statement.quality
            for it in stored(simulation)
        ]
        assert doubtful[-2:] == [True, True], "readings say that their time is in doubt"
        assert doubtful[:3] == [False] * 3
        await read(simulation, 2)
        await simulation.heal()
        assert not simulation.clock.in_doubt, "a station's signed time ends the doubt"

    simulate(tmp_path, story)


def copy_files(source: Path, target: Path) -> None:
    """Put what the collector has in one folder in the place of what it has in another."""
    target.mkdir(exist_ok=True)
    for file in target.glob("outbox.sqlite*"):
        file.unlink()
    for file in source.glob("outbox.sqlite*"):
        shutil.copy(file, target)


def test_a_collector_restored_from_an_old_copy_is_an_incident_and_changes_nothing(
    tmp_path: Path,
) -> None:
    async def story(simulation: Simulation) -> None:
        await read(simulation, 5)
        await simulation.heal()
        await simulation.kill_collector()
        copy_files(tmp_path, tmp_path / "copy")
        simulation.start_collector()
        await read(simulation, 5)
        await simulation.heal()
        before = stored(simulation)
        assert len(before) == 10
        await simulation.kill_collector()
        copy_files(tmp_path / "copy", tmp_path)
        simulation.start_collector()
        await read(simulation, 6)
        await simulation.heal()
        assert [each.verdict for each in simulation.outbox.refused()] == [Verdict.CONFLICT] * 5
        after = stored(simulation)
        assert after[:10] == before, "what was stored first stands"
        assert [it.sequence for it in after] == list(range(1, 12))
        assert alarms(simulation) == ["CONFLICTING_STATEMENTS"] * 5

    simulate(tmp_path, story)


@pytest.mark.parametrize("moment", ["reconnection", "restart of the station", "no change"])
def test_everything_replayed_changes_nothing_and_alarms_nobody(tmp_path: Path, moment: str) -> None:
    async def story(simulation: Simulation) -> None:
        await read(simulation, 5)
        await simulation.heal()
        before = stored(simulation)
        if moment == "reconnection":
            simulation.way.cut(5)
            await asyncio.sleep(60)
        if moment == "restart of the station":
            await simulation.kill_station()
            simulation.start_station()
        for topic, payload in list(simulation.way.history):
            if topic.endswith("/up"):
                for retain in (False, True):
                    simulation.way.to_station(topic, payload, retain=retain)
            if topic.endswith("/down"):
                simulation.way.to_collector(topic, payload)
        await asyncio.sleep(60)
        await simulation.kill_station()
        simulation.start_station()  # retained messages come once more
        await read(simulation, 1)
        await simulation.heal()
        assert stored(simulation)[:-1] == before
        assert simulation.judge() == 6
        assert alarms(simulation) == []
        assert simulation.store.database.read("SELECT count(*) FROM refused") == [(0,)]

    simulate(tmp_path, story)


def test_a_receipt_sent_again_tells_no_time(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> None:
        await read(simulation, 3)
        await simulation.heal()
        topic, first = next(it for it in simulation.way.history if it[0].endswith("/down"))
        await asyncio.sleep(600)
        simulation.way.to_collector(topic, first)
        await asyncio.sleep(60)
        assert not simulation.clock.in_doubt
        assert simulation.uplink.status.bad_receipts == 0

    simulate(tmp_path, story)

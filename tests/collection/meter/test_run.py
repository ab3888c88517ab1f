"""Meters at work: lines, shares, restarts, and the judgement of another DL/T 645 stack."""

import asyncio
import os
import tracemalloc
import tty
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from dlt645 import MeterClientService

from meterseal.collection.collector.ports import Dlt645Port
from meterseal.collection.dlt645.link import Master, Timing, link_of_files, open_tcp
from meterseal.collection.envelope import verify_all
from meterseal.collection.meter.meter import MeterConfig
from meterseal.collection.meter.run import (
    MeterGroup,
    MeterSetup,
    RunConfig,
    SerialLine,
    SystemClock,
    TcpLine,
    run,
)
from meterseal.collection.meter.store import MeterStore
from meterseal.collection.meter.synthetic import synthetic_source
from meterseal.collection.model import MeterAddress, Quantity
from meterseal.collection.sealing import Sealed, open_sealed
from meterseal.errors import MeterSilent, UsageError
from support.meters import ADDRESS, RATINGS, HandClock, Supply, sealer_for

PATIENT = Timing(answer=30.0, frame=60.0)
KIND = MeterConfig(RATINGS)


def config_of(folder: Path, count: int = 1) -> RunConfig:
    first = int(ADDRESS)
    setups = [MeterSetup(MeterAddress(f"{first + n:012}"), Supply()) for n in range(count)]
    return RunConfig(folder, setups, KIND)


@asynccontextmanager
async def running(
    config: RunConfig, clock: HandClock
) -> AsyncIterator[tuple[list[tuple[str, int]], MeterGroup]]:
    told: asyncio.Future[tuple[list[tuple[str, int]], MeterGroup]] = asyncio.Future()
    task = asyncio.create_task(
        run(config, clock=clock, started=lambda *known: told.set_result(known))
    )
    await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield await told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def play(scene: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(scene())


def test_meters_answer_over_tcp_while_time_passes(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = HandClock()
        config = config_of(tmp_path, count=3)
        async with running(config, clock) as ([(host, port)], _):
            await clock.advance(60_000)
            async with await open_tcp(host, port) as link:
                master = Master(link, PATIENT)
                for setup in config.meters:
                    values = await master.read_quantities(setup.address, [0x0201FF00, 0x0001FF00])
                    assert values[Quantity.VOLTAGE_B] == 22000
                    assert values[Quantity.FORWARD_ENERGY] == 50  # 55 Wh, in steps of 10
                with pytest.raises(MeterSilent):
                    await Master(link, Timing(answer=0.1)).read("999999999990", 0x02010100)

    play(scene)


def test_a_restart_continues_where_it_was(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = HandClock()
        async with running(config_of(tmp_path), clock) as (_, group):
            await clock.advance(60_000)
            before = group.meters[ADDRESS].state
        async with running(config_of(tmp_path), clock) as (_, group):
            after = group.meters[ADDRESS].state
            assert after.registers.energy == before.registers.energy
            await clock.advance(60_000)
            assert (
                group.meters[ADDRESS].state.registers.energy.forward
                > before.registers.energy.forward
            )

    play(scene)


def test_meters_with_a_long_interval_take_their_steps_in_shares(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = HandClock()
        config = replace(config_of(tmp_path, count=10), interval=5000, lines=())
        async with running(config, clock) as (_, group):
            await clock.advance(1000)
            ahead = [m for m in group.meters.values() if m.state.now == clock.wall()]
            assert len(ahead) == 2
            await clock.advance(4000)
            assert all(m.state.now > clock.wall() - 5000 for m in group.meters.values())

    play(scene)


@pytest.mark.parametrize(("took", "pauses"), [(0, 200), (50, 150), (1000, 1000)])
def test_steps_that_take_long_leave_as_much_time_for_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took: int, pauses: int
) -> None:
    slept: list[int] = []

    class Busy(HandClock):
        async def sleep(self, ms: int) -> None:
            slept.append(ms)
            self._steady += ms
            if len(slept) == 6:
                raise asyncio.CancelledError

    clock = Busy()
    group = MeterGroup(config_of(tmp_path), clock)

    def step(_: object) -> None:
        clock._steady += took

    monkeypatch.setattr(group, "step", step)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(group.run())
    group.store.close()
    assert slept[1:] == [pauses] * 5


def test_a_full_disk_shows_nothing_new_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def scene() -> None:
        clock = HandClock()
        async with running(replace(config_of(tmp_path), lines=()), clock) as (_, group):
            meter = group.meters[ADDRESS]
            await clock.advance(10_000)
            before = meter.state
            with monkeypatch.context() as patch:
                patch.setattr(MeterStore, "commit", full)
                await clock.advance(60_000)
            assert meter.state == before
            await clock.advance(10_000)
            assert meter.values()[Quantity.FORWARD_ENERGY] == pytest.approx(73, abs=1)

    play(scene)


def test_a_meter_answers_on_a_serial_line(tmp_path: Path) -> None:
    async def scene() -> None:
        controller, device = os.openpty()
        tty.setraw(device)
        line = SerialLine(os.ttyname(device), rate=9600, parity="N")
        async with running(replace(config_of(tmp_path), lines=(line,)), HandClock()):
            wire = await link_of_files(
                os.fdopen(controller, "rb", 0), os.fdopen(os.dup(controller), "wb", 0)
            )
            async with wire:
                master = Master(wire, PATIENT)
                assert await master.find() == ADDRESS
                values = await master.read_quantities(ADDRESS, [0x0202FF00])
                assert values[Quantity.CURRENT_C] == 5000
        os.close(device)

    play(scene)


def test_another_stack_reads_the_same_values(tmp_path: Path) -> None:
    def read(host: str, port: int) -> list[float]:
        client = MeterClientService.new_tcp_client(host, port, 30)
        client.set_address(bytes.fromhex(ADDRESS)[::-1].hex())  # in the order of the wire
        codes = (0x02010100, 0x02020200, 0x02030000, 0x02800002)
        try:
            return [float(client.read_02(code).value) for code in codes]
        finally:
            client.client.disconnect()

    async def scene() -> None:
        async with running(config_of(tmp_path), HandClock()) as ([(host, port)], _):
            values = await asyncio.to_thread(read, host, port)
        assert values == pytest.approx([220.0, 5.0, 3.3, 50.0])

    play(scene)


def test_a_collector_misses_nothing_over_a_pause_and_a_restart(tmp_path: Path) -> None:
    sealer, key = sealer_for(ADDRESS)
    kind = MeterConfig(RATINGS, seal_interval=1000, snapshot_interval=0)
    config = RunConfig(tmp_path, [MeterSetup(ADDRESS, Supply(), sealer)], kind)
    heard: list[Sealed] = []

    async def hear(host: str, port: int) -> None:
        collector = Dlt645Port(lambda: open_tcp(host, port), PATIENT)
        while True:
            last = heard[-1].statement if heard else None
            after = None if last is None else (last.epoch, last.sequence)
            more = await collector.read_sealed(ADDRESS, after)
            heard.extend(map(open_sealed, more))
            if not more:
                return await collector.close()

    async def scene() -> None:
        clock = HandClock()
        for pause in (5000, 100_000):
            async with running(config, clock) as ([(host, port)], _):
                await clock.advance(pause)
                await hear(host, port)

    play(scene)
    assert [each.statement.sequence for each in heard] == list(range(1, len(heard) + 1))
    assert len(heard) == 5 + 100 + 3  # a reading at each start, and one event: the restart
    assert all(verify_all([(key.public_key(), each.envelope) for each in heard]))


def test_two_meters_of_one_address_are_refused(tmp_path: Path) -> None:
    setup = MeterSetup(ADDRESS, synthetic_source(1))
    with pytest.raises(UsageError, match="two meters"):
        MeterGroup(RunConfig(tmp_path, [setup, setup], KIND), HandClock())


@pytest.mark.parametrize("interval", [100, 200_000])
def test_steps_that_would_leave_gaps_are_refused(tmp_path: Path, interval: int) -> None:
    with pytest.raises(UsageError, match="apart"):
        replace(config_of(tmp_path), interval=interval)


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(config_of(tmp_path / "a"), HandClock()) as ([(host, port)], _):
            config = replace(config_of(tmp_path / "b"), lines=(TcpLine(host, port),))
            with pytest.raises(OSError, match="in use"):
                await run(config, clock=HandClock())

    play(scene)


def test_a_hastened_clock_runs_by_its_speed() -> None:
    clock = SystemClock(speed=1000.0)
    wall, steady = clock.wall(), clock.steady()
    asyncio.run(clock.sleep(5000))
    assert clock.steady() - steady >= 4990  # a timer may wake a hair early
    assert clock.wall() - wall >= 4990
    with pytest.raises(UsageError):
        SystemClock(speed=0)


def test_a_light_meter_costs_a_few_kilobytes(tmp_path: Path) -> None:
    count = 300
    clock = HandClock()
    tracemalloc.start()
    setups = [
        MeterSetup(MeterAddress(f"{n:012}"), synthetic_source(n, light=True)) for n in range(count)
    ]
    group = MeterGroup(RunConfig(tmp_path, setups, KIND, interval=60_000), clock)
    slaves = group.slaves(None)
    for _ in range(3):
        group.step(list(group.meters.values()))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    group.store.close()
    assert len(slaves) == count
    assert used / count < 12_000

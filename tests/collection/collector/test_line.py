"""From the meter's answer to the outbox: nothing dropped, nothing made fresh that is old."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.collector.clock import WatchedClock
from meterseal.collection.collector.keeper import Keeper, Sample, SealedByMeter
from meterseal.collection.collector.line import Line
from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.collector.plan import Plan
from meterseal.collection.model import MeterAddress, Quality, Quantity, Reading, Values
from meterseal.collection.sealing import open_sealed
from support.collecting import METER, actors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from meterseal.collection.model import Statement

OTHER = MeterAddress("202611230002")
INTERVAL = 20


class Port:
    """Meters that answer as told."""

    def __init__(self) -> None:
        self.answers: dict[MeterAddress, Values | Exception] = {}
        self.sealed: dict[MeterAddress, list[bytes]] = {}
        self.asked_after: list[tuple[int, int] | None] = []
        self.asked: list[MeterAddress] = []

    async def read(self, meter: MeterAddress) -> tuple[Values, Quality]:
        self.asked.append(meter)
        answer = self.answers[meter]
        await asyncio.sleep(0.05 if isinstance(answer, TimeoutError) else 0)
        if isinstance(answer, Exception):
            raise answer
        return answer, Quality.SIMULATED

    async def read_sealed(
        self, meter: MeterAddress, after: tuple[int, int] | None
    ) -> Sequence[bytes]:
        self.asked_after.append(after)
        if after is None:
            return self.sealed[meter]
        return [each for each in self.sealed[meter] if key_of(each) > after]


class Bench:
    """A line with its keeper and outbox."""

    def __init__(self, folder: Path) -> None:
        self.outbox = Outbox(folder / "outbox", born_at=1)
        self.keeper = Keeper(self.outbox, actors().sealer)
        self.port = Port()
        self.clock = WatchedClock()

    @contextlib.asynccontextmanager
    async def running(
        self, meters: Sequence[MeterAddress], self_sealing: frozenset[MeterAddress] = frozenset()
    ) -> AsyncIterator[None]:
        plan = Plan([(meter, INTERVAL) for meter in meters], spread=0, now=self.clock.now())
        line = Line(self.port, plan, self.keeper, self.clock, self_sealing)
        tasks = [asyncio.create_task(self.keeper.run()), asyncio.create_task(line.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
            await self.keeper.close()

    async def kept(self, count: int) -> list[Statement]:
        async with asyncio.timeout(20):
            while True:
                self.keeper.fresh.clear()
                rows = await self.keeper.call(self.outbox.waiting, 0, None, 10**6, 10**9)
                if len(rows) >= count:
                    return [open_sealed(row.sealed).statement for row in rows]
                await self.keeper.fresh.wait()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.outbox.close()


def test_what_a_meter_answers_is_sealed_and_kept(bench: Bench) -> None:
    bench.port.answers[METER] = {Quantity.VOLTAGE_A: 23010, Quantity.VOLTAGE_B: None}

    async def main() -> None:
        before = bench.clock.now()
        async with bench.running([METER]):
            first, second = (await bench.kept(2))[:2]
        assert isinstance(first, Reading)
        assert first.values == bench.port.answers[METER]
        assert first.quality == Quality.SIMULATED
        assert before <= first.sampled_at <= second.sampled_at <= bench.clock.now()
        assert (first.sequence, second.sequence) == (1, 2)

    asyncio.run(main())


def test_a_failed_read_gives_no_value_but_says_so(bench: Bench) -> None:
    bench.port.answers[METER] = TimeoutError("no answer within 0.5 s")

    async def main() -> None:
        async with bench.running([METER]):
            reading = (await bench.kept(1))[0]
        assert isinstance(reading, Reading)
        assert reading.values == {}
        assert Quality.FAILED in reading.quality

    asyncio.run(main())
    assert bench.outbox.health()[0].last_error == "no answer within 0.5 s"


def test_a_silent_meter_does_not_stop_the_line(bench: Bench) -> None:
    bench.port.answers = {METER: TimeoutError("silent"), OTHER: {Quantity.FREQUENCY: 50000}}

    async def main() -> None:
        async with bench.running([METER, OTHER]):
            async with asyncio.timeout(20):
                while bench.port.asked.count(OTHER) < 20:
                    await asyncio.sleep(0.01)

    asyncio.run(main())
    assert bench.port.asked.count(METER) < bench.port.asked.count(OTHER)


def test_a_clock_in_doubt_is_written_on_the_reading(bench: Bench) -> None:
    bench.port.answers[METER] = {}
    bench.clock.in_doubt = True

    async def main() -> None:
        async with bench.running([METER]):
            assert Quality.CLOCK_IN_DOUBT in (await bench.kept(1))[0].quality

    asyncio.run(main())


def test_a_full_disk_holds_the_line_and_loses_nothing(bench: Bench) -> None:
    bench.port.answers[METER] = {Quantity.VOLTAGE_A: 1}
    pages = bench.outbox._db.execute("PRAGMA page_count").fetchone()[0]

    async def main() -> None:
        await bench.keeper.call(bench.outbox._db.execute, f"PRAGMA max_page_count={pages + 4}")
        async with bench.running([METER]):
            async with asyncio.timeout(30):
                while bench.keeper.trouble is None:
                    await asyncio.sleep(0.01)
            assert "full" in bench.keeper.trouble
            stuck = bench.keeper.kept
            await bench.keeper.call(bench.outbox._db.execute, "PRAGMA max_page_count=1000000")
            statements = await bench.kept(stuck + 5)
            assert bench.keeper.trouble is None
        numbers = [statement.sequence for statement in statements]
        assert numbers == list(range(1, len(numbers) + 1))

    asyncio.run(main())


def sealed_by(meter: MeterAddress, *sequences: int) -> list[bytes]:
    return [
        actors().sealer.seal(Reading(meter=meter, epoch=5, sequence=number, sampled_at=number))
        for number in sequences
    ]


def key_of(sealed: bytes) -> tuple[int, int]:
    statement = open_sealed(sealed).statement
    return statement.epoch, statement.sequence


def test_what_a_meter_no_longer_holds_is_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.port.sealed[METER] = sealed_by(METER, 41, 42)

    async def main() -> None:
        async with bench.running([METER], frozenset({METER})):
            await bench.kept(2)
            assert "no longer holds" not in caplog.text
            bench.port.sealed[METER] = sealed_by(METER, 46, 47)
            await bench.kept(4)
        assert f"meter {METER} no longer holds 3 statements from 43 on" in caplog.text

    asyncio.run(main())


def test_a_meter_that_seals_itself_is_asked_for_what_was_not_kept_yet(bench: Bench) -> None:
    bench.port.sealed[METER] = sealed_by(METER, 41, 42)

    async def main() -> None:
        async with bench.running([METER], frozenset({METER})):
            statements = await bench.kept(2)
            assert [(it.epoch, it.sequence) for it in statements] == [(5, 41), (5, 42)]
            bench.port.sealed[METER] += sealed_by(METER, 43)
            statements = await bench.kept(3)
        assert [it.sequence for it in statements] == [41, 42, 43]
        assert bench.port.asked_after[0] is None
        assert (5, 42) in bench.port.asked_after

    asyncio.run(main())


@pytest.mark.parametrize("foreign", [sealed_by(OTHER, 1), [b"\xd2garbage"]])
def test_what_is_not_the_meters_own_statement_is_not_taken(
    bench: Bench, foreign: list[bytes]
) -> None:
    bench.port.sealed[METER] = foreign

    async def main() -> None:
        async with bench.running([METER], frozenset({METER})):
            async with asyncio.timeout(10):
                while not (await bench.keeper.call(bench.outbox.health)):
                    await asyncio.sleep(0.01)

    asyncio.run(main())
    assert bench.outbox.depth().statements == 0
    assert bench.outbox.health()[0].last_error
    assert set(bench.port.asked_after) == {None}


def test_a_disk_that_fills_within_a_batch_keeps_none_of_it_twice(bench: Bench) -> None:
    """The last of what a batch writes fails: what came before it must not stay."""
    honest = bench.outbox.count_polls
    failures = [sqlite3.OperationalError("database or disk is full")] * 2

    def count_polls(polls: list[tuple[MeterAddress, int, str | None]]) -> None:
        if failures:
            raise failures.pop()
        honest(polls)

    bench.outbox.count_polls = count_polls  # type: ignore[method-assign, assignment]
    sealed = sealed_by(OTHER, 1)
    statements = tuple((open_sealed(each).statement, each) for each in sealed)

    async def main() -> None:
        await bench.keeper.put(Sample(METER, 1, {Quantity.VOLTAGE_A: 1}))
        await bench.keeper.put(SealedByMeter(OTHER, 1, statements))
        async with bench.running([]):
            kept = await bench.kept(2)
        assert [(it.meter, it.sequence) for it in kept] == [(METER, 1), (OTHER, 1)]

    asyncio.run(main())
    assert not failures
    assert bench.outbox.depth().statements == 2

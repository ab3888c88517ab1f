"""Both roles over TCP and over a pseudo-terminal; slow, silent, late and noisy meters."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from meterseal.collection.dlt645 import BROADCAST, SEALED_NEWEST, Request
from meterseal.collection.dlt645.link import (
    Master,
    Timing,
    link_of_files,
    open_serial,
    open_tcp,
    serve_link,
    serve_tcp,
)
from meterseal.collection.model import Quantity
from meterseal.errors import ConnectionEnded, MeterRefused, MeterSilent, UsageError
from support import dlt645_captures as captures
from support.dlt645_meter import SEALED, example_meter

QUICK = Timing(answer=0.05, gap=0.05, pause=0.0)
PATIENT = Timing(answer=10.0, frame=20.0, pause=0.0)
BLOCKS = (0x0201FF00, 0x0203FF00, 0x02800002, 0x0001FF00)
VOLTAGES = bytes.fromhex("68 01 00 23 11 26 20 68 91 0A 33 32 34 35 34 56 CC 55 47 56 FC 16")

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def meters_over_tcp(timing: Timing = PATIENT, count: int = 1) -> AsyncIterator[Master]:
    meters = [example_meter(f"{202611230001 + at}") for at in range(count)]
    async with serve_tcp(meters, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with await open_tcp("127.0.0.1", port) as link:
            yield Master(link, timing)


@asynccontextmanager
async def acted_by(play: Play, timing: Timing) -> AsyncIterator[Master]:
    """A master whose meter follows a script: one request read, then what `play` does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1000):
                await play(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, await open_tcp(*server.sockets[0].getsockname()) as link:
        yield Master(link, timing)


def test_reads_items_blocks_and_quantities_over_tcp() -> None:
    async def run() -> None:
        async with meters_over_tcp() as master:
            assert await master.find() == captures.METER
            assert await master.read(captures.METER, 0x02800002) == (4998,)
            block = await master.read_block(captures.METER, 0x0203FF00)
            assert block[0x02030300] == (-12101,)
            values = await master.read_quantities(captures.METER, BLOCKS)
            assert values[Quantity.ACTIVE_POWER_C] == -12101
            assert values[Quantity.FORWARD_ENERGY] == 1234560
            assert len(values) == 3 + 4 + 1 + 5
            assert await master.read_data(captures.METER, SEALED_NEWEST) == SEALED
            assert await master.read_load_record(captures.METER, 0x06000002, 1) == b"records"

    asyncio.run(run())


def test_many_meters_share_a_port_and_a_master() -> None:
    async def run() -> None:
        async with meters_over_tcp(count=20) as master:
            addresses = [f"{202611230001 + at}" for at in range(20)]
            answers = await asyncio.gather(
                *(master.ask(address, Request.read(0x02800002)) for address in addresses)
            )
            assert [answer.meter for answer in answers if answer] == addresses

    asyncio.run(run())


def test_commands_need_the_word_and_broadcasts_have_no_answer() -> None:
    async def run() -> None:
        async with meters_over_tcp() as master:
            with pytest.raises(UsageError, match="allow_change"):
                await master.ask(BROADCAST, Request.freeze())
            assert await master.ask(BROADCAST, Request.freeze(), allow_change=True) is None
            assert await master.read(captures.METER, 0x02800002) == (4998,)

    asyncio.run(run())


def test_what_the_meter_does_not_have_is_none() -> None:
    async def run() -> None:
        async with meters_over_tcp() as master:
            with pytest.raises(MeterRefused, match="no such data"):
                await master.read(captures.METER, 0x02800001)
            values = await master.read_quantities(captures.METER, (0x02800001, 0x02800002))
            assert values == {Quantity.CURRENT_NEUTRAL: None, Quantity.FREQUENCY: 49980}

    asyncio.run(run())


def test_a_silent_meter_costs_one_time_out_in_a_cycle() -> None:
    asked = 0

    async def play(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1

    async def run() -> None:
        async with acted_by(play, QUICK) as master:
            with pytest.raises(MeterSilent):
                await master.read_quantities(captures.METER, BLOCKS)

    asyncio.run(run())
    assert asked == 1


def test_what_was_read_before_a_meter_fell_silent_is_kept() -> None:
    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not asked:
            writer.write(VOLTAGES)
        asked.append(1)

    asked: list[int] = []

    async def run() -> None:
        async with acted_by(play, QUICK) as master:
            values = await master.read_quantities(captures.METER, BLOCKS)
            assert values.keys() == {Quantity.VOLTAGE_A, Quantity.VOLTAGE_B, Quantity.VOLTAGE_C}

    asyncio.run(run())
    assert len(asked) == 2


def test_a_false_start_before_the_answer_does_not_hide_it() -> None:
    false_start = bytes.fromhex("68 00 00 00 00 00 00 68 91 C8")

    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(false_start + VOLTAGES)

    async def run() -> None:
        async with acted_by(play, QUICK) as master:
            block = await master.read_block(captures.METER, 0x0201FF00)
            assert list(block.values()) == [(2301,), (2299,), (2314,)]

    asyncio.run(run())


def test_a_closed_line_is_said_to_be_closed() -> None:
    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def run() -> None:
        async with acted_by(play, PATIENT) as master:
            with pytest.raises(ConnectionEnded):
                await master.read(captures.METER, 0x0201FF00)
            with pytest.raises(ConnectionEnded):
                await master.read(captures.METER, 0x0201FF00)

    asyncio.run(run())


def test_a_cancelled_request_leaves_the_master_usable() -> None:
    async def run() -> None:
        async with meters_over_tcp(count=1) as master:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await master.read("000000000009", 0x02800002)
            assert await master.read(captures.METER, 0x02800002) == (4998,)

    asyncio.run(run())


def test_the_server_answers_behind_half_a_frame_once_the_line_is_silent() -> None:
    async def run() -> None:
        meter = example_meter()
        async with serve_tcp([meter], "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            false_start = bytes.fromhex("68 00 00 00 00 00 00 68 11 C8")
            writer.write(false_start + bytes.fromhex(captures.READ_ADDRESS))
            answer = await reader.readexactly(18)
            assert answer == bytes.fromhex(captures.ADDRESS)
            writer.close()
            await writer.wait_closed()

    asyncio.run(run())


def test_one_master_too_many_is_hung_up_on() -> None:
    async def run() -> None:
        async with serve_tcp([example_meter()], "127.0.0.1", 0, most=1) as server:
            address = server.sockets[0].getsockname()
            async with await open_tcp(*address) as first:
                assert await Master(first, PATIENT).find() == captures.METER
                async with await open_tcp(*address) as second:
                    with pytest.raises(ConnectionEnded):
                        await Master(second, PATIENT).find()
                assert await Master(first, PATIENT).find() == captures.METER

    asyncio.run(run())


def test_both_roles_speak_over_a_serial_line() -> None:
    """A pseudo-terminal takes even parity, and has none."""

    async def run() -> None:
        controller, device = os.openpty()
        tty.setraw(device)
        meters_end = await link_of_files(
            os.fdopen(controller, "rb", 0), os.fdopen(os.dup(controller), "wb", 0)
        )
        serving = asyncio.create_task(serve_link(meters_end, [example_meter()]))
        async with await open_serial(os.ttyname(device)) as link:
            master = Master(link, PATIENT)
            assert await master.find() == captures.METER
            values = await master.read_quantities(captures.METER, BLOCKS)
            assert values[Quantity.VOLTAGE_C] == 23140
            assert await master.read_data(captures.METER, SEALED_NEWEST) == SEALED
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await meters_end.close()
        os.close(device)

    asyncio.run(run())

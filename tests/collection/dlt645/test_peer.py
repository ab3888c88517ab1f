"""The same protocol spoken with another implementation, the PyPI package dlt645, in both roles.

It knows no blocks, following frames or load records. Where version 3.2.0 and we differ on the wire
it is not asked: it sends the broadcast time and the freeze command high byte first, and its client
reads the time of a demand so (its server sends it low byte first, as we do); it clears with an
identifier in place of the operator; its codes of 4800 bit/s and more are not those of annex C.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

import pytest

from meterseal.collection.dlt645 import Authority, Request, Slave, encode_item
from meterseal.collection.dlt645.link import Master, Timing, open_tcp, serve_tcp
from meterseal.collection.model import Quantity
from meterseal.errors import MeterRefused
from support import dlt645_captures as captures
from support.dlt645_meter import AUTHORITY, example_meter

peer = pytest.importorskip("dlt645.aio", reason="the package dlt645 is not installed")
Demand = pytest.importorskip("dlt645").Demand

WIRE_ORDER = "010023112620"  # the peer takes an address as it crosses the line
TIMING = Timing(answer=10.0, frame=20.0, pause=0.0)


@asynccontextmanager
async def their_client(meter: Slave) -> AsyncIterator[Any]:
    async with serve_tcp([meter], "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = peer.AsyncMeterClientService.new_tcp_client("127.0.0.1", port, 10.0)
        client.set_address(WIRE_ORDER)
        async with client:
            yield client


@asynccontextmanager
async def their_server() -> AsyncIterator[tuple[Any, Master]]:
    service = peer.AsyncMeterServerService.new_tcp_server("127.0.0.1", 0)
    service.set_address(WIRE_ORDER)
    async with service:
        async with await open_tcp("127.0.0.1", service.server.port) as link:
            yield service, Master(link, TIMING)


def test_their_client_reads_and_writes_our_meter() -> None:
    async def run() -> None:
        meter = example_meter()
        async with their_client(meter) as client:
            assert (await client.read_address()).value == WIRE_ORDER
            assert (await client.read_02(0x02010100)).value == 230.1
            assert (await client.read_02(0x02020300)).value == -5.301
            assert (await client.read_02(0x02030300)).value == -1.2101
            assert (await client.read_02(0x02060300)).value == -0.987
            assert (await client.read_02(0x02800002)).value == 49.98
            assert (await client.read_00(0x00010000)).value == 1234.56
            assert await client.read_02(0x02800001) is None
            await client.write_04(0x04000102, "061530", "02000000")
            await client.write_04(0x04000102, "061530", "02000001")
            await client.change_baud_rate(2400)
        assert meter.registers.done == [
            ("write", 0x04000102, bytes.fromhex("301506")),
            ("rate", 2400),
        ]

    asyncio.run(run())


def test_our_master_reads_and_writes_their_meter() -> None:
    async def run() -> None:
        async with their_server() as (service, master):
            await read_values(service, master)
            await write_values(service, master)
            with pytest.raises(MeterRefused, match="no such data"):
                await master.read(captures.METER, 0x02990000)

    asyncio.run(run())


async def read_values(service: peer.AsyncMeterServerService, master: Master) -> None:
    service.set_02(0x02010100, 230.1)
    service.set_02(0x02020300, -5.301)
    service.set_02(0x02030300, -1.2101)
    service.set_02(0x02060100, -0.987)
    service.set_02(0x02800002, 49.98)
    service.set_00(0x00010000, 1234.56)
    service.set_01(0x01010000, Demand(3.2105, datetime(2026, 11, 20, 19, 45)))
    service.set_04(0x04000101, "26112301")
    assert await master.find() == captures.METER
    codes = (0x02010100, 0x02020300, 0x02030300, 0x02060100, 0x02800002, 0x00010000)
    assert await master.read_quantities(captures.METER, codes) == {
        Quantity.VOLTAGE_A: 23010,
        Quantity.CURRENT_C: -5301,
        Quantity.ACTIVE_POWER_C: -12101,
        Quantity.POWER_FACTOR_A: -987,
        Quantity.FREQUENCY: 49980,
        Quantity.FORWARD_ENERGY: 1234560,
    }
    demand = await master.read(captures.METER, 0x01010000)
    assert demand == (32105, datetime(2026, 11, 20, 19, 45))
    assert await master.read(captures.METER, 0x04000101) == (date(2026, 11, 23),)
    assert await master.read(captures.METER, 0x03010000) == (0,) * 6


async def write_values(service: peer.AsyncMeterServerService, master: Master) -> None:
    service.set_password("02000000")
    number = encode_item(0x04000402, ("000000000042",))
    write = Request.write(0x04000402, number, AUTHORITY)
    await master.ask(captures.METER, write, allow_change=True)
    assert await master.read(captures.METER, 0x04000402) == ("000000000042",)
    wrong = Request.write(0x04000402, bytes(6), Authority(2, "999999"))
    with pytest.raises(MeterRefused, match="not authorised"):
        await master.ask(captures.METER, wrong, allow_change=True)
    await master.ask(captures.METER, Request.change_rate(1200), allow_change=True)
    assert service.baud_rate == 1200

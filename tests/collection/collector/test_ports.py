"""Ports of a collector against real meters on sockets: our software meter, and a Modbus server."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from meterseal.collection.collector.ports import READ_BLOCKS, Dlt645Port, ModbusPort
from meterseal.collection.dlt645.link import Timing, open_tcp
from meterseal.collection.meter.meter import MeterConfig
from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.run import MeterSetup, RunConfig, TcpLine, run
from meterseal.collection.meter.synthetic import synthetic_source
from meterseal.collection.modbus import SDM630
from meterseal.collection.modbus import open_tcp as open_tcp_modbus
from meterseal.collection.model import MeterAddress, Quality, Quantity
from meterseal.collection.sealing import Sealer, open_sealed
from meterseal.errors import MeterSealError, MeterSilent
from support.collecting import METER
from support.identities import credential, root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TIMING = Timing(answer=0.3, pause=0.0)


@contextlib.asynccontextmanager
async def meters(folder: Path, port: int = 0) -> AsyncIterator[int]:
    """A meter that seals what it says, on a TCP line."""
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    own = credential(*root("meters"), f"meter-{METER}", profile="signing")
    sealer = Sealer(own.key, own.chain[0])  # type: ignore[arg-type]
    config = RunConfig(
        folder=folder,
        meters=[MeterSetup(METER, synthetic_source(1, light=True), sealer)],
        kind=MeterConfig(Ratings(), seal_interval=1000),
        lines=[TcpLine("127.0.0.1", port)],
    )
    task = asyncio.create_task(run(config, started=lambda lines, _: bound.set_result(lines[0][1])))
    try:
        await asyncio.wait((task, bound), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield await bound
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_a_meter_is_read_whole(tmp_path: Path) -> None:
    async def main() -> None:
        async with meters(tmp_path) as port:
            line = Dlt645Port(lambda: open_tcp("127.0.0.1", port), TIMING)
            while True:  # the first window of the meter takes a moment
                with contextlib.suppress(MeterSealError):
                    values, quality = await line.read(METER)
                    if values.get(Quantity.VOLTAGE_A):
                        break
                await asyncio.sleep(0.05)
            assert quality == Quality.SOUND
            voltage = values[Quantity.VOLTAGE_A]
            assert voltage is not None
            assert 180_00 < voltage < 260_00
            assert Quantity.FORWARD_ENERGY_VALLEY in values
            await line.close()

    asyncio.run(main())


def test_what_a_meter_sealed_is_read_once_and_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with meters(tmp_path) as port:
            line = Dlt645Port(lambda: open_tcp("127.0.0.1", port), TIMING)
            after: tuple[int, int] | None = None
            numbers: list[int] = []
            async with asyncio.timeout(30):
                while len(numbers) < 3:
                    for sealed in await line.read_sealed(METER, after):
                        statement = open_sealed(sealed).statement
                        numbers.append(statement.sequence)
                        after = (statement.epoch, statement.sequence)
                    await asyncio.sleep(0.1)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert numbers[0] == 1
            # A meter with a new life is read from its beginning.
            again = await line.read_sealed(METER, (1, 10_000))
            assert open_sealed(again[0]).statement.sequence == 1
            await line.close()

    asyncio.run(main())


def test_a_silent_meter_leaves_the_line_open_and_a_lost_line_is_opened_again(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        opened = 0

        async with meters(tmp_path / "a") as port:

            async def open_line() -> object:
                nonlocal opened
                opened += 1
                return await open_tcp("127.0.0.1", port)

            line = Dlt645Port(open_line, TIMING, READ_BLOCKS[:1])  # type: ignore[arg-type]
            with pytest.raises(MeterSilent):
                await line.read(MeterAddress("999999999998"))
            await line.read(METER)
            assert opened == 1
        with pytest.raises((MeterSealError, OSError)):
            await line.read(METER)
        with pytest.raises(OSError):  # noqa: PT011  (whatever the system says of a closed port)
            await line.read(METER)
        async with meters(tmp_path / "b", port):
            values, _ = await line.read(METER)
            assert values
            assert opened > 1
            await line.close()

    asyncio.run(main())


def test_modbus_meters_of_a_line_have_their_units() -> None:
    other = MeterAddress("202611230002")

    async def main() -> None:
        frequency = SDM630.registers[Quantity.FREQUENCY].address
        voltage = SDM630.registers[Quantity.VOLTAGE_A].address
        devices = []
        for unit, volts in ((1, 230.1), (2, 229.5)):
            registers = [0] * 0x200
            for address, number in ((frequency, 50.0), (voltage, volts)):
                words = struct.unpack(">HH", struct.pack(">f", number))
                registers[address : address + 2] = words
            data = SimData(0, values=registers, datatype=DataType.REGISTERS)
            devices.append(SimDevice(unit, [data]))
        server = ModbusTcpServer(devices, address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        address = server.transport.sockets[0].getsockname()[:2]
        port = ModbusPort(lambda: open_tcp_modbus(*address), SDM630, {METER: 1, other: 2})
        for meter, steps in ((METER, 23010), (other, 22950)):
            values, quality = await port.read(meter)
            assert values[Quantity.VOLTAGE_A] == steps
            assert quality == Quality.SOUND
        assert await port.read_sealed(METER, None) == []
        await server.shutdown()
        with pytest.raises((MeterSealError, OSError)):
            await port.read(METER)
        await port.close()

    asyncio.run(main())

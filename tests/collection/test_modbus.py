"""Modbus meters by register map: a pymodbus server plays the meter, frames are checked by hand."""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from pymodbus.client.base import ModbusBaseClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from meterseal.collection.modbus import (
    SDM630,
    ModbusMeter,
    Register,
    RegisterMap,
    SelfTest,
    load_map,
    open_serial,
    open_tcp,
)
from meterseal.collection.model import Quantity
from meterseal.errors import (
    ConnectionEnded,
    MalformedData,
    MeterRefused,
    MeterSilent,
    UnsupportedMeter,
)

VALUES = {
    Quantity.VOLTAGE_A: (230.1, 23010),
    Quantity.VOLTAGE_B: (229.9, 22990),
    Quantity.VOLTAGE_C: (231.4, 23140),
    Quantity.CURRENT_C: (-5.301, -5301),
    Quantity.ACTIVE_POWER: (1101.2, 11012),
    Quantity.ACTIVE_POWER_C: (-1210.1, -12101),
    Quantity.POWER_FACTOR_C: (-0.987, -987),
    Quantity.FREQUENCY: (49.98, 49980),
    Quantity.FORWARD_ENERGY: (1234.5, 1234500),
    Quantity.CURRENT_THD_A: (float("nan"), None),
}

# Requests of an SDM630 with their CRC and, in the order of reading, answers; one with its CRC
RTU = {
    "01 04 00 46 00 02 90 1E": "01 04 04 42 47 EB 85",
    "01 04 00 00 00 06 70 08": "01 04 0C 43 66 19 9A 43 65 E6 66 43 67 66 66 13 E5",
    "01 04 00 06 00 06 90 09": "01 04 0C 40 A3 EF 9E 40 9F 95 81 C0 A9 A1 CB",
    "01 04 00 34 00 02 30 05": "01 04 04 44 89 A6 66",
}


def crc(data: bytes) -> bytes:
    """CRC-16 of Modbus over serial lines, 6.2.2, bit by bit."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")


def words_of(number: float, word_order: str = "big") -> list[int]:
    high, low = struct.unpack(">HH", struct.pack(">f", number))
    return [high, low] if word_order == "big" else [low, high]


def simulated(
    numbers: Mapping[int, float], word_order: str = "big", device_id: int = 1, last: int = 0x100
) -> SimDevice:
    registers = [0] * last
    for address, number in numbers.items():
        registers[address : address + 2] = words_of(number, word_order)
    return SimDevice(device_id, [SimData(0, values=registers, datatype=DataType.REGISTERS)])


def sdm630(word_order: str = "big", device_id: int = 1, last: int = 0x100) -> SimDevice:
    numbers = {SDM630.registers[of].address: number for of, (number, _) in VALUES.items()}
    return simulated(numbers, word_order, device_id, last)


@asynccontextmanager
async def client_of(*devices: SimDevice, answer: float = 10.0) -> AsyncIterator[ModbusBaseClient]:
    server = ModbusTcpServer(list(devices), address=("127.0.0.1", 0), ignore_missing_devices=True)
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]
    client = await open_tcp("127.0.0.1", port, answer=answer)
    try:
        yield client
    finally:
        client.close()
        await server.shutdown()


def test_reads_a_whole_meter_by_its_map() -> None:
    async def run() -> None:
        async with client_of(sdm630()) as client:
            values = await ModbusMeter(client, SDM630).read_quantities()
        assert values.keys() == SDM630.registers.keys()
        for quantity, (_, steps) in VALUES.items():
            assert values[quantity] == steps, quantity
        assert values[Quantity.CURRENT_A] == 0

    asyncio.run(run())


def test_the_wrong_word_order_is_detected_and_the_right_one_is_not() -> None:
    async def run() -> None:
        turned = replace(SDM630, word_order="little")
        async with client_of(sdm630(), sdm630("little", 2)) as client:
            for layout, device_id in ((turned, 1), (SDM630, 2)):
                with pytest.raises(UnsupportedMeter, match="does not fit the map"):
                    await ModbusMeter(client, layout, device_id).read_quantities()
            values = await ModbusMeter(client, turned, 2).read_quantities()
            assert values[Quantity.VOLTAGE_A] == 23010

    asyncio.run(run())


def test_the_wrong_width_is_detected() -> None:
    async def run() -> None:
        narrow = SelfTest(Register(0x46, "int16"), 45, 65)
        async with client_of(sdm630()) as client:
            with pytest.raises(UnsupportedMeter):
                await ModbusMeter(client, replace(SDM630, self_test=narrow)).check()
            await ModbusMeter(client, SDM630).check()

    asyncio.run(run())


def test_registers_that_the_meter_refuses_are_missing() -> None:
    async def run() -> None:
        async with client_of(sdm630(last=0x80)) as client:
            values = await ModbusMeter(client, SDM630).read_quantities()
            assert values[Quantity.VOLTAGE_A] == 23010
            assert values[Quantity.CURRENT_NEUTRAL] is None
            assert values[Quantity.VOLTAGE_THD_A] is None
            elsewhere = SelfTest(Register(0x90), 45, 65)
            with pytest.raises(MeterRefused, match="exception 2") as caught:
                await ModbusMeter(client, replace(SDM630, self_test=elsewhere)).check()
            assert caught.value.code == 2

    asyncio.run(run())


def test_who_cannot_be_reached_is_named() -> None:
    async def run() -> None:
        with pytest.raises(ConnectionEnded, match=r"127\.0\.0\.1:1 "):
            await open_tcp("127.0.0.1", 1, answer=5)

    asyncio.run(run())


@asynccontextmanager
async def scripted_line(script: Mapping[bytes, bytes]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A terminal whose other end answers requests by a script, and keeps what it was asked."""
    controller, device = os.openpty()
    tty.setraw(device)
    asked: list[bytes] = []
    loop = asyncio.get_running_loop()

    def answer() -> None:
        request = os.read(controller, 256)
        asked.append(request)
        os.write(controller, script.get(request, b""))

    loop.add_reader(controller, answer)
    try:
        yield os.ttyname(device), asked
    finally:
        loop.remove_reader(controller)
        os.close(controller)
        os.close(device)


def rtu_script() -> dict[bytes, bytes]:
    script = {}
    for request, answer in RTU.items():
        asked, told = bytes.fromhex(request), bytes.fromhex(answer)
        assert crc(asked[:-2]) == asked[-2:]
        frame = told[: 3 + told[2]]
        script[asked] = frame + crc(frame)
    return script


RTU_MAP = replace(
    SDM630,
    longest_read=6,
    registers={
        of: SDM630.registers[of]
        for of in (
            Quantity.VOLTAGE_A, Quantity.VOLTAGE_B, Quantity.VOLTAGE_C,
            Quantity.CURRENT_A, Quantity.CURRENT_B, Quantity.CURRENT_C, Quantity.ACTIVE_POWER,
        )
    },
)  # fmt: skip


def test_speaks_rtu_over_a_serial_line_byte_for_byte() -> None:
    async def run() -> None:
        script = rtu_script()
        async with scripted_line(script) as (device, asked):
            client = await open_serial(device, answer=10)
            values = await ModbusMeter(client, RTU_MAP).read_quantities()
            client.close()
            assert list(values.values()) == [23010, 22990, 23140, 5123, 4987, -5301, 11012]
            assert asked == list(script)

    asyncio.run(run())


@pytest.mark.parametrize(("answered", "read"), [(0, None), (1, None), (2, 3), (3, 6)])
def test_a_meter_that_falls_silent_costs_one_time_out(answered: int, read: int | None) -> None:
    async def run() -> None:
        script = dict(list(rtu_script().items())[:answered])
        async with scripted_line(script) as (device, asked):
            client = await open_serial(device, answer=0.2)
            meter = ModbusMeter(client, RTU_MAP)
            if read is None:
                with pytest.raises(MeterSilent):
                    await meter.read_quantities()
            else:
                assert len(await meter.read_quantities()) == read
            client.close()
            assert len(asked) == answered + 1

    asyncio.run(run())


def test_the_answer_of_the_example_has_the_crc_of_the_example() -> None:
    example = bytes.fromhex(RTU["01 04 00 00 00 06 70 08"])
    assert crc(example[:-2]) == example[-2:]


def test_runs_have_no_gaps_and_are_short_enough() -> None:
    for longest in (2, 6, 40, 125):
        spans = replace(SDM630, longest_read=longest).spans()
        assert sum(map(len, spans)) == len(SDM630.registers)
        for span in spans:
            addresses = [register.address for _, register in span]
            assert addresses == list(range(addresses[0], addresses[0] + 2 * len(span), 2))
            assert 2 * len(span) <= longest
    assert len(SDM630.spans()) == 7


@pytest.mark.parametrize(
    ("type_", "words", "order", "number"),
    [
        ("int16", [0xFFFF], "big", -1),
        ("uint16", [0xFFFF], "big", 65535),
        ("int32", [0xFFFF, 0xFFFE], "big", -2),
        ("int32", [0xFFFE, 0xFFFF], "little", -2),
        ("uint32", [1, 2], "big", 65538),
        ("uint32", [2, 1], "little", 65538),
        ("float32", [0x4366, 0x199A], "big", 230.10000610351562),
        ("int64", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFD], "big", -3),
        ("uint64", [4, 0, 0, 0], "little", 4),
        ("float64", [0x406C, 0xC333, 0x3333, 0x3333], "big", 230.1),
    ],
)
def test_numbers_of_every_type(type_: str, words: list[int], order: str, number: float) -> None:
    register = Register(0, type_)
    assert register.words == len(words)
    assert register.number(words, order) == number


MAP = """
name = "my meter"
function = 3
word_order = "little"
longest_read = 60

[self_test]
address = 0x10
type = "uint16"
least = 4500
most = 6500

[registers]
VOLTAGE_A = { address = 0x00, type = "uint32", scale = 0.1 }
FREQUENCY = { address = 0x10, type = "uint16", scale = 0.01 }
"""


def test_a_map_is_read_from_toml() -> None:
    assert load_map(MAP) == RegisterMap(
        name="my meter",
        function=3,
        word_order="little",
        longest_read=60,
        self_test=SelfTest(Register(0x10, "uint16"), 4500, 6500),
        registers={
            Quantity.VOLTAGE_A: Register(0, "uint32", Decimal("0.1")),
            Quantity.FREQUENCY: Register(0x10, "uint16", Decimal("0.01")),
        },
    )


def test_a_meter_is_read_by_a_map_from_toml() -> None:
    async def run() -> None:
        registers = [2301, 0, *[0] * 14, 4998]
        device = SimDevice(1, [SimData(0, values=registers, datatype=DataType.REGISTERS)])
        async with client_of(device) as client:
            values = await ModbusMeter(client, load_map(MAP)).read_quantities()
        assert values == {Quantity.VOLTAGE_A: 23010, Quantity.FREQUENCY: 49980}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("function = 3", "function = 6", "function 6"),
        ('"little"', '"middle"', "big or little"),
        ("longest_read = 60", "longest_read = 126", "126 words"),
        ("longest_read = 60", "longest_read = 1", "1 words"),
        ('"uint32"', '"uint24"', "uint24"),
        ("0x00", "65535", "no register 65535"),
        ("0x00", "-1", "no register -1"),
        ("0x00", '"0"', "whole number"),
        ("VOLTAGE_A", "VOLTAGE_X", "VOLTAGE_X"),
        ("least = 4500", "least = 9000", "allows no value"),
        ("least = 4500", "", "least"),
        ("scale = 0.1 ", "scale = 'a' ", "register map"),
        ("scale = 0.1 ", "scale = nan ", "NaN is no scale"),
        ("scale = 0.1 ", "factor = 0.1 ", "factor"),
        ("name", "title", "title"),
        ("[registers]", "[register]", "registers"),
        ("[self_test]", "[self_test", "no TOML"),
        ('{ address = 0x00, type = "uint32", scale = 0.1 }', "7", "register map"),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_is_refused_by_name(old: str, new: str, reason: str) -> None:
    assert load_map(MAP)
    assert old in MAP
    with pytest.raises(MalformedData, match=reason):
        load_map(MAP.replace(old, new, 1))


def test_numbers_that_nothing_can_measure_are_refused() -> None:
    async def run() -> None:
        async with client_of(simulated({0: 3e38, 0x46: 50.0})) as client:
            with pytest.raises(MalformedData, match="no measured value"):
                await ModbusMeter(client, SDM630).read_quantities()

    asyncio.run(run())

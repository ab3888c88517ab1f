"""Meters that speak Modbus RTU or TCP, by declarative register maps, through pymodbus.

What goes wrong with Modbus meters is always the order of words and their width. A map therefore
names a register whose value is known within bounds (the frequency of the grid): it is read before
every reading, and a meter that does not fit its map gives no values.

Modbus has no protection of any kind; nothing here writes.
"""

from __future__ import annotations

import math
import struct
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ExceptionResponse

from meterseal.collection.model import Quantity
from meterseal.errors import (
    ConnectionEnded,
    MalformedData,
    MeterRefused,
    MeterSilent,
    UnsupportedMeter,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymodbus.client.base import ModbusBaseClient

__all__ = [
    "SDM630",
    "ModbusMeter",
    "Register",
    "RegisterMap",
    "SelfTest",
    "load_map",
    "open_serial",
    "open_tcp",
]

_FORMATS: Final = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "float32": "f",
    "int64": "q",
    "uint64": "Q",
    "float64": "d",
}
_WORD_ORDERS: Final = ("big", "little")
_HOLDING: Final = 3
_INPUT: Final = 4
_LAST_ADDRESS: Final = 0xFFFF
_LONGEST_READ: Final = 125  # words in one answer, by the protocol
_LARGEST: Final = 1 << 63  # steps: beyond it is no measured value


@dataclass(frozen=True, slots=True)
class Register:
    """Where a number stands, and its type; `scale` takes it to the unit of its quantity."""

    address: int
    type: str = "float32"
    scale: Decimal = Decimal(1)

    @property
    def words(self) -> int:
        """Registers of 16 bits that it takes."""
        return struct.calcsize(_FORMATS[self.type]) // 2

    def number(self, words: list[int], word_order: str) -> int | float:
        """Return the number in these words."""
        ordered = words if word_order == "big" else words[::-1]
        data = struct.pack(f">{len(ordered)}H", *ordered)
        (number,) = struct.unpack(">" + _FORMATS[self.type], data)
        return number  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A register whose number is known to lie from `least` to `most`."""

    register: Register
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """Where a kind of meter keeps its quantities.

    `function` is 3 (holding registers) or 4 (input registers); of words that make up one number the
    most significant comes first (`big`) or last (`little`); one request reads at most
    `longest_read` words. Raises `MalformedData` for a map that cannot be.
    """

    name: str
    registers: Mapping[Quantity, Register]
    self_test: SelfTest
    function: int = _INPUT
    word_order: str = "big"
    longest_read: int = 80

    def __post_init__(self) -> None:
        if self.function not in {_HOLDING, _INPUT}:
            raise MalformedData(f"{self.name}: function {self.function} reads no registers")
        if self.word_order not in _WORD_ORDERS:
            raise MalformedData(f"{self.name}: a word order is big or little")
        for register in (*self.registers.values(), self.self_test.register):
            if register.type not in _FORMATS:
                raise MalformedData(f"{self.name}: {register.type!r} is none of {list(_FORMATS)}")
            if not register.scale.is_finite():
                raise MalformedData(f"{self.name}: {register.scale} is no scale")
            if not 0 <= register.address <= _LAST_ADDRESS + 1 - register.words:
                raise MalformedData(f"{self.name}: no register {register.address}")
            if not register.words <= self.longest_read <= _LONGEST_READ:
                raise MalformedData(f"{self.name}: cannot read {self.longest_read} words at once")
        if not self.self_test.least <= self.self_test.most:
            raise MalformedData(f"{self.name}: the self-test allows no value")

    def spans(self) -> list[list[tuple[Quantity, Register]]]:
        """Return the registers in runs without a gap, each short enough for one request."""
        spans: list[list[tuple[Quantity, Register]]] = []
        end = start = -1
        for quantity, register in sorted(self.registers.items(), key=_by_address):
            after = register.address + register.words
            if register.address == end and after - start <= self.longest_read:
                spans[-1].append((quantity, register))
            else:
                spans.append([(quantity, register)])
                start = register.address
            end = after
        return spans


def load_map(text: str) -> RegisterMap:
    """Read a map from TOML; raises `MalformedData`, naming what is wrong.

    Keys are those of `RegisterMap`; `registers` has one table for each quantity by its name.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
        registers = document.pop("registers")
        test = document.pop("self_test")
        return RegisterMap(
            **document,
            registers={Quantity[name]: _register(entry) for name, entry in registers.items()},
            self_test=SelfTest(
                least=float(test.pop("least")),
                most=float(test.pop("most")),
                register=_register(test),
            ),
        )
    except tomllib.TOMLDecodeError as error:
        raise MalformedData(f"the register map is no TOML: {error}") from error
    except KeyError as error:
        raise MalformedData(f"the register map lacks or does not know {error}") from error
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise MalformedData(f"the register map: {error}") from error


def _register(entry: dict[str, Any]) -> Register:
    known = dict(entry)
    address = known["address"]
    if not isinstance(address, int):
        raise MalformedData(f"an address is a whole number, not {address!r}")
    return Register(**known | {"scale": Decimal(known.get("scale", 1))})


def _by_address(entry: tuple[Quantity, Register]) -> int:
    return entry[1].address


class ModbusMeter:
    """One meter behind a pymodbus client; several may share it, the client keeps them in turn."""

    def __init__(self, client: ModbusBaseClient, layout: RegisterMap, device_id: int = 1) -> None:
        self._client = client
        self._map = layout
        self._device_id = device_id

    async def read_quantities(self) -> dict[Quantity, int | None]:
        """Return the quantities of the map in steps of each one's resolution.

        What is no number (NaN), or what the meter refuses to read, is `None`. A meter that falls
        silent costs one time-out and no more: what was read before is returned. Raises
        `MeterSilent` where nothing was read, `UnsupportedMeter` for a meter that does not fit the
        map, `ConnectionEnded`, `MalformedData`.
        """
        await self.check()
        values: dict[Quantity, int | None] = {}
        for span in self._map.spans():
            try:
                values |= await self._read_span(span)
            except MeterRefused:
                values |= dict.fromkeys(quantity for quantity, _ in span)
            except MeterSilent:
                if not values:
                    raise
                break
        return values

    async def check(self) -> None:
        """Read the register whose value is known; raises `UnsupportedMeter` if it is another."""
        test = self._map.self_test
        words = await self._read(test.register.address, test.register.words)
        number = test.register.number(words, self._map.word_order)
        if not test.least <= number <= test.most:
            raise UnsupportedMeter(
                f"device {self._device_id} does not fit the map {self._map.name}: register "
                f"{test.register.address} is {number:g}, expected {test.least:g} to {test.most:g}"
            )

    async def _read_span(self, span: list[tuple[Quantity, Register]]) -> dict[Quantity, int | None]:
        start, last = span[0][1].address, span[-1][1]
        words = await self._read(start, last.address + last.words - start)
        values: dict[Quantity, int | None] = {}
        for quantity, register in span:
            at = register.address - start
            number = register.number(words[at : at + register.words], self._map.word_order)
            values[quantity] = _steps(quantity, number, register.scale)
        return values

    async def _read(self, address: int, count: int) -> list[int]:
        if self._map.function == _INPUT:
            read = self._client.read_input_registers
        else:
            read = self._client.read_holding_registers
        try:
            response = await read(address, count=count, device_id=self._device_id)
        except ConnectionException as error:
            raise ConnectionEnded(f"the line is gone: {error}") from error
        except ModbusException as error:
            raise MeterSilent(f"device {self._device_id} did not answer: {error}") from error
        if isinstance(response, ExceptionResponse):
            raise MeterRefused(
                f"device {self._device_id} refused registers {address} to {address + count - 1}: "
                f"exception {response.exception_code}",
                response.exception_code,
            )
        if len(response.registers) != count:
            raise MalformedData(f"{count} registers asked for, {len(response.registers)} received")
        return list(response.registers)


async def open_tcp(host: str, port: int = 502, *, answer: float = 1.0) -> AsyncModbusTcpClient:
    """Connect to a meter or a converter; answers are waited for `answer` s.

    Raises `ConnectionEnded`.
    """
    client = AsyncModbusTcpClient(host, port=port, timeout=answer, retries=0, reconnect_delay=0)
    await _connect(client, f"{host}:{port}")
    return client


async def open_serial(
    device: str, *, rate: int = 9600, parity: str = "N", answer: float = 1.0
) -> AsyncModbusSerialClient:
    """Open a serial line; answers are waited for `answer` s. Raises `ConnectionEnded`."""
    client = AsyncModbusSerialClient(
        device, baudrate=rate, parity=parity, timeout=answer, retries=0, reconnect_delay=0
    )
    await _connect(client, device)
    return client


async def _connect(client: ModbusBaseClient, name: str) -> None:
    if not await client.connect():
        raise ConnectionEnded(f"{name} cannot be reached")


def _steps(quantity: Quantity, number: float, scale: Decimal) -> int | None:
    if not math.isfinite(number):
        return None
    steps = quantity.steps(Decimal(number) * scale)
    if abs(steps) >= _LARGEST:
        raise MalformedData(f"{quantity.name} of {number:g} is no measured value")
    return steps


_MILLI: Final = Decimal("0.001")


def _three(
    first: int, a: Quantity, b: Quantity, c: Quantity, scale: Decimal = Decimal(1)
) -> dict[Quantity, Register]:
    return {
        quantity: Register(first + 2 * at, scale=scale) for at, quantity in enumerate((a, b, c))
    }


_Q = Quantity
SDM630: Final = RegisterMap(
    name="Eastron SDM630",
    self_test=SelfTest(Register(0x0046), 45, 65),
    registers={
        **_three(0x0000, _Q.VOLTAGE_A, _Q.VOLTAGE_B, _Q.VOLTAGE_C),
        **_three(0x0006, _Q.CURRENT_A, _Q.CURRENT_B, _Q.CURRENT_C),
        **_three(0x000C, _Q.ACTIVE_POWER_A, _Q.ACTIVE_POWER_B, _Q.ACTIVE_POWER_C, _MILLI),
        **_three(0x0012, _Q.APPARENT_POWER_A, _Q.APPARENT_POWER_B, _Q.APPARENT_POWER_C, _MILLI),
        **_three(0x0018, _Q.REACTIVE_POWER_A, _Q.REACTIVE_POWER_B, _Q.REACTIVE_POWER_C, _MILLI),
        **_three(0x001E, _Q.POWER_FACTOR_A, _Q.POWER_FACTOR_B, _Q.POWER_FACTOR_C),
        **_three(0x0024, _Q.PHASE_ANGLE_A, _Q.PHASE_ANGLE_B, _Q.PHASE_ANGLE_C),
        _Q.ACTIVE_POWER: Register(0x0034, scale=_MILLI),
        _Q.APPARENT_POWER: Register(0x0038, scale=_MILLI),
        _Q.REACTIVE_POWER: Register(0x003C, scale=_MILLI),
        _Q.POWER_FACTOR: Register(0x003E),
        _Q.FREQUENCY: Register(0x0046),
        _Q.FORWARD_ENERGY: Register(0x0048),
        _Q.REVERSE_ENERGY: Register(0x004A),
        _Q.CURRENT_NEUTRAL: Register(0x00E0),
        **_three(0x00EA, _Q.VOLTAGE_THD_A, _Q.VOLTAGE_THD_B, _Q.VOLTAGE_THD_C),
        **_three(0x00F0, _Q.CURRENT_THD_A, _Q.CURRENT_THD_B, _Q.CURRENT_THD_C),
    },
)
"""Eastron SDM630 and those who follow it: float32, most significant word first, function 4."""

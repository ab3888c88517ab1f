"""A meter for tests of DL/T 645: the values of the captured examples, and a memory of commands."""

from datetime import datetime

from meterseal.collection.dlt645 import (
    SEALED_NEWEST,
    Authority,
    ErrorFlag,
    Refused,
    Registers,
    Slave,
    encode_quantity,
)
from meterseal.collection.dlt645.values import Value
from meterseal.collection.model import MeterAddress, Quantity

VALUES = {
    Quantity.VOLTAGE_A: 23010,
    Quantity.VOLTAGE_B: 22990,
    Quantity.VOLTAGE_C: 23140,
    Quantity.CURRENT_A: 5123,
    Quantity.CURRENT_B: 4987,
    Quantity.CURRENT_C: -5301,
    Quantity.ACTIVE_POWER: 11012,
    Quantity.ACTIVE_POWER_A: 11711,
    Quantity.ACTIVE_POWER_B: 11402,
    Quantity.ACTIVE_POWER_C: -12101,
    Quantity.POWER_FACTOR: 981,
    Quantity.POWER_FACTOR_A: 993,
    Quantity.POWER_FACTOR_B: 994,
    Quantity.POWER_FACTOR_C: -987,
    Quantity.FREQUENCY: 49980,
    Quantity.FORWARD_ENERGY: 1234560,
    Quantity.FORWARD_ENERGY_SHARP: 300000,
    Quantity.FORWARD_ENERGY_PEAK: 400500,
    Quantity.FORWARD_ENERGY_FLAT: 434060,
    Quantity.FORWARD_ENERGY_VALLEY: 100000,
}
SEALED = bytes(range(256)) * 4  # a long answer: 1024 bytes in six frames
AUTHORITY = Authority(2, "000000")


class ExampleRegisters(Registers):
    def __init__(self) -> None:
        self.done: list[tuple[object, ...]] = []
        self.sealed = SEALED

    def read(self, code: int) -> bytes | tuple[Value, ...] | None:
        if code == SEALED_NEWEST:
            return self.sealed
        if code == 0x01010000:
            return (32105, datetime(2026, 11, 20, 19, 45))
        return encode_quantity(code, VALUES)

    def read_load_record(self, code: int, count: int, since: datetime | None) -> bytes:
        self.done.append(("load", code, count, since))
        return b"records"

    def write(self, code: int, data: bytes, authority: Authority) -> None:
        if authority != AUTHORITY:
            raise Refused(ErrorFlag.NOT_AUTHORISED)
        self.done.append(("write", code, data))

    def set_time(self, moment: datetime) -> None:
        self.done.append(("time", moment))

    def freeze(self, when: str) -> None:
        self.done.append(("freeze", when))

    def write_address(self, address: MeterAddress) -> None:
        self.done.append(("address", address))

    def change_rate(self, bits_per_second: int) -> None:
        self.done.append(("rate", bits_per_second))

    def change_password(self, code: int, old: bytes, new: bytes) -> None:
        self.done.append(("password", code, old, new))

    def clear_demand(self, authority: Authority) -> None:
        self.done.append(("clear demand", authority))

    def clear_meter(self, authority: Authority) -> None:
        self.done.append(("clear meter", authority))

    def clear_events(self, code: int, authority: Authority) -> None:
        self.done.append(("clear events", code, authority))

    def control(self, command: int, until: datetime | None, authority: Authority) -> None:
        self.done.append(("control", command, until, authority))

    def output(self, signal: int) -> None:
        self.done.append(("output", signal))

    def authenticate(self, code: int, operator: str, data: bytes) -> bytes:
        self.done.append(("authenticate", code, operator, data))
        return bytes.fromhex("A1A2A3A4000000000000 2611")


def example_meter(address: str = "202611230001") -> Slave:
    return Slave(MeterAddress(address), ExampleRegisters())

"""What the collection system speaks of: meters, quantities, readings, events. Pure values.

Measured values are whole numbers in steps of the quantity's resolution (2301 steps of 0.1 V), so
that what is signed, stored and shown is the same number to the last digit. A value that the meter
did not have (an absent phase) is `None`: missing, never zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EventCode",
    "EventRecord",
    "MeterAddress",
    "Quality",
    "Quantity",
    "Reading",
    "Snapshot",
    "Statement",
    "Values",
]

_TWELVE_DIGITS: Final = re.compile(r"[0-9]{12}")


class MeterAddress(str):
    """The twelve digits by which a meter is called (DL/T 645-2007, 7.2.2), most significant first.

    Raises `UsageError` for anything else.
    """

    __slots__ = ()

    def __new__(cls, digits: str) -> Self:
        """Check and keep the digits."""
        if not _TWELVE_DIGITS.fullmatch(digits):
            raise UsageError(f"a meter address has twelve decimal digits, {digits!r} has not")
        return super().__new__(cls, digits)

    @staticmethod
    @lru_cache(65_536)
    def of_number(number: int) -> MeterAddress:
        """Return the address whose digits are those of a number; the same meters come all day."""
        return MeterAddress(f"{number:012}")


class Quantity(Enum):
    """What is measured: its code in signed readings, its unit, and the decimals of one step."""

    VOLTAGE_A = (0x11, "V", 2)
    VOLTAGE_B = (0x12, "V", 2)
    VOLTAGE_C = (0x13, "V", 2)
    CURRENT_A = (0x21, "A", 3)
    CURRENT_B = (0x22, "A", 3)
    CURRENT_C = (0x23, "A", 3)
    CURRENT_NEUTRAL = (0x24, "A", 3)
    ACTIVE_POWER = (0x30, "kW", 4)
    ACTIVE_POWER_A = (0x31, "kW", 4)
    ACTIVE_POWER_B = (0x32, "kW", 4)
    ACTIVE_POWER_C = (0x33, "kW", 4)
    REACTIVE_POWER = (0x40, "kvar", 4)
    REACTIVE_POWER_A = (0x41, "kvar", 4)
    REACTIVE_POWER_B = (0x42, "kvar", 4)
    REACTIVE_POWER_C = (0x43, "kvar", 4)
    APPARENT_POWER = (0x50, "kVA", 4)
    APPARENT_POWER_A = (0x51, "kVA", 4)
    APPARENT_POWER_B = (0x52, "kVA", 4)
    APPARENT_POWER_C = (0x53, "kVA", 4)
    POWER_FACTOR = (0x60, "", 3)
    POWER_FACTOR_A = (0x61, "", 3)
    POWER_FACTOR_B = (0x62, "", 3)
    POWER_FACTOR_C = (0x63, "", 3)
    PHASE_ANGLE_A = (0x71, "°", 1)
    PHASE_ANGLE_B = (0x72, "°", 1)
    PHASE_ANGLE_C = (0x73, "°", 1)
    VOLTAGE_ANGLE_B = (0x7A, "°", 1)  # of U_B against U_A
    VOLTAGE_ANGLE_C = (0x7B, "°", 1)
    VOLTAGE_THD_A = (0x81, "%", 2)
    VOLTAGE_THD_B = (0x82, "%", 2)
    VOLTAGE_THD_C = (0x83, "%", 2)
    CURRENT_THD_A = (0x91, "%", 2)
    CURRENT_THD_B = (0x92, "%", 2)
    CURRENT_THD_C = (0x93, "%", 2)
    FREQUENCY = (0xA0, "Hz", 3)
    VOLTAGE_UNBALANCE = (0xA1, "%", 2)
    CURRENT_UNBALANCE = (0xA2, "%", 2)
    TEMPERATURE = (0xA3, "°C", 1)
    FORWARD_ENERGY = (0xB0, "kWh", 3)
    FORWARD_ENERGY_SHARP = (0xB1, "kWh", 3)
    FORWARD_ENERGY_PEAK = (0xB2, "kWh", 3)
    FORWARD_ENERGY_FLAT = (0xB3, "kWh", 3)
    FORWARD_ENERGY_VALLEY = (0xB4, "kWh", 3)
    REVERSE_ENERGY = (0xC0, "kWh", 3)
    REVERSE_ENERGY_SHARP = (0xC1, "kWh", 3)
    REVERSE_ENERGY_PEAK = (0xC2, "kWh", 3)
    REVERSE_ENERGY_FLAT = (0xC3, "kWh", 3)
    REVERSE_ENERGY_VALLEY = (0xC4, "kWh", 3)
    REACTIVE_ENERGY_I = (0xD1, "kvarh", 3)
    REACTIVE_ENERGY_II = (0xD2, "kvarh", 3)
    REACTIVE_ENERGY_III = (0xD3, "kvarh", 3)
    REACTIVE_ENERGY_IV = (0xD4, "kvarh", 3)
    FORWARD_DEMAND = (0xE0, "kW", 4)  # of the running period
    FORWARD_MAXIMUM_DEMAND = (0xE1, "kW", 4)
    REVERSE_MAXIMUM_DEMAND = (0xE2, "kW", 4)

    def __init__(self, code: int, unit: str, decimals: int) -> None:
        self.code = code
        self.unit = unit
        self.decimals = decimals

    __hash__ = object.__hash__  # a member is a key of every reading; Enum would hash its name

    @classmethod
    def of_code(cls, code: int) -> Quantity:
        """Return the quantity of this code; raises `UsageError` where none has it."""
        found = _BY_CODE.get(code)
        if found is None:
            raise UsageError(f"no quantity has the code {code}")
        return found

    @staticmethod
    @lru_cache(1024)
    def of_codes(codes: tuple[int, ...]) -> tuple[Quantity, ...]:
        """Return the quantities of many codes; raises `UsageError` where one has none.

        Meters of one kind name the same ones each time, hence the memory.
        """
        try:
            return tuple(map(_BY_CODE.__getitem__, codes))
        except KeyError as missing:
            raise UsageError(f"no quantity has the code {missing.args[0]!r}") from None

    def steps(self, value: Decimal | float) -> int:
        """Return a value in the quantity's unit as whole steps of its resolution, rounded."""
        return int((Decimal(value) * 10**self.decimals).to_integral_value())

    def amount(self, steps: int) -> Decimal:
        """Return whole steps as a value in the quantity's unit."""
        return Decimal(steps).scaleb(-self.decimals)


_BY_CODE: Final = {quantity.code: quantity for quantity in Quantity}

Values: TypeAlias = "Mapping[Quantity, int | None]"
"""Measured values in steps of each quantity's resolution; `None` where the meter had none."""


class Quality(IntFlag):
    """What whoever took the reading knows against it; 0 is a sound one."""

    SOUND = 0
    FAILED = 1  # the meter did not answer: there are no values
    PARTIAL = 2  # some blocks of values could not be read
    CLOCK_IN_DOUBT = 4  # the clock that gave the time was set, ran back or leapt
    METER_CLOCK_OFF = 8  # the meter's own clock is beyond its tolerance
    ESTIMATED = 16  # values were replaced by estimates
    SIMULATED = 32  # from a software meter or a replayed file


class EventCode(IntEnum):
    """What a meter reports: DI2 (30xx: DI2 DI1) of its event records in DL/T 645-2007, A.5."""

    VOLTAGE_LOSS = 0x01
    UNDER_VOLTAGE = 0x02
    OVER_VOLTAGE = 0x03
    PHASE_BREAK = 0x04
    ALL_VOLTAGE_LOSS = 0x05
    VOLTAGE_REVERSE_SEQUENCE = 0x07
    CURRENT_REVERSE_SEQUENCE = 0x08
    VOLTAGE_UNBALANCE = 0x09
    CURRENT_UNBALANCE = 0x0A
    CURRENT_LOSS = 0x0B
    OVER_CURRENT = 0x0C
    CURRENT_BREAK = 0x0D
    POWER_REVERSAL = 0x0E
    OVERLOAD = 0x0F
    POWER_FAILURE = 0x11
    DEMAND_EXCEEDED = 0x12
    METER_CLEARED = 0x3001
    CLOCK_SET = 0x3004
    METER_COVER_OPENED = 0x300D
    TERMINAL_COVER_OPENED = 0x300E


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is signed about one meter at one time.

    `epoch` names one life of the sequence's store (seconds since 1970 when it was made), `sequence`
    counts statements of this meter within it, from 1; `sampled_at` is UTC in ms since 1970.
    """

    meter: MeterAddress
    epoch: int
    sequence: int
    sampled_at: int
    quality: Quality = Quality.SOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Statement):
    """Values read together; empty with `Quality.FAILED`."""

    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord(Statement):
    """One event of a meter: begun (`ended_at` is None) or over.

    `number` counts the meter's events of this code; `phase` is 0 for the whole meter, 1 to 3 for
    A to C; times are UTC in ms since 1970; `values` are those at its begin or end.
    """

    code: EventCode
    number: int
    phase: int = 0
    began_at: int
    ended_at: int | None = None
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Statement):
    """Waveforms taken together: samples in steps of `scale` (volts or amperes per step).

    `channels` maps "U_A" to "U_C" and "I_A" to "I_C" to as many samples each, `rate` per second.
    """

    rate: int
    voltage_scale: Decimal
    current_scale: Decimal
    channels: Mapping[str, tuple[int, ...]]

"""The data identifiers of DL/T 645-2007, annex A, as data: name, formats, unit, quantity.

An identifier is written as the number DI3 DI2 DI1 DI0 (0x02010100: voltage of phase A). A `Family`
is a run of identifiers that share a format; FF in place of DI1 or DI0 asks for the whole run in one
answer, a block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from meterseal.collection.dlt645 import records
from meterseal.collection.dlt645.values import Bcd, Clock, Day, Digits, Moment, Text, Word
from meterseal.collection.model import EventCode, Quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meterseal.collection.dlt645.values import Field

__all__ = ["FAMILIES", "Family", "Identifier", "expand", "lookup"]

_BLOCK: Final = 0xFF
_ONE: Final = range(1)
_SETTLEMENTS: Final = range(13)  # DI0: now, then 1 to 12 settlement days back
_TARIFFS: Final = range(64)  # DI1: total, then up to 63 tariffs
_RECORDS: Final = range(1, 11)  # DI0: the newest record of an event, then up to ten back
_TOTAL_A_B_C: Final = range(4)
_A_B_C: Final = range(1, 4)
_ORDERS: Final = range(1, 22)

_VOLTAGE: Final = Bcd(2, 1)
_CURRENT: Final = Bcd(3, 3, signed=True)
_POWER: Final = Bcd(3, 4, signed=True)
_APPARENT: Final = Bcd(3, 4)
_ENERGY: Final = Bcd(4, 2)
_SIGNED_ENERGY: Final = Bcd(4, 2, signed=True)
_PERCENT: Final = Bcd(2, 2)
_COUNT: Final = Bcd(3)
_MINUTES: Final = Bcd(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Identifiers of one format: those of `group` (DI3 DI2) with DI1 and DI0 from two ranges.

    `quantities` are keyed by DI1 DI0 and are the value of the first field. A family that `repeats`
    answers with its fields as often as the meter has them.
    """

    group: int
    name: str
    fields: tuple[Field, ...]
    unit: str = ""
    di1: range = _ONE
    di0: range = _ONE
    quantities: Mapping[int, Quantity] = field(default_factory=dict)
    event: EventCode | None = None
    repeats: bool = False

    def __contains__(self, code: int) -> bool:
        return code >> 16 == self.group and code >> 8 & 0xFF in self.di1 and code & 0xFF in self.di0

    @property
    def size(self) -> int:
        """Bytes of one set of fields."""
        return sum(each.size for each in self.fields)


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier of a family."""

    code: int
    family: Family

    @property
    def quantity(self) -> Quantity | None:
        """The quantity of the first field, if the collection system has it."""
        return self.family.quantities.get(self.code & 0xFFFF)

    @property
    def number(self) -> Bcd | None:
        """The format of the first field where it is a number."""
        first = self.family.fields[0]
        return first if isinstance(first, Bcd) else None


def _by_di1(start: int, *quantities: Quantity) -> dict[int, Quantity]:
    return {start + at << 8: quantity for at, quantity in enumerate(quantities)}


def _energy(
    group: int, name: str, *quantities: Quantity, signed: bool = False, unit: str = "kWh"
) -> Family:
    return Family(
        group=group, name=name, fields=(_SIGNED_ENERGY if signed else _ENERGY,), unit=unit,
        di1=_TARIFFS, di0=_SETTLEMENTS, quantities=_by_di1(0, *quantities),
    )  # fmt: skip


def _demand(
    group: int, name: str, *quantities: Quantity, signed: bool = False, unit: str = "kW"
) -> Family:
    return Family(
        group=group, name=name, fields=(Bcd(3, 4, signed=signed), Moment(5)), unit=unit,
        di1=_TARIFFS, di0=_SETTLEMENTS, quantities=_by_di1(0, *quantities),
    )  # fmt: skip


def _phases(
    group: int, name: str, number: Bcd, unit: str, *quantities: Quantity, total: bool = False
) -> Family:
    di1 = _TOTAL_A_B_C if total else _A_B_C
    return Family(
        group=group, name=name, fields=(number,), unit=unit, di1=di1,
        quantities=_by_di1(di1.start, *quantities),
    )  # fmt: skip


def _one(
    code: int, name: str, *fields: Field, unit: str = "", quantity: Quantity | None = None
) -> Family:
    low = code & 0xFFFF
    return Family(
        group=code >> 16, name=name, fields=fields, unit=unit, di1=range(low >> 8, (low >> 8) + 1),
        di0=range(low & 0xFF, (low & 0xFF) + 1), quantities={low: quantity} if quantity else {},
    )  # fmt: skip


def _run(group: int, di1: int, di0: range, name: str, *fields: Field, unit: str = "") -> Family:
    return Family(
        group=group, name=name, fields=fields, unit=unit, di1=range(di1, di1 + 1), di0=di0
    )


def _counter(group: int, name: str, event: EventCode | None, *fields: Field) -> Family:
    return Family(group=group, name=f"{name}: count and minutes", fields=fields, event=event)


def _events(group: int, name: str, *fields: Field, phases: bool = False) -> Family:
    """Records of an event, the newest first; each phase has its own."""
    return Family(
        group=group, name=f"{name}: record", fields=fields, di1=_A_B_C if phases else _ONE,
        di0=_RECORDS,
    )  # fmt: skip


def _tally(di1: int, name: str, event: EventCode | None = None) -> Family:
    return Family(
        group=0x0330, name=f"{name}: count", fields=(_COUNT,), di1=range(di1, di1 + 1), event=event
    )


def _frozen(group: int, kind: str) -> tuple[Family, ...]:
    numbers = range(1, 255)
    energies = ("forward active", "reverse active", "combined reactive 1", "combined reactive 2")
    quadrants = tuple(f"reactive of quadrant {name}" for name in ("I", "II", "III", "IV"))
    time = _run(group, 0x00, numbers, f"{kind} freeze: when", Moment(5))
    frozen = tuple(
        Family(
            group=group, name=f"{kind} freeze: {name} energy, total and tariffs", di0=numbers,
            fields=(_SIGNED_ENERGY if "combined" in name else _ENERGY,), repeats=True,
            di1=range(di1, di1 + 1), unit="kvarh" if "reactive" in name else "kWh",
        )
        for di1, name in enumerate(energies + quadrants, 1)
    )  # fmt: skip
    demands = tuple(
        Family(
            group=group, name=f"{kind} freeze: {name} maximum demand, total and tariffs", unit="kW",
            fields=(_APPARENT, Moment(5)), repeats=True, di1=range(di1, di1 + 1), di0=numbers,
        )
        for di1, name in ((0x09, "forward"), (0x0A, "reverse"))
    )  # fmt: skip
    return (time, *frozen, *demands)


_Q: Final = Quantity
_PER_PHASE: Final = (_COUNT, _MINUTES) * 3
_WHOLE: Final = (_COUNT, _MINUTES)

FAMILIES: Final[Sequence[Family]] = (
    # A.1: energies
    _energy(0x0000, "combined active energy", signed=True),
    _energy(0x0001, "forward active energy",
            _Q.FORWARD_ENERGY, _Q.FORWARD_ENERGY_SHARP, _Q.FORWARD_ENERGY_PEAK,
            _Q.FORWARD_ENERGY_FLAT, _Q.FORWARD_ENERGY_VALLEY),
    _energy(0x0002, "reverse active energy",
            _Q.REVERSE_ENERGY, _Q.REVERSE_ENERGY_SHARP, _Q.REVERSE_ENERGY_PEAK,
            _Q.REVERSE_ENERGY_FLAT, _Q.REVERSE_ENERGY_VALLEY),
    _energy(0x0003, "combined reactive energy 1", signed=True, unit="kvarh"),
    _energy(0x0004, "combined reactive energy 2", signed=True, unit="kvarh"),
    _energy(0x0005, "reactive energy of quadrant I", _Q.REACTIVE_ENERGY_I, unit="kvarh"),
    _energy(0x0006, "reactive energy of quadrant II", _Q.REACTIVE_ENERGY_II, unit="kvarh"),
    _energy(0x0007, "reactive energy of quadrant III", _Q.REACTIVE_ENERGY_III, unit="kvarh"),
    _energy(0x0008, "reactive energy of quadrant IV", _Q.REACTIVE_ENERGY_IV, unit="kvarh"),
    _one(0x00900100, "remaining energy", _ENERGY, unit="kWh"),
    _one(0x00900200, "remaining amount", _ENERGY, unit="CNY"),
    # A.2: maximum demand and when it was
    _demand(0x0101, "forward maximum demand", _Q.FORWARD_MAXIMUM_DEMAND),
    _demand(0x0102, "reverse maximum demand", _Q.REVERSE_MAXIMUM_DEMAND),
    _demand(0x0103, "combined reactive maximum demand 1", signed=True, unit="kvar"),
    _demand(0x0104, "combined reactive maximum demand 2", signed=True, unit="kvar"),
    _demand(0x0105, "reactive maximum demand of quadrant I", unit="kvar"),
    _demand(0x0106, "reactive maximum demand of quadrant II", unit="kvar"),
    _demand(0x0107, "reactive maximum demand of quadrant III", unit="kvar"),
    _demand(0x0108, "reactive maximum demand of quadrant IV", unit="kvar"),
    # A.3: present values
    _phases(0x0201, "voltage", _VOLTAGE, "V", _Q.VOLTAGE_A, _Q.VOLTAGE_B, _Q.VOLTAGE_C),
    _phases(0x0202, "current", _CURRENT, "A", _Q.CURRENT_A, _Q.CURRENT_B, _Q.CURRENT_C),
    _phases(0x0203, "active power", _POWER, "kW", _Q.ACTIVE_POWER, _Q.ACTIVE_POWER_A,
            _Q.ACTIVE_POWER_B, _Q.ACTIVE_POWER_C, total=True),
    _phases(0x0204, "reactive power", _POWER, "kvar", _Q.REACTIVE_POWER, _Q.REACTIVE_POWER_A,
            _Q.REACTIVE_POWER_B, _Q.REACTIVE_POWER_C, total=True),
    _phases(0x0205, "apparent power", _APPARENT, "kVA", _Q.APPARENT_POWER, _Q.APPARENT_POWER_A,
            _Q.APPARENT_POWER_B, _Q.APPARENT_POWER_C, total=True),
    _phases(0x0206, "power factor", Bcd(2, 3, signed=True), "", _Q.POWER_FACTOR,
            _Q.POWER_FACTOR_A, _Q.POWER_FACTOR_B, _Q.POWER_FACTOR_C, total=True),
    _phases(0x0207, "phase angle", Bcd(2, 1), "°",
            _Q.PHASE_ANGLE_A, _Q.PHASE_ANGLE_B, _Q.PHASE_ANGLE_C),
    _phases(0x0208, "voltage distortion", _PERCENT, "%",
            _Q.VOLTAGE_THD_A, _Q.VOLTAGE_THD_B, _Q.VOLTAGE_THD_C),
    _phases(0x0209, "current distortion", _PERCENT, "%",
            _Q.CURRENT_THD_A, _Q.CURRENT_THD_B, _Q.CURRENT_THD_C),
    Family(group=0x020A, name="harmonic content of voltage", fields=(_PERCENT,), unit="%",
           di1=_A_B_C, di0=_ORDERS),
    Family(group=0x020B, name="harmonic content of current", fields=(_PERCENT,), unit="%",
           di1=_A_B_C, di0=_ORDERS),
    _one(0x02800001, "neutral current", _CURRENT, unit="A", quantity=_Q.CURRENT_NEUTRAL),
    _one(0x02800002, "frequency", Bcd(2, 2), unit="Hz", quantity=_Q.FREQUENCY),
    _one(0x02800003, "mean active power of a minute", _POWER, unit="kW"),
    _one(0x02800004, "present active demand", _POWER, unit="kW", quantity=_Q.FORWARD_DEMAND),
    _one(0x02800005, "present reactive demand", _POWER, unit="kvar"),
    _one(0x02800006, "present apparent demand", _APPARENT, unit="kVA"),
    _one(0x02800007, "temperature", Bcd(2, 1, signed=True), unit="°C", quantity=_Q.TEMPERATURE),
    _one(0x02800008, "clock battery", Bcd(2, 2), unit="V"),
    _one(0x02800009, "reading battery", Bcd(2, 2), unit="V"),
    _one(0x0280000A, "battery working time", Bcd(4), unit="min"),
    # A.4: event counters and records
    _counter(0x0301, "voltage loss", EventCode.VOLTAGE_LOSS, *_PER_PHASE),
    _counter(0x0302, "under-voltage", EventCode.UNDER_VOLTAGE, *_PER_PHASE),
    _counter(0x0303, "over-voltage", EventCode.OVER_VOLTAGE, *_PER_PHASE),
    _counter(0x0304, "phase break", EventCode.PHASE_BREAK, *_PER_PHASE),
    _counter(0x0305, "all-voltage loss", EventCode.ALL_VOLTAGE_LOSS, *_WHOLE),
    _counter(0x0306, "auxiliary supply lost", None, *_WHOLE),
    _counter(0x0307, "voltage reverse sequence", EventCode.VOLTAGE_REVERSE_SEQUENCE, *_WHOLE),
    _counter(0x0308, "current reverse sequence", EventCode.CURRENT_REVERSE_SEQUENCE, *_WHOLE),
    _counter(0x0309, "voltage unbalance", EventCode.VOLTAGE_UNBALANCE, *_WHOLE),
    _counter(0x030A, "current unbalance", EventCode.CURRENT_UNBALANCE, *_WHOLE),
    _counter(0x030B, "current loss", EventCode.CURRENT_LOSS, *_PER_PHASE),
    _counter(0x030C, "over-current", EventCode.OVER_CURRENT, *_PER_PHASE),
    _counter(0x030D, "current break", EventCode.CURRENT_BREAK, *_PER_PHASE),
    _counter(0x030E, "power flow reversal", EventCode.POWER_REVERSAL, *_PER_PHASE),
    _counter(0x030F, "overload", EventCode.OVERLOAD, *_PER_PHASE),
    Family(group=0x0310, name="voltage pass rate of the month", di0=_SETTLEMENTS,
           di1=_TOTAL_A_B_C,
           fields=(_MINUTES, Bcd(3, 2), Bcd(3, 2), _MINUTES, _MINUTES,
                   _VOLTAGE, Digits(4), _VOLTAGE, Digits(4))),
    Family(group=0x0311, name="power failure: count", fields=(_COUNT,),
           event=EventCode.POWER_FAILURE),
    Family(group=0x0312, name="demand exceeded: counts of forward, reverse, quadrants I to IV",
           fields=(_COUNT,) * 6, event=EventCode.DEMAND_EXCEEDED),
    *(_events(0x0301 + at, name, *records.WITH_AMPERE_HOURS, phases=True)
      for at, name in enumerate(("voltage loss", "under-voltage", "over-voltage", "phase break"))),
    _events(0x0305, "all-voltage loss", *records.ALL_LOSS),
    _events(0x0307, "voltage reverse sequence", *records.ENERGY_COUNTED),
    _events(0x0308, "current reverse sequence", *records.ENERGY_COUNTED),
    _events(0x0309, "voltage unbalance", *records.UNBALANCE),
    _events(0x030A, "current unbalance", *records.UNBALANCE),
    *(_events(0x030B + at, name, *records.WITH_STATE, phases=True)
      for at, name in enumerate(("current loss", "over-current", "current break"))),
    _events(0x030E, "power flow reversal", *records.ENERGY_COUNTED, phases=True),
    _events(0x030F, "overload", *records.ENERGY_COUNTED, phases=True),
    _events(0x0311, "power failure", *records.TIMES),
    Family(group=0x0312, name="demand exceeded, forward and reverse: record",
           fields=records.DEMAND, di1=range(1, 3), di0=_RECORDS),
    _tally(0x00, "programming"),
    _tally(0x01, "meter cleared", EventCode.METER_CLEARED),
    _tally(0x02, "demand cleared"),
    _tally(0x03, "events cleared"),
    _tally(0x04, "clock set", EventCode.CLOCK_SET),
    Family(group=0x0330, name="clock set: operator, time before, time after",
           fields=(Digits(4), Moment(6), Moment(6)), di1=range(0x04, 0x05), di0=_RECORDS),
    _tally(0x0D, "meter cover opened", EventCode.METER_COVER_OPENED),
    _tally(0x0E, "terminal cover opened", EventCode.TERMINAL_COVER_OPENED),
    *(Family(group=0x0330, name=f"{name} cover opened: record", fields=records.COVER,
             di1=range(di1, di1 + 1), di0=_RECORDS)
      for di1, name in ((13, "meter"), (14, "terminal"))),
    # A.5: parameters
    _one(0x04000101, "date and weekday", Day()),
    _one(0x04000102, "time", Clock()),
    _run(0x0400, 0x01, range(3, 5), "demand period, sliding time", Bcd(1), unit="min"),
    _one(0x04000105, "width of the test pulse", Bcd(2), unit="ms"),
    _run(0x0400, 0x01, range(6, 8), "when the other set of tables begins", Moment(5)),
    _run(0x0400, 0x02, range(1, 5), "number of zones, day tables, periods, tariffs", Bcd(1)),
    _one(0x04000205, "number of holidays", Bcd(2)),
    _one(0x04000206, "highest harmonic analysed", Bcd(1)),
    _one(0x04000401, "address", Digits(6)),
    _one(0x04000402, "meter number", Digits(6)),
    _one(0x04000403, "asset number", Text(32)),
    _run(0x0400, 0x04, range(4, 7), "rated voltage, rated current, maximum current", Text(6)),
    _run(0x0400, 0x04, range(7, 9), "active class, reactive class", Text(4)),
    _one(0x04000409, "active constant", Bcd(3), unit="imp/kWh"),
    _one(0x0400040A, "reactive constant", Bcd(3), unit="imp/kvarh"),
    _run(0x0400, 0x04, range(0x0B, 0x0D), "model, date of manufacture", Text(10)),
    _one(0x0400040D, "protocol version", Text(16)),
    _run(0x0400, 0x05, range(1, 8), "running status words 1 to 7", Word(2)),
    _run(0x0400, 0x06, range(1, 4), "how combined energies are made", Word(1)),
    _run(0x0400, 0x07, range(1, 6), "rates of the ports", Word(1)),
    _one(0x04000801, "days of rest", Word(1)),
    _one(0x04000802, "day table of days of rest", Bcd(1)),
    _run(0x0400, 0x09, range(1, 3), "mode of load record, of freezing", Word(1)),
    _one(0x04000A01, "begin of the load record, MMDDhhmm", Digits(4)),
    _run(0x0400, 0x0A, range(2, 8), "interval of load class 1 to 6", Bcd(2), unit="min"),
    _run(0x0400, 0x0B, range(1, 4), "settlement days 1 to 3, DDhh", Digits(2)),
    _run(0x0400, 0x0E, range(1, 3), "limit of forward, of reverse active power", _APPARENT,
         unit="kW"),
    _run(0x0400, 0x0E, range(3, 5), "upper, lower limit of voltage", _VOLTAGE, unit="V"),
    *(Family(group=group, name="time zones (MMDD table), then day tables (hhmm tariff)",
             fields=(Digits(3),), repeats=True, di0=range(9)) for group in (0x0401, 0x0402)),
    # A.6: frozen values
    *_frozen(0x0500, "timed"),
    *_frozen(0x0501, "instant"),
    *_frozen(0x0504, "hourly"),
    *_frozen(0x0506, "daily"),
)  # fmt: skip

_BY_GROUP: Final[dict[int, list[Family]]] = {}
for _family in FAMILIES:
    _BY_GROUP.setdefault(_family.group, []).append(_family)


@lru_cache(maxsize=1024)
def lookup(code: int) -> Identifier | None:
    """Return what the tables say of one identifier; `None` for a block or an unknown one."""
    for family in _BY_GROUP.get(code >> 16, ()):
        if code in family:
            return Identifier(code, family)
    return None


@lru_cache(maxsize=1024)
def expand(code: int) -> tuple[Identifier, ...]:
    """Return the identifiers of a block in the order of its answer; one itself; none if unknown."""
    for family in _BY_GROUP.get(code >> 16, ()):
        di1 = _chosen(code >> 8 & 0xFF, family.di1)
        di0 = _chosen(code & 0xFF, family.di0)
        if di1 and di0:
            return tuple(
                Identifier(family.group << 16 | high << 8 | low, family)
                for high in di1
                for low in di0
            )
    return ()


def _chosen(place: int, members: range) -> Sequence[int]:
    if place in members:
        return (place,)
    return members if place == _BLOCK and len(members) > 1 else ()

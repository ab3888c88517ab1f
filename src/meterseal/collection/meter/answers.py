"""What a meter answers to a read of DL/T 645-2007: its state behind the identifiers of annex A."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Final, TypeAlias

from meterseal.collection.dlt645 import encode_quantity, expand
from meterseal.collection.meter.records import fields_of
from meterseal.collection.model import EventCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from meterseal.collection.dlt645.values import Value
    from meterseal.collection.meter.meter import Meter
    from meterseal.collection.meter.registers import RegisterRecord
    from meterseal.collection.meter.state import MeterState

__all__ = ["answer"]

Content: TypeAlias = "bytes | tuple[Value, ...] | None"

_DEMANDS: Final = {0x0101: "forward_maxima", 0x0102: "reverse_maxima"}
_FROZEN_DEMANDS: Final = {0x09: "forward_maxima", 0x0A: "reverse_maxima"}
_INSTANT, _DAILY = 0x0501, 0x0506
_FULL, _FULL_SIGNED = 100_000_000, 80_000_000
"""Steps at which an energy begins again from 0: what eight digits hold, without and with a sign."""
_SIGNED: Final = frozenset((0x0000, 0x0003, 0x0004))
_FULL_COUNT: Final = 1_000_000
_FULL_POWER, _FULL_SIGNED_POWER = 1_000_000, 800_000
_CENTS: Final = 10  # steps of 0.001 kWh in one of 0.01
_TARIFF_MODES: Final = {0x04000601: 0x05, 0x04000602: 0x05, 0x04000603: 0x50}
_PHASE_BITS: Final = (  # of running status words 4 to 6, from bit 0
    EventCode.VOLTAGE_LOSS,
    EventCode.UNDER_VOLTAGE,
    EventCode.OVER_VOLTAGE,
    EventCode.CURRENT_LOSS,
    EventCode.OVER_CURRENT,
    EventCode.OVERLOAD,
    EventCode.POWER_REVERSAL,
    EventCode.PHASE_BREAK,
    EventCode.CURRENT_BREAK,
)
_WHOLE_BITS: Final = (  # of running status word 7
    EventCode.VOLTAGE_REVERSE_SEQUENCE,
    EventCode.CURRENT_REVERSE_SEQUENCE,
    EventCode.VOLTAGE_UNBALANCE,
    EventCode.CURRENT_UNBALANCE,
)
_PER_PHASE: Final = frozenset(_PHASE_BITS)
_MINUTE: Final = 60_000


def answer(meter: Meter, code: int, now: int) -> Content:
    """Return the content of an identifier, or of a block of quantities; None if it is not had.

    `now` is the time by the meter's clock.
    """
    group = code >> 16
    find = _BY_GROUP.get(group)
    if find is not None:
        return find(meter, code)
    if group == 0x0400:  # noqa: PLR2004
        return _parameter(meter, code, now)
    return _quantities(meter, code)


def _quantities(meter: Meter, code: int) -> bytes | None:
    """Return measured values; for a block those up to the first that the meter does not have."""
    values = meter.values()
    contents: list[bytes] = []
    for item in expand(code):
        content = encode_quantity(item.code, values)
        if content is None:
            break
        contents.append(content)
    return b"".join(contents) or None


def _energy(meter: Meter, code: int) -> Content:
    """Present energies, and those of settlement days back."""
    record = _record_back(meter, code & 0xFF)
    if record is None:
        return None
    place, energies = code >> 8 & 0xFF, _energies(meter, record)[code >> 16]
    return (energies[place],) if place < len(energies) else None


def _energies(meter: Meter, record: RegisterRecord) -> dict[int, tuple[int, ...]]:
    """Return totals and tariffs in steps of 0.01 by DI3 DI2, cut as counters show them."""
    billing = meter.config.billing
    forward, reverse = (
        (sum(steps), *steps)
        for steps in (
            [billing.thousandths(pulses) for pulses in tariffs]
            for tariffs in (record.energy.forward, record.energy.reverse)
        )
    )
    one, two, three, four = (billing.thousandths(pulses) for pulses in record.energy.quadrants)
    combined = tuple(a + b for a, b in zip(forward, reverse, strict=True))
    rows = (combined, forward, reverse, (one + two,), (three + four,), (one,), (two,), (three,))
    shown = {}
    for group, row in enumerate((*rows, (four,))):
        full = _FULL_SIGNED if group in _SIGNED else _FULL
        shown[group] = tuple(steps // _CENTS % full for steps in row)
    return shown


def _demand(meter: Meter, code: int) -> Content:
    record = _record_back(meter, code & 0xFF)
    if record is None:
        return None
    place, maxima = code >> 8 & 0xFF, getattr(record, _DEMANDS[code >> 16])
    return _maximum(meter, maxima[place]) if place < len(maxima) else None


def _maximum(meter: Meter, maximum: tuple[int, int]) -> tuple[Value, ...]:
    steps, at = maximum
    shown = steps if steps < _FULL_POWER else None
    return (shown, meter.config.billing.calendar.local(at) if at else None)


def _record_back(meter: Meter, back: int) -> RegisterRecord | None:
    """Return the registers now (0), or those of the settlement so many back."""
    registers = meter.state.registers
    if back == 0:
        return registers.record(0)
    settlements = registers.history.settlements
    return settlements[back - 1] if back <= len(settlements) else None


def _frozen(meter: Meter, code: int) -> Content:
    history = meter.state.registers.history
    records = history.freezes if code >> 16 == _INSTANT else history.days
    kind, back = code >> 8 & 0xFF, code & 0xFF
    if not 1 <= back <= len(records):
        return None
    record = records[back - 1]
    if kind == 0x00:
        return (meter.config.billing.calendar.local(record.at),)
    if 0x01 <= kind <= 0x08:  # noqa: PLR2004
        return _energies(meter, record)[kind]
    if kind not in _FROZEN_DEMANDS:
        return None
    maxima = getattr(record, _FROZEN_DEMANDS[kind])
    return tuple(value for maximum in maxima for value in _maximum(meter, maximum))


def _harmonic(meter: Meter, code: int) -> Content:
    """Content of one order in percent of the fundamental; the first, 100 %, has no place in it."""
    phase, order = code >> 8 & 0xFF, code & 0xFF
    if meter.measurement is None or not 1 <= phase <= 3 or not 1 <= order <= 21:  # noqa: PLR2004
        return None
    measured = meter.measurement.phases[phase - 1]
    if measured is None or order == 1:
        return (None,)
    is_voltage = code >> 16 == 0x020A  # noqa: PLR2004
    contents = measured.voltage_harmonics if is_voltage else measured.current_harmonics
    return (min(round(100 * contents[order - 1]), 9999),)


def _present(meter: Meter, code: int) -> Content:
    """Return what 0280 has beyond quantities: the mean power of the last minute."""
    if code != 0x02800003:  # noqa: PLR2004
        return _quantities(meter, code)
    registers = meter.state.registers
    minutes = (registers.forward_demand.minutes, registers.reverse_demand.minutes)
    works = [each[-1] if each else 0 for each in minutes]
    steps = (works[0] - works[1]) // _MINUTE // 100_000
    return (steps if abs(steps) < _FULL_SIGNED_POWER else None,)


def _counter(meter: Meter, code: int) -> Content:
    """Return how often an event was, and for how many minutes, by phase where it has phases."""
    try:
        event = EventCode(code >> 16 & 0xFF)
    except ValueError:
        return None
    if code & 0xFFFF:
        return _record(meter, event, code >> 8 & 0xFF, code & 0xFF)
    totals = meter.state.events.totals
    if event is EventCode.POWER_FAILURE:
        return (totals.get((event, 0), (0, 0))[0] % _FULL_COUNT,)
    if event is EventCode.DEMAND_EXCEEDED:  # of the forward demand alone
        return (totals.get((event, 0), (0, 0))[0] % _FULL_COUNT, *(None,) * 5)
    contents: list[Value] = []
    for phase in (1, 2, 3) if event in _PER_PHASE else (0,):
        count, duration = totals.get((event, phase), (0, 0))
        contents += [count % _FULL_COUNT, duration // _MINUTE % _FULL_COUNT]
    return tuple(contents)


def _record(meter: Meter, event: EventCode, place: int, back: int) -> Content:
    """Return the record of an event so many back; `place` is its phase, 1 for the demand."""
    phase = place - 1 if event is EventCode.DEMAND_EXCEEDED else place
    found = meter.state.events.records.get((event, phase), ())
    if not 1 <= back <= len(found):
        return None
    return fields_of(found[back - 1], meter.config.billing.calendar)


def _tally(meter: Meter, code: int) -> Content:
    """Count the events of group 0330, and give the records of clock settings and covers."""
    event = _TALLIED.get(code >> 8 & 0xFF)
    if event is None:
        return None
    back, log = code & 0xFF, meter.state.events
    if back == 0:
        return (log.numbers.get(event, 0) % _FULL_COUNT,)
    if event in _COVERS:
        return _record(meter, event, 0, back)
    records = log.records.get((event, 0), ())
    if event is not EventCode.CLOCK_SET or back > len(records):
        return None
    local = meter.config.billing.calendar.local
    record = records[back - 1]
    return ("00000000", local(record.began_at), local(record.ended_at or record.began_at))


_TALLIED: Final = {
    0x01: EventCode.METER_CLEARED,
    0x04: EventCode.CLOCK_SET,
    0x0D: EventCode.METER_COVER_OPENED,
    0x0E: EventCode.TERMINAL_COVER_OPENED,
}
_COVERS: Final = frozenset({EventCode.METER_COVER_OPENED, EventCode.TERMINAL_COVER_OPENED})


def _parameter(meter: Meter, code: int, now: int) -> Content:
    billing, ratings = meter.config.billing, meter.config.ratings
    local: datetime = billing.calendar.local(now)
    fixed: Mapping[int, Value] = {
        0x04000101: local.date(),
        0x04000102: time(local.hour, local.minute, local.second),
        0x04000103: billing.demand_period,
        0x04000104: billing.demand_step,
        0x04000201: 1,
        0x04000202: 1,
        0x04000203: len(billing.schedule.switches),
        0x04000204: 4,
        0x04000206: 21,
        0x04000401: str(meter.address),
        0x04000402: str(meter.address),
        0x04000404: f"{ratings.voltage:.4g}V"[:6],
        0x04000405: f"{ratings.current:.4g}A"[:6],
        0x04000406: f"{ratings.maximum_current:.4g}A"[:6],
        0x04000407: "0.2S",
        0x04000409: billing.constant,
        0x0400040A: billing.constant,
        0x0400040D: "DL/T645-2007",
        0x04000E01: min(ratings.allowed_demand, _FULL_POWER - 1),
        0x04000B01: f"{billing.calendar.settlement_day:02}{billing.calendar.settlement_hour:02}",
    }
    if code in fixed:
        return (fixed[code],)
    if code in _TARIFF_MODES:
        return (_TARIFF_MODES[code],)
    word = code - 0x04000500
    return (_status(meter.state, word),) if 1 <= word <= 7 else None  # noqa: PLR2004


def _status(state: MeterState, word: int) -> int:
    """Return a running status word; 1 to 3 are of parts that this meter does not have."""
    if 4 <= word <= 6:  # noqa: PLR2004
        return _bits(state, _PHASE_BITS, word - 3)
    return _bits(state, _WHOLE_BITS, 0) if word == 7 else 0  # noqa: PLR2004


def _bits(state: MeterState, codes: tuple[EventCode, ...], phase: int) -> int:
    return sum(1 << bit for bit, code in enumerate(codes) if (code, phase) in state.events.active)


def _schedule(meter: Meter, code: int) -> Content:
    """Return the table of zones, then the one day table: hour, minute, tariff."""
    if code & 0xFFFF == 0:
        return ("010101",)
    if code & 0xFFFF != 1:
        return None
    return tuple(
        f"{minute // 60:02}{minute % 60:02}{int(tariff):02}"
        for minute, tariff in meter.config.billing.schedule.switches
    )


_BY_GROUP: Final[Mapping[int, Callable[[Meter, int], Content]]] = {
    **dict.fromkeys(range(0x0009), _energy),
    **dict.fromkeys(_DEMANDS, _demand),
    **dict.fromkeys((0x020A, 0x020B), _harmonic),
    0x0280: _present,
    **dict.fromkeys(range(0x0301, 0x0313), _counter),
    0x0330: _tally,
    0x0401: _schedule,
    **dict.fromkeys((_INSTANT, _DAILY), _frozen),
}

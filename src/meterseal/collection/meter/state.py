"""The state of a meter, and its form on the disk: CBOR, versioned, read strictly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from meterseal.collection.envelope import decode, encode
from meterseal.collection.meter.demand import NO_MAXIMA, DemandMeter
from meterseal.collection.meter.events import Event, EventLog
from meterseal.collection.meter.registers import Energy, History, RegisterRecord, Registers
from meterseal.collection.model import EventCode, Quantity
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.collection.meter.demand import Maximum

__all__ = ["MeterState"]

_VERSION: Final = 2
_ENERGY_FIELDS: Final = 4 + 4 + 4 + 6
_List: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True)
class MeterState:
    """All that a meter must not forget. Times are ms since 1970 by the meter's own clock.

    `now` is up to when energy is counted, `offset` how far the meter's clock is ahead of the one it
    was started by, `sequence` the last one used for a sealed statement.
    """

    registers: Registers = field(default_factory=Registers)
    events: EventLog = field(default_factory=EventLog)
    now: int = 0
    offset: int = 0
    sequence: int = 0
    clock_in_doubt: bool = False

    def dump(self, constant: int) -> tuple[bytes, bytes]:
        """Return what changes all the time, and what changes now and then."""
        registers, events = self.registers, self.events
        running = [
            _VERSION,
            constant,
            [self.now, self.offset, self.sequence, int(self.clock_in_doubt)],
            _dump_energy(registers.energy),
            [_dump_demand(registers.forward_demand), _dump_demand(registers.reverse_demand)],
            [[int(code), number] for code, number in events.numbers.items()],
            [[int(code), phase, *total] for (code, phase), total in events.totals.items()],
            [_dump_event(event) for event in events.active.values()],
        ]
        history = registers.history
        kept = [
            _VERSION,
            [_dump_record(record) for record in history.settlements],
            [_dump_record(record) for record in history.days],
            [_dump_record(record) for record in history.freezes],
            [_dump_event(event) for records in events.records.values() for event in records],
        ]
        return encode(running), encode(kept)

    def has_other_history(self, other: MeterState) -> bool:
        """Whether the second part of `dump` differs from that of another state."""
        return (
            self.registers.history is not other.registers.history
            or self.events.records is not other.events.records
        )

    @classmethod
    def load(cls, running: bytes, kept: bytes, constant: int) -> MeterState:
        """Read a state. Raises `MalformedData`; `UsageError` for another meter constant."""
        try:
            version, kept_constant, clocks, energy, demands, numbers, totals, active = decode(
                running
            )
            kept_version, settlements, days, freezes, records = decode(kept)
            if (version, kept_version) != (_VERSION, _VERSION):
                raise MalformedData(f"the state of a meter has version {version}")
            if kept_constant != constant:
                raise UsageError(
                    f"the meter has counted {kept_constant} pulses per kWh, not {constant}"
                )
            now, offset, sequence, in_doubt = clocks
            history = History(*(_load_records(each) for each in (settlements, days, freezes)))
            forward, reverse = map(_load_demand, demands)
            registers = Registers(_load_energy(energy), forward, reverse, history)
            events = _load_events(numbers, totals, active, records)
        except (ValueError, TypeError, IndexError) as error:
            if isinstance(error, UsageError | MalformedData):
                raise
            raise MalformedData(f"the state of a meter: {error}") from None
        return cls(registers, events, now, offset, sequence, bool(in_doubt))


def _dump_energy(energy: Energy) -> _List:
    return [*energy.forward, *energy.reverse, *energy.quadrants, *energy.rests]


def _load_energy(encoded: _List) -> Energy:
    if len(encoded) != _ENERGY_FIELDS:
        raise MalformedData("the state of a meter: energy registers are missing")
    counts = tuple(encoded)
    return Energy(counts[0:4], counts[4:8], counts[8:12], counts[12:])


def _dump_demand(demand: DemandMeter) -> _List:
    return [
        list(demand.minutes),
        demand.running,
        demand.covered,
        demand.latest,
        _dump_maxima(demand.maxima),
    ]


def _load_demand(encoded: _List) -> DemandMeter:
    minutes, running, covered, latest, maxima = encoded
    return DemandMeter(tuple(minutes), running, covered, latest, _load_maxima(maxima))


def _dump_maxima(maxima: tuple[Maximum, ...]) -> _List:
    return [number for maximum in maxima for number in maximum]


def _load_maxima(encoded: _List) -> tuple[Maximum, ...]:
    if len(encoded) != 2 * len(NO_MAXIMA):
        raise MalformedData("the state of a meter: maximum demands are missing")
    return tuple(zip(encoded[::2], encoded[1::2], strict=True))


def _dump_record(record: RegisterRecord) -> _List:
    maxima = [_dump_maxima(each) for each in (record.forward_maxima, record.reverse_maxima)]
    return [record.at, _dump_energy(record.energy), *maxima]


def _load_records(encoded: Sequence[_List]) -> tuple[RegisterRecord, ...]:
    return tuple(
        RegisterRecord(at, _load_energy(energy), _load_maxima(forward), _load_maxima(reverse))
        for at, energy, forward, reverse in encoded
    )


def _dump_event(event: Event) -> _List:
    values = [
        dict(sorted((quantity.code, steps) for quantity, steps in each.items()))
        for each in (event.values, event.before)
    ]
    times = [event.began_at, event.ended_at]
    return [int(event.code), event.phase, event.number, *times, *values]


def _load_event(encoded: _List) -> Event:
    code, phase, number, began_at, ended_at, *both = encoded
    values, before = (
        {Quantity.of_code(each): steps for each, steps in amounts.items()} for amounts in both
    )
    return Event(EventCode(code), phase, number, began_at, ended_at, values, before)


def _load_events(numbers: _List, totals: _List, active: _List, records: _List) -> EventLog:
    kept: dict[tuple[EventCode, int], tuple[Event, ...]] = {}
    for event in map(_load_event, records):
        key = (event.code, event.phase)
        kept[key] = (*kept.get(key, ()), event)
    begun = [_load_event(each) for each in active]
    return EventLog(
        numbers={EventCode(code): number for code, number in numbers},
        totals={(EventCode(code), phase): (count, ms) for code, phase, count, ms in totals},
        active={(event.code, event.phase): event for event in begun},
        records=kept,
    )

"""Event records as DL/T 645-2007, table A.4, has them: from what a meter kept of its events.

Energies of single phases and ampere hours are not counted by this meter: they read as absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.collection.model import EventCode, Quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meterseal.collection.dlt645.values import Value
    from meterseal.collection.meter.events import Event
    from meterseal.collection.meter.tariff import Calendar
    from meterseal.collection.model import Values

__all__ = ["fields_of"]

_ABSENT: Final = (None,)
_COUNTED: Final = (
    (Quantity.FORWARD_ENERGY,),
    (Quantity.REVERSE_ENERGY,),
    (Quantity.REACTIVE_ENERGY_I, Quantity.REACTIVE_ENERGY_II),
    (Quantity.REACTIVE_ENERGY_III, Quantity.REACTIVE_ENERGY_IV),
)
_REGISTERS: Final = (
    *(Quantity.FORWARD_ENERGY, Quantity.REVERSE_ENERGY),
    *(Quantity.REACTIVE_ENERGY_I, Quantity.REACTIVE_ENERGY_II),
    *(Quantity.REACTIVE_ENERGY_III, Quantity.REACTIVE_ENERGY_IV),
)
_STATE: Final = (  # the name, and steps of it in one of the record
    ("VOLTAGE", 10), ("CURRENT", 1), ("ACTIVE_POWER", 1), ("REACTIVE_POWER", 1),
    ("POWER_FACTOR", 1),
)  # fmt: skip
_CENTS: Final = 10  # steps of 0.001 kWh in one of 0.01
_FULL: Final = 100_000_000


def fields_of(event: Event, calendar: Calendar) -> tuple[Value, ...] | None:
    """Return the fields of the record of an event that is over; None where it has none."""
    make = _BY_CODE.get(event.code)
    if make is None or event.ended_at is None:
        return None
    began, ended = calendar.local(event.began_at), calendar.local(event.ended_at)
    if event.code is EventCode.ALL_VOLTAGE_LOSS:
        return (began, *make(event), ended)
    return (began, ended, *make(event))


def _counted(event: Event) -> tuple[Value, ...]:
    """What the registers of the whole meter gained, in steps of 0.01."""
    return tuple(_gained(event, quantities) for quantities in _COUNTED)


def _gained(event: Event, quantities: tuple[Quantity, ...]) -> int | None:
    before = [event.before.get(each) for each in quantities]
    after = [event.values.get(each) for each in quantities]
    if None in before or None in after:
        return None
    return (sum(filter(None, after)) - sum(filter(None, before))) // _CENTS % _FULL


def _all_counted(event: Event) -> tuple[Value, ...]:
    return (*_counted(event), *_ABSENT * 12)


def _unbalance(event: Event) -> tuple[Value, ...]:
    # The greatest unbalance in between is not kept.
    return (None, *_all_counted(event))


def _with_state(event: Event) -> tuple[Value, ...]:
    phases = (value for phase in "ABC" for value in (*_ABSENT * 4, *_state(event.before, phase)))
    return (*_counted(event), *phases)


def _state(values: Values, phase: str) -> tuple[Value, ...]:
    found = ((values.get(Quantity[f"{name}_{phase}"]), steps) for name, steps in _STATE)
    return tuple(None if value is None else round(value / steps) for value, steps in found)


def _with_ampere_hours(event: Event) -> tuple[Value, ...]:
    return (*_with_state(event), *_ABSENT * 4)


def _current(event: Event) -> tuple[Value, ...]:
    currents = [event.before.get(Quantity[f"CURRENT_{phase}"]) for phase in "ABC"]
    return (max((each for each in currents if each is not None), default=None),)


def _demand(event: Event) -> tuple[Value, ...]:
    """The greatest demand of the event, where it was a maximum; its time is not kept apart."""
    was = event.before.get(Quantity.FORWARD_MAXIMUM_DEMAND)
    begin = event.before.get(Quantity.FORWARD_DEMAND)
    most = event.values.get(Quantity.FORWARD_MAXIMUM_DEMAND)
    is_of_event = was is not None and most is not None and (most > was or begin == was)
    return (most if is_of_event else None, None)


def _cover(event: Event) -> tuple[Value, ...]:
    both = (event.before, event.values)
    steps = [values.get(quantity) for values in both for quantity in _REGISTERS]
    return tuple(None if each is None else each // _CENTS % _FULL for each in steps)


_BY_CODE: Final[Mapping[EventCode, Callable[[Event], tuple[Value, ...]]]] = {
    EventCode.VOLTAGE_LOSS: _with_ampere_hours,
    EventCode.UNDER_VOLTAGE: _with_ampere_hours,
    EventCode.OVER_VOLTAGE: _with_ampere_hours,
    EventCode.PHASE_BREAK: _with_ampere_hours,
    EventCode.ALL_VOLTAGE_LOSS: _current,
    EventCode.VOLTAGE_REVERSE_SEQUENCE: _all_counted,
    EventCode.CURRENT_REVERSE_SEQUENCE: _all_counted,
    EventCode.VOLTAGE_UNBALANCE: _unbalance,
    EventCode.CURRENT_UNBALANCE: _unbalance,
    EventCode.CURRENT_LOSS: _with_state,
    EventCode.OVER_CURRENT: _with_state,
    EventCode.CURRENT_BREAK: _with_state,
    EventCode.POWER_REVERSAL: _all_counted,
    EventCode.OVERLOAD: _all_counted,
    EventCode.POWER_FAILURE: lambda _: (),
    EventCode.DEMAND_EXCEEDED: _demand,
    EventCode.METER_COVER_OPENED: _cover,
    EventCode.TERMINAL_COVER_OPENED: _cover,
}

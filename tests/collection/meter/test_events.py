"""Events: hysteresis, delay, numbers, and no chatter."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.collection.meter.events import Event, EventLog
from meterseal.collection.meter.registers import Billing, Power, Registers
from meterseal.collection.meter.rules import Ratings, Rule, demand_rule, rules_for
from meterseal.collection.meter.tariff import MINUTE
from meterseal.collection.meter.waveform import OperatingPoint, PhasePoint, measure_point
from meterseal.collection.model import EventCode
from meterseal.errors import UsageError

RATINGS = Ratings(220.0, 1.5, 6.0)
RULES = rules_for(RATINGS, delay=60_000)
NORMAL = OperatingPoint.balanced(220.0, 1.5, 20.0)


def with_phase(index: int, **changes: float) -> OperatingPoint:
    phases = list(NORMAL.phases)
    assert phases[index] is not None
    phases[index] = replace(phases[index], **changes)
    a, b, c = phases
    return OperatingPoint((a, b, c))


class Bench:
    """A log, a clock, and all that happened."""

    def __init__(self, rules: tuple[Rule, ...] = RULES) -> None:
        self.log, self.now, self.rules = EventLog(), 1_000_000, rules
        self.events: list[Event] = []

    def show(self, point: OperatingPoint, seconds: float) -> list[Event]:
        happened = []
        for _ in range(round(seconds * 5)):
            self.log, events = self.log.observed(self.rules, measure_point(point), self.now, dict)
            happened += events
            self.now += 200
        self.events += happened
        return happened


def codes(events: list[Event]) -> set[tuple[EventCode, int]]:
    return {(event.code, event.phase) for event in events}


CASES = [
    ((EventCode.VOLTAGE_LOSS, 1), with_phase(0, voltage=150.0)),
    ((EventCode.PHASE_BREAK, 2), with_phase(1, voltage=20.0, current=0.0)),
    ((EventCode.UNDER_VOLTAGE, 3), with_phase(2, voltage=190.0)),
    ((EventCode.OVER_VOLTAGE, 1), with_phase(0, voltage=240.0)),
    ((EventCode.OVER_CURRENT, 2), with_phase(1, current=8.0)),
    ((EventCode.OVERLOAD, 2), with_phase(1, current=8.0)),
    ((EventCode.POWER_REVERSAL, 3), with_phase(2, lag=180.0)),
    ((EventCode.CURRENT_LOSS, 1), with_phase(0, current=0.0)),
    ((EventCode.CURRENT_BREAK, 3), with_phase(2, current=0.005)),
    ((EventCode.VOLTAGE_UNBALANCE, 0), with_phase(0, voltage=200.0)),
    ((EventCode.CURRENT_UNBALANCE, 0), with_phase(0, current=0.2)),
    ((EventCode.ALL_VOLTAGE_LOSS, 0), OperatingPoint.balanced(50.0, 1.5)),
    (
        (EventCode.VOLTAGE_REVERSE_SEQUENCE, 0),
        OperatingPoint(
            (
                PhasePoint(220.0, 1.5),
                PhasePoint(220.0, 1.5, 0.0, 120.0),
                PhasePoint(220.0, 1.5, 0.0, -120.0),
            )
        ),
    ),
    (
        (EventCode.CURRENT_REVERSE_SEQUENCE, 0),
        OperatingPoint(
            (
                PhasePoint(220.0, 1.5),
                PhasePoint(220.0, 1.5, 120.0, -120.0),
                PhasePoint(220.0, 1.5, -120.0, 120.0),
            )
        ),
    ),
]


@pytest.mark.parametrize(("key", "point"), CASES, ids=lambda value: str(value)[:40])
def test_each_event_begins_after_its_delay_and_ends_after_its_delay(
    key: tuple[EventCode, int], point: OperatingPoint
) -> None:
    bench = Bench()
    assert bench.show(NORMAL, 120) == []
    began = bench.now
    assert bench.show(point, 59) == []
    assert key in codes(bench.show(point, 2))
    assert bench.log.active[key].began_at == began
    assert bench.show(NORMAL, 59) == []
    bench.show(NORMAL, 2)
    assert key not in bench.log.active
    (record,) = bench.log.records[key]
    assert (record.began_at, record.ended_at, record.number) == (began, began + 61_000, 1)
    assert bench.log.totals[key] == (1, 61_000)


def test_a_current_breaks_without_a_load_elsewhere_and_not_where_there_is_no_voltage() -> None:
    bench = Bench()
    assert {(EventCode.CURRENT_BREAK, phase) for phase in (1, 2, 3)} == codes(
        bench.show(OperatingPoint.balanced(220.0, 0.0), 61)
    )
    assert Bench().show(OperatingPoint.balanced(100.0, 0.0), 50) == []
    silent = Bench()
    silent.show(OperatingPoint.balanced(100.0, 0.0), 61)
    assert not any(code is EventCode.CURRENT_BREAK for code, _ in silent.log.active)


def test_a_demand_is_exceeded_from_the_period_that_was_to_the_one_that_was_not() -> None:
    rule = demand_rule(Ratings(demand_limit=2.0))
    log, registers, changes = EventLog(), Registers(), []
    for minute in range(90):
        power = Power(active=(3 if 30 <= minute < 45 else 1) * 1_000_000_000)
        registers = registers.advanced(power, minute * MINUTE, MINUTE, Billing())
        log, events = log.observed((rule,), registers, (minute + 1) * MINUTE, dict)
        changes += events
    assert [(each.began_at, each.ended_at) for each in changes] == [
        (38 * MINUTE, None), (38 * MINUTE, 53 * MINUTE),
    ]  # fmt: skip


def test_a_normal_supply_has_no_events() -> None:
    assert Bench().show(NORMAL, 200) == []


def test_a_short_dip_is_no_event() -> None:
    bench = Bench()
    for _ in range(4):
        bench.show(with_phase(0, voltage=150.0), 40)
        bench.show(NORMAL, 20)
    assert bench.events == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.901, 0.919), min_size=1, max_size=200), st.booleans())
def test_a_level_between_the_thresholds_never_chatters(levels: list[float], active: bool) -> None:
    bench = Bench(rules_for(RATINGS, delay=0))
    if active:
        bench.show(with_phase(0, voltage=190.0), 1)
    key = (EventCode.UNDER_VOLTAGE, 1)
    for level in levels:
        bench.show(with_phase(0, voltage=level * 220.0), 0.2)
        assert (key in bench.log.active) == active


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(100.0, 260.0), st.integers(1, 90)), max_size=12))
def test_two_changes_of_one_event_are_at_least_a_delay_apart(
    dips: list[tuple[float, int]],
) -> None:
    log, now, last = EventLog(), 0, {}
    for voltage, seconds in dips:
        for _ in range(seconds):
            point = measure_point(with_phase(0, voltage=voltage))
            log, events = log.observed(RULES, point, now, dict)
            for event in events:
                key = (event.code, event.phase)
                assert now - last.get(key, -60_000) >= 60_000
                last[key] = now
            now += 1000


def test_numbers_count_the_events_of_a_code_over_all_phases() -> None:
    bench = Bench(rules_for(RATINGS, delay=0))
    for index in (0, 1, 0, 2):
        bench.show(with_phase(index, voltage=240.0), 1)
        bench.show(NORMAL, 1)
    numbers = [
        (event.number, event.phase)
        for event in bench.events
        if event.code is EventCode.OVER_VOLTAGE and event.ended_at is None
    ]
    assert numbers == [(1, 1), (2, 2), (3, 1), (4, 3)]


def test_ten_records_are_kept_and_all_are_counted() -> None:
    log = EventLog()
    for number in range(25):
        log, _ = log.happened(EventCode.CLOCK_SET, number, number, {})
    assert len(log.records[EventCode.CLOCK_SET, 0]) == 10
    assert log.numbers[EventCode.CLOCK_SET] == 25


def test_a_cover_is_an_event_while_it_is_open() -> None:
    log, opened = EventLog().switched(EventCode.METER_COVER_OPENED, 5, {}, on=True)
    log, again = log.switched(EventCode.METER_COVER_OPENED, 6, {}, on=True)
    log, closed = log.switched(EventCode.METER_COVER_OPENED, 9, {}, on=False)
    assert [len(opened), len(again), len(closed)] == [1, 0, 1]
    assert (closed[0].began_at, closed[0].ended_at) == (5, 9)


def test_a_clock_set_back_does_not_end_an_event_before_its_begin() -> None:
    log, _ = EventLog().begun(EventCode.OVER_VOLTAGE, 1, 1000, {})
    _, event = log.ended(EventCode.OVER_VOLTAGE, 1, 10, {})
    assert event.ended_at == 1000


def test_ratings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError):
        Ratings(current=100.0)

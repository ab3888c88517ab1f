"""Turns of meters, in virtual time."""

from __future__ import annotations

from meterseal.collection.collector.plan import Plan, place_of
from meterseal.collection.model import MeterAddress

METERS = [MeterAddress(f"{number:012}") for number in range(1, 201)]
MINUTE = 60_000


def run(
    plan: Plan, start: int, end: int, silent: frozenset[MeterAddress] = frozenset()
) -> list[tuple[int, MeterAddress]]:
    """Play the plan from `start` to `end`; a silent meter costs a second."""
    now = start
    turns: list[tuple[int, MeterAddress]] = []
    while True:
        meter = plan.take_due(now)
        if meter is None:
            due = plan.next_due()
            if due is None or due >= end:
                return turns
            now = max(now, due)
            continue
        turns.append((now, meter))
        now += 1_000 if meter in silent else 20
        plan.record(meter, now, answered=meter not in silent)


def test_each_meter_has_one_turn_in_each_interval() -> None:
    plan = Plan([(meter, MINUTE) for meter in METERS], spread=MINUTE, now=0)
    turns = run(plan, 0, 10 * MINUTE)
    for meter in METERS:
        minutes = [at // MINUTE for at, each in turns if each == meter]
        assert len(minutes) in {9, 10}, meter  # one may be late over the edge
        assert len(set(minutes)) >= 9


def test_meters_are_spread_over_the_interval_and_keep_their_places() -> None:
    places = [place_of(meter, MINUTE) for meter in METERS]
    assert places == [place_of(meter, MINUTE) for meter in METERS]
    tenths = {place * 10 // MINUTE for place in places}
    assert tenths == set(range(10))


def test_without_a_spread_all_are_read_on_the_minute() -> None:
    plan = Plan([(METERS[0], MINUTE)], spread=0, now=30_000)
    assert plan.next_due() == MINUTE


def test_a_silent_meter_is_asked_more_seldom_and_delays_nobody() -> None:
    silent = frozenset(METERS[:3])
    plan = Plan([(meter, MINUTE) for meter in METERS[:50]], spread=MINUTE, now=0)
    turns = run(plan, 0, 60 * MINUTE, silent)
    for meter in METERS[:50]:
        count = sum(each == meter for _, each in turns)
        assert count < 12 if meter in silent else count >= 59, meter


def test_a_meter_that_answers_again_is_read_every_time() -> None:
    plan = Plan([(METERS[0], MINUTE)], spread=0, now=-1)
    run(plan, 0, 60 * MINUTE, frozenset(METERS[:1]))
    turns = run(plan, 120 * MINUTE, 180 * MINUTE)
    assert len(turns) >= 59


def test_turns_missed_in_an_outage_are_not_made_up_for() -> None:
    plan = Plan([(METERS[0], MINUTE)], spread=0, now=-1)
    assert plan.take_due(13 * 60 * MINUTE) == METERS[0]
    plan.record(METERS[0], 13 * 60 * MINUTE, answered=True)
    assert plan.take_due(13 * 60 * MINUTE) is None


def test_a_clock_set_back_does_not_silence_the_plan() -> None:
    plan = Plan([(meter, MINUTE) for meter in METERS[:5]], spread=MINUTE, now=86_400_000)
    plan.rewind(0)
    due = plan.next_due()
    assert due is not None
    assert due <= MINUTE
    assert len(run(plan, 0, MINUTE)) == 5


def test_a_plan_without_meters_waits_for_ever() -> None:
    plan = Plan([], spread=MINUTE, now=0)
    assert plan.next_due() is None
    assert plan.take_due(10**15) is None

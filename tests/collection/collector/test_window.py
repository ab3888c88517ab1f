"""What is sent next, and what again."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meterseal.collection.collector.window import Lane, Window


def test_backlog_and_live_take_turns() -> None:
    window = Window(newest=100)
    assert window.lanes() == [Lane(0, 100), Lane(100, None)]
    window.sent([1, 2], now=0)
    assert window.lanes() == [Lane(100, None), Lane(2, 100)]
    window.sent([101], now=0)
    assert window.lanes() == [Lane(2, 100), Lane(101, None)]


def test_a_backlog_that_ran_dry_is_over() -> None:
    window = Window(newest=100)
    window.ran_dry(Lane(0, 100))
    assert window.lanes() == [Lane(100, None)]
    window.ran_dry(Lane(100, None))
    assert window.lanes() == [Lane(100, None)]


def test_what_has_no_receipt_is_due_again() -> None:
    window = Window(newest=0, patience=30)
    window.sent([1, 2, 3], now=0)
    window.settled([2])
    assert window.due(29, 10) == []
    assert window.due(30, 10) == [1, 3]
    assert window.due(30, 1) == [1]
    window.sent([1], now=30)
    assert window.due(30, 10) == [3]
    assert window.next_due() == 30


def test_what_stays_without_a_receipt_is_sent_ever_more_seldom() -> None:
    window, now, pauses = Window(newest=0, patience=30), 0.0, []
    for _ in range(8):
        window.sent([1], now)
        due = window.next_due()
        assert due is not None
        assert window.due(due - 1, 10) == []
        assert window.due(due, 10) == [1]
        pauses.append(due - now)
        now = due
    assert pauses == [30, 60, 120, 240, 480, 960, 960, 960]
    window.settled([1])
    window.sent([1, 2], now)
    assert window.due(now + 30, 10) == [1, 2], "with a receipt all begins anew"


def test_what_the_station_does_not_take_now_waits() -> None:
    window = Window(newest=0, patience=30)
    window.sent([1], now=0)
    window.hold([1], until=60)
    assert window.due(59, 10) == []
    assert window.due(60, 10) == [1]
    assert window.room == 4096


def test_a_full_window_has_no_room() -> None:
    window = Window(newest=0, size=2)
    window.sent([1, 2], now=0)
    assert window.room == 0
    window.settled([1])
    assert window.room == 1


class Sending(RuleBasedStateMachine):
    """A station that answers in any order, late or never: nothing is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.outbox = set(range(1, 21))
        self.next = 21
        self.window = Window(newest=20, size=16, patience=5)
        self.out: set[int] = set()

    @rule(count=st.integers(1, 5))
    def read(self, count: int) -> None:
        self.outbox |= set(range(self.next, self.next + count))
        self.next += count

    @rule(count=st.integers(1, 8))
    def send(self, count: int) -> None:
        ids = self.window.due(self.now, count)
        if not ids:
            for lane in self.window.lanes():
                last = lane.last or self.next
                waiting = sorted(each for each in self.outbox if lane.after < each <= last)
                ids = waiting[: min(count, self.window.room)]
                if ids or not self.window.room:
                    break
                self.window.ran_dry(lane)
        self.window.sent(ids, self.now)
        self.out |= set(ids)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        ids = data.draw(st.sets(st.sampled_from(sorted(self.out))))
        self.outbox -= ids
        self.out -= ids
        self.window.settled(ids)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        self.window.hold([data.draw(st.sampled_from(sorted(self.out)))], self.now + 20)

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_forgotten(self) -> None:
        again = set(self.window.due(float("inf"), 10**9))
        fresh = {
            each
            for lane in self.window.lanes()
            for each in self.outbox
            if lane.after < each <= (lane.last or self.next)
        }
        assert self.outbox <= again | fresh


Sending.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSending = Sending.TestCase

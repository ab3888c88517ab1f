"""A clock that is set is noticed, and a station's word ends the doubt."""

from __future__ import annotations

from meterseal.collection.collector.clock import WatchedClock
from meterseal.collection.model import Quality

DAY = 86_400_000


class Times:
    def __init__(self) -> None:
        self.wall = 1_700_000_000_000
        self.steady = 5_000

    def pass_by(self, milliseconds: int) -> None:
        self.wall += milliseconds
        self.steady += milliseconds


def watched() -> tuple[Times, WatchedClock]:
    times = Times()
    return times, WatchedClock(lambda: times.wall, lambda: times.steady)


def test_time_that_passes_is_believed() -> None:
    times, clock = watched()
    times.pass_by(13 * DAY)
    assert clock.now() == times.wall
    assert clock.quality is Quality.SOUND


def test_drift_is_followed() -> None:
    times, clock = watched()
    for _ in range(1000):
        times.pass_by(1000)
        times.wall += 1
        clock.now()
    assert clock.quality is Quality.SOUND


def test_a_step_either_way_puts_it_in_doubt_and_a_station_ends_that() -> None:
    for step in (DAY, -DAY, 400 * DAY, -400 * DAY):
        times, clock = watched()
        times.wall += step
        assert clock.now() == times.wall
        assert clock.quality is Quality.CLOCK_IN_DOUBT
        clock.compare(times.wall - step)
        assert clock.quality is Quality.CLOCK_IN_DOUBT
        times.wall -= step
        clock.compare(times.wall)
        assert clock.quality is Quality.SOUND

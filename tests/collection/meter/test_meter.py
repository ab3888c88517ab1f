"""A meter through the hours: what it shows is on the disk, what it says it says once."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.collection.envelope import verify_all
from meterseal.collection.meter.meter import Meter, MeterConfig
from meterseal.collection.meter.state import MeterState
from meterseal.collection.meter.store import Change, MeterStore
from meterseal.collection.meter.waveform import OperatingPoint
from meterseal.collection.model import (
    EventCode,
    EventRecord,
    MeterAddress,
    Quality,
    Quantity,
    Reading,
    Snapshot,
    Statement,
)
from meterseal.collection.sealing import open_sealed
from meterseal.errors import MalformedData, UsageError
from support.meters import ADDRESS, MORNING, RATINGS, Bench, Supply, sealer_for

SEALER, KEY = sealer_for(ADDRESS)
CONSTANT = 6400
EVENTS_ALONE = MeterConfig(RATINGS, event_delay=1000, snapshot_interval=0)
COUNTERS = [quantity for quantity in Quantity if quantity.unit in {"kWh", "kvarh"}]


def counters(meter: Meter) -> list[int]:
    values = meter.state.registers.values(meter.config.billing)
    return [values[quantity] or 0 for quantity in COUNTERS]


def statements(bench: Bench) -> list[Statement]:
    sealed = [open_sealed(each) for each in bench.meter.sealed_from(0, 10_000)]
    assert all(verify_all([(KEY.public_key(), each.envelope) for each in sealed]))
    return [each.statement for each in sealed]


def test_counts_what_it_measures(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(3610, step=10_000)
    values = bench.meter.values()
    assert values[Quantity.VOLTAGE_A] == 22000
    assert values[Quantity.ACTIVE_POWER] == 33000
    assert values[Quantity.FORWARD_ENERGY] == pytest.approx(3300, abs=11)
    assert values[Quantity.FORWARD_ENERGY_FLAT] == values[Quantity.FORWARD_ENERGY]
    assert values[Quantity.FORWARD_MAXIMUM_DEMAND] == 33000


def test_a_state_survives_the_disk_to_the_last_field(tmp_path: Path) -> None:
    bench = Bench(tmp_path, config=MeterConfig(RATINGS, event_delay=1000))
    bench.run(60)
    bench.supply.point = OperatingPoint.balanced(180.0, 5.0, 190.0)
    bench.run(60)
    bench.supply.point = OperatingPoint.balanced(250.0, 5.0)
    bench.run(16 * 60, step=10_000)
    bench.meter.command(lambda s: (replace(s, registers=s.registers.frozen(1).settled(2)), []))
    state = bench.meter.state
    loaded = MeterState.load(*state.dump(CONSTANT), CONSTANT)
    assert loaded.registers == state.registers
    assert replace(loaded.events, pending={}) == replace(state.events, pending={})
    assert loaded.dump(CONSTANT) == state.dump(CONSTANT)
    assert state.events.records


def test_another_constant_would_falsify_the_counters_and_is_refused() -> None:
    running, history = MeterState().dump(6400)
    with pytest.raises(UsageError, match="6400 pulses per kWh"):
        MeterState.load(running, history, 3200)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_a_state_that_is_none_is_refused(garbage: bytes) -> None:
    _, history = MeterState().dump(CONSTANT)
    with pytest.raises(MalformedData):
        MeterState.load(garbage, history, CONSTANT)


class Flaky:
    """A store whose disk fails now and then: before a commit, or after it (a kill right then)."""

    def __init__(self, store: MeterStore) -> None:
        self.store = store
        self.plan: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def commit(self, changes: list[Change]) -> None:
        fate = self.plan.pop(0) if self.plan else "well"
        if fate == "before":
            raise sqlite3.OperationalError("disk is full")
        self.store.commit(changes)
        if fate == "after":
            raise KeyboardInterrupt


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["well", "before", "after"]),
            st.floats(0.0, 360.0),
            st.floats(0.0, 60.0),
            st.integers(100, 200_000),
        ),
        max_size=25,
    )
)
def test_whatever_was_shown_never_decreases_whenever_it_is_killed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, float, float, int]]
) -> None:
    folder = tmp_path_factory.mktemp("meter")
    supply, config = Supply(), MeterConfig(RATINGS, event_delay=0)
    flaky = Flaky(MeterStore(folder / "meters.sqlite", 1))
    meter = Meter(ADDRESS, supply, config, flaky, SEALER)  # type: ignore[arg-type]
    shown, heard = counters(meter), dict[int, bytes]()
    now = MORNING
    for fate, lag, current, elapsed in steps:
        now += elapsed
        supply.point = OperatingPoint.balanced(220.0, current, lag)
        flaky.plan = [fate]
        change = meter.advance(now, now)
        try:
            flaky.commit([change])
            meter.publish()
        except sqlite3.OperationalError:
            pass  # goes on as it was
        except KeyboardInterrupt:
            flaky.store.close()
            flaky = Flaky(MeterStore(folder / "meters.sqlite", 1))
            meter = Meter(ADDRESS, supply, config, flaky, SEALER)  # type: ignore[arg-type]
        after = counters(meter)
        assert all(b >= a for a, b in zip(shown, after, strict=True))
        shown = after
        held = {open_sealed(each).statement.sequence: each for each in meter.sealed_from(0, 999)}
        assert heard.items() <= held.items()
        assert sorted(held) == list(range(1, meter.state.sequence + 1))
        heard = held
    flaky.store.close()


CHILD = """
import sys
from pathlib import Path
from support.meters import Bench
bench = Bench(Path(sys.argv[1]), wall=int(sys.argv[2]))
while True:
    bench.step(2000)
    print(sum(bench.meter.state.registers.energy.forward), flush=True)
"""


def test_kill_9_loses_nothing_that_was_shown(tmp_path: Path) -> None:
    shown, wall = 0, MORNING
    paths = os.pathsep.join(path for path in sys.path if path)
    for lines in (30, 3, 47):
        command = [sys.executable, "-c", CHILD, str(tmp_path), str(wall)]
        environment = os.environ | {"PYTHONPATH": paths}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
            assert child.stdout is not None
            for _ in range(lines):
                pulses = int(child.stdout.readline())
                assert pulses >= shown
                shown = pulses
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().splitlines()
            shown = max([shown, *(int(line) for line in rest[:-1])])
        wall += 3_600_000
    bench = Bench(tmp_path, wall=wall)
    assert sum(bench.meter.state.registers.energy.forward) >= shown
    assert bench.meter.state.events.numbers[EventCode.POWER_FAILURE] == 2
    bench.close()


@pytest.mark.parametrize("tail", [b"", b"\xff" * 64, bytes(4096)])
def test_a_torn_write_is_as_if_it_had_never_begun(tmp_path: Path, tail: bytes) -> None:
    bench = Bench(tmp_path, sealer=SEALER)
    log = tmp_path / "meters.sqlite-wal"
    bench.run(59)
    whole, before = log.stat().st_size, bench.meter.state.dump(CONSTANT)
    bench.step(2000)  # into the next minute: a state and a statement
    bench_size, after = log.stat().st_size, bench.meter.state.dump(CONSTANT)
    assert before != after
    for cut in range(0, bench_size - whole + 1, 997):
        copy = tmp_path / f"cut-{cut}"
        copy.mkdir()
        for file in (tmp_path / "meters.sqlite", log):
            shutil.copy(file, copy)
        with (copy / log.name).open("r+b") as torn:
            torn.truncate(bench_size - cut)
            torn.seek(0, os.SEEK_END)
            torn.write(tail)
        store = MeterStore(copy / "meters.sqlite", 1)
        kept = store.load(ADDRESS)
        assert kept is not None
        assert MeterState.load(*kept, CONSTANT).dump(CONSTANT) == (before if cut else after)
        assert len(store.statements(ADDRESS, 0, 99)) == (1 if cut else 2)
        store.close()
    bench.close()


def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.step()
    with pytest.raises(UsageError, match="cannot be used"):
        MeterStore(tmp_path / "meters.sqlite", 1)
    bench.close()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meters.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        MeterStore(path, 1)


def test_a_failed_commit_is_made_up_for_by_the_next_step(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(60, step=5000)
    before = counters(bench.meter)
    bench.wall, bench.steady = bench.wall + 60_000, bench.steady + 60_000
    bench.meter.advance(bench.wall, bench.steady)  # never committed
    assert counters(bench.meter) == before
    bench.step(60_000)
    energy = bench.meter.values()[Quantity.FORWARD_ENERGY] or 0
    assert energy - before[0] == pytest.approx(3300 / 30, abs=1)


def test_time_without_power_is_an_event_and_counts_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(10)
    down, before = bench.wall, counters(bench.meter)
    bench.close()
    bench = Bench(tmp_path, wall=down + 7_200_000)
    bench.step(0)
    assert counters(bench.meter) == before
    (failure,) = bench.meter.state.events.records[EventCode.POWER_FAILURE, 0]
    assert (failure.began_at, failure.ended_at) == (down, down + 7_200_000)


def test_a_process_that_stood_still_was_without_power(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(10)
    before = counters(bench.meter)
    bench.step(600_000)
    assert counters(bench.meter) == before
    assert bench.meter.state.events.numbers[EventCode.POWER_FAILURE] == 1


def test_a_step_of_the_computers_clock_does_not_move_the_meters(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(10)
    energy, now = counters(bench.meter), bench.meter.state.now
    bench.wall += 86_400_000
    bench.step()
    assert bench.meter.state.now == now + 1000
    assert (counters(bench.meter)[0] - energy[0]) <= 1


def test_a_clock_that_ran_back_before_the_start_is_in_doubt(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(10)
    bench.close()
    bench = Bench(tmp_path, wall=MORNING - 86_400_000, sealer=SEALER)
    bench.step()
    assert bench.meter.state.events.numbers[EventCode.CLOCK_SET] == 1
    assert all(each.quality & Quality.CLOCK_IN_DOUBT for each in statements(bench))
    bench.meter.set_clock(MORNING + 60_000, bench.steady)
    bench.run(61)
    assert not statements(bench)[-1].quality & Quality.CLOCK_IN_DOUBT
    bench.close()


def test_setting_the_clock_is_an_event_and_adds_no_energy(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(60)
    before, now = counters(bench.meter), bench.meter.clock(bench.steady)
    bench.meter.set_clock(now + 240_000, bench.steady)
    assert bench.meter.clock(bench.steady) == now + 240_000
    (event,) = bench.meter.state.events.records[EventCode.CLOCK_SET, 0]
    assert (event.began_at, event.ended_at) == (now, now + 240_000)
    assert counters(bench.meter) == before
    assert bench.meter.state.registers.forward_demand.minutes == ()
    bench.step()
    assert bench.meter.clock(bench.steady) == now + 241_000


def test_seals_a_reading_a_minute_and_each_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path, config=EVENTS_ALONE, sealer=SEALER)
    bench.run(121)
    assert [type(each) for each in statements(bench)] == [Reading, Reading, Reading]
    bench.supply.point = OperatingPoint.balanced(250.0, 5.0)
    bench.run(5)
    bench.meter.set_cover(EventCode.METER_COVER_OPENED, is_open=True)
    said = statements(bench)[3:]
    over = [each for each in said if isinstance(each, EventRecord)]
    assert [each.code for each in over] == [EventCode.OVER_VOLTAGE] * 3 + [
        EventCode.METER_COVER_OPENED
    ]
    assert [each.phase for each in over] == [1, 2, 3, 0]
    (snapshot,) = [each for each in said if isinstance(each, Snapshot)]
    samples = snapshot.channels["U_B"]
    scale = float(snapshot.voltage_scale)
    assert len(samples) == 128
    assert max(samples) * scale == pytest.approx(250 * 2**0.5, rel=1e-2)
    assert [each.sequence for each in statements(bench)] == list(range(1, 9))
    assert {each.epoch for each in statements(bench)} == {MORNING // 1000}
    assert all(each.quality & Quality.SIMULATED for each in said)


def test_seals_a_snapshot_at_the_start_and_each_quarter_of_an_hour(tmp_path: Path) -> None:
    bench = Bench(tmp_path, config=MeterConfig(RATINGS), sealer=SEALER)
    bench.run(1860, step=60_000)
    snapshots = [each for each in statements(bench) if isinstance(each, Snapshot)]
    assert [each.sampled_at - MORNING for each in snapshots] == [60_000, 900_000, 1_800_000]
    assert set(snapshots[0].channels) == {"U_A", "U_B", "U_C", "I_A", "I_B", "I_C"}


def test_a_sealed_reading_holds_what_is_on_the_disk(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sealer=SEALER)
    bench.run(121)
    reading = statements(bench)[-1]
    assert isinstance(reading, Reading)
    assert reading.values[Quantity.CURRENT_A] == 5000
    assert reading.values[Quantity.FORWARD_ENERGY] == pytest.approx(110, abs=2)
    assert reading.sampled_at % 60_000 == 0


def test_only_so_many_statements_are_held(tmp_path: Path) -> None:
    store = MeterStore(tmp_path / "meters.sqlite", 1, held=5)
    meter = Meter(ADDRESS, Supply(), MeterConfig(RATINGS, seal_interval=1000), store, SEALER)
    for now in range(0, 20_000, 1000):
        store.commit([meter.advance(MORNING + now, now)])
        meter.publish()
    assert meter.oldest_sealed() == meter.state.sequence - 4
    assert len(meter.sealed_from(0, 99)) == 5
    store.close()


def test_without_a_key_nothing_is_sealed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(121)
    assert bench.meter.sealed_from(0, 99) == []
    assert bench.meter.oldest_sealed() is None
    assert bench.meter.state.sequence == 0


def test_a_certificate_of_another_meter_is_refused(tmp_path: Path) -> None:
    sealer, _ = sealer_for(MeterAddress("999999999999"))
    with pytest.raises(UsageError, match="meter-999999999999"):
        Bench(tmp_path, sealer=sealer)


@pytest.mark.parametrize("wrong", [{"seal_interval": 10}, {"password": "12345"}])
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        MeterConfig(RATINGS, **wrong)  # type: ignore[arg-type]

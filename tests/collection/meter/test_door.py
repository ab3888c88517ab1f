"""What a line may read of a meter, and what it may do to it: through whole frames."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterseal.collection.dlt645 import (
    BROADCAST,
    FAMILIES,
    SEALED_BY_SEQUENCE,
    SEALED_FROM,
    SEALED_HELD,
    SEALED_NEWEST,
    Authority,
    Conversation,
    Frame,
    Request,
    Slave,
    SlaveLine,
    decode_block,
    decode_item,
    decode_quantities,
)
from meterseal.collection.dlt645.load_record import LoadRecord, decode_records
from meterseal.collection.dlt645.values import Value
from meterseal.collection.meter.door import Door
from meterseal.collection.meter.meter import MeterConfig
from meterseal.collection.meter.store import MeterStore
from meterseal.collection.meter.waveform import OperatingPoint, PhasePoint
from meterseal.collection.model import EventCode, MeterAddress, Quantity
from meterseal.collection.sealing import open_sealed
from meterseal.errors import MeterRefused
from support.meters import ADDRESS, MORNING, RATINGS, Bench, sealer_for

AUTHORITY = Authority(2, "000000")
EIGHT = datetime(2026, 11, 23, 8)  # noqa: DTZ001  (by the meter's own clock)
MIDNIGHT = EIGHT + timedelta(hours=16)


class Line:
    """A master, a wire and one meter at its end."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        door = Door(bench.meter, lambda: bench.steady)
        self.wire = SlaveLine([Slave(ADDRESS, door)])

    def ask(self, request: Request, address: str = ADDRESS) -> bytes:
        master = Conversation()
        sent = master.request(address, request, allow_change=True)
        while True:
            received = self.wire.receive_data(sent)
            if address == BROADCAST:
                assert received == b""
                return b""
            answer = master.receive_data(received)
            if answer is not None:
                return answer.data
            sent = master.data_to_send()
            assert sent

    def data(self, code: int) -> bytes:
        return self.ask(Request.read(code))

    def read(self, code: int) -> tuple[Value, ...]:
        return decode_item(code, self.data(code))

    def block(self, code: int) -> list[tuple[Value, ...]]:
        return list(decode_block(code, self.data(code)).values())

    def quantities(self, code: int) -> dict[Quantity, int | None]:
        return decode_quantities(code, self.data(code))


@pytest.fixture
def line(tmp_path: Path) -> Line:
    config = MeterConfig(RATINGS, event_delay=1000, snapshot_interval=0, password="000000")
    bench = Bench(tmp_path, config=config, sealer=sealer_for(ADDRESS)[0])
    bench.step()
    return Line(bench)


def test_present_values_are_read_one_by_one_and_in_blocks(line: Line) -> None:
    line.bench.supply.point = OperatingPoint(
        (PhasePoint(231.4, 5.301, 190.0), PhasePoint(229.9, 4.987, 20.0, -120.0), None)
    )
    line.bench.step()
    assert line.read(0x02010100) == (2314,)
    assert line.block(0x0201FF00) == [(2314,), (2299,), (None,)]
    assert line.block(0x0202FF00) == [(5301,), (4987,), (None,)]
    powers = line.quantities(0x0203FF00)
    assert powers[Quantity.ACTIVE_POWER_A] == -12080
    assert powers[Quantity.ACTIVE_POWER] == -12080 + 10774
    assert powers[Quantity.ACTIVE_POWER_C] is None
    assert line.read(0x02060100) == (-985,)
    assert line.read(0x02070100) == (1900,)
    assert line.read(0x02800002) == (5000,)
    assert line.quantities(0x0208FF00)[Quantity.VOLTAGE_THD_A] == 0


def test_harmonics_are_read_by_phase_and_order(line: Line) -> None:
    point = OperatingPoint.balanced(220.0, 5.0)
    line.bench.supply.point = replace(point, current_harmonics=((5, 0.061),))
    line.bench.step()
    assert line.read(0x020B0205) == (610,)
    assert line.read(0x020A0205) == (0,)
    assert len(line.block(0x020B03FF)) == 21


def test_energies_are_read_with_their_tariffs(line: Line) -> None:
    line.bench.run(5460, step=60_000)
    rows = line.block(0x0001FF00)
    assert rows == [(500,), (0,), (0,), (500,), (0,)]
    assert line.read(0x00010000) == (500,)
    assert line.read(0x00000300) == (500,)  # combined: forward and reverse
    assert line.read(0x00020000) == (0,)
    assert line.read(0x00050000) == (0,)
    with pytest.raises(MeterRefused):
        line.read(0x00010500)


def test_demand_is_read_with_its_time(line: Line) -> None:
    line.bench.run(1200, step=60_000)
    steps, at = line.read(0x01010000)
    assert steps == 33000
    assert at == EIGHT + timedelta(minutes=16)  # the first minute was not whole
    assert line.read(0x02800003) == (33000,)
    assert line.read(0x02800004) == (33000,)
    assert line.read(0x01020000) == (0, None)


def test_settlements_and_freezes_are_read_back(line: Line) -> None:
    line.bench.run(3660, step=60_000)
    line.ask(Request.freeze(), BROADCAST)
    registers = line.bench.meter.state.registers.settled(MORNING)
    line.bench.meter.command(lambda state: (replace(state, registers=registers), ()))
    line.bench.run(3660, step=60_000)
    assert line.read(0x00010001) == (335,)
    assert line.read(0x01010001)[0] == 33000
    assert line.read(0x05010001) == (EIGHT + timedelta(minutes=61),)
    assert line.read(0x05010101) == (335, 0, 0, 335, 0)
    assert line.read(0x05010901)[0] == 33000
    for code in (0x00010002, 0x05010002, 0x05060001):
        with pytest.raises(MeterRefused):
            line.read(code)


def test_a_freeze_by_schedule_is_refused(line: Line) -> None:
    with pytest.raises(MeterRefused):
        line.ask(Request.freeze("99990800"))


def test_parameters_tell_what_the_meter_is(line: Line) -> None:
    assert line.read(0x04000101) == (date(2026, 11, 23),)
    assert line.read(0x04000102) == (time(8, 0, 1),)
    assert line.read(0x04000401) == (ADDRESS,)
    assert line.read(0x04000409) == (6400,)
    assert line.read(0x04000103) == (15,)
    assert line.read(0x04000407) == ("0.2S",)
    assert line.read(0x04010001)[:2] == ("000004", "080003")
    assert line.ask(Request.read_address()) == bytes.fromhex(ADDRESS)[::-1]


def test_events_are_counted_by_phase_and_set_status_bits(line: Line) -> None:
    line.bench.supply.point = OperatingPoint.balanced(250.0, 5.0)
    line.bench.run(121)
    assert line.read(0x03030000) == (1, 0, 1, 0, 1, 0)
    assert line.read(0x04000504) == (1 << 2,)
    assert line.read(0x04000507) == (0,)
    line.bench.supply.point = OperatingPoint.balanced(220.0, 5.0)
    line.bench.run(3)
    assert line.read(0x03030000) == (1, 2, 1, 2, 1, 2)
    assert line.read(0x04000504) == (0,)
    line.bench.meter.set_cover(EventCode.TERMINAL_COVER_OPENED, is_open=True)
    assert line.read(0x03300E00) == (1,)
    assert line.read(0x03300D00) == (0,)
    assert line.read(0x03110000) == (0,)


def event_of(line: Line, code: int, point: OperatingPoint) -> tuple[Value, ...]:
    """Let a supply be so for an hour, and read the record of the event that this was."""
    line.bench.supply.point = point
    line.bench.run(3600, step=60_000)
    with pytest.raises(MeterRefused, match="no such data"):
        line.read(code)  # there is no record before it is over
    line.bench.supply.point = OperatingPoint.balanced(220.0, 5.0)
    line.bench.run(120, step=60_000)
    assert line.read(code & 0xFFFF_0000)[0] == 1 or code & 0xFF00
    return line.read(code)


SAGGING = OperatingPoint(
    (PhasePoint(220.0, 5.0), PhasePoint(150.0, 4.0, 60.0, -120.0), PhasePoint(220.0, 5.0, 0, 120.0))
)


def test_the_record_of_a_voltage_loss_tells_what_was_and_what_was_counted(line: Line) -> None:
    began, ended, *fields = event_of(line, 0x03010201, SAGGING)
    assert (began, ended) == (
        EIGHT + timedelta(minutes=1, seconds=1),
        EIGHT + timedelta(minutes=61, seconds=1),
    )
    assert fields[:4] == [pytest.approx(250, abs=4), 0, pytest.approx(52, abs=2), 0], "0.01 kWh"
    a, b, c = (fields[4 + 9 * phase : 13 + 9 * phase] for phase in range(3))
    assert a[:4] == [None] * 4, "energies of phases are not counted"
    assert a[4:] == [2200, 5000, 11000, 0, 1000]
    assert b[4:] == [1500, 4000, 3000, 5196, 500]
    assert c[4:7] == [2200, 5000, 11000]
    assert fields[31:] == [None] * 4, "nor are ampere hours"


def test_the_other_records_have_the_fields_of_their_kind(line: Line) -> None:
    lost = OperatingPoint.balanced(50.0, 5.0)
    began, current, ended = event_of(line, 0x03050001, lost)
    assert (current, ended - began) == (5000, timedelta(hours=1))
    assert line.read(0x03020101)[10] == 500, "the voltage of A as the under-voltage began"
    with pytest.raises(MeterRefused):
        line.read(0x03020102)
    reversed_b = OperatingPoint(
        (PhasePoint(220.0, 5.0), PhasePoint(220.0, 1.0, 180.0, -120.0),
         PhasePoint(220.0, 5.0, 0, 120.0))
    )  # fmt: skip
    record = event_of(line, 0x030E0201, reversed_b)
    assert len(record) == 18
    assert record[2] == pytest.approx(198, abs=5)
    unbalance = line.read(0x030A0001)
    assert unbalance[2] is None, "the greatest is not kept"
    assert unbalance[3] == pytest.approx(198, abs=5)


def test_a_demand_that_was_exceeded_is_counted_and_recorded(tmp_path: Path) -> None:
    ratings = replace(RATINGS, demand_limit=2.0)
    bench = Bench(tmp_path, config=MeterConfig(ratings, snapshot_interval=0))
    line = Line(bench)
    bench.step()
    assert line.read(0x04000E01) == (20_000,)
    bench.run(1800, step=60_000)
    bench.supply.point = OperatingPoint.balanced(220.0, 1.0)
    bench.run(1800, step=60_000)
    assert line.read(0x03120000) == (1, None, None, None, None, None)
    began, ended, most, _ = line.read(0x03120101)
    assert (began, most) == (EIGHT + timedelta(minutes=16, seconds=1), 33_000)
    assert ended > began
    for code in (0x01010000, 0x01010300):
        assert line.read(code)[0] == 33_000
    assert line.read(0x01010100) == (0, None)


def test_a_cover_that_was_open_has_the_registers_of_before_and_after(line: Line) -> None:
    line.bench.run(3600, step=60_000)
    line.bench.meter.set_cover(EventCode.METER_COVER_OPENED, is_open=True)
    line.bench.run(3600, step=60_000)
    line.bench.meter.set_cover(EventCode.METER_COVER_OPENED, is_open=False)
    _, _, *registers = line.read(0x03300D01)
    assert registers == [330, 0, 0, 0, 0, 0, pytest.approx(660, abs=1), 0, 0, 0, 0, 0]


def test_what_the_meter_does_not_have_is_refused(line: Line) -> None:
    for code in (0x02800008, 0x03010101, 0x03120101, 0x04FF0001, 0x00900100, 0x01030000):
        with pytest.raises(MeterRefused, match="no such data"):
            line.data(code)


def test_a_broadcast_moves_the_clock_a_little_once_a_day(line: Line) -> None:
    line.ask(Request.broadcast_time(EIGHT + timedelta(minutes=4)), BROADCAST)
    assert line.read(0x04000102) == (time(8, 4),)
    assert line.read(0x03300400) == (1,)
    operator, before, after = line.read(0x03300401)
    assert (operator, before, after) == (
        "00000000",
        EIGHT + timedelta(seconds=1),
        EIGHT + timedelta(minutes=4),
    )
    line.ask(Request.broadcast_time(EIGHT + timedelta(minutes=2)), BROADCAST)
    assert line.read(0x04000102) == (time(8, 4),)


@pytest.mark.parametrize(
    "moment",
    [
        EIGHT + timedelta(minutes=6),
        EIGHT - timedelta(minutes=6),
        EIGHT + timedelta(days=1),
        EIGHT - timedelta(days=1),
        EIGHT.replace(year=2099),
        EIGHT.replace(year=2000),
    ],
)
def test_a_broadcast_that_leaps_is_not_heard(line: Line, moment: datetime) -> None:
    line.ask(Request.broadcast_time(moment), BROADCAST)
    assert line.read(0x04000102) == (time(8, 0, 1),)
    assert line.read(0x03300400) == (0,)


def test_a_broadcast_around_midnight_is_not_heard(tmp_path: Path) -> None:
    bench = Bench(tmp_path, wall=MORNING + 15 * 3_600_000 + 57 * 60_000)
    bench.step()
    line = Line(bench)
    line.ask(Request.broadcast_time(MIDNIGHT + timedelta(minutes=1)), BROADCAST)
    line.ask(Request.broadcast_time(MIDNIGHT - timedelta(minutes=1)), BROADCAST)
    assert line.read(0x03300400) == (0,)


def test_the_time_is_written_with_the_password_in_bounded_steps(line: Line) -> None:
    at = time(8, 50)
    data = bytes.fromhex("005008")
    with pytest.raises(MeterRefused, match="authorised"):
        line.ask(Request.write(0x04000102, data, Authority(2, "000001")))
    with pytest.raises(MeterRefused, match="authorised"):
        line.ask(Request.write(0x04000102, data, Authority(4, "000000")))
    with pytest.raises(MeterRefused):
        line.ask(Request.write(0x04000102, bytes.fromhex("000010"), AUTHORITY))
    line.ask(Request.write(0x04000102, data, AUTHORITY))
    assert line.read(0x04000102) == (at,)
    with pytest.raises(MeterRefused):  # no second step within the hour
        line.ask(Request.write(0x04000102, bytes.fromhex("004009"), AUTHORITY))
    with pytest.raises(MeterRefused):
        line.ask(Request.write(0x04000101, bytes.fromhex("02241126"), AUTHORITY))
    assert line.read(0x03300400) == (1,)


def test_demand_is_cleared_with_the_password_alone(line: Line) -> None:
    line.bench.run(1260, step=60_000)
    with pytest.raises(MeterRefused, match="authorised"):
        line.ask(Request.clear_demand(Authority(2, "999999")))
    assert line.read(0x01010000)[0] == 33000
    line.ask(Request.clear_demand(AUTHORITY))
    assert line.read(0x01010000) == (0, None)
    assert line.read(0x00010000)[0] == 115


def test_without_a_password_of_its_own_a_meter_takes_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.step()
    for digits in ("000000", "111111"):
        with pytest.raises(MeterRefused, match="authorised"):
            Line(bench).ask(Request.clear_demand(Authority(2, digits)))


@pytest.mark.parametrize(
    "request_",
    [
        Request.clear_meter(AUTHORITY),
        Request.clear_events(AUTHORITY),
        Request.write_address("111111111111"),
        Request.change_rate(9600),
        Request.change_password(0x04000C02, AUTHORITY, AUTHORITY),
        Request.control(AUTHORITY, 0x1A, EIGHT),
        Request.write(0x04000103, b"\x30", AUTHORITY),
    ],
)
def test_all_else_is_refused_even_with_the_password(line: Line, request_: Request) -> None:
    before = line.bench.meter.state
    with pytest.raises(MeterRefused):
        line.ask(request_)
    assert line.bench.meter.state == before


def test_sealed_statements_are_handed_out_in_following_frames(line: Line) -> None:
    line.bench.run(180)
    newest = open_sealed(line.data(SEALED_NEWEST)).statement
    assert newest.sequence == line.bench.meter.state.sequence == 4
    assert open_sealed(line.data(SEALED_BY_SEQUENCE + 2)).statement.sequence == 2
    held = [open_sealed(each).statement.sequence for each in cbor2.loads(line.data(SEALED_HELD))]
    assert held == [1, 2, 3, 4]
    later = cbor2.loads(line.data(SEALED_FROM + 3))
    assert [open_sealed(each).statement.sequence for each in later] == [3, 4]
    assert cbor2.loads(line.data(SEALED_FROM + 5)) == []
    with pytest.raises(MeterRefused, match="no such data"):
        line.data(SEALED_BY_SEQUENCE + 5)


def test_sequence_numbers_beyond_16_bits_are_found_by_their_end(line: Line) -> None:
    meter = line.bench.meter
    meter.command(lambda state: (replace(state, sequence=0x2FFFE), ()))
    line.bench.run(300)
    assert meter.state.sequence == 0x30003
    statement = open_sealed(line.data(SEALED_BY_SEQUENCE + 2)).statement
    assert statement.sequence == 0x30002
    later = cbor2.loads(line.data(SEALED_FROM + 0xFFFF))
    assert [open_sealed(each).statement.sequence for each in later] == list(range(0x2FFFF, 0x30004))


def test_many_statements_come_in_several_answers(line: Line) -> None:
    line.bench.run(100 * 60, step=60_000)
    first = cbor2.loads(line.data(SEALED_HELD))
    assert 30 < len(first) <= 64
    last = open_sealed(first[-1]).statement.sequence
    rest = cbor2.loads(line.data(SEALED_FROM + last + 1))
    assert open_sealed(rest[0]).statement.sequence == last + 1


def test_a_meter_without_a_key_has_nothing_sealed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(61)
    with pytest.raises(MeterRefused, match="no such data"):
        Line(bench).data(SEALED_NEWEST)


def test_a_full_disk_refuses_and_changes_nothing(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    before = line.bench.meter.state
    monkeypatch.setattr(MeterStore, "commit", full)
    with pytest.raises(MeterRefused):
        line.ask(Request.clear_demand(AUTHORITY))
    assert line.bench.meter.state == before


def test_load_records_are_kept_each_quarter_of_an_hour(line: Line) -> None:
    line.bench.run(3600, step=60_000)

    def records(code: int, count: int, since: datetime | None = None) -> list[LoadRecord]:
        return decode_records(line.ask(Request.read_load_record(code, count, since)))

    quarters = [EIGHT + timedelta(minutes=15 * number) for number in range(1, 5)]
    assert [each.stored_at for each in records(0x06000000, 9)] == quarters
    assert [each.stored_at for each in records(0x06000000, 2)] == quarters[:2]
    assert [each.stored_at for each in records(0x06000001, 9, quarters[2])] == quarters[2:]
    (latest,) = records(0x06000002, 1)
    assert latest.stored_at == quarters[-1]
    assert latest.values[0x02010200] == 2200
    assert latest.values[0x02030000] == 33000
    assert latest.values[0x00010000] in {329, 330}
    for code, since in ((0x06000001, MIDNIGHT), (0x06010000, None), (0x06000001, None)):
        with pytest.raises(MeterRefused, match="no such data"):
            records(code, 1, since)


def test_energies_begin_again_when_their_digits_are_full(line: Line) -> None:
    pulses = 6400 * 999_999 + 6399
    energy = replace(line.bench.meter.state.registers.energy, forward=(0, 0, pulses, 0))
    registers = replace(line.bench.meter.state.registers, energy=energy)
    line.bench.meter.command(lambda state: (replace(state, registers=registers), ()))
    assert line.read(0x00010000) == (99_999_999,)
    line.bench.run(60, step=60_000)
    assert line.read(0x00010000) == (5,)
    assert line.bench.meter.values()[Quantity.FORWARD_ENERGY] == 1_000_000_054


codes = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.builds(
        lambda group, low: group << 16 | low,
        st.sampled_from(sorted({family.group for family in FAMILIES} | {0xE100, 0xE101, 0xE102})),
        st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0xFF00, 0x00FF, 0xFFFF, 0x0001])),
    ),
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(function=st.integers(0, 31), code=codes, rest=st.binary(max_size=40))
def test_whatever_is_asked_a_meter_answers_or_is_silent(
    line: Line, function: int, code: int, rest: bytes
) -> None:
    data = code.to_bytes(4, "little") + rest
    for body in (data, data[:4], b""):
        frame = Frame(MeterAddress(ADDRESS), function, body)
        line.wire.receive_data(frame.encode())
    assert line.read(0x04000401) == (ADDRESS,)

"""Energy, tariffs, demand, settlement: what the registers promise."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.collection.meter.registers import Billing, Energy, Power, Registers
from meterseal.collection.meter.tariff import MINUTE, Calendar, Tariff, TariffSchedule
from meterseal.collection.model import Quantity
from meterseal.errors import UsageError

BILLING = Billing()
HOUR = 60 * MINUTE
KILOWATT = 1_000_000_000  # microwatts


def moment(*local: int) -> int:
    return BILLING.calendar.moment(datetime(*local))  # noqa: DTZ001


def run(
    registers: Registers, kilowatts: float, begin: int, elapsed: int, kvar: float = 0
) -> Registers:
    power = Power(round(kilowatts * KILOWATT), round(kvar * KILOWATT))
    return registers.advanced(power, begin, elapsed, BILLING)


def test_an_hour_at_one_kilowatt_is_one_kilowatt_hour_of_pulses() -> None:
    registers = run(Registers(), 1.0, moment(2026, 11, 23, 1), HOUR)
    assert registers.energy.forward == (0, 0, 0, 6400)
    assert registers.values(BILLING)[Quantity.FORWARD_ENERGY] == 1000


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(1, 10_000)), max_size=30))
def test_nothing_is_lost_to_rounding_however_the_time_is_cut(steps: list[tuple[int, int]]) -> None:
    energy, work = Energy(), 0
    for active, elapsed in steps:
        energy = energy.added(Power(active), elapsed, Tariff.FLAT, 6400)
        work += active * elapsed * 6400
    assert energy.forward[Tariff.FLAT - 1] == work // 3_600_000_000_000_000


def test_tariffs_switch_at_their_minute() -> None:
    begin = moment(2026, 11, 23, 18, 30)
    registers = run(Registers(), 2.0, begin, HOUR)
    assert registers.energy.forward == (6400, 6400, 0, 0)


@pytest.mark.parametrize(
    ("kilowatts", "kvar", "quadrant"), [(1, 1, 0), (-1, 1, 1), (-1, -1, 2), (1, -1, 3)]
)
def test_reactive_energy_goes_to_its_quadrant(kilowatts: int, kvar: int, quadrant: int) -> None:
    registers = run(Registers(), kilowatts, moment(2026, 11, 23), HOUR, kvar=kvar)
    expected = [0, 0, 0, 0]
    expected[quadrant] = 6400
    assert registers.energy.quadrants == tuple(expected)
    assert (sum(registers.energy.forward) > 0) == (kilowatts > 0)
    assert (sum(registers.energy.reverse) > 0) == (kilowatts < 0)


powers = st.builds(Power, st.integers(-(10**11), 10**11), st.integers(-(10**11), 10**11))


def counters(registers: Registers) -> tuple[int, ...]:
    values = registers.values(BILLING)
    return tuple(
        values[quantity] or 0 for quantity in Quantity if quantity.unit in {"kWh", "kvarh"}
    )


@settings(deadline=None)
@given(st.lists(st.tuples(powers, st.integers(0, 3 * HOUR)), max_size=20))
def test_no_counter_ever_decreases(steps: list[tuple[Power, int]]) -> None:
    registers, now = Registers(), moment(2026, 10, 31, 20)
    for power, elapsed in steps:
        after = registers.advanced(power, now, elapsed, BILLING)
        assert all(b >= a for a, b in zip(counters(registers), counters(after), strict=True))
        registers, now = after, now + elapsed


def test_energy_is_not_integrated_backwards() -> None:
    with pytest.raises(UsageError, match="backwards"):
        Energy().added(Power(1), -1, Tariff.FLAT, 6400)


def test_the_maximum_demand_is_the_highest_sliding_quarter_of_an_hour() -> None:
    begin = moment(2026, 11, 23, 9, 7)
    registers = run(Registers(), 1.0, begin, 20 * MINUTE)
    registers = run(registers, 4.0, begin + 20 * MINUTE, 10 * MINUTE)
    registers = run(registers, 1.0, begin + 30 * MINUTE, 30 * MINUTE)
    steps, at = registers.forward_demand.maximum
    assert (steps, at) == (30_000, begin + 30 * MINUTE)
    assert registers.forward_demand.latest == 10_000
    assert registers.reverse_demand.maximum == (0, 0)


def test_demand_by_blocks_closes_at_the_quarters_of_the_hour() -> None:
    blocks = replace(BILLING, demand_step=15)
    begin = moment(2026, 11, 23, 9, 0)
    registers = Registers().advanced(Power(KILOWATT), begin, 20 * MINUTE, blocks)
    registers = registers.advanced(Power(4 * KILOWATT), begin + 20 * MINUTE, 10 * MINUTE, blocks)
    assert registers.forward_demand.maximum == (30_000, begin + 30 * MINUTE)


def test_a_period_that_began_in_the_middle_of_a_minute_does_not_count() -> None:
    begin = moment(2026, 11, 23, 9, 0) + 30_000
    registers = run(Registers(), 1.0, begin, 15 * MINUTE)
    assert registers.forward_demand.maximum == (0, 0)
    registers = run(registers, 1.0, begin + 15 * MINUTE, MINUTE)
    assert registers.forward_demand.maximum == (10_000, begin + 15 * MINUTE + 30_000)


def test_settlement_keeps_the_bill_and_begins_a_new_maximum() -> None:
    begin = moment(2026, 11, 30, 23)
    registers = run(Registers(), 2.0, begin, HOUR)
    (bill,) = registers.history.settlements
    assert bill.at == moment(2026, 12, 1)
    assert bill.energy.forward == (0, 0, 0, 12_800)
    at = begin + 15 * MINUTE
    assert bill.forward_maxima == ((20_000, at), (0, 0), (0, 0), (0, 0), (20_000, at))
    assert registers.forward_demand.maximum == (0, 0)
    assert registers.history.days[0].at == bill.at


def test_bills_missed_without_power_are_cut_when_it_returns() -> None:
    down = moment(2026, 9, 15)
    registers = run(Registers(), 1.0, down - HOUR, HOUR)
    registers = registers.resumed(down, moment(2026, 11, 2), BILLING)
    bills = registers.history.settlements
    assert [bill.at for bill in bills] == [moment(2026, 11, 1), moment(2026, 10, 1)]
    assert all(bill.energy.forward == registers.energy.forward for bill in bills)


def test_history_is_bounded() -> None:
    registers = Registers()
    for number in range(100):
        registers = registers.frozen(number).settled(number)
    assert len(registers.history.settlements) == 12
    assert [record.at for record in registers.history.freezes] == [99, 98, 97]
    for day in range(70):
        registers = run(registers, 0, moment(2026, 1, 1) + day * 24 * HOUR - 1, 1)
    assert len(registers.history.days) == 62


def test_each_tariff_has_the_maximum_demand_of_its_own_periods() -> None:
    registers = run(Registers(), 1.0, moment(2026, 11, 23, 9), 2 * HOUR)  # flat, peak from 10
    registers = run(registers, 3.0, moment(2026, 11, 23, 11, 50), HOUR // 2)  # peak, flat from 12
    total, sharp, peak, flat, valley = registers.forward_demand.maxima
    assert total == (30_000, moment(2026, 11, 23, 12, 5))
    assert peak[0] == 23_333, "ten minutes at 3 kW and five at 1 kW"
    assert flat == (30_000, moment(2026, 11, 23, 12, 15)), "no minute of it was of another tariff"
    assert sharp == valley == (0, 0)


def test_clearing_demand_leaves_energy_alone() -> None:
    registers = run(Registers(), 1.0, moment(2026, 11, 23), HOUR)
    cleared = registers.demand_cleared()
    assert cleared.forward_demand.maximum == (0, 0)
    assert cleared.energy == registers.energy


@pytest.mark.parametrize(
    "switches",
    [(), ((5, Tariff.FLAT), (5, Tariff.PEAK)), ((1440, Tariff.FLAT),), ((-1, Tariff.FLAT),)],
)
def test_schedules_that_make_no_sense_are_refused(
    switches: tuple[tuple[int, Tariff], ...],
) -> None:
    with pytest.raises(UsageError):
        TariffSchedule(switches)


def test_a_schedule_holds_over_midnight() -> None:
    schedule = TariffSchedule(((6 * 60, Tariff.FLAT), (22 * 60, Tariff.VALLEY)))
    assert [schedule.at(minute) for minute in (0, 359, 360, 1319, 1320)] == [4, 4, 3, 3, 4]


@pytest.mark.parametrize("period", [{"demand_period": 7}, {"demand_step": 4}, {"constant": 999}])
def test_billing_that_makes_no_sense_is_refused(period: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Billing(**period)


def test_a_settlement_on_a_day_that_some_months_lack_is_refused() -> None:
    with pytest.raises(UsageError):
        Calendar(settlement_day=29)

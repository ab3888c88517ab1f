"""Energy and demand: whole pulses that never decrease, and what is kept of them.

Registers are values. What follows from a measurement is a new value beside the old one, so that a
meter can bring the new one to the disk before it shows it to anybody.

Energy is integrated in whole microwatt milliseconds, without rounding: a pulse is complete when
the product with the meter's constant reaches one kilowatt hour. A pulse goes to the tariff in
force when it completes; totals are sums over tariffs, and so always agree with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from meterseal.collection.meter.demand import NO_MAXIMA, DemandMeter
from meterseal.collection.meter.tariff import DEFAULT_SCHEDULE, MINUTE, Calendar, TariffSchedule
from meterseal.collection.model import Quantity
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.collection.meter.demand import Maximum
    from meterseal.collection.meter.measurement import Measurement
    from meterseal.collection.meter.tariff import Tariff

__all__ = ["Billing", "Energy", "History", "Power", "RegisterRecord", "Registers"]

_KWH: Final = 3_600_000_000_000_000  # microwatt milliseconds
_MICRO: Final = 1_000_000
_DAYS_KEPT, _SETTLEMENTS_KEPT, _FREEZES_KEPT = 62, 12, 3


@dataclass(frozen=True, slots=True)
class Power:
    """What the registers integrate: microwatts and microvars of the three phases together."""

    active: int = 0
    reactive: int = 0

    @classmethod
    def of(cls, measurement: Measurement, least_current: float) -> Power:
        """Add up the phases whose current, in A, is not below what makes the meter start."""
        counted = [p for p in measurement.phases if p is not None and p.current >= least_current]
        return cls(
            round(_MICRO * sum(phase.active for phase in counted)),
            round(_MICRO * sum(phase.reactive for phase in counted)),
        )

    @property
    def quadrant(self) -> int:
        """0 to 3 for I to IV: import and inductive is I, then counter-clockwise."""
        if self.active >= 0:
            return 0 if self.reactive >= 0 else 3
        return 1 if self.reactive >= 0 else 2


@dataclass(frozen=True, slots=True)
class Energy:
    """Pulses by tariff and by quadrant, and what is left of each below a whole pulse."""

    forward: tuple[int, ...] = (0, 0, 0, 0)
    reverse: tuple[int, ...] = (0, 0, 0, 0)
    quadrants: tuple[int, ...] = (0, 0, 0, 0)
    rests: tuple[int, ...] = (0, 0, 0, 0, 0, 0)  # forward, reverse, quadrants I to IV

    def added(self, power: Power, elapsed: int, tariff: Tariff, constant: int) -> Energy:
        """Return the energy after `elapsed` ms at this power; `constant` is in pulses per kWh."""
        if elapsed < 0:
            raise UsageError("energy is not integrated backwards")
        rests = list(self.rests)
        forward, reverse, quadrants = self.forward, self.reverse, self.quadrants
        if power.active > 0:
            forward = _counted(forward, tariff - 1, rests, 0, power.active * elapsed * constant)
        elif power.active < 0:
            reverse = _counted(reverse, tariff - 1, rests, 1, -power.active * elapsed * constant)
        if power.reactive:
            quadrant = power.quadrant
            work = abs(power.reactive) * elapsed * constant
            quadrants = _counted(quadrants, quadrant, rests, 2 + quadrant, work)
        return Energy(forward, reverse, quadrants, tuple(rests))


def _counted(
    pulses: tuple[int, ...], index: int, rests: list[int], rest: int, work: int
) -> tuple[int, ...]:
    whole, rests[rest] = divmod(rests[rest] + work, _KWH)
    if not whole:
        return pulses
    return (*pulses[:index], pulses[index] + whole, *pulses[index + 1 :])


@dataclass(frozen=True, slots=True)
class Billing:
    """What the registers are kept by: the constant in pulses per kWh, tariffs, calendar, demand."""

    constant: int = 6400
    schedule: TariffSchedule = DEFAULT_SCHEDULE
    calendar: Calendar = field(default_factory=Calendar)
    demand_period: int = 15  # minutes
    demand_step: int = 1  # minutes; equal to the period for blocks

    def __post_init__(self) -> None:
        if self.constant < 1000:  # noqa: PLR2004
            raise UsageError("a meter constant is at least 1000 pulses per kWh: steps are of 1 Wh")
        if not 1 <= self.demand_step <= self.demand_period <= 60 or (  # noqa: PLR2004
            60 % self.demand_period or self.demand_period % self.demand_step
        ):
            raise UsageError("demand steps divide the demand period, and it divides the hour")

    def tariff_until(self, moment: int) -> Tariff | None:
        """Return the tariff of the demand period that ends now, None where a switch divides it."""
        minutes = (moment - back * MINUTE for back in range(1, self.demand_period + 1))
        tariffs = {self.schedule.at(self.calendar.minute_of_day(minute)) for minute in minutes}
        return tariffs.pop() if len(tariffs) == 1 else None

    def thousandths(self, pulses: int) -> int:
        """Return pulses as whole steps of 0.001 kWh, rounded down."""
        return pulses * 1000 // self.constant


@dataclass(frozen=True, slots=True)
class RegisterRecord:
    """What the registers were at one time: a settlement or a freeze.

    Maximum demands are of all times and of each tariff.
    """

    at: int
    energy: Energy
    forward_maxima: tuple[Maximum, ...]
    reverse_maxima: tuple[Maximum, ...]


@dataclass(frozen=True, slots=True)
class History:
    """Records kept, the latest first: 12 settlements, 62 days, 3 freezes on command."""

    settlements: tuple[RegisterRecord, ...] = ()
    days: tuple[RegisterRecord, ...] = ()
    freezes: tuple[RegisterRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Registers:
    """All that a meter counts."""

    energy: Energy = field(default_factory=Energy)
    forward_demand: DemandMeter = field(default_factory=DemandMeter)
    reverse_demand: DemandMeter = field(default_factory=DemandMeter)
    history: History = field(default_factory=History)

    def advanced(self, power: Power, begin: int, elapsed: int, billing: Billing) -> Registers:
        """Return the registers after `elapsed` ms at this power, `begin` by the meter's clock.

        The time is cut at whole minutes, where tariffs switch, demands close and bills are cut.
        """
        registers, end = self, begin + elapsed
        while begin < end:
            boundary = (begin // MINUTE + 1) * MINUTE
            registers = registers._integrated(power, begin, min(boundary, end), billing)
            begin = min(boundary, end)
            if begin == boundary:
                registers = registers._minute_ended(boundary, billing)  # noqa: SLF001
        return registers

    def _integrated(self, power: Power, begin: int, end: int, billing: Billing) -> Registers:
        elapsed = end - begin
        tariff = billing.schedule.at(billing.calendar.minute_of_day(begin))
        return replace(
            self,
            energy=self.energy.added(power, elapsed, tariff, billing.constant),
            forward_demand=self.forward_demand.added(max(power.active, 0), elapsed),
            reverse_demand=self.reverse_demand.added(max(-power.active, 0), elapsed),
        )

    def _minute_ended(self, at: int, billing: Billing) -> Registers:
        period, step, tariff = billing.demand_period, billing.demand_step, billing.tariff_until(at)
        registers = replace(
            self,
            forward_demand=self.forward_demand.minute_ended(at, period, step, tariff),
            reverse_demand=self.reverse_demand.minute_ended(at, period, step, tariff),
        )
        if billing.calendar.is_midnight(at) and not _has(self.history.days, at):
            days = (registers.record(at), *self.history.days)[:_DAYS_KEPT]
            registers = replace(registers, history=replace(registers.history, days=days))
        return registers.settled(at) if billing.calendar.is_settlement(at) else registers

    def settled(self, at: int) -> Registers:
        """Return the registers after bills were cut: recorded, and maximum demands begun anew.

        A moment that a clock set back brings round again has its bill already.
        """
        if _has(self.history.settlements, at):
            return self
        kept = (self.record(at), *self.history.settlements)[:_SETTLEMENTS_KEPT]
        return replace(self, history=replace(self.history, settlements=kept)).demand_cleared()

    def frozen(self, at: int) -> Registers:
        """Return the registers with a record of this moment, as a freeze command asks for."""
        kept = (self.record(at), *self.history.freezes)[:_FREEZES_KEPT]
        return replace(self, history=replace(self.history, freezes=kept))

    def demand_cleared(self) -> Registers:
        """Return the registers without maximum demands; energies stay."""
        return replace(
            self,
            forward_demand=replace(self.forward_demand, maxima=NO_MAXIMA),
            reverse_demand=replace(self.reverse_demand, maxima=NO_MAXIMA),
        )

    def resumed(self, down_at: int, up_at: int, billing: Billing) -> Registers:
        """Return the registers after a time without power: missed bills are cut, demands restart.

        Demands restart as well when the clock is set: `down_at` and `up_at` may be in any order.
        """
        registers = replace(
            self,
            forward_demand=self.forward_demand.restarted(),
            reverse_demand=self.reverse_demand.restarted(),
        )
        for missed in billing.calendar.settlements_between(down_at, up_at):
            registers = registers.settled(missed)
        return registers

    def record(self, at: int) -> RegisterRecord:
        """Return what the registers are now."""
        return RegisterRecord(
            at, self.energy, self.forward_demand.maxima, self.reverse_demand.maxima
        )

    def values(self, billing: Billing) -> dict[Quantity, int | None]:
        """Return energies in steps of 0.001 kWh or kvarh, demands in 0.0001 kW.

        A total is the sum of what its tariffs show, not of their fractions of a step.
        """
        values: dict[Quantity, int | None] = {}
        for name, pulses in (("FORWARD", self.energy.forward), ("REVERSE", self.energy.reverse)):
            steps = [billing.thousandths(count) for count in pulses]
            values[Quantity[f"{name}_ENERGY"]] = sum(steps)
            for tariff, count in zip(("SHARP", "PEAK", "FLAT", "VALLEY"), steps, strict=True):
                values[Quantity[f"{name}_ENERGY_{tariff}"]] = count
        for quadrant, count in zip(("I", "II", "III", "IV"), self.energy.quadrants, strict=True):
            values[Quantity[f"REACTIVE_ENERGY_{quadrant}"]] = billing.thousandths(count)
        values[Quantity.FORWARD_DEMAND] = self.forward_demand.latest
        values[Quantity.FORWARD_MAXIMUM_DEMAND] = self.forward_demand.maximum[0]
        values[Quantity.REVERSE_MAXIMUM_DEMAND] = self.reverse_demand.maximum[0]
        return values


def _has(records: tuple[RegisterRecord, ...], at: int) -> bool:
    return any(record.at == at for record in records)

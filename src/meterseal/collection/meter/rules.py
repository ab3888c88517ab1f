"""When an event begins and when it is over: a level with two thresholds, and a delay.

The thresholds follow GB/T 12325 (voltage +7/-10 % of 220 V), GB/T 15543 (unbalance 2 %) and, for
losses of voltage and current, what utilities ask of meters: 78 % and 85 % of the rated voltage,
0.5 % and 5 % of the rated current. A current breaks where a phase with voltage has none, whatever
the others have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from meterseal.collection.model import EventCode
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.collection.meter.measurement import Measurement, PhaseMeasurement
    from meterseal.collection.meter.registers import Registers

__all__ = ["DEFAULT_DELAY", "Ratings", "Rule", "demand_rule", "rules_for"]

DEFAULT_DELAY: Final = 60_000  # ms


@dataclass(frozen=True, slots=True)
class Ratings:
    """Rated values of a meter: V, A, A; 5(60) A at 220 V by default.

    `demand_limit` (kW) is the forward demand that was agreed upon; the power at maximum current
    without.
    """

    voltage: float = 220.0
    current: float = 5.0
    maximum_current: float = 60.0
    demand_limit: float | None = None

    def __post_init__(self) -> None:
        if not (self.voltage > 0 and 0 < self.current <= self.maximum_current):
            raise UsageError("rated values are positive, and the maximum current is the largest")

    @property
    def allowed_demand(self) -> int:
        """The forward demand above which it is exceeded, in steps of 0.0001 kW."""
        limit = self.demand_limit
        if limit is None:
            limit = 3 * self.voltage * self.maximum_current / 1000
        return round(limit * 10_000)

    @property
    def starting_current(self) -> float:
        """Below it nothing is counted: half of the 0.001 In at which a meter must start."""
        return 0.0005 * self.current


_T = TypeVar("_T")
Level: TypeAlias = Callable[["Measurement"], float | None]
Guard: TypeAlias = Callable[["Measurement"], bool]


@dataclass(frozen=True, slots=True)
class Rule(Generic[_T]):
    """An event begins once the level was above `begin` for `delay` ms while the guard held.

    It is over once the level was below `end`, or there was none, for as long. Between the two
    thresholds nothing changes. `phase` is 0 for the whole meter, 1 to 3 for A to C.
    """

    code: EventCode
    phase: int
    level: Callable[[_T], float | None]
    begin: float
    end: float
    delay: int
    guard: Callable[[_T], bool] | None = None

    def begins(self, seen: _T) -> bool:
        """Whether what is seen speaks for an event that has not begun."""
        level = self.level(seen)
        if level is None or level <= self.begin:
            return False
        return self.guard is None or self.guard(seen)

    def ends(self, seen: _T) -> bool:
        """Whether what is seen speaks for the end of an event that has begun."""
        level = self.level(seen)
        return level is None or level < self.end


def rules_for(ratings: Ratings, delay: int = DEFAULT_DELAY) -> tuple[Rule[Measurement], ...]:
    """Return the rules of a meter with these ratings; `delay` in ms holds for all of them."""
    rules = [rule for index in range(3) for rule in _phase_rules(ratings, index, delay)]
    return (*rules, *_whole_rules(ratings, delay))


def demand_rule(ratings: Ratings) -> Rule[Registers]:
    """Return the rule of the forward demand; it is a mean over a period and needs no delay."""
    limit = ratings.allowed_demand
    return Rule(
        EventCode.DEMAND_EXCEEDED, 0, lambda registers: registers.forward_demand.latest,
        begin=limit, end=limit, delay=0,
    )  # fmt: skip


def _phase_rules(ratings: Ratings, index: int, delay: int) -> Iterator[Rule[Measurement]]:
    u, i, largest = ratings.voltage, ratings.current, ratings.maximum_current

    def rule(code: EventCode, level: Level, begin: float, end: float) -> Rule[Measurement]:
        return Rule(code, index + 1, level, begin, end, delay)

    def guarded(
        code: EventCode, level: Level, begin: float, end: float, guard: Guard
    ) -> Rule[Measurement]:
        return Rule(code, index + 1, level, begin, end, delay, guard)

    sag = _of(index, lambda phase: 1 - phase.voltage / u)
    current = _of(index, lambda phase: phase.current / i)
    flows = _above(current, 0.005)
    yield guarded(EventCode.VOLTAGE_LOSS, sag, 0.22, 0.15, flows)
    yield guarded(EventCode.PHASE_BREAK, sag, 0.40, 0.15, lambda m: not flows(m))
    yield rule(EventCode.UNDER_VOLTAGE, sag, 0.10, 0.08)
    yield rule(EventCode.OVER_VOLTAGE, _of(index, lambda p: p.voltage / u - 1), 0.07, 0.05)
    yield rule(EventCode.OVER_CURRENT, _of(index, lambda p: p.current / largest), 1.2, 1.1)
    yield rule(EventCode.OVERLOAD, _of(index, lambda p: p.active / (u * largest)), 1.2, 1.1)
    yield rule(EventCode.POWER_REVERSAL, _of(index, lambda p: -p.active / (u * i)), 0.010, 0.005)

    idle = _of(index, lambda p: 1 - p.current / i if p.voltage >= 0.60 * u else None)
    yield rule(EventCode.CURRENT_BREAK, idle, 0.995, 0.990)

    def lack(measurement: Measurement) -> float | None:
        """By how much of In a phase with voltage lacks a current that another one has."""
        phase = measurement.phases[index]
        if phase is None or phase.voltage < 0.65 * u or _largest_current(measurement) < 0.03 * i:
            return None
        return 1 - phase.current / i

    yield guarded(
        EventCode.CURRENT_LOSS, lack, 0.995, 0.990, lambda m: _largest_current(m) > 0.05 * i
    )


def _whole_rules(ratings: Ratings, delay: int) -> Iterator[Rule[Measurement]]:
    u, i = ratings.voltage, ratings.current

    def rule(code: EventCode, level: Level, begin: float, end: float) -> Rule[Measurement]:
        return Rule(code, 0, level, begin, end, delay)

    yield Rule(
        EventCode.ALL_VOLTAGE_LOSS,
        0,
        lambda m: 1 - _largest_voltage(m) / u,
        0.40,
        0.15,
        delay,
        lambda m: _largest_current(m) > 0.05 * i,
    )
    voltages, currents = _unbalance_of_voltages(0.5 * u), _unbalance_of_currents(0.05 * i)
    yield rule(EventCode.VOLTAGE_UNBALANCE, voltages, 2.0, 1.7)
    yield rule(EventCode.CURRENT_UNBALANCE, currents, 30.0, 25.0)
    yield rule(EventCode.VOLTAGE_REVERSE_SEQUENCE, voltages, 200.0, 50.0)
    yield rule(EventCode.CURRENT_REVERSE_SEQUENCE, currents, 200.0, 50.0)


def _of(index: int, level: Callable[[PhaseMeasurement], float | None]) -> Level:
    def of_phase(measurement: Measurement) -> float | None:
        phase = measurement.phases[index]
        return None if phase is None else level(phase)

    return of_phase


def _above(level: Level, threshold: float) -> Guard:
    def holds(measurement: Measurement) -> bool:
        found = level(measurement)
        return found is not None and found > threshold

    return holds


def _unbalance_of_voltages(least: float) -> Level:
    return lambda m: None if m.voltages is None else m.voltages.unbalance(least)


def _unbalance_of_currents(least: float) -> Level:
    return lambda m: None if m.currents is None else m.currents.unbalance(least)


def _largest_voltage(measurement: Measurement) -> float:
    return max((phase.voltage for phase in measurement.phases if phase is not None), default=0.0)


def _largest_current(measurement: Measurement) -> float:
    return max((phase.current for phase in measurement.phases if phase is not None), default=0.0)

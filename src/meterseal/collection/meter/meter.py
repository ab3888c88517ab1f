"""One meter: what it measured last, what it has counted, what it says.

A step computes a new state beside the one that is shown. Only when it is on the disk (`MeterStore`)
does `publish` show it; if it cannot be written the meter stays as it was, and the next step covers
the time of both. All is done in one thread: between `advance` and `publish` nobody reads.

The meter's clock is its own: set once when the meter starts, then carried on by a clock that cannot
be set. From outside it takes bounded steps only, and each is an event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from meterseal.collection.meter.load import load_record
from meterseal.collection.meter.registers import Billing, Power
from meterseal.collection.meter.rules import DEFAULT_DELAY, Rule, demand_rule, rules_for
from meterseal.collection.meter.sources import one_cycle
from meterseal.collection.meter.speech import Speaker, event_body, reading_body, snapshot_body
from meterseal.collection.meter.state import MeterState
from meterseal.collection.meter.store import Change
from meterseal.collection.model import EventCode
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meterseal.collection.meter.events import Event
    from meterseal.collection.meter.measurement import Measurement
    from meterseal.collection.meter.registers import Registers
    from meterseal.collection.meter.rules import Ratings
    from meterseal.collection.meter.sources import Source
    from meterseal.collection.meter.speech import Body
    from meterseal.collection.meter.store import MeterStore
    from meterseal.collection.model import MeterAddress, Quantity
    from meterseal.collection.sealing import Sealer

__all__ = ["Meter", "MeterConfig"]

_SIX_DIGITS: Final = re.compile("[0-9]{6}")
_LONGEST_STEP: Final = 300_000
"""ms: a meter that did not look for longer was without power, whatever it measures now."""
_SNAPSHOT_EVENTS: Final = frozenset(
    {
        EventCode.VOLTAGE_LOSS,
        EventCode.UNDER_VOLTAGE,
        EventCode.OVER_VOLTAGE,
        EventCode.PHASE_BREAK,
        EventCode.OVER_CURRENT,
    }
)


@dataclass(frozen=True, slots=True)
class MeterConfig:
    """What meters of one kind share; times in ms.

    `seal_interval` is between sealed readings, `snapshot_interval` between snapshots of waveforms
    (0: at events alone), `load_interval` between load records (0: none). `password` is that of
    `password_level`, six digits; without one nothing that needs a password is allowed.
    """

    ratings: Ratings
    billing: Billing = field(default_factory=Billing)
    event_delay: int = DEFAULT_DELAY
    seal_interval: int = 60_000
    snapshot_interval: int = 900_000
    load_interval: int = 900_000
    password_level: int = 2
    password: str | None = field(default=None, repr=False)
    rules: tuple[Rule[Measurement], ...] = field(init=False, repr=False)
    demand_rule: Rule[Registers] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.seal_interval < 1000:  # noqa: PLR2004
            raise UsageError("sealed readings are at least a second apart")
        if self.password is not None and not _SIX_DIGITS.fullmatch(self.password):
            raise UsageError("a meter's password has six digits")
        object.__setattr__(self, "rules", rules_for(self.ratings, self.event_delay))
        object.__setattr__(self, "demand_rule", demand_rule(self.ratings))

    def lightened(self) -> MeterConfig:
        """Return the kind for meters by the thousand: no load records, snapshots at events."""
        return replace(self, snapshot_interval=0, load_interval=0)


class Meter:
    """A meter that measures a source and keeps its state in a store.

    With a `sealer` it signs what it says. `state` and `measurement` are what it shows.
    """

    __slots__ = (
        "_next", "_source", "_speaker", "_steady", "_store", "address", "config", "measurement",
        "state",
    )  # fmt: skip

    def __init__(
        self,
        address: MeterAddress,
        source: Source,
        config: MeterConfig,
        store: MeterStore,
        sealer: Sealer | None = None,
    ) -> None:
        self.address = address
        self.config = config
        self.measurement: Measurement | None = None
        self._source = source
        self._store = store
        self._speaker: Speaker | None = None
        if sealer is not None:
            self._speaker = Speaker(address, store.epoch, sealer)
        self._steady: int | None = None
        self._next: tuple[MeterState, Measurement, int] | None = None
        kept = store.load(address)
        constant = config.billing.constant
        self.state = MeterState() if kept is None else MeterState.load(*kept, constant)

    @property
    def epoch(self) -> int:
        """When the store of this meter's sequence numbers was made, in seconds since 1970."""
        return self._store.epoch

    def values(self) -> dict[Quantity, int | None]:
        """Return all that is shown: the last measurement and what has been counted."""
        measured = {} if self.measurement is None else self.measurement.values()
        return measured | self.state.registers.values(self.config.billing)

    def clock(self, steady: int) -> int:
        """Return the time by the meter's own clock, in ms since 1970."""
        return self.state.now + (steady - self._steady if self._steady is not None else 0)

    def advance(self, wall: int, steady: int) -> Change:
        """Measure and count up to now; the change is to be committed, then `publish`ed.

        `wall` is UTC in ms since 1970, by which the clock is set when the meter starts; `steady`
        counts ms and never runs back.
        """
        measurement = self._source.measure(wall)
        bodies: list[Body] = []
        state, events = self._passed(measurement, wall, steady)
        registers, config = state.registers, self.config

        def values() -> dict[Quantity, int | None]:
            return measurement.values() | registers.values(config.billing)

        log, observed = state.events.observed(config.rules, measurement, state.now, values)
        log, exceeded = log.observed((config.demand_rule,), registers, state.now, values)
        observed += exceeded
        state = replace(state, events=log)
        if self._speaker is not None:
            bodies += [event_body(event) for event in (*events, *observed)]
            begun = {event.code for event in observed if event.ended_at is None}
            if begun & _SNAPSHOT_EVENTS or self._is_due(state, config.snapshot_interval):
                bodies.append(snapshot_body(one_cycle(self._source.waveforms(wall))))
            if self._is_due(state, config.seal_interval):
                bodies.append(reading_body(values()))
        state, change = self._change(state, bodies)
        self._next = (state, measurement, steady)
        return replace(change, load=self._load_record(state, measurement))

    def publish(self) -> None:
        """Show what the last step computed; it must be on the disk."""
        if self._next is not None:
            self.state, self.measurement, self._steady = self._next
            self._next = None

    def command(self, change: Callable[[MeterState], tuple[MeterState, Sequence[Event]]]) -> None:
        """Change the state from outside, bring it to the disk and show it."""
        state, events = change(self.state)
        bodies = [event_body(event) for event in events] if self._speaker is not None else []
        state, written = self._change(state, bodies)
        self._store.commit([written])
        self.state = state

    def set_clock(self, moment: int, steady: int) -> None:
        """Set the meter's clock to UTC ms since 1970: an event, and new periods of demand."""
        before = self.clock(steady)
        step = moment - before

        def change(state: MeterState) -> tuple[MeterState, Sequence[Event]]:
            log, event = state.events.without_pending().happened(
                EventCode.CLOCK_SET, before, moment, {}
            )
            registers = state.registers.resumed(before, moment, self.config.billing)
            return replace(
                state,
                registers=registers,
                events=log,
                now=state.now + step,
                offset=state.offset + step,
                clock_in_doubt=False,
            ), [event]

        self.command(change)

    def set_cover(self, code: EventCode, *, is_open: bool) -> None:
        """Tell the meter that one of its covers was opened or closed."""

        def change(state: MeterState) -> tuple[MeterState, Sequence[Event]]:
            log, events = state.events.switched(code, state.now, self.values(), on=is_open)
            return replace(state, events=log), events

        self.command(change)

    def oldest_sealed(self) -> int | None:
        """Return the lowest sequence number whose statement the meter still holds."""
        return self._store.oldest(self.address)

    def sealed_from(self, first: int, most: int) -> list[bytes]:
        """Return at most `most` sealed statements from a sequence number on."""
        return self._store.statements(self.address, first, most)

    def load_records(self, since: int | None, most: int) -> list[bytes]:
        """Return at most `most` load records from a time (ms since 1970) on, or the latest one."""
        latest = self._store.latest_load(self.address)
        first = latest if since is None else since
        return [] if first is None else self._store.load_records(self.address, first, most)

    def _passed(
        self, measurement: Measurement, wall: int, steady: int
    ) -> tuple[MeterState, Sequence[Event]]:
        """Return the state with the time since the last step counted."""
        state = self.state
        if self._steady is None or steady - self._steady > _LONGEST_STEP:
            return self._powered_up(wall)
        elapsed = steady - self._steady
        power = Power.of(measurement, self.config.ratings.starting_current)
        registers = state.registers.advanced(power, state.now, elapsed, self.config.billing)
        return replace(state, registers=registers, now=state.now + elapsed), ()

    def _powered_up(self, wall: int) -> tuple[MeterState, Sequence[Event]]:
        """Begin, or go on after a time without power; the clock has run on meanwhile."""
        down_at, now = self.state.now, wall + self.state.offset
        log = self.state.events.without_pending()
        if not down_at:
            return replace(self.state, now=now), ()
        # A clock that was behind when it set ours cannot be believed; nor can it be refused.
        ran_back = now < down_at
        code = EventCode.CLOCK_SET if ran_back else EventCode.POWER_FAILURE
        log, event = log.happened(code, down_at, now, {})
        return replace(
            self.state,
            now=now,
            events=log,
            registers=self.state.registers.resumed(down_at, now, self.config.billing),
            clock_in_doubt=self.state.clock_in_doubt or ran_back,
        ), [event]

    def _load_record(self, state: MeterState, measurement: Measurement) -> tuple[int, bytes] | None:
        interval, billing = self.config.load_interval, self.config.billing
        if self._steady is None or not self._is_due(state, interval):
            return None
        at = state.now // interval * interval
        values = measurement.values() | state.registers.values(billing)
        return at, load_record(values, billing.calendar.local(at))

    def _is_due(self, state: MeterState, interval: int) -> bool:
        """Whether something is due that is due at a start, and at whole intervals of the clock."""
        if not interval:
            return False
        return self._steady is None or state.now // interval != self.state.now // interval

    def _change(self, state: MeterState, bodies: Sequence[Body]) -> tuple[MeterState, Change]:
        """Return the state with numbers taken for what is said, and all that is to be written."""
        said: tuple[tuple[int, bytes], ...] = ()
        if self._speaker is not None:
            state, said = self._speaker.say(state, bodies)
        running, history = state.dump(self.config.billing.constant)
        is_new = self._steady is None or state.has_other_history(self.state)
        return state, Change(self.address, running, history if is_new else None, said)

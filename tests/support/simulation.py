"""A collector, a way that loses, doubles and reorders, and a station, in virtual time.

Keeper, outbox, uplink, checker, store and ingest are the real ones; the broker is a piece of
weather. Everything that happens by chance is drawn from one seed, so a failure replays from it.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar
from unittest.mock import patch

import aiomqtt
from prometheus_client import CollectorRegistry

from meterseal.collection.collector.clock import WatchedClock
from meterseal.collection.collector.keeper import Keeper, Sample
from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.collector.profiles import OwnTopics
from meterseal.collection.collector.uplink import Broker, Uplink
from meterseal.collection.model import MeterAddress, Quantity
from meterseal.collection.sealing import open_sealed
from meterseal.collection.station.check import Checker
from meterseal.collection.station.directory import Directory
from meterseal.collection.station.inbox import Message
from meterseal.collection.station.ingest import Ingest, ReceiptWriter
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.store import Store, open_store
from support.station import NOW, OTHER, PLAIN, registry, world
from support.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

    from meterseal.collection.model import Statement
    from meterseal.collection.sealing import Sealer

COLLECTOR = "collector-1"
METERS = (PLAIN, OTHER)
FOR_EVER = 1 << 60
HEALED = 2 * 3600.0
"""Virtual seconds of good weather within which all must have arrived."""

T = TypeVar("T")


class InlineLoop(VirtualLoop):
    """Does at once what would go to a thread: one order of events for one seed."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # noqa: ANN401
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (whatever it is belongs to the caller)
            future.set_exception(error)
        return future


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, in virtual time and in one thread."""
    with asyncio.Runner(loop_factory=InlineLoop) as runner:
        return runner.run(coroutine)


@dataclass(frozen=True)
class Weather:
    """Chances for each message, 0 to 1, and the longest delay in seconds."""

    lose: float = 0.0
    double: float = 0.0
    delay: float = 0.05
    flip: float = 0.0
    replay: float = 0.0


CALM = Weather()


@dataclass(frozen=True)
class Received:
    payload: bytes


class Way:
    """Broker and network in one: between one collector and one station."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.weather = CALM
        self.up = True
        self.client: Client | None = None
        self.history: list[tuple[str, bytes]] = []
        self._retained: dict[str, bytes] = {}
        self._kept: dict[int, tuple[str, bytes]] = {}
        self._number = 0
        self.waiting: asyncio.Queue[int] = asyncio.Queue()

    def cut(self, seconds: float) -> None:
        """Break the collector's connection; there is none for so long."""
        self.up = False
        if self.client is not None:
            self.client.hang_up()
        asyncio.get_running_loop().call_later(seconds, self._mend)

    def _mend(self) -> None:
        self.up = True

    def to_station(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if retain:
            self._retained[topic] = payload
        self._carry(self._arrive, topic, payload)

    def to_collector(self, topic: str, payload: bytes) -> None:
        self._carry(self._hand_over, topic, payload)

    def restart_station(self) -> None:
        """What was not acknowledged comes again, and what is retained."""
        self.waiting = asyncio.Queue()
        for number in sorted(self._kept):
            self.waiting.put_nowait(number)
        for topic, payload in self._retained.items():
            self._arrive(topic, payload)

    async def take(self) -> Message:
        number = await self.waiting.get()

        async def acknowledge() -> None:
            await asyncio.sleep(self.dice.uniform(0, 0.01))
            self._kept.pop(number, None)

        return Message(*self._kept[number], acknowledge)

    def _carry(self, deliver: Callable[[str, bytes], None], topic: str, payload: bytes) -> None:
        dice, weather = self.dice, self.weather
        self.history.append((topic, payload))
        if dice.random() < weather.lose:
            return
        call_later = asyncio.get_running_loop().call_later
        for _ in range(1 + (dice.random() < weather.double)):
            call_later(dice.uniform(0, weather.delay), deliver, topic, payload)
        if dice.random() < weather.flip:
            call_later(dice.uniform(0, weather.delay), deliver, topic, flipped(payload, dice))
        if dice.random() < weather.replay:
            topic, payload = dice.choice(self.history)
            call_later(0, self._hand_over if "/down" in topic else self._arrive, topic, payload)

    def _arrive(self, topic: str, payload: bytes) -> None:
        self._number += 1
        self._kept[self._number] = topic, payload
        self.waiting.put_nowait(self._number)

    def _hand_over(self, _topic: str, payload: bytes) -> None:
        if self.client is not None:
            self.client.incoming.put_nowait(payload)


class Client:
    """What the uplink needs of an MQTT client."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._way = simulation.way
        self.incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = False

    async def __aenter__(self) -> Self:
        if not self._way.up:
            raise aiomqtt.MqttError("nobody there")
        self._way.client = self
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._way.client is self:
            self._way.client = None

    async def subscribe(self, topic: str, qos: int) -> None:
        """All that is for the collector comes anyway."""

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        del qos
        await asyncio.sleep(self._way.dice.uniform(0, 0.01))
        if self._gone:
            raise aiomqtt.MqttError("cut")
        self._way.to_station(topic, payload, retain=retain)

    @property
    async def messages(self) -> AsyncIterator[Received]:
        while (payload := await self.incoming.get()) is not None:
            yield Received(payload)

    def hang_up(self) -> None:
        self._gone = True
        self.incoming.put_nowait(None)


class Inbox:
    """What the station needs of a broker."""

    def __init__(self, way: Way) -> None:
        self._way = way

    async def receive(self, most: int, patience: float) -> list[Message]:
        messages = [await self._way.take()]
        await asyncio.sleep(patience)
        while len(messages) < most and not self._way.waiting.empty():
            messages.append(await self._way.take())
        return messages

    async def publish(self, topic: str, payload: bytes) -> None:
        await asyncio.sleep(self._way.dice.uniform(0, 0.01))
        self._way.to_collector(topic, payload)

    async def close(self) -> None:
        """Nothing to close."""


class NotingSealer:
    """A sealer that remembers what it sealed: nothing else may ever be stored."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self.made: set[bytes] = set()

    def seal_many(self, statements: Sequence[Statement]) -> list[bytes]:
        sealed = self._sealer.seal_many(statements)
        self.made.update(sealed)
        return sealed


class Simulation:
    """One world; make it within `run`. The files lie in `folder`, with syncing left out."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.dice = random.Random(seed)  # noqa: S311  (one seed, one life)
        random.seed(seed)  # the pauses of the uplink
        self.way = Way(self.dice)
        self.sealer = NotingSealer(world().collector.sealer)
        self.collector_ahead = 0  # ms by which the clocks are wrong
        self.station_ahead = 0
        self.skipped = 0  # ms that passed without anything happening
        self.clock = WatchedClock(lambda: self.now() + self.collector_ahead, self.now)
        self._collector: list[asyncio.Task[None]] = []
        self._station: list[asyncio.Task[None]] = []
        self.start_collector()
        self.start_station()

    def now(self) -> int:
        """The true time, UTC ms."""
        return NOW + self.skipped + round(asyncio.get_running_loop().time() * 1000)

    # --- the collector ---

    def start_collector(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.sqlite", born_at=1)
        self.outbox._db.execute("PRAGMA synchronous=OFF")
        self.keeper = Keeper(self.outbox, self.sealer)  # type: ignore[arg-type]
        station = world().station.certificate
        w = world()
        self.uplink = Uplink(
            Broker("broker", 1, COLLECTOR, None, lambda: OwnTopics(COLLECTOR)),
            self.outbox,
            self.keeper,
            self.clock,
            stations={station.fingerprint(): station.public_key()},
            certificates=[w.collector.certificate.encoding, w.ca.certificate.encoding],
            describe=self._describe,
        )
        self._collector = [
            asyncio.ensure_future(self.keeper.run()), asyncio.ensure_future(self.uplink.run())
        ]  # fmt: skip

    async def kill_collector(self) -> None:
        """It ends between any two steps; what is committed stays."""
        await _end(self._collector)
        self.outbox.close()

    async def read(self, meter: MeterAddress = PLAIN) -> None:
        """Read a meter; returns when the reading is kept."""
        at, quality = self.clock.now(), self.clock.quality
        kept = self.keeper.kept
        await self.keeper.put(Sample(meter, at, {Quantity.VOLTAGE_A: 22000}, quality))
        while self.keeper.kept == kept:
            await asyncio.sleep(0)

    @staticmethod
    async def _describe() -> dict[str, object]:
        return {}

    # --- the station ---

    def start_station(self) -> None:
        self.store = open_quickly(self.folder)
        known = Directory(world().trust)
        known.add(self.store.certificates())
        self.way.restart_station()
        ingest = Ingest(
            Inbox(self.way),
            checker=Checker(known, registry()),
            store=self.store,
            receipts=ReceiptWriter(world().receipts(), "station-1"),
            metrics=Metrics(CollectorRegistry()),
            clock=lambda: self.now() + self.station_ahead,
        )
        self._station = [asyncio.ensure_future(ingest.run())]

    async def kill_station(self) -> None:
        await _end(self._station)
        self.store.close()

    # --- the end ---

    async def heal(self, within: float = HEALED) -> None:
        """Good weather and right clocks, until the collector's outbox is empty."""
        self.way.weather = CALM
        self.collector_ahead = self.station_ahead = 0
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while self.outbox.depth().statements:
            assert loop.time() < until, f"{self.outbox.depth()} after {within:.0f} s"
            await asyncio.sleep(5)

    async def close(self) -> None:
        await self.kill_collector()
        await self.kill_station()

    def judge(self) -> int:
        """Nothing lost, nothing twice, nothing false; returns how many statements are stored."""
        assert self.outbox.refused() == []
        total = 0
        for number, last in self.outbox._db.execute("SELECT meter, last FROM sequences"):
            stored = list(self.store.statements(f"{number:012}", 0, FOR_EVER))
            assert sorted(it.sequence for it in stored) == list(range(1, last + 1))
            assert {it.sealed for it in stored} <= self.sealer.made
            for it in stored:
                assert open_sealed(it.sealed).statement.sampled_at == it.sampled_at
            total += last
        self.store.fold()
        assert self.store.database.read("SELECT coalesce(sum(readings), 0) FROM daily") == [
            (total,)
        ]
        assert self.store.database.read("SELECT count(*) FROM missing") == [(0,)]
        return total


def simulate(
    folder: Path, story: Callable[[Simulation], Coroutine[Any, Any, T]], seed: int = 0
) -> T:
    """Let a story happen in a new world."""

    async def main() -> T:
        simulation = Simulation(folder, seed)
        with patch.object(aiomqtt, "Client", lambda *_, **__: Client(simulation)):
            try:
                return await story(simulation)
            finally:
                await simulation.close()

    return run(main())


def open_quickly(folder: Path) -> Store:
    """A station's store; the tables of a new one are copied, which is quicker than making them."""
    path, template = folder / "station.sqlite", folder.parent / "template.sqlite"
    if not path.exists():
        if not template.exists():
            open_store(template).close()
        shutil.copy(template, path)
    store = open_store(path)
    store.database._writer.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]
    return store


def flipped(payload: bytes, dice: random.Random) -> bytes:
    changed = bytearray(payload)
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


async def live(simulation: Simulation, events: int) -> None:
    """Let so many things happen, drawn from the simulation's dice."""
    dice = simulation.dice
    simulation.way.weather = Weather(
        lose=dice.choice([0, 0.05, 0.3]),
        double=dice.choice([0, 0.2]),
        delay=dice.choice([0.05, 5.0, 60.0]),
        flip=dice.choice([0, 0.1]),
        replay=dice.choice([0, 0.2]),
    )
    for _ in range(events):
        await asyncio.sleep(dice.choice([0, 0.001, 0.1, 1.0, 20.0]))
        await dice.choices(
            [_read, _cut, _kill_collector, _kill_station, _set_clock], [80, 4, 5, 5, 6]
        )[0](simulation)


async def _read(simulation: Simulation) -> None:
    await simulation.read(simulation.dice.choice(METERS))


async def _cut(simulation: Simulation) -> None:
    simulation.way.cut(simulation.dice.choice([0.5, 30.0, 900.0]))


async def _kill_collector(simulation: Simulation) -> None:
    await simulation.kill_collector()
    simulation.start_collector()


async def _kill_station(simulation: Simulation) -> None:
    await simulation.kill_station()
    simulation.start_station()


async def _set_clock(simulation: Simulation) -> None:
    hours = simulation.dice.choice([-24.0, -0.1, 0.0, 0.1, 0.25]) * 3_600_000
    if simulation.dice.random() < 0.5:
        simulation.collector_ahead = int(hours)
    else:
        simulation.station_ahead = int(hours)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [end for end in ended if not isinstance(end, asyncio.CancelledError)]
    assert not failures, failures

"""The two ends of `pipeline.py`, each a process: a collector that makes its samples, and a station.

Between them is the product, whole. What is put in its place here: `Load` for the lines of meters,
and with `--open` stand-ins for signatures, for the yardstick of what security costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meterseal.collection import envelope
from meterseal.collection.collector.keeper import Sample
from meterseal.collection.collector.ports import READ_BLOCKS
from meterseal.collection.collector.service import Collector
from meterseal.collection.config import load_settings
from meterseal.collection.dlt645.items import quantities_of
from meterseal.collection.model import MeterAddress
from meterseal.collection.roles import look_for_cycles_seldom
from meterseal.collection.station.mqtt import Broker, MqttInbox
from meterseal.collection.station.run import Station
from meterseal.collection.station.service import station_config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from meterseal.collection.config import CollectorSettings, StationSettings
    from meterseal.collection.station.store import Committed
    from meterseal.collection.station.store.records import Check

FIRST_METER = 202611240000
_KINDS = 97
"""Different sets of values: real ones are no constants, and take numbers of several bytes."""
_TICK = 0.005


class NoSignatures:
    """Takes the place of `sm2`: signatures are zeros, and each of them holds."""

    @staticmethod
    def sign_batch(requests: Sequence[object], **_: object) -> list[bytes]:
        """Sign nothing."""
        return [bytes(64)] * len(requests)

    @staticmethod
    def verify_batch(requests: Sequence[object], **_: object) -> list[bool]:
        """Believe everything."""
        return [True] * len(requests)


def leave_signatures_out() -> None:
    """Put the stand-ins in place, for this process alone."""
    envelope.sm2 = NoSignatures  # type: ignore[misc,assignment]
    envelope.Envelope.verify = lambda *_: None  # type: ignore[method-assign]


class Load:
    """Samples of many meters in turn: so many a second, or as fast as they are let.

    They are let as long as fewer than `in_hand` have no receipt yet: what is measured as delay
    would otherwise be a queue that grows.
    """

    def __init__(self, collector: Collector, meters: int, rate: float, in_hand: int) -> None:
        self._collector = collector
        self._meters = [MeterAddress(f"{FIRST_METER + number:012}") for number in range(meters)]
        self._values = _values()
        self._rate = rate
        self._in_hand = in_hand
        self.made = 0

    async def run(self) -> None:
        """Make samples until cancelled."""
        began = time.monotonic()
        while True:
            status = self._collector.uplink.status
            room = self._in_hand - (self.made - status.stored - status.refused)
            if self._rate:
                room = int((time.monotonic() - began) * self._rate) - self.made
            await self.make(room)
            await asyncio.sleep(_TICK)

    async def make(self, count: int) -> None:
        """Hand over so many samples, taken now."""
        now = self._collector.clock.now()
        for _ in range(count):
            meter = self._meters[self.made % len(self._meters)]
            values = self._values[self.made % _KINDS]
            self.made += 1
            await self._collector.keeper.put(Sample(meter, now, values))


def _values() -> list[dict[Any, int | None]]:
    quantities = [q for block in READ_BLOCKS for q in quantities_of(block).values()]
    chance = random.Random(1)  # noqa: S311
    return [
        {q: chance.randrange(1 << chance.choice((9, 15, 27))) for q in dict.fromkeys(quantities)}
        for _ in range(_KINDS)
    ]


async def collect(settings: CollectorSettings, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run a collector under a load; says how its backlog drained, if there was one."""
    collector = Collector(settings)
    load = Load(collector, arguments.meters, arguments.rate, arguments.in_hand)
    collector._lines = [load] if not arguments.backlog else []  # type: ignore[list-item]  # noqa: SLF001
    if not arguments.backlog:
        await collector.run()
    await _fill(collector, load, arguments.backlog)
    task = asyncio.create_task(collector.run())
    await until(lambda: collector.uplink.status.connected)
    began = time.monotonic()
    await until(lambda: collector.uplink.status.stored >= arguments.backlog)
    seconds = time.monotonic() - began
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return {"seconds": seconds}


async def _fill(collector: Collector, load: Load, backlog: int) -> None:
    keeping = asyncio.create_task(collector.keeper.run())
    await load.make(backlog)
    await until(lambda: collector.keeper.kept >= backlog)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


async def store(settings: StationSettings, folder: Path) -> dict[str, Any]:
    """Run a station until it is told to end; leaves when what was sampled was on the disk."""
    settings.state.mkdir(parents=True, exist_ok=True)
    station = Station(station_config(settings))
    times: list[tuple[int, list[int]]] = []
    commit = station.store.commit

    def timed(checks: Sequence[Check], refusals: Any, now: int) -> Committed:  # noqa: ANN401
        committed = commit(checks, refusals, now)
        on_disk = time.time_ns() // 1_000_000
        times.append((on_disk, [check.sealed.statement.sampled_at for check in checks]))
        return committed

    station.store.commit = timed  # type: ignore[method-assign]
    assert isinstance(station.config.source, Broker)
    inbox = MqttInbox(station.config.source)
    ready = asyncio.create_task(_tell_when_connected(inbox, folder))
    try:
        await station.run(inbox)
    finally:
        ready.cancel()
        station.close()
        sampled = np.array([at for _, batch in times for at in batch], np.int64)
        stored = np.repeat([at for at, _ in times], [len(batch) for _, batch in times])
        np.savez(folder / "times.npz", sampled=sampled, stored=stored.astype(np.int64))
    return {}


async def _tell_when_connected(inbox: MqttInbox, folder: Path) -> None:
    await inbox.connected.wait()
    (folder / "ready").touch()


async def until(question: Callable[[], bool]) -> None:
    """Wait until it is so; counters of the product have no event to wait for."""
    while not question():  # noqa: ASYNC110
        await asyncio.sleep(_TICK)


async def until_told(work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Do it until it is done, or SIGTERM comes."""
    task = asyncio.ensure_future(work())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("collector", "station"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--meters", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--in-hand", type=int, default=2000)
    parser.add_argument("--backlog", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.open:
        leave_signatures_out()
    look_for_cycles_seldom()
    settings = load_settings(arguments.folder / "meterseal.toml", {})
    if arguments.role == "collector":
        assert settings.collector is not None
        role = settings.collector
        result = asyncio.run(until_told(lambda: collect(role, arguments)))
    else:
        assert settings.station is not None
        place = settings.station
        result = asyncio.run(until_told(lambda: store(place, arguments.folder)))
    (arguments.folder / f"{arguments.role}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()

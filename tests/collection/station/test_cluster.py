"""Past one machine: three servers that replicate, two stations that share, one of each killed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import aiomqtt
from prometheus_client import CollectorRegistry

from meterseal.collection import topics
from meterseal.collection.broker import find_program
from meterseal.collection.receipts import Verdict, open_receipt
from meterseal.collection.station.check import Checker
from meterseal.collection.station.ingest import Ingest, ReceiptWriter
from meterseal.collection.station.jetstream import JetStreamInbox
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.store import Store, open_store
from support.collecting import free_port
from support.station import DAY, NOW, PLAIN, directory, reading, registry, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

LIMIT = 180
READINGS = 600
IN_BUNDLE = 5
NODE = """\
server_name: "node-{number}"
listen: "127.0.0.1:{nats}"
jetstream {{ store_dir: "{store}" }}
cluster {{ name: "meterseal", listen: "127.0.0.1:{route}", routes: [{routes}] }}
mqtt {{ listen: "127.0.0.1:{mqtt}", max_ack_pending: 1024, stream_replicas: 3 }}
"""


class Cluster:
    """Three servers that know each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = [(free_port(), free_port(), free_port()) for _ in range(3)]
        self._nodes: list[asyncio.subprocess.Process] = []

    @property
    def servers(self) -> list[str]:
        return [f"nats://127.0.0.1:{nats}" for nats, _, _ in self._ports]

    @property
    def mqtt_port(self) -> int:
        return self._ports[0][2]

    async def __aenter__(self) -> Self:
        routes = ", ".join(f'"nats://127.0.0.1:{route}"' for _, route, _ in self._ports)
        for number, (nats, route, mqtt) in enumerate(self._ports, 1):
            config = self._folder / f"node-{number}.conf"
            store = self._folder / f"node-{number}"
            config.write_text(
                NODE.format(
                    number=number, nats=nats, route=route, mqtt=mqtt, routes=routes, store=store
                )
            )
            node = await asyncio.create_subprocess_exec(
                *(find_program(), "-c", str(config), "-l", str(store) + ".log")
            )
            self._nodes.append(node)
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self._nodes:
            with contextlib.suppress(ProcessLookupError):
                node.kill()
            await node.wait()

    async def kill(self, number: int) -> None:
        self._nodes[number - 1].kill()
        await self._nodes[number - 1].wait()

    async def inbox(self, name: str) -> JetStreamInbox:
        """An inbox of a station, once the servers have chosen who leads."""
        async with asyncio.timeout(LIMIT):
            while True:
                try:
                    return await JetStreamInbox.open(self.servers, name, replicas=3, patience=3)
                except OSError:
                    await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def ingesting(inbox: JetStreamInbox, store: Store, name: str) -> AsyncIterator[None]:
    """A station, which is gone in the midst of its work when the block ends."""
    station = Ingest(
        inbox,
        checker=Checker(directory(), registry()),
        store=store,
        receipts=ReceiptWriter(world().receipts(), name),
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: NOW,
        backoff=(0.01, 0.1),
    )
    task = asyncio.create_task(station.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await inbox.close()


class Collector:
    """Sends bundles, and sends again what gets no receipt."""

    def __init__(self, port: int) -> None:
        self._port = port
        sealed = world().collector.sealer.seal_many(
            [reading(number, sampled_at=NOW - DAY + number) for number in range(1, READINGS + 1)]
        )
        self._waiting = dict(enumerate(sealed, 1))
        self.verdicts: set[Verdict] = set()

    @property
    def receipted(self) -> int:
        return READINGS - len(self._waiting)

    async def until(self, receipted: int) -> None:
        async with asyncio.timeout(LIMIT):
            while self.receipted < receipted:
                await asyncio.sleep(0.01)

    async def run(self) -> None:
        """Stay connected until all is signed for."""
        while self._waiting:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self._port, identifier="collector-1") as it:
                    await it.subscribe(topics.down("collector-1"), qos=1)
                    listening = asyncio.create_task(self._listen(it))
                    try:
                        await self._send(it)
                    finally:
                        listening.cancel()
                        await asyncio.gather(listening, return_exceptions=True)
            await asyncio.sleep(0.1)

    async def _send(self, client: aiomqtt.Client) -> None:
        while self._waiting:
            for numbers in bundles(list(self._waiting)):
                bundle = [self._waiting[number] for number in numbers if number in self._waiting]
                await client.publish(topics.up("collector-1"), topics.pack(bundle), qos=1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self.until(READINGS)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            receipt, envelope = open_receipt(message.payload)
            envelope.verify(world().station.certificate.public_key())
            for entry in receipt.entries:
                self.verdicts.add(entry.verdict)
                self._waiting.pop(entry.sequence, None)


def bundles(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[start : start + IN_BUNDLE] for start in range(0, len(numbers), IN_BUNDLE))


def test_a_server_and_a_station_killed_under_load_cost_nothing(
    tmp_path: Path, address: str
) -> None:
    async def story(one: Store, two: Store) -> Collector:
        async with Cluster(tmp_path) as cluster, contextlib.AsyncExitStack() as stack:
            second = await cluster.inbox("station-2")
            first = await cluster.inbox("station-1")
            await stack.enter_async_context(ingesting(second, two, "station-2"))
            collector = Collector(cluster.mqtt_port)
            sending = asyncio.create_task(collector.run())
            async with ingesting(first, one, "station-1"):
                await collector.until(READINGS // 6)
                await cluster.kill(2)
                await collector.until(READINGS // 3)
            assert not sending.done(), "the station died under load"
            async with asyncio.timeout(LIMIT):
                await sending
            return collector

    stores = open_store(address), open_store(address)
    collector = asyncio.run(story(*stores))
    assert collector.verdicts == {Verdict.STORED}
    stored = [each.sequence for each in stores[0].statements(PLAIN, 0, NOW + DAY)]
    assert stored == list(range(1, READINGS + 1))
    assert stores[0].database.read("SELECT sum(readings) FROM daily") == [(READINGS,)]
    for each in stores:
        each.close()

"""More than one machine: three NATS servers that replicate, two stations, one of each killed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import aiomqtt
import nats
import pytest
from prometheus_client import CollectorRegistry

from meterseal.collection import topics
from meterseal.collection.broker import find_program
from meterseal.collection.receipts import Verdict, open_receipt
from meterseal.collection.station.check import Checker
from meterseal.collection.station.ingest import Ingest, ReceiptWriter
from meterseal.collection.station.jetstream import JetStreamInbox
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.store import Store, open_store
from meterseal.net.ports import free_port
from support.station import DAY, NOW, PLAIN, directory, reading, registry, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIMIT = 90
BUNDLES, SIZE = 60, 10
_NODE = """\
server_name: "{name}"
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}" }}
cluster {{ name: "grid", listen: "127.0.0.1:{route}", routes: [{routes}] }}
mqtt {{ listen: "127.0.0.1:{mqtt}", stream_replicas: 3 }}
"""


class Cluster:
    """Three servers on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = ("one", "two", "three")
        self.ports, self.mqtt, routes = ([free_port() for _ in self.names] for _ in range(3))
        self.servers = [f"nats://127.0.0.1:{port}" for port in self.ports]
        self._routes = routes
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> Self:
        known = ", ".join(f'"nats-route://127.0.0.1:{route}"' for route in self._routes)
        for name, port, mqtt, route in zip(
            self.names, self.ports, self.mqtt, self._routes, strict=True
        ):
            config = self.folder / f"{name}.conf"
            config.write_text(
                _NODE.format(
                    name=name, port=port, mqtt=mqtt, route=route, routes=known,
                    folder=self.folder / name,
                )
            )  # fmt: skip
            log = (self.folder / f"{name}.log").open("wb")
            self._processes[name] = await asyncio.create_subprocess_exec(
                find_program(), "-c", str(config), stdout=log, stderr=log
            )
            log.close()
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in self.names:
            await self.kill(name)

    async def kill(self, name: str) -> None:
        process = self._processes[name]
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def open_inbox(self, station: str) -> JetStreamInbox:
        """The servers need a while to agree on a leader."""
        async with asyncio.timeout(LIMIT):
            while True:
                with contextlib.suppress(OSError):
                    return await JetStreamInbox.open(
                        self.servers, station, replicas=3, patience=2.0
                    )
                await asyncio.sleep(0.5)

    async def leader(self) -> str:
        """The server that the others follow in what concerns our stream."""
        client = await nats.connect(self.servers)
        info = await client.jetstream().stream_info("METERSEAL")
        await client.close()
        assert info.cluster is not None
        return str(info.cluster.leader)


@contextlib.asynccontextmanager
async def ingesting(inbox: JetStreamInbox, store: Store, name: str) -> AsyncIterator[asyncio.Task]:
    station = Ingest(
        inbox,
        checker=Checker(directory(), registry()),
        store=store,
        receipts=ReceiptWriter(world().receipts(), name),
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: NOW,
        backoff=(0.01, 0.02),
    )
    task = asyncio.create_task(station.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await inbox.close()


class Sender:
    """What a collector does: it sends again what has no receipt."""

    def __init__(self) -> None:
        self.waiting: dict[int, bytes] = {}
        for start in range(1, BUNDLES * SIZE, SIZE):
            sealed = world().collector.sealer.seal_many(
                [reading(n, sampled_at=NOW - DAY + n) for n in range(start, start + SIZE)]
            )
            self.waiting[start] = topics.pack(sealed)
        self.verdicts: set[Verdict] = set()

    async def run(self, port: int) -> None:
        while self.waiting:
            with contextlib.suppress(aiomqtt.MqttError):
                await self._session(port)

    async def _session(self, port: int) -> None:
        """An acknowledgement may die with its server: then the connection is made anew."""
        async with aiomqtt.Client("127.0.0.1", port, identifier="collector-1") as client:
            await client.subscribe(topics.down("collector-1"), qos=1, timeout=5)
            listening = asyncio.create_task(self._listen(client))
            try:
                while self.waiting:
                    for start, bundle in list(self.waiting.items()):
                        if start in self.waiting:
                            await client.publish(topics.up("collector-1"), bundle, 1, timeout=5)
                            await asyncio.sleep(0.02)
                    await asyncio.sleep(1)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            receipt, _ = open_receipt(message.payload)
            for entry in receipt.entries:
                self.verdicts.add(entry.verdict)
                if entry.sequence % SIZE == 0:  # bundles are stored whole
                    self.waiting.pop(entry.sequence - SIZE + 1, None)


@pytest.mark.slow
def test_a_server_and_a_station_are_killed_under_load_and_nothing_is_lost(
    tmp_path: Path, address: str
) -> None:
    async def story(one: Store, two: Store) -> None:
        async with Cluster(tmp_path) as cluster:
            first = await cluster.open_inbox("station-1")
            second = await cluster.open_inbox("station-2")
            leader = await cluster.leader()
            survivor = next(n for n in range(3) if cluster.names[n] != leader)
            sender = Sender()
            async with (
                ingesting(first, one, "station-1") as dying,
                ingesting(second, two, "station-2"),
                asyncio.timeout(LIMIT),
            ):
                sending = asyncio.create_task(sender.run(cluster.mqtt[survivor]))
                while len(sender.waiting) > BUNDLES * 3 // 4:
                    await asyncio.sleep(0.01)
                await cluster.kill(leader)
                dying.cancel()
                assert sender.waiting, "the harness killed under load"
                await sending
        assert sender.verdicts == {Verdict.STORED}

    stores = open_store(address), open_store(address)
    asyncio.run(story(*stores))
    rows = stores[0].statements(PLAIN, 0, NOW + DAY)
    assert [row.sequence for row in rows] == list(range(1, BUNDLES * SIZE + 1))
    assert stores[0].database.read("SELECT count(*) FROM missing") == [(0,)]
    for store in stores:
        store.close()

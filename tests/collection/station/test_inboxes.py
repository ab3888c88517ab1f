"""The station behind real brokers: MQTT, and a NATS JetStream shared by several stations."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import aiomqtt
import pytest
from prometheus_client import CollectorRegistry

from meterseal.collection import broker as broker_module
from meterseal.collection import topics
from meterseal.collection.broker import EmbeddedBroker
from meterseal.collection.receipts import Entry, Verdict, open_receipt
from meterseal.collection.station import mqtt as mqtt_module
from meterseal.collection.station.check import Checker
from meterseal.collection.station.ingest import Ingest, ReceiptWriter
from meterseal.collection.station.jetstream import JetStreamInbox
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.mqtt import Broker, MqttInbox
from meterseal.collection.station.store import Store, open_store
from meterseal.net.ports import free_port
from support.station import DAY, NOW, PLAIN, directory, reading, registry, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meterseal.collection.station.inbox import Inbox

LIMIT = 60


@contextlib.asynccontextmanager
async def ingesting(inbox: Inbox, store: Store) -> AsyncIterator[None]:
    """A station at work."""
    station = Ingest(
        inbox,
        checker=Checker(directory(), registry()),
        store=store,
        receipts=ReceiptWriter(world().receipts(), "station-1"),
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: NOW,
        backoff=(0.01, 0.02),
    )
    task = asyncio.create_task(station.run())
    try:
        yield
    finally:
        task.cancel()
        ended = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended[0], asyncio.CancelledError), ended
        await inbox.close()


class Collector:
    """Publishes bundles and reads its receipts."""

    def __init__(self, port: int) -> None:
        self._client = aiomqtt.Client("127.0.0.1", port, identifier="collector-1")
        self.entries: list[Entry] = []

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        await self._client.subscribe(topics.down("collector-1"), qos=1)
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.__aexit__(*error)  # type: ignore[arg-type]

    async def send(self, *sequences: int) -> None:
        sealed = world().collector.sealer.seal_many(
            [reading(n, sampled_at=NOW - DAY + n) for n in sequences]
        )
        await self.publish(topics.pack(sealed))

    async def publish(self, payload: bytes) -> None:
        await self._client.publish(topics.up("collector-1"), payload, qos=1)

    async def receipted(self, count: int) -> list[Entry]:
        async with asyncio.timeout(LIMIT):
            while len(self.entries) < count:
                await asyncio.sleep(0.01)
        return self.entries

    async def _listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            receipt, envelope = open_receipt(message.payload)
            envelope.verify(world().station.certificate.public_key())
            self.entries += receipt.entries


def stored(store: Store) -> list[int]:
    return [each.sequence for each in store.statements(PLAIN, 0, NOW + DAY)]


async def mqtt(port: int) -> MqttInbox:
    inbox = MqttInbox(Broker("127.0.0.1", port, "station-1"))
    async with asyncio.timeout(LIMIT):
        await inbox.connected.wait()
    return inbox


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "station.db")


def test_stores_and_signs_for_what_comes_over_mqtt(tmp_path: Path, store: Store) -> None:
    async def story() -> None:
        port = free_port()
        async with EmbeddedBroker(tmp_path, port, free_port()):
            async with ingesting(await mqtt(port), store), Collector(port) as collector:
                await collector.send(1, 2)
                await collector.send(3)
                entries = await collector.receipted(3)
        assert [(e.sequence, e.verdict) for e in entries] == [
            (n, Verdict.STORED) for n in (1, 2, 3)
        ]

    asyncio.run(story())
    assert stored(store) == [1, 2, 3]


def test_a_station_reads_all_that_the_broker_hands_it_before_an_acknowledgement() -> None:
    """Else a broker finds it too slow, cuts it off, and hands it the same again, for ever."""
    assert broker_module._UNACKNOWLEDGED < mqtt_module._IN_HAND
    assert broker_module._UNACKNOWLEDGED * topics.MAX_BUNDLE_SIZE < broker_module._MAX_PENDING


@pytest.mark.slow
def test_a_station_that_cannot_store_for_a_while_keeps_its_link(tmp_path: Path) -> None:
    async def story() -> None:
        port, size, count = free_port(), 128 << 10, 900
        async with EmbeddedBroker(tmp_path, port, free_port()), Collector(port) as collector:
            inbox = await mqtt(port)
            for _ in range(count):
                await collector.publish(bytes(size))
            taken, came = 0, set()
            while taken < count:  # more lies in the broker than it bears to have under way
                async with asyncio.timeout(LIMIT):
                    messages = await inbox.receive(64, 0.05)
                for message in messages:
                    await message.acknowledge()
                taken += len(messages)
                came.add(inbox._connection)
            assert came == {1}, "never cut off"
            await inbox.close()

    asyncio.run(story())


def test_what_is_worth_writing_waits_for_no_company(tmp_path: Path) -> None:
    async def story() -> None:
        port = free_port()
        async with EmbeddedBroker(tmp_path, port, free_port()), Collector(port) as collector:
            inbox = await mqtt(port)
            await collector.publish(bytes(65_536))
            async with asyncio.timeout(LIMIT):
                (message,) = await inbox.receive(64, 10 * LIMIT)
            assert len(message.payload) == 65_536
            await inbox.close()

    asyncio.run(story())


@pytest.mark.slow  # the broker waits for half a minute
def test_what_was_not_acknowledged_comes_again_to_the_next_of_the_name(
    tmp_path: Path, store: Store
) -> None:
    async def story() -> None:
        port = free_port()
        async with EmbeddedBroker(tmp_path, port, free_port()), Collector(port) as collector:
            first = await mqtt(port)
            await collector.send(1)
            (message,) = await first.receive(1, 0)
            assert topics.unpack(message.payload)
            await first.close()  # without a word about the message
            await collector.send(2)  # while nobody is there
            async with ingesting(await mqtt(port), store):
                await collector.receipted(2)

    asyncio.run(story())
    assert stored(store) == [1, 2]


def test_goes_on_after_a_restart_of_the_broker(tmp_path: Path, store: Store) -> None:
    async def story() -> None:
        port, nats_port = free_port(), free_port()
        broker = EmbeddedBroker(tmp_path, port, nats_port)
        await broker.start()
        inbox = await mqtt(port)
        async with ingesting(inbox, store):
            async with Collector(port) as collector:
                await collector.send(1)
                await collector.receipted(1)
            await broker.stop()
            async with asyncio.timeout(LIMIT):
                while inbox.connected.is_set():
                    await asyncio.sleep(0.01)
            async with EmbeddedBroker(tmp_path, port, nats_port):
                async with asyncio.timeout(LIMIT):
                    await inbox.connected.wait()
                async with Collector(port) as collector:
                    await collector.send(2)
                    await collector.receipted(1)

    asyncio.run(story())
    assert stored(store) == [1, 2]


def test_several_stations_share_one_consumer(tmp_path: Path, address: str) -> None:
    """Both stations store into one database; none of the bundles is taken twice or by nobody."""

    async def story(one: Store, two: Store) -> None:
        port, nats_port = free_port(), free_port()
        servers = [f"nats://127.0.0.1:{nats_port}"]
        async with EmbeddedBroker(tmp_path, port, nats_port):
            first = await JetStreamInbox.open(servers, "station-1")
            second = await JetStreamInbox.open(servers, "station-2")
            async with ingesting(first, one), ingesting(second, two), Collector(port) as collector:
                for start in range(1, 121, 3):
                    await collector.send(start, start + 1, start + 2)
                entries = await collector.receipted(120)
        assert {entry.verdict for entry in entries} == {Verdict.STORED}
        assert len(entries) == 120

    stores = open_store(address), open_store(address)
    asyncio.run(story(*stores))
    assert stored(stores[0]) == list(range(1, 121))
    assert stores[1].database.read("SELECT count(*) FROM missing") == [(0,)]
    for each in stores:
        each.close()


def test_what_one_station_takes_and_dies_with_goes_to_another(tmp_path: Path, store: Store) -> None:
    async def story() -> None:
        port, nats_port = free_port(), free_port()
        servers = [f"nats://127.0.0.1:{nats_port}"]
        async with EmbeddedBroker(tmp_path, port, nats_port):
            dying = await JetStreamInbox.open(servers, "station-1", patience=0.5)
            async with Collector(port) as collector:
                await collector.send(1)
                await dying.receive(1, 0)
                await dying.close()
                other = await JetStreamInbox.open(servers, "station-2", patience=0.5)
                async with ingesting(other, store):
                    await collector.receipted(1)

    asyncio.run(story())
    assert stored(store) == [1]

"""Forgers and thieves before a whole station: what they send is named, counted and never stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest
from prometheus_client import CollectorRegistry

from meterseal.collection import topics
from meterseal.collection.alink import Device
from meterseal.collection.broker import EmbeddedBroker
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.evidence import verify_stored
from meterseal.collection.station.inbox import Message
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.mqtt import Broker
from meterseal.collection.station.run import Station, StationConfig
from meterseal.collection.topics import pack
from meterseal.crypto.sm2 import PrivateKey
from meterseal.net.ports import free_port
from meterseal.x509 import Name, dump_certificates, dump_crls, self_signed
from support.station import NOW, OTHER, PLAIN, SEALING, START, Party, reading, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from meterseal.collection.model import MeterAddress

UP = topics.up("collector-1")
FOR_EVER = 1 << 60
REGISTRY = f"""
[[meter]]
addresses = ["{PLAIN}"]
collectors = ["collector-1"]
[[meter]]
addresses = ["{OTHER}"]
collectors = ["collector-1", "collector-2"]
[[meter]]
addresses = ["{SEALING}"]
collectors = ["collector-1"]
seals_itself = true
"""


class Post:
    """An inbox that the test fills, and that wakes it when all is acknowledged."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._open = 0
        self._idle = asyncio.Event()

    async def send(self, *messages: tuple[str, bytes]) -> None:
        self._idle.clear()
        self._open += len(messages)
        for topic, payload in messages:
            self._queue.put_nowait(Message(topic, payload, self._acknowledge))
        async with asyncio.timeout(60):
            await self._idle.wait()

    async def receive(self, most: int, patience: float) -> list[Message]:
        del patience
        messages = [await self._queue.get()]
        while len(messages) < most and not self._queue.empty():
            messages.append(self._queue.get_nowait())
        return messages

    async def publish(self, topic: str, payload: bytes) -> None:
        """Nobody listens."""

    async def close(self) -> None:
        """Nothing to close."""

    async def _acknowledge(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()


class Scene:
    def __init__(self, station: Station) -> None:
        self.station = station
        self.post = Post()

    def stored(self, meter: MeterAddress = PLAIN) -> list[int]:
        return [it.sequence for it in self.station.store.statements(meter, 0, FOR_EVER)]

    def refused(self) -> dict[Verdict, int]:
        """How many were refused, by reason."""
        sql = "SELECT verdict, sum(count) FROM refusals GROUP BY verdict"
        return {Verdict(verdict): n for verdict, n in self.station.store.database.read(sql)}


@pytest.fixture
def config(tmp_path: Path) -> StationConfig:
    w = world()
    (tmp_path / "root.pem").write_bytes(dump_certificates([w.root.certificate]))
    (tmp_path / "ca.crl").write_bytes(dump_crls([w.crl()]))
    (tmp_path / "registry.toml").write_text(REGISTRY)
    honest = (w.ca, w.collector, w.collector_2, w.meter, w.other_meter)
    (tmp_path / "known.pem").write_bytes(dump_certificates([it.certificate for it in honest]))
    return StationConfig(
        name="station-1",
        key=w.station.key,
        certificate=w.station.certificate,
        ca=tmp_path / "root.pem",
        registry=tmp_path / "registry.toml",
        store=tmp_path / "station.db",
        source=Broker("127.0.0.1", 1, "station-1"),
        crls=(tmp_path / "ca.crl",),
        certificates=tmp_path / "known.pem",
    )


@pytest.fixture
def station(config: StationConfig) -> Iterator[Station]:
    station = Station(config, metrics=Metrics(CollectorRegistry()), clock=lambda: NOW)
    yield station
    station.close()


def play(station: Station, story: Callable[[Scene], Any]) -> Scene:
    async def main() -> Scene:
        scene = Scene(station)
        task = asyncio.create_task(station.run(scene.post))
        try:
            await story(scene)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return scene

    return asyncio.run(main())


def sealed(party: Party, sequence: int = 1, meter: MeterAddress = PLAIN) -> bytes:
    return party.sealer.seal(reading(sequence, meter=meter))


def every_flip(data: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_every_bit_of_a_message_and_of_its_topic_counts(station: Station) -> None:
    """T1: header, payload, signature, the bundle around them, and under which name it came."""
    bundle = pack([sealed(world().collector)])
    names = [each.decode("latin-1") for each in every_flip(UP.encode())]
    assert len(names) == 8 * len(UP)

    async def story(scene: Scene) -> None:
        await scene.post.send(*((UP, each) for each in every_flip(bundle)))
        assert scene.stored() == []
        assert sum(scene.refused().values()) == 8 * len(bundle)
        await scene.post.send(*((name, bundle) for name in names))
        assert scene.stored() == []
        assert scene.refused()[Verdict.TOPIC] > 0
        await scene.post.send((UP, bundle))
        assert scene.stored() == [1], "the harness itself is honest"

    play(station, story)


@pytest.mark.parametrize(
    ("topic", "signer", "meter", "verdict"),
    [
        ("collector-2", "collector", PLAIN, Verdict.TOPIC),
        ("collector-2", "collector", OTHER, Verdict.TOPIC),
        ("collector-2", "collector_2", PLAIN, Verdict.TOPIC),
        (f"meter-{SEALING}", "meter", PLAIN, Verdict.TOPIC),
        ("collector-1", "meter", PLAIN, Verdict.METER),
        ("collector-1", "other_meter", SEALING, Verdict.METER),
        ("collector-1", "collector", SEALING, Verdict.METER),
    ],
    ids=[
        "another collector's topic", "a topic of one who may carry, but did not sign",
        "a meter of another collector", "a meter in its own name for another",
        "a meter through the collector for another", "a meter for one that seals itself",
        "a compromised collector invents for one that seals itself",
    ],
)  # fmt: skip
def test_nobody_speaks_for_another(
    station: Station, topic: str, signer: str, meter: MeterAddress, verdict: Verdict
) -> None:
    """T2 and F1."""
    party: Party = getattr(world(), signer)

    async def story(scene: Scene) -> None:
        await scene.post.send((topics.up(topic), pack([sealed(party, 1, meter)])))

    scene = play(station, story)
    assert scene.stored(meter) == []
    assert scene.refused() == {verdict: 1}


def test_a_compromised_collector_cannot_alter_what_a_meter_sealed(station: Station) -> None:
    """F1: it holds its own key and the meter's bytes, and that is not enough."""
    honest = sealed(world().meter, 1, SEALING)
    own = world().collector.sealer.seal(reading(1, meter=SEALING, values={}))
    forged = honest[:-64] + own[-64:]

    async def story(scene: Scene) -> None:
        await scene.post.send((UP, pack([own, forged, honest])))

    scene = play(station, story)
    assert scene.stored(SEALING) == [1]
    assert scene.refused() == {Verdict.METER: 1, Verdict.SIGNATURE: 1}


def thief() -> Party:
    """Knows every password, and has a certificate of its own making."""
    key = PrivateKey.generate()
    name = Name.parse("/C=CN/O=Grid/CN=collector-1")
    return Party(self_signed(key, name, not_before=START - timedelta(days=1), days=30), key)


@pytest.mark.parametrize("credentials", ["Alink", "collector-1"])
def test_stolen_credentials_open_the_broker_and_not_the_store(
    station: Station, tmp_path: Path, credentials: str
) -> None:
    """F2: a login that the broker believes, certificates shown, readings sealed with no key."""
    own = thief()
    device = Device("a14Xib5kdYd", "collector-1", "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq")
    sign_in = device.sign_in("collector-1", NOW, 3)
    names = {"identifier": "collector-1", "username": "collector-1", "password": None}
    if credentials == "Alink":
        names = {
            "identifier": sign_in.client_id,
            "username": sign_in.user_name,
            "password": sign_in.password,
        }
    port = free_port()
    broker = Broker("127.0.0.1", port, "station-1")

    async def main() -> None:
        station.config = replace(station.config, source=broker)
        async with EmbeddedBroker(tmp_path / "broker", port, free_port()):
            task = asyncio.create_task(station.run())
            try:
                async with aiomqtt.Client("127.0.0.1", port, **names) as client:  # type: ignore[arg-type]
                    async with asyncio.timeout(60):
                        while not station.views.refused():  # until the station listens
                            shown = pack([own.certificate.encoding])
                            await client.publish(topics.certificates("collector-1"), shown, qos=1)
                            await client.publish(UP, pack([sealed(own)]), qos=1)
                            await asyncio.sleep(0.2)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    scene = Scene(station)
    assert scene.stored() == []
    assert set(scene.refused()) == {Verdict.STRANGER}


def test_a_revoked_meter_is_alone_in_its_misfortune(station: Station) -> None:
    """K1: its key leaks; others go on, what it said before still holds, the thief gets nowhere."""
    w = world()

    async def story(scene: Scene) -> None:
        await scene.post.send((UP, pack([sealed(w.meter, 1, SEALING), sealed(w.collector, 1)])))
        station.config.crls[0].write_bytes(dump_crls([w.crl(w.meter)]))
        await station.try_reload()
        stolen = sealed(w.meter, 2, SEALING)
        await scene.post.send((UP, pack([stolen, sealed(w.collector, 2)])))
        await scene.post.send((UP, pack([sealed(w.collector, 1, OTHER)])))

    scene = play(station, story)
    assert scene.stored(SEALING) == [1]
    assert scene.stored() == [1, 2]
    assert scene.stored(OTHER) == [1]
    assert scene.refused() == {Verdict.REVOKED: 1}
    report = verify_stored(station.store, PLAIN, 0, FOR_EVER, w.trust)
    assert report.holds


def test_a_retained_message_and_a_duplicate_count_once_after_any_restart(
    station: Station, tmp_path: Path
) -> None:
    """R2 and R3, through a real broker: accepted once, and nobody is alarmed."""
    port, nats_port = free_port(), free_port()
    station.config = replace(station.config, source=Broker("127.0.0.1", port, "station-1"))
    bundle = pack([sealed(world().collector)])

    async def until(messages: int) -> None:
        """Wait until the station has taken so many messages."""
        async with asyncio.timeout(60):
            while station.metrics.messages._value.get() < messages:
                await asyncio.sleep(0.02)

    async def sending(identifier: str, *, retain: bool, until_taken: int) -> None:
        async with aiomqtt.Client("127.0.0.1", port, identifier=identifier) as client:
            await client.publish(UP, bundle, qos=1, retain=retain)
            await until(until_taken)

    async def running(*deeds: Any) -> None:  # noqa: ANN401
        task = asyncio.create_task(station.run())
        try:
            for deed in deeds:
                await deed
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def main() -> None:
        async with EmbeddedBroker(tmp_path / "broker", port, nats_port):
            async with aiomqtt.Client("127.0.0.1", port, identifier="early") as client:
                await client.publish(UP, bundle, qos=1, retain=True)
            await running(
                until(1),  # the retained one
                sending("a", retain=False, until_taken=2),
                sending("b", retain=False, until_taken=3),
            )
            await running(until(4))  # a new subscription: the retained one again
        async with EmbeddedBroker(tmp_path / "broker", port, nats_port):
            await running(until(5))

    asyncio.run(main())
    scene = Scene(station)
    assert scene.stored() == [1]
    assert scene.refused() == {}
    assert station.store.database.read("SELECT count(*) FROM alarms") == [(0,)]

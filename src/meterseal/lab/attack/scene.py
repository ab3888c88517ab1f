"""The victims of the collection: a station behind a real broker, and who speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
from prometheus_client import CollectorRegistry

from meterseal.collection import topics
from meterseal.collection.broker import EmbeddedBroker, find_program
from meterseal.collection.model import MeterAddress, Quantity, Reading
from meterseal.collection.receipts import Verdict
from meterseal.collection.sealing import Sealer, open_sealed
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.mqtt import Broker, MqttInbox
from meterseal.collection.station.run import Station, StationConfig
from meterseal.collection.topics import pack, unpack
from meterseal.crypto import sm2
from meterseal.errors import MalformedData, UsageError
from meterseal.lab.attack.identities import Ca, new_ca, new_credential
from meterseal.lab.attack.notes import Notes, Skipped
from meterseal.lab.attack.waiting import until
from meterseal.net.ports import free_port
from meterseal.x509 import (
    RevocationReason,
    RevokedCertificate,
    dump_certificates,
    dump_crls,
    issue_crl,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from meterseal.x509 import Certificate

__all__ = [
    "EPOCH",
    "FORGED",
    "NUMBER",
    "OTHER",
    "PLAIN",
    "SEALING",
    "TIMES",
    "UP",
    "Believer",
    "Party",
    "Scene",
    "believed",
    "play",
    "reading",
    "tried",
]

PLAIN: Final = MeterAddress("000000000001")
"""A meter whose readings its collector seals; collector-1 alone carries them."""
OTHER: Final = MeterAddress("000000000002")
"""The same, carried by collector-1 and collector-2."""
SEALING: Final = MeterAddress("202611230001")
"""A meter that seals what it says."""
_MARKER: Final = MeterAddress("999999999999")
UP: Final = topics.up("collector-1")
EPOCH: Final = 1_763_880_000
NUMBER: Final = 77
TIMES: Final = 100
FORGED: Final = 999_999
"""What a forger would have a meter say."""
_FOR_EVER: Final = 1 << 60
_SECONDS: Final = 60.0
_REGISTRY: Final = f"""
[[meter]]
addresses = ["{PLAIN}", "{_MARKER}"]
collectors = ["collector-1"]
[[meter]]
addresses = ["{OTHER}"]
collectors = ["collector-1", "collector-2"]
[[meter]]
addresses = ["{SEALING}"]
collectors = ["collector-1"]
seals_itself = true
"""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody with a certificate and its key."""

    certificate: Certificate
    key: sm2.PrivateKey

    @classmethod
    def of(cls, ca: Ca, name: str) -> Party:
        """Have somebody certified."""
        credential = new_credential(ca, name, profile="client")
        if not isinstance(credential.key, sm2.PrivateKey):
            raise TypeError("expected a key in memory")
        return cls(credential.chain[0], credential.key)

    def seal(self, statement: Reading) -> bytes:
        """Seal a statement as this party."""
        return Sealer(self.key, self.certificate).seal(statement)


def reading(sequence: int, meter: MeterAddress = PLAIN, energy: int = 500_000) -> Reading:
    """Return a reading of now."""
    return Reading(
        meter=meter,
        epoch=EPOCH,
        sequence=sequence,
        sampled_at=now(),
        values={Quantity.FORWARD_ENERGY: energy, Quantity.VOLTAGE_A: 22_000},
    )


def now() -> int:
    """Return UTC in ms."""
    return time.time_ns() // 1_000_000


class Believer:
    """A station weakened to what plain MQTT gives: it believes the topic and stores all."""

    def __init__(self) -> None:
        self.stored: list[Reading] = []

    async def run(self, port: int, ready: asyncio.Event) -> None:
        """Subscribe, and believe."""
        async with aiomqtt.Client("127.0.0.1", port, identifier="believer") as client:
            await client.subscribe(topics.ALL_UP, qos=1)
            ready.set()
            async for message in client.messages:
                with contextlib.suppress(MalformedData):
                    for item in unpack(bytes(message.payload or b"")):
                        self._take(item)

    def _take(self, item: bytes) -> None:
        statement = open_sealed(item).statement
        if isinstance(statement, Reading):
            self.stored.append(statement)

    def of(self, meter: MeterAddress) -> list[Reading]:
        """Return what it believes of a meter."""
        return [it for it in self.stored if it.meter == meter]


class Scene:
    """A station, its broker, a believer beside it, and those who may speak to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.ca = new_ca("collection root")
        self.collector, self.collector_2 = self._party("collector-1"), self._party("collector-2")
        self.meter, self.other_meter = (
            self._party(f"meter-{SEALING}"),
            self._party(f"meter-{OTHER}"),
        )
        self.believer = Believer()
        self._markers = itertools.count(1)
        self._metrics = Metrics(CollectorRegistry())
        self.station = Station(self._config(), metrics=self._metrics)

    def _party(self, name: str) -> Party:
        return Party.of(self.ca, name)

    def _config(self) -> StationConfig:
        own = self._party("station-1")
        folder = self.folder
        (folder / "root.pem").write_bytes(dump_certificates([self.ca.certificate]))
        (folder / "registry.toml").write_text(_REGISTRY)
        known = (self.collector, self.collector_2, self.meter, self.other_meter)
        (folder / "known.pem").write_bytes(dump_certificates([it.certificate for it in known]))
        self.write_list()
        return StationConfig(
            name="station-1",
            key=own.key,
            certificate=own.certificate,
            ca=folder / "root.pem",
            registry=folder / "registry.toml",
            store=folder / "station.db",
            source=Broker("127.0.0.1", self.port, "station-1"),
            crls=(folder / "ca.crl",),
            certificates=folder / "known.pem",
        )

    def write_list(self, *revoked: Party) -> None:
        """Publish a list of revoked certificates, as a file that the station reads."""
        why = RevocationReason.KEY_COMPROMISE
        at = datetime.now(UTC)
        lines = [RevokedCertificate.of(it.certificate.serial_number, at, why) for it in revoked]
        crl = issue_crl(
            lines,
            ca_certificate=self.ca.certificate,
            ca_key=self.ca.key,
            this_update=at,
            days=30,
            number=1 + len(revoked),
        )
        (self.folder / "ca.crl").write_bytes(dump_crls([crl]))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run broker, station and believer."""
        broker = EmbeddedBroker(self.folder / "broker", self.port, free_port())
        async with broker, asyncio.timeout(10 * _SECONDS):
            inbox, believes = MqttInbox(self._source()), asyncio.Event()
            tasks = [
                asyncio.create_task(self.station.run(inbox)),
                asyncio.create_task(self.believer.run(self.port, believes)),
            ]
            try:
                async with asyncio.timeout(_SECONDS):
                    await inbox.connected.wait()
                    await believes.wait()
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _source(self) -> Broker:
        return Broker("127.0.0.1", self.port, "station-1")

    @contextlib.asynccontextmanager
    async def client(self, name: str, **options: Any) -> AsyncIterator[aiomqtt.Client]:  # noqa: ANN401
        """Be a client of the broker: it knows nobody, the login is believed."""
        settings = {"identifier": name, "username": name} | options
        async with aiomqtt.Client("127.0.0.1", self.port, **settings) as client:
            yield client

    async def send(self, messages: Sequence[tuple[str, bytes]], name: str = "collector-1") -> None:
        """Publish messages to the broker, and wait until the station has judged them."""
        async with self.client(f"{name}-by-hand") as client:
            for topic, payload in messages:
                await client.publish(topic, payload, qos=1)
            await self.settled(client)

    async def settled(self, client: aiomqtt.Client) -> None:
        """Send an honest statement behind the others and wait until both stations have it."""
        number = next(self._markers)
        marker = self.collector.seal(reading(number, _MARKER))
        await client.publish(UP, pack([marker]), qos=1)
        await until(
            lambda: number in self.stored(_MARKER) and len(self.believer.of(_MARKER)) >= number
        )

    def stored(self, meter: MeterAddress) -> list[int]:
        """Return the sequence numbers that the station has of a meter."""
        return [it.sequence for it in self.station.store.statements(meter, 0, _FOR_EVER)]

    def refused(self) -> Counter[Verdict]:
        """Return how many statements the station refused, by reason."""
        counts: Counter[Verdict] = Counter()
        for verdict, count in self.station.store.database.read(
            "SELECT verdict, sum(count) FROM refusals GROUP BY verdict"
        ):
            counts[Verdict(verdict)] += int(count)
        return counts

    def log(self) -> str:
        """Say what the station wrote down of its last refusal, and how many there were."""
        counts = ", ".join(f"{verdict.name} {n}" for verdict, n in self.refused().items())
        rows = self.station.views.refused(limit=1)
        last = f"; last: {rows[0].detail}" if rows else ""
        return f"station refused {counts or 'nothing'}{last}"


def play(story: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    """Run a story in a scene of its own. Raises `Skipped` where there is no broker to be had."""
    try:
        find_program()
    except UsageError as error:
        raise Skipped(str(error)) from None

    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="meterseal-range-") as folder:
            scene = Scene(Path(folder))
            try:
                async with scene.running():
                    await story(scene)
            finally:
                scene.station.close()

    asyncio.run(main())


def tried(notes: Notes, scene: Scene, what: str, *, held: bool, count: int = 1) -> None:
    """Note a trial, with what the station logged meanwhile."""
    notes.tried(what, scene.log(), held=held, count=count)


def believed(notes: Notes, scene: Scene, meter: MeterAddress, what: str) -> None:
    """The control: the station that believes its broker has taken the forgery."""
    values = [dict(it.values) for it in scene.believer.of(meter)]
    took = [it for it in values if FORGED in it.values()]
    who = f"a station that believes the broker, {what}"
    notes.control(who, f"it stored {len(took)} forged readings", fell=bool(took))

"""Identities and a small station for tests of the collector."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import aiomqtt

from meterseal.collection import topics
from meterseal.collection.model import MeterAddress
from meterseal.collection.receipts import Entry, Receipt, ReceiptSigner, Verdict
from meterseal.collection.sealing import Sealed, Sealer, digest_of, open_sealed
from support.identities import credential, root

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.x509 import Certificate

NOW_MS = 1_795_435_200_000
METER = MeterAddress("202611230001")


@dataclass(frozen=True)
class Actors:
    """A collector and a station under one root."""

    root: Certificate
    sealer: Sealer
    station: ReceiptSigner


@cache
def actors() -> Actors:
    ca, ca_key = root("collection root")
    collector = credential(ca, ca_key, "collector-1", profile="client")
    station = credential(ca, ca_key, "station-1", profile="client")
    return Actors(
        ca,
        Sealer(collector.key, collector.chain[0]),  # type: ignore[arg-type]
        ReceiptSigner(station.key, station.chain[0]),  # type: ignore[arg-type]
    )


def receipt_for(
    sealed: list[bytes], verdict: Verdict = Verdict.STORED, issued_at: int = NOW_MS
) -> bytes:
    """A station's receipt with one verdict on all of these."""
    entries = []
    for encoding in sealed:
        statement = open_sealed(encoding).statement
        key = statement.meter, statement.epoch, statement.sequence
        entries.append(Entry(*key, digest_of(encoding), verdict))
    receipt = Receipt(
        station="station-1", collector="collector-1", issued_at=issued_at, entries=tuple(entries)
    )
    return actors().station.sign(receipt)


@dataclass
class SmallStation:
    """Takes bundles from a broker and answers each with a receipt, as `judge` says."""

    port: int
    now: Callable[[], int]
    judge: Callable[[Sealed], Verdict | None] = lambda _: Verdict.STORED
    taken: list[Sealed] = field(default_factory=list)
    certificates: list[bytes] = field(default_factory=list)
    bundles: int = 0
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        options = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
        async with aiomqtt.Client(
            "127.0.0.1", self.port, identifier="station-1", socket_options=options
        ) as client:
            await client.subscribe([(topics.ALL_UP, 1), (topics.ALL_CERTIFICATES, 1)])
            self._ready.set()
            async for message in client.messages:
                items = topics.unpack(bytes(message.payload))  # type: ignore[arg-type]
                if str(message.topic).endswith("/certificates"):
                    self.certificates += items
                else:
                    await self._answer(client, items)
                async with self._heard:
                    self._heard.notify_all()

    async def ready(self) -> None:
        await asyncio.wait_for(self._ready.wait(), 10)

    async def heard(self, condition: Callable[[], bool]) -> None:
        """Wait until what was heard fulfils the condition."""
        async with asyncio.timeout(20), self._heard:
            await self._heard.wait_for(condition)

    async def _answer(self, client: aiomqtt.Client, items: list[bytes]) -> None:
        self.bundles += 1
        entries = []
        for encoding in items:
            sealed = open_sealed(encoding)
            self.taken.append(sealed)
            verdict = self.judge(sealed)
            if verdict is not None:
                it = sealed.statement
                entries.append(Entry(it.meter, it.epoch, it.sequence, digest_of(encoding), verdict))
        receipt = Receipt(
            station="station-1",
            collector="collector-1",
            issued_at=self.now(),
            entries=tuple(entries),
        )
        await client.publish(topics.down("collector-1"), actors().station.sign(receipt), qos=1)

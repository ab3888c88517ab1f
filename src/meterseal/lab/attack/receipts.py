"""Receipts that would have a collector let go of readings which no station has."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt

from meterseal.collection import topics
from meterseal.collection.broker import EmbeddedBroker, find_program
from meterseal.collection.collector.clock import WatchedClock
from meterseal.collection.collector.keeper import Keeper, Sample
from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.collector.profiles import OwnTopics
from meterseal.collection.collector.uplink import Broker, Uplink
from meterseal.collection.model import Quality, Quantity
from meterseal.collection.receipts import Entry, Receipt, ReceiptSigner, Verdict
from meterseal.collection.sealing import Sealer, digest_of, open_sealed
from meterseal.collection.topics import unpack
from meterseal.errors import UsageError
from meterseal.lab.attack.identities import new_ca
from meterseal.lab.attack.notes import Attack, Notes, Skipped
from meterseal.lab.attack.scene import PLAIN, Party
from meterseal.lab.attack.waiting import until
from meterseal.lab.attack.wire import flipped
from meterseal.net.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from meterseal.crypto import sm2

__all__ = ["ATTACKS"]

_SECONDS = 30.0


class _Collector:
    """A collector's outbox and uplink before a real broker; the station is played by us."""

    def __init__(self, folder: Path, *, believes_thief: bool = False) -> None:
        self._port = free_port()
        self._broker = EmbeddedBroker(folder / "broker", self._port, free_port())
        ca = new_ca("collection root")
        self.station, self.thief = Party.of(ca, "station-1"), Party.of(ca, "station-2")
        own = Party.of(ca, "collector-1")
        self._outbox = Outbox(folder / "outbox", born_at=1)
        self._keeper = Keeper(self._outbox, Sealer(own.key, own.certificate))
        self._clock = WatchedClock()
        self._put = 0
        self._marks = 0
        self.uplink = Uplink(
            Broker("127.0.0.1", self._port, "collector-1", None, lambda: OwnTopics("collector-1")),
            self._outbox,
            self._keeper,
            self._clock,
            stations=_keys(self.station, *([self.thief] if believes_thief else [])),
            certificates=[own.certificate.encoding],
            patience=1.0,
            describe=self._describe,
        )

    async def _describe(self) -> dict[str, object]:
        return {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[aiomqtt.Client]:
        """Run it all; yields a client that hears what the collector publishes."""
        async with self._broker, aiomqtt.Client("127.0.0.1", self._port, identifier="us") as us:
            await us.subscribe(topics.ALL_UP, qos=1)
            tasks = [asyncio.create_task(it) for it in (self._keeper.run(), self.uplink.run())]
            try:
                yield us
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._keeper.close()
                self._outbox.close()

    async def read(self, us: aiomqtt.Client) -> bytes:
        """Have the collector read its meter once more; returns the sealed reading it publishes."""
        sample = Sample(PLAIN, self._clock.now(), {Quantity.VOLTAGE_A: 22_000}, Quality.SOUND)
        await self._keeper.put(sample)
        self._put += 1
        async with asyncio.timeout(_SECONDS):
            async for message in us.messages:
                for item in unpack(bytes(message.payload or b"")):
                    if open_sealed(item).statement.sequence == self._put:
                        return item
        raise TimeoutError

    async def told(self, us: aiomqtt.Client, receipt: bytes) -> int:
        """Hand it a receipt and wait for its judgement; returns how many readings it holds."""
        self._marks += 1
        mark = _receipt(self.station, [], issued_at=self._marks)
        for each in (receipt, mark):
            await us.publish(topics.down("collector-1"), each, qos=1)
        await until(lambda: self.uplink.status.last_receipt == self._marks)
        return (await self._keeper.call(self._outbox.depth)).statements


def _keys(*stations: Party) -> dict[bytes, sm2.PublicKey]:
    return {it.certificate.fingerprint(): it.certificate.public_key() for it in stations}


def _receipt(
    signer: Party, sealed: list[bytes], *, collector: str = "collector-1", issued_at: int = 0
) -> bytes:
    """A receipt that says of all these: stored."""
    entries = []
    for encoding in sealed:
        it = open_sealed(encoding).statement
        digest = digest_of(encoding)
        entries.append(Entry(it.meter, it.epoch, it.sequence, digest, Verdict.STORED))
    receipt = Receipt(
        station="station-1", collector=collector, issued_at=issued_at, entries=tuple(entries)
    )
    return ReceiptSigner(signer.key, signer.certificate).sign(receipt)


def replay(notes: Notes) -> None:
    """Hand a collector old, altered and foreign receipts; it has to keep its reading."""
    _play(_forge, notes)
    _play(_control, notes, believing=True)


def _play(
    story: Callable[[Notes, _Collector, aiomqtt.Client], Coroutine[Any, Any, None]],
    notes: Notes,
    *,
    believing: bool = False,
) -> None:
    try:
        find_program()
    except UsageError as error:
        raise Skipped(str(error)) from None

    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="meterseal-range-") as folder:
            collector = _Collector(Path(folder), believes_thief=believing)
            async with asyncio.timeout(10 * _SECONDS), collector.running() as us:
                await story(notes, collector, us)

    asyncio.run(main())


async def _forge(notes: Notes, collector: _Collector, us: aiomqtt.Client) -> None:
    first = await collector.read(us)
    old = _receipt(collector.station, [first], issued_at=1)
    left = await collector.told(us, old)
    notes.control(
        "the station's own receipt", f"the collector holds {left} readings", fell=left == 0
    )
    second = await collector.read(us)
    good = _receipt(collector.station, [second])
    other = second[:-64] + first[-64:]
    forged = {
        "the receipt of an earlier reading": old,
        "a receipt signed by another station": _receipt(collector.thief, [second]),
        "a receipt for another collector": _receipt(
            collector.station, [second], collector="collector-2"
        ),
        "a receipt for other bytes of the same number": _receipt(collector.station, [other]),
        "a receipt without a signature": good[:-64] + bytes(64),
        "a receipt with the signature of another": good[:-64] + old[-64:],
        "garbage": b"stored",
    }
    for what, receipt in forged.items():
        left = await collector.told(us, receipt)
        notes.tried(what, _said(collector, left), held=left == 1)
    flips = [flipped(good, bit) for bit in range(0, 8 * len(good), 7)]
    holds = {await collector.told(us, receipt) for receipt in flips}
    what = "a receipt with one of its bits turned"
    notes.tried(what, _said(collector, min(holds)), held=holds == {1}, count=len(flips))


async def _control(notes: Notes, collector: _Collector, us: aiomqtt.Client) -> None:
    forged = _receipt(collector.thief, [await collector.read(us)])
    left = await collector.told(us, forged)
    who = "a collector that takes anybody's receipt"
    notes.control(who, f"it holds {left} readings", fell=left == 0)


def _said(collector: _Collector, left: int) -> str:
    bad = collector.uplink.status.bad_receipts
    return f"collector refused {bad} receipts and holds {left} reading"


ATTACKS = (
    Attack(
        "replay-receipt",
        "hands a collector old, altered and foreign receipts, so that it lets go of its readings",
        "docs/decisions/0007-readings-and-receipts.md",
        replay,
    ),
)

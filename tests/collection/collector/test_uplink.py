"""The uplink against a real broker and a small station: only receipts count."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from meterseal.collection import topics
from meterseal.collection.broker import EmbeddedBroker
from meterseal.collection.collector.clock import WatchedClock
from meterseal.collection.collector.keeper import Keeper, Sample
from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.collector.profiles import OwnTopics
from meterseal.collection.collector.uplink import Broker, Uplink
from meterseal.collection.model import Quality, Quantity
from meterseal.collection.receipts import Verdict
from meterseal.crypto.sm2 import PrivateKey
from meterseal.net.ports import free_port
from support.collecting import METER, SmallStation, actors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


class Scene:
    """An outbox with its uplink, a broker, and a station that answers."""

    def __init__(self, folder: Path, patience: float = 5.0) -> None:
        self.folder = folder
        self.wanted = 0
        self.port, nats_port = free_port(), free_port()
        self.broker = EmbeddedBroker(folder / "broker", self.port, nats_port)
        self.outbox = Outbox(folder / "outbox", born_at=1)
        self.keeper = Keeper(self.outbox, actors().sealer)
        self.clock = WatchedClock()
        self.station = SmallStation(self.port, self.clock.now)
        station = actors().station.certificate
        self.uplink = Uplink(
            Broker("127.0.0.1", self.port, "collector-1", None, lambda: OwnTopics("collector-1")),
            self.outbox,
            self.keeper,
            self.clock,
            stations={station.fingerprint(): station.public_key()},
            certificates=[actors().sealer.certificate.encoding],
            patience=patience,
            describe=self._describe,
        )

    async def _describe(self) -> dict[str, object]:
        return {"depth": 0}

    async def read(self, count: int) -> None:
        for _ in range(count):
            now = self.clock.now()
            sample = Sample(METER, now, {Quantity.VOLTAGE_A: 23000}, Quality.SOUND)
            await self.keeper.put(sample)
        total = self.wanted = self.wanted + count
        async with asyncio.timeout(20):
            while self.keeper.kept < total:
                await asyncio.sleep(0.005)

    async def emptied(self) -> None:
        async with asyncio.timeout(30):
            while (await self.keeper.call(self.outbox.depth)).statements:
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def running(self, *, station: bool = True) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.keeper.run())]
        if station:
            tasks.append(asyncio.create_task(self.station.run()))
            await self.station.ready()
        tasks.append(asyncio.create_task(self.uplink.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended


def play(folder: Path, story: Callable[[Scene], object], patience: float = 5.0) -> Scene:
    async def main() -> Scene:
        scene = Scene(folder, patience)
        try:
            async with scene.broker:
                await story(scene)  # type: ignore[misc]
                await scene.keeper.close()
        finally:
            scene.outbox.close()
        return scene

    return asyncio.run(main())


def sequences(scene: Scene) -> list[int]:
    return [sealed.statement.sequence for sealed in scene.station.taken]


def test_what_is_read_arrives_and_its_receipt_empties_the_outbox(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        async with scene.running():
            await scene.read(20)
            await scene.emptied()

    scene = play(tmp_path, story)
    assert sequences(scene) == list(range(1, 21))
    assert scene.station.certificates == [actors().sealer.certificate.encoding]
    assert scene.uplink.status.stored == 20


def test_a_backlog_goes_in_order_with_its_own_times(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        keeper = asyncio.create_task(scene.keeper.run())
        await scene.read(1000)
        keeper.cancel()
        async with scene.running():
            await scene.emptied()

    scene = play(tmp_path, story)
    assert sequences(scene) == list(range(1, 1001))
    times = [sealed.statement.sampled_at for sealed in scene.station.taken]
    assert times == sorted(times)
    assert scene.station.bundles < 20


def test_new_readings_overtake_a_backlog(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        keeper = asyncio.create_task(scene.keeper.run())
        await scene.read(3000)
        keeper.cancel()
        async with scene.running():
            await scene.station.heard(lambda: bool(scene.station.taken))
            await scene.read(1)
            await scene.emptied()

    scene = play(tmp_path, story)
    assert sorted(sequences(scene)) == list(range(1, 3002))
    assert sequences(scene)[-1] != 3001


def test_a_broker_that_acknowledges_proves_nothing(tmp_path: Path) -> None:
    """Without a station the broker takes it all; the outbox keeps it all."""

    async def story(scene: Scene) -> None:
        async with scene.running(station=False):
            await scene.read(10)
            async with asyncio.timeout(10):
                while scene.uplink.status.published < 10:
                    await asyncio.sleep(0.01)
            assert scene.outbox.depth().statements == 10

    play(tmp_path, story)


def test_what_gets_no_receipt_is_sent_again(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        seen: set[int] = set()

        def forget_first(sealed: object) -> Verdict | None:
            number = sealed.statement.sequence  # type: ignore[attr-defined]
            known = number in seen
            seen.add(number)
            return Verdict.STORED if known else None

        scene.station.judge = forget_first  # type: ignore[assignment]
        async with scene.running():
            await scene.read(5)
            await scene.emptied()

    scene = play(tmp_path, story, patience=0.3)
    assert sorted(sequences(scene)) == sorted(2 * list(range(1, 6)))
    assert scene.uplink.status.sent_again == 5


def test_a_final_refusal_ends_the_sending_and_is_shown(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.station.judge = lambda _: Verdict.METER
        async with scene.running():
            await scene.read(3)
            await scene.emptied()

    scene = play(tmp_path, story)
    assert scene.uplink.status.refused == 3
    with contextlib.closing(Outbox(tmp_path / "outbox", 2)) as outbox:
        assert [refused.verdict for refused in outbox.refused()] == [Verdict.METER] * 3


def test_a_station_that_does_not_know_the_signer_is_shown_its_certificate(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        def judge(_: object) -> Verdict:
            known = len(scene.station.certificates) > 1  # the first came at the connection
            return Verdict.STORED if known else Verdict.STRANGER

        scene.station.judge = judge
        async with scene.running():
            await scene.read(3)
            await scene.emptied()

    scene = play(tmp_path, story)
    assert set(sequences(scene)) == {1, 2, 3}
    assert scene.uplink.status.stored == 3


def test_a_restarted_broker_costs_nothing(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        async with scene.running():
            await scene.read(5)
            await scene.emptied()
        await scene.broker.stop()
        keeper = asyncio.create_task(scene.keeper.run())
        await scene.read(5)
        keeper.cancel()
        await scene.broker.start()
        scene.station = SmallStation(scene.port, scene.clock.now, taken=scene.station.taken)
        async with scene.running():
            await scene.emptied()

    scene = play(tmp_path, story)
    assert sequences(scene) == list(range(1, 11))


def test_an_uplink_without_a_broker_keeps_trying(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.broker.stop()
        async with scene.running(station=False):
            await scene.read(2)
            async with asyncio.timeout(10):
                while scene.uplink.status.last_error is None:
                    await asyncio.sleep(0.01)
            await scene.broker.start()
            station = asyncio.create_task(scene.station.run())
            await scene.emptied()
            station.cancel()

    scene = play(tmp_path, story)
    assert sorted(set(sequences(scene))) == [1, 2]


@pytest.mark.parametrize("kind", ["stranger", "garbage", "altered", "for another"])
def test_a_receipt_that_no_station_of_ours_signed_frees_nothing(tmp_path: Path, kind: str) -> None:
    from meterseal.collection.receipts import Entry, Receipt, ReceiptSigner
    from meterseal.collection.sealing import digest_of
    from support.identities import credential, root

    async def story(scene: Scene) -> None:
        async with scene.running(station=False):
            await scene.read(1)
            sealed = scene.outbox.waiting(0, None, 1, 10**6)[0].sealed
            entry = Entry(METER, scene.outbox.epoch, 1, digest_of(sealed), Verdict.STORED)
            receipt = Receipt(
                station="station-1",
                collector="collector-2" if kind == "for another" else "collector-1",
                issued_at=scene.clock.now(),
                entries=(entry,),
            )
            signer = actors().station
            if kind == "stranger":
                own = credential(*root("stranger"), "station-1", profile="client")
                assert isinstance(own.key, PrivateKey)
                signer = ReceiptSigner(own.key, own.chain[0])
            encoding = signer.sign(receipt)
            if kind == "altered":
                encoding = encoding[:-1] + bytes([encoding[-1] ^ 1])
            if kind == "garbage":
                encoding = b"\xd2\x84"
            import aiomqtt

            async with aiomqtt.Client("127.0.0.1", scene.port) as thief:
                async with asyncio.timeout(10):
                    while not scene.uplink.status.bad_receipts:
                        await thief.publish(topics.down("collector-1"), encoding, qos=1)
                        await asyncio.sleep(0.05)
            assert scene.outbox.depth().statements == 1

    play(tmp_path, story)

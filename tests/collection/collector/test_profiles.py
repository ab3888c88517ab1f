"""Both ways of speaking: our own topics, and the Alibaba Cloud conventions over a real broker."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiomqtt

from meterseal.collection import topics
from meterseal.collection.alink import Device
from meterseal.collection.broker import EmbeddedBroker
from meterseal.collection.collector.clock import WatchedClock
from meterseal.collection.collector.keeper import Keeper, Sample
from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.collector.profiles import Alink, OwnTopics
from meterseal.collection.collector.uplink import Broker, Uplink
from meterseal.collection.model import Quantity, Reading
from meterseal.collection.sealing import open_sealed
from meterseal.net.ports import free_port
from support.collecting import METER, actors, receipt_for

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = Device("a14Xib5kdYd", "collector-1", "secret")
READING = Reading(
    meter=METER, epoch=1, sequence=1, sampled_at=1_000, values={Quantity.VOLTAGE_A: 23010}
)


def test_our_own_topics_leave_a_will_and_name_the_collector() -> None:
    profile = OwnTopics("collector-1")
    assert (profile.client_id, profile.user_name) == ("collector-1", "collector-1")
    assert profile.will is not None
    assert profile.will.retain
    (post,) = profile.publish([b"one", b"two"])
    assert topics.collector_of(post.topic) == "collector-1"
    assert topics.unpack(post.payload) == [b"one", b"two"]
    report = profile.report(b"{}")
    assert report is not None
    assert report.retain


def test_the_platform_gets_sealed_bytes_to_pass_and_values_to_show() -> None:
    profile = Alink(DEVICE, lambda: 1539421321846)
    sealed = actors().sealer.seal(READING)
    raw, shown = profile.publish([sealed])
    assert raw.topic == "/sys/a14Xib5kdYd/collector-1/thing/model/up_raw"
    assert topics.unpack(raw.payload) == [sealed]
    values = json.loads(shown.payload)
    assert values["method"] == "thing.event.property.pack.post"
    (device,) = values["params"]["subDevices"]
    assert device["identity"]["deviceName"] == METER
    assert device["properties"]["Ua"] == {"value": 230.1, "time": 1000}
    assert not raw.retain
    assert profile.will is None
    assert profile.report(b"{}") is None


def test_numbers_of_posts_are_unique_within_the_day() -> None:
    profile = Alink(DEVICE, lambda: 1539421321846)
    sealed = actors().sealer.seal(READING)
    numbers = [json.loads(list(profile.publish([sealed]))[1].payload)["id"] for _ in range(3)]
    assert len(set(numbers)) == 3


def test_readings_pass_through_a_cloud_and_receipts_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        outbox = Outbox(tmp_path / "outbox", born_at=1)
        keeper, clock = Keeper(outbox, actors().sealer), WatchedClock()
        station = actors().station.certificate

        async def nothing() -> dict[str, object]:
            return {}

        uplink = Uplink(
            Broker("127.0.0.1", port, "collector-1", None, lambda: Alink(DEVICE, clock.now, 3)),
            outbox,
            keeper,
            clock,
            stations={station.fingerprint(): station.public_key()},
            certificates=[],
            describe=nothing,
        )
        async with EmbeddedBroker(tmp_path / "broker", port, free_port()):
            async with aiomqtt.Client("127.0.0.1", port, identifier="cloud") as cloud:
                await cloud.subscribe("/sys/+/+/thing/model/up_raw", qos=1)
                tasks = [asyncio.create_task(keeper.run()), asyncio.create_task(uplink.run())]
                await keeper.put(Sample(METER, clock.now(), {Quantity.VOLTAGE_A: 1}))
                message = await asyncio.wait_for(anext(aiter(cloud.messages)), 20)
                sealed = topics.unpack(bytes(message.payload))  # type: ignore[arg-type]
                assert open_sealed(sealed[0]).statement.meter == METER
                await cloud.publish(DEVICE.raw_down, receipt_for(sealed), qos=1)
                async with asyncio.timeout(20):
                    while (await keeper.call(outbox.depth)).statements:
                        await asyncio.sleep(0.02)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        await keeper.close()
        outbox.close()

    asyncio.run(main())

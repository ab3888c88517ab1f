"""MQTT clients and a broker take the context unpatched."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import aiomqtt
import gmqtt
import gmqtt.mqtt.constants
import paho.mqtt.client as paho
import pytest

from support.contexts import HOST, client_context
from support.mqtt import start_broker
from support.servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator

READINGS = bytes(range(256)) * 80
PROTOCOLS = pytest.mark.parametrize("protocol", ["tlcp", "auto"])
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:amqtt", "ignore:.*:DeprecationWarning:transitions"
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(start_broker) as number:
        yield number


@PROTOCOLS
def test_paho(port: int, protocol: str) -> None:
    got: list[bytes] = []
    done = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    client.tls_set_context(client_context(protocol))
    client.on_connect = lambda c, *_: c.subscribe(f"paho/{protocol}", 1)
    client.on_subscribe = lambda c, *_: c.publish(f"paho/{protocol}", READINGS, 1)
    client.on_message = lambda _, __, message: (got.append(message.payload), done.set())
    client.connect(HOST, port)
    client.loop_start()
    try:
        assert done.wait(10)
        assert got == [READINGS]
        socket = client.socket()
        assert socket is not None
        assert socket.cipher()[2] == 128  # type: ignore[index]
    finally:
        client.disconnect()
        client.loop_stop()


@PROTOCOLS
def test_aiomqtt(port: int, protocol: str) -> None:
    async def scene() -> None:
        context = client_context(protocol)
        async with aiomqtt.Client(HOST, port, tls_context=context) as client:
            await client.subscribe("aiomqtt/#")
            await client.publish("aiomqtt/1", READINGS, qos=1)
            async for message in client.messages:
                assert message.payload == READINGS
                return

    asyncio.run(asyncio.wait_for(scene(), 10))


@PROTOCOLS
def test_gmqtt(port: int, protocol: str) -> None:
    async def scene() -> None:
        client = gmqtt.Client(f"gmqtt-{protocol}")
        arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        client.on_message = lambda _, __, payload, *___: arrived.set_result(payload)
        client.on_connect = lambda c, *_: c.subscribe("gmqtt/#", 1)
        client.on_subscribe = lambda c, *_: c.publish("gmqtt/1", READINGS, qos=1)
        await client.connect(
            HOST, port, ssl=client_context(protocol), version=gmqtt.mqtt.constants.MQTTv311
        )
        assert await arrived == READINGS
        await client.disconnect()

    asyncio.run(asyncio.wait_for(scene(), 10))

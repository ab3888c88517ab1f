"""Messages from an MQTT broker: QoS 1, a session that outlives us, acknowledgement when stored."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from meterseal.collection.station.inbox import Message
from meterseal.collection.topics import ALL_CERTIFICATES, ALL_STATUS, ALL_UP

if TYPE_CHECKING:
    import ssl

    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["Broker", "MqttInbox"]

_log = logging.getLogger("meterseal.station")
_IN_HAND: Final = 256
"""Messages taken from the socket and not yet handed out; then the socket is left alone."""
_OUTGOING: Final = 4096
_WORTH_WRITING: Final = 65_536
"""Bytes of messages, some hundred statements, for which a transaction of their own is cheap."""
_QOS: Final = 1
_BACKOFF: Final = (1, 30)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to subscribe, and under which name. `context` seals the link; None leaves it open.

    `share` names a group among whose members the broker divides the messages (`$share/...`).
    """

    host: str
    port: int
    name: str
    context: ssl.SSLContext | None = None
    password: str | None = None
    share: str | None = None
    keep_alive: int = 30


class MqttInbox:
    """An `Inbox` over paho-mqtt, whose network thread goes on by itself; made within a loop."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[int, paho.MQTTMessage]] = asyncio.Queue()
        self._room = threading.Semaphore(_IN_HAND)
        self._connection = 0
        self._closing = False
        self.connected = asyncio.Event()
        self._client = self._make_client()
        self._client.connect_async(broker.host, broker.port, broker.keep_alive)
        self._client.loop_start()

    async def receive(self, most: int, patience: float) -> list[Message]:
        """Wait for a message, then at most `patience` seconds for up to `most` of them.

        What is worth a transaction already waits for no more than what is here.
        """
        messages = [self._message(*await self._queue.get())]
        size = len(messages[0].payload)
        deadline = self._loop.time() + patience
        while len(messages) < most and not (self._queue.empty() and size >= _WORTH_WRITING):
            try:
                async with asyncio.timeout_at(deadline):
                    messages.append(self._message(*await self._queue.get()))
            except TimeoutError:
                break
            size += len(messages[-1].payload)
        return messages

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message to paho, which sends it when it is connected; too many are dropped."""
        info = self._client.publish(topic, payload, _QOS)
        if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
            _log.warning("a message to %s was not sent: %s", topic, paho.error_string(info.rc))

    async def close(self) -> None:
        """Leave; the broker keeps the session and what comes in the meantime."""
        self._closing = True
        self._client.disconnect()
        self._room.release(_IN_HAND)  # the network thread may wait for room
        await asyncio.to_thread(self._client.loop_stop)

    def _make_client(self) -> paho.Client:
        broker = self._broker
        client = paho.Client(
            CallbackAPIVersion.VERSION2, broker.name, clean_session=False, manual_ack=True
        )
        client.username_pw_set(broker.name, broker.password)
        if broker.context is not None:
            client.tls_set_context(broker.context)
        client.reconnect_delay_set(*_BACKOFF)
        client.max_queued_messages_set(_OUTGOING)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _message(self, connection: int, message: paho.MQTTMessage) -> Message:
        self._room.release()

        async def acknowledge() -> None:
            # A number belongs to its connection: on another one it may name another message.
            if connection == self._connection:
                self._client.ack(message.mid, message.qos)

        return Message(message.topic, bytes(message.payload), acknowledge)

    # --- in paho's thread ---

    def _on_connect(
        self,
        client: paho.Client,
        _data: Any,  # noqa: ANN401
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _log.warning("the broker refuses us: %s", reason)
            return
        self._connection += 1
        group = f"$share/{self._broker.share}/" if self._broker.share else ""
        topics = (f"{group}{ALL_UP}", f"{group}{ALL_CERTIFICATES}", ALL_STATUS)
        client.subscribe([(topic, _QOS) for topic in topics])

    def _on_subscribe(self, *_: Any) -> None:  # noqa: ANN401
        _log.info("connected to the broker at %s:%d", self._broker.host, self._broker.port)
        self._tell(self.connected.set)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: Any,  # noqa: ANN401
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._tell(self.connected.clear)
        if not self._closing:
            _log.warning("the link to the broker is down: %s", reason)

    def _on_message(
        self,
        _client: paho.Client,
        _data: Any,  # noqa: ANN401
        message: paho.MQTTMessage,
    ) -> None:
        self._room.acquire()  # nothing more is read from the socket until there is room
        if not self._closing:
            self._tell(self._queue.put_nowait, (self._connection, message))

    def _tell(self, *call: Any) -> None:  # noqa: ANN401
        with contextlib.suppress(RuntimeError):  # the loop is gone: so is whoever would care
            self._loop.call_soon_threadsafe(*call)

"""Messages from a NATS JetStream: one durable consumer, shared by as many stations as there are.

NATS maps MQTT topics to subjects, so collectors speak MQTT to it all the same. The stream is a work
queue: a message is there until a station has acknowledged it, and goes to another one if the first
does not in time.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import nats
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

from meterseal.collection.station.inbox import Message
from meterseal.collection.topics import ALL_CERTIFICATES, ALL_STATUS, ALL_UP

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

__all__ = ["JetStreamInbox"]

_log = logging.getLogger("meterseal.station")
_STREAM: Final = "METERSEAL"
_CONSUMER: Final = "station"
_ACK_WAIT: Final = 60.0
_IN_HAND: Final = 1024
_FETCH_WAIT: Final = 5.0
_BACKOFF: Final = 1.0


class JetStreamInbox:
    """An `Inbox` over nats-py; made by `open`."""

    def __init__(self, client: Client, pull: JetStreamContext.PullSubscription) -> None:
        self._client = client
        self._pull = pull

    @classmethod
    async def open(
        cls,
        servers: Sequence[str],
        name: str,
        *,
        replicas: int = 1,
        patience: float = _ACK_WAIT,
        context: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect, however long that takes, and make the stream and the consumer if need be.

        `replicas` says on how many servers of a cluster each message lies, `patience` after how
        many seconds a message that was not acknowledged goes to another station. Raises `OSError`
        if the servers cannot have such a stream.
        """
        try:
            client = await nats.connect(
                list(servers), name=name, tls=context, max_reconnect_attempts=-1,
                reconnect_time_wait=_BACKOFF, error_cb=_report,
            )  # fmt: skip
            stream = client.jetstream()
            subjects = [_subject(topic) for topic in (ALL_UP, ALL_CERTIFICATES, ALL_STATUS)]
            await stream.add_stream(
                StreamConfig(
                    name=_STREAM,
                    subjects=subjects,
                    retention=RetentionPolicy.WORK_QUEUE,
                    storage=StorageType.FILE,
                    num_replicas=replicas,
                )
            )
            await stream.add_consumer(
                _STREAM,
                ConsumerConfig(
                    durable_name=_CONSUMER, ack_wait=patience, max_ack_pending=_IN_HAND,
                    num_replicas=replicas,
                ),
            )  # fmt: skip
            pull = await stream.pull_subscribe_bind(_CONSUMER, _STREAM)
        except NatsError as error:
            raise OSError(f"NATS at {', '.join(servers)}: {error}") from error
        return cls(client, pull)

    async def receive(self, most: int, patience: float) -> list[Message]:
        """Wait for a message, then at most `patience` seconds for up to `most` of them."""
        messages = await self._fetch(1, _FETCH_WAIT)
        while not messages:
            messages = await self._fetch(1, _FETCH_WAIT)
        if most > 1:
            messages += await self._fetch(most - 1, patience)
        return [
            Message(message.subject.replace(".", "/"), message.data, partial(_acknowledge, message))
            for message in messages
        ]

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send a message; while no server can be reached, the client keeps it."""
        try:
            await self._client.publish(_subject(topic), payload)
        except NatsError as error:
            _log.warning("a message to %s was not sent: %s", topic, error)

    async def close(self) -> None:
        """Leave; what is not acknowledged goes to another station after a while."""
        await self._client.close()

    async def _fetch(self, most: int, wait: float) -> list[Msg]:
        try:
            return await self._pull.fetch(most, timeout=wait)
        except TimeoutError:
            return []
        except NatsError as error:
            _log.warning("NATS: %s", error)
            await asyncio.sleep(_BACKOFF)
            return []


def _subject(topic: str) -> str:
    return topic.replace("/", ".").replace("+", "*")


async def _acknowledge(message: Msg) -> None:
    try:
        await message.ack()
    except NatsError as error:  # then it comes again, and is known
        _log.warning("NATS: an acknowledgement was not sent: %s", error)


async def _report(error: Exception) -> None:
    _log.warning("NATS: %s", error or type(error).__name__)

"""From the outbox to the station over MQTT, and the receipts back.

A broker's acknowledgement frees a slot and proves nothing; a statement leaves the outbox only when
a station has signed for exactly its bytes. So nothing depends on what the broker keeps: after any
outage, what has no receipt is sent again, and the station knows what it has.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import aiomqtt

from meterseal.collection import topics
from meterseal.collection.collector.window import Window
from meterseal.collection.receipts import Verdict, open_receipt
from meterseal.collection.supervision import run_apart
from meterseal.collection.topics import MAX_BUNDLE, MAX_BUNDLE_SIZE
from meterseal.errors import InvalidSignature, MalformedData

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from meterseal.collection.collector.clock import WatchedClock
    from meterseal.collection.collector.keeper import Keeper
    from meterseal.collection.collector.outbox import Outbox, Outgoing
    from meterseal.collection.collector.profiles import Post, Profile
    from meterseal.crypto import sm2

__all__ = ["Broker", "Uplink", "UplinkStatus"]

_log: Final = logging.getLogger("meterseal.collector")
_RECEIPT_DAYS: Final = 400
_DAY: Final = 86_400_000
_HOLD_SECONDS: Final = 60.0
_STRANGER_SECONDS: Final = 1.0
_BACKOFF: Final = (1.0, 30.0)
_STATUS_SECONDS: Final = 5.0
_TIMEOUT: Final = 10.0
_CERTIFICATES: Final = 64  # in one bundle: about 40 KiB
_CBOR_OVERHEAD: Final = 5 * MAX_BUNDLE + 3
_ROOM: Final = MAX_BUNDLE_SIZE - _CBOR_OVERHEAD
_BUNDLES: Final = 4
"""Bundles that wait for the broker's acknowledgement at most."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to publish. `context` seals the link; None leaves it open.

    `profile` is made anew for each connection: a sign-in may carry its time.
    """

    host: str
    port: int
    name: str
    context: ssl.SSLContext | None
    profile: Callable[[], Profile]
    keep_alive: int = 30


@dataclass(slots=True)
class UplinkStatus:
    """What the uplink did since it started."""

    connected: bool = False
    connections: int = 0
    published: int = 0
    stored: int = 0
    refused: int = 0
    sent_again: int = 0
    last_receipt: int | None = None
    last_error: str | None = None
    bad_receipts: int = 0


class _Way(NamedTuple):
    """A connection, and how to speak over it."""

    client: aiomqtt.Client
    profile: Profile

    async def publish(self, post: Post) -> None:
        await self.client.publish(post.topic, post.payload, qos=1, retain=post.retain)


class Uplink:
    """Publishes what the outbox holds, and lets go of what stations signed for.

    `stations` maps the fingerprints of certificates that may sign receipts to their keys;
    `certificates` is what stations need to verify the statements, in DER.
    """

    def __init__(  # noqa: PLR0913  (what an uplink connects)
        self,
        broker: Broker,
        outbox: Outbox,
        keeper: Keeper,
        clock: WatchedClock,
        *,
        stations: Mapping[bytes, sm2.PublicKey],
        certificates: Sequence[bytes],
        patience: float = 30.0,
        describe: Callable[[], Awaitable[dict[str, object]]],
    ) -> None:
        self._broker = broker
        self._outbox = outbox
        self._keeper = keeper
        self._clock = clock
        self._stations = stations
        self._certificates = certificates
        self._patience = patience
        self._describe = describe
        self._progress = asyncio.Event()
        self.status = UplinkStatus()

    async def run(self) -> None:
        """Stay connected until cancelled; every failure is logged, waited out and tried again."""
        pause, longest = _BACKOFF
        while True:
            before = self.status.connections
            try:
                await run_apart(self._connection())
            except* (aiomqtt.MqttError, OSError) as group:
                self.status.last_error = _first(group)
                _log.warning("the uplink is down: %s", self.status.last_error)
            self.status.connected = False
            if self.status.connections > before:
                pause = _BACKOFF[0]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  (spreads a storm)
            pause = min(pause * 2, longest)

    async def _connection(self) -> None:
        broker = self._broker
        profile = broker.profile()
        will = profile.will and aiomqtt.Will(
            profile.will.topic, profile.will.payload, qos=1, retain=profile.will.retain
        )
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            identifier=profile.client_id,
            username=profile.user_name,
            password=profile.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=False,
            keepalive=broker.keep_alive,
            tls_context=broker.context,
            will=will,
            timeout=_TIMEOUT,
            # Small packets follow each other: waiting to fill them costs 40 ms each.
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        )
        async with client:
            await client.subscribe(profile.down, qos=1)
            way = _Way(client, profile)
            await self._announce(way)
            newest = await self._keeper.call(self._outbox.last_id)
            window = Window(newest, patience=self._patience)
            self.status.connected = True
            self.status.connections += 1
            _log.info("the uplink is up: %s:%d", broker.host, broker.port)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(way, window))
                tasks.create_task(self._send(way, window))
                tasks.create_task(self._report(way))

    async def _announce(self, way: _Way) -> None:
        """Show the certificates that verify what follows.

        If they are few the broker keeps them, for a station that subscribes later.
        """
        keep = len(self._certificates) <= _CERTIFICATES
        for start in range(0, len(self._certificates), _CERTIFICATES):
            bundle = topics.pack(self._certificates[start : start + _CERTIFICATES])
            post = way.profile.announce(bundle, keep=keep)
            if post is not None:
                await way.publish(post)

    async def _send(self, way: _Way, window: Window) -> None:
        """Publish what there is; while the broker takes some bundles, the next is on its way."""
        free = asyncio.Semaphore(_BUNDLES)
        async with asyncio.TaskGroup() as posts:
            while True:
                await free.acquire()
                rows = await self._await_rows(window)
                window.sent((row.id for row in rows), _seconds())
                post = posts.create_task(self._publish(way, rows))
                post.add_done_callback(lambda _: free.release())

    async def _publish(self, way: _Way, rows: Sequence[Outgoing]) -> None:
        for post in way.profile.publish([row.sealed for row in rows]):
            await way.publish(post)
        self.status.published += len(rows)

    async def _await_rows(self, window: Window) -> list[Outgoing]:
        while True:
            # Cleared before looking: what comes in while we look sets it again.
            self._keeper.fresh.clear()
            self._progress.clear()
            if rows := await self._next(window):
                return rows
            await self._wait(window)

    async def _next(self, window: Window) -> list[Outgoing]:
        """Return what to publish now: what is due again, else from the lanes in turn."""
        late = window.due(_seconds(), MAX_BUNDLE)
        if late:
            rows = await self._keeper.call(self._outbox.again, late, _ROOM)
            window.settled(set(late) - {row.id for row in rows})
            self.status.sent_again += len(rows)
            return rows
        count = min(window.room, MAX_BUNDLE)
        for lane in window.lanes() if count else ():
            rows = await self._keeper.call(self._outbox.waiting, *lane, count, _ROOM)
            if rows:
                return rows
            window.ran_dry(lane)
        return []

    async def _wait(self, window: Window) -> None:
        """Wait for something to send: a new statement, room, or what is due again."""
        due = window.next_due()
        timeout = None if due is None else max(due - _seconds(), 0.01)
        events = (self._keeper.fresh, self._progress)
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _receive(self, way: _Way, window: Window) -> None:
        async for message in way.client.messages:
            try:
                await self._settle(way, bytes(message.payload or b""), window)
            except (MalformedData, InvalidSignature) as error:
                self.status.bad_receipts += 1
                _log.warning("a receipt was not taken: %s", error)
        raise aiomqtt.MqttError("the broker closed the connection")

    async def _settle(self, way: _Way, encoding: bytes, window: Window) -> None:
        receipt, envelope = open_receipt(encoding)
        key = self._stations.get(envelope.key_id)
        if key is None:
            raise InvalidSignature("it is signed by no station of ours")
        envelope.verify(key)
        if receipt.collector != self._broker.name:
            raise MalformedData(f"it is for {receipt.collector!r}")
        settled = await self._keeper.call(self._outbox.settle, receipt, encoding)
        if any(settled):  # one that is sent again tells an old time
            self._clock.compare(receipt.issued_at)
        window.settled((*settled.stored, *settled.refused))
        strange = any(entry.verdict is Verdict.STRANGER for entry in receipt.entries)
        window.hold(settled.kept, _seconds() + (_STRANGER_SECONDS if strange else _HOLD_SECONDS))
        if strange:
            await self._announce(way)
        self.status.stored += len(settled.stored)
        self.status.refused += len(settled.refused)
        self.status.last_receipt = receipt.issued_at
        if settled.refused:
            _log.error("%s refused %d statements", receipt.station, len(settled.refused))
        self._progress.set()

    async def _report(self, way: _Way) -> None:
        """Say at times how the collector is, and drop receipts nobody will ask for."""
        while True:
            report = json.dumps({"online": True, **await self._describe()})
            post = way.profile.report(report.encode())
            if post is not None:
                await way.publish(post)
            long_ago = self._clock.now() - _RECEIPT_DAYS * _DAY
            await self._keeper.call(self._outbox.forget_receipts, long_ago)
            await asyncio.sleep(_STATUS_SECONDS)


def _first(group: BaseExceptionGroup[Exception]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def _seconds() -> float:
    return asyncio.get_running_loop().time()

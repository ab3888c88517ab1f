"""The server's side of the gateway: sealed in front, plain behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from meterseal.errors import CertificateRejected, HandshakeTimeout, MalformedData, MeterSealError
from meterseal.net.gateway.links import Link, Links, Refusal
from meterseal.net.gateway.listener import Listener
from meterseal.net.gateway.mqtt import Guard, NotAllowed
from meterseal.net.gateway.pace import Paces
from meterseal.net.streams import SecureStream
from meterseal.transport import Connection
from meterseal.x509 import KeyRole, Purpose, verify_chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meterseal.net.gateway.access import Access
    from meterseal.transport import HandshakeCompleted, ServerConfig

__all__ = ["Front", "GatewayLimits"]

_log: Final = logging.getLogger("meterseal.gateway")
_CHUNK: Final = 64 * 1024
_GRACE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """What clients may cost. Times in seconds, sizes in bytes, handshakes per second.

    `beginning` bounds the connections that have not yet shown who they are, in all and, as
    `beginning_of_one`, from one address; `beginning_seconds` how long they may take for it,
    `idle_seconds` how long a client may say nothing at all.
    """

    connections: int = 10_000
    beginning: int = 1_000
    beginning_of_one: int = 100
    beginning_seconds: float = 10.0
    handshakes: float = 400.0
    handshakes_of_one: float = 50.0
    idle_seconds: float = 300.0
    packet: int = 1 << 20


class _Filter(Protocol):
    published: int

    def from_client(self, data: bytes) -> bytes: ...


class Front:
    """Takes sealed connections and passes what is in them to `backend` (host, port).

    With `access` the service behind is an MQTT broker: clients need a certificate, whose common
    name is their user name, and reach only their topics; `password` goes into CONNECT for brokers
    that ask for one. Without, any TCP service is behind, and bytes are passed as they are.
    """

    def __init__(  # noqa: PLR0913  (what a front connects)
        self,
        config: ServerConfig,
        backend: tuple[str, int],
        *,
        access: Access | None = None,
        password: bytes | None = None,
        limits: GatewayLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._backend = backend
        self._access = access
        self._password = password
        self._limits = limits or GatewayLimits()
        self._clock = clock
        self._paces = Paces(
            self._limits.handshakes, self._limits.handshakes_of_one, time.monotonic()
        )
        self._listener = Listener(self._accept, backlog=1024)
        self._served: dict[asyncio.Task[None], Link] = {}
        self._beginning: Counter[str] = Counter()
        self.links = Links()

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; returns the address in use (port 0 takes a free one)."""
        return await self._listener.start(host, port)

    async def close(self) -> None:
        """Stop listening and end all links."""
        await self._listener.close()

    def reload(self, config: ServerConfig) -> int:
        """Use other certificates, trust or revocation lists from now on; returns how many ended.

        Links stay up, but for those whose client would not be let in any more.
        """
        self._config = config
        ended = 0
        for task, link in list(self._served.items()):
            if (reason := self._objection(link.session)) is not None:
                self._refuse(link.address, link.name, reason)
                task.cancel()
                ended += 1
        return ended

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        address = str(writer.get_extra_info("peername")[0])
        try:
            await self._serve(task, address, reader, writer)
        except (MeterSealError, OSError) as error:
            link = self._served.get(task)
            self._refuse(address, link.name if link else None, error)
        finally:
            self._served.pop(task, None)

    async def _serve(
        self,
        task: asyncio.Task[None],
        address: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        _send_at_once(writer)
        stream = SecureStream(reader, writer, Connection.server(self._config))
        try:
            with self._begin(address):
                session = await stream.handshake(self._limits.beginning_seconds)
                link = Link(self._name_of(session, address), address, session, self._clock())
                self._served[task] = link
                guard = self._guard(link)
                first = await self._first(stream, guard)
            self.links.add(link)
            try:
                await self._pass(stream, link, guard, first)
            finally:
                self.links.remove(link)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await stream.close()

    @contextlib.contextmanager
    def _begin(self, address: str) -> Iterator[None]:
        """Count a connection that has not yet shown who it is, if there is room for it."""
        limits = self._limits
        if len(self._listener) > limits.connections:
            raise _TooMany(f"{limits.connections} connections are open")
        if self._beginning.total() >= limits.beginning:
            raise _TooMany(f"{limits.beginning} connections are beginning")
        if self._beginning[address] >= limits.beginning_of_one:
            raise _TooMany(f"{limits.beginning_of_one} connections of one address are beginning")
        if not self._paces.take(address, time.monotonic()):
            raise _TooMany("handshakes come too fast")
        self._beginning[address] += 1
        try:
            yield
        finally:
            self._beginning[address] -= 1
            if not self._beginning[address]:
                del self._beginning[address]

    def _name_of(self, session: HandshakeCompleted, address: str) -> str:
        if session.peer is None:
            return address
        name = session.peer.leaf.subject.common_name
        if not name:
            raise NotAllowed("the client's certificate has no common name")
        return name

    def _guard(self, link: Link) -> _Filter:
        if self._access is None:
            return _NoGuard()
        if link.session.peer is None or not self._access.knows(link.name):
            raise NotAllowed(f"{link.name} may do nothing here")
        return Guard(link.name, self._access, self._limits.packet, self._password)

    async def _first(self, stream: SecureStream, guard: _Filter) -> bytes:
        """Wait for the client's CONNECT before the broker is troubled; no other service has one."""
        if self._access is None:
            return b""
        try:
            async with asyncio.timeout(self._limits.beginning_seconds):
                while not (first := guard.from_client(await _read(stream))):
                    pass
        except TimeoutError:
            raise HandshakeTimeout("no CONNECT came") from None
        return first

    async def _pass(self, stream: SecureStream, link: Link, guard: _Filter, first: bytes) -> None:
        reader, writer = await asyncio.open_connection(*self._backend)
        _send_at_once(writer)
        writer.write(first)
        link.received += len(first)
        inward = asyncio.create_task(self._inward(stream, writer, link, guard))
        outward = asyncio.create_task(self._outward(reader, stream, link))
        try:
            await asyncio.wait((inward, outward), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (inward, outward):
                task.cancel()
            ended = await asyncio.gather(inward, outward, return_exceptions=True)
            writer.close()
        for end in ended:
            if isinstance(end, Exception):
                raise end

    async def _inward(
        self, stream: SecureStream, writer: asyncio.StreamWriter, link: Link, guard: _Filter
    ) -> None:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    data = await stream.read(_CHUNK)
            except TimeoutError:
                raise _Idle(f"nothing came for {self._limits.idle_seconds:g} s") from None
            if not data:
                return
            passed = guard.from_client(data)
            link.received += len(data)
            link.published = guard.published
            writer.write(passed)
            await writer.drain()

    async def _outward(
        self, reader: asyncio.StreamReader, stream: SecureStream, link: Link
    ) -> None:
        while data := await reader.read(_CHUNK):
            link.sent += len(data)
            stream.write(data)
            await stream.drain()

    def _objection(self, session: HandshakeCompleted) -> CertificateRejected | None:
        """Why this client would not be let in any more; None if it would."""
        config = self._config
        chains = ((session.peer, KeyRole.SIGNING), (session.peer_encryption, KeyRole.ENCRYPTION))
        try:
            for chain, role in chains:
                if chain is not None:
                    verify_chain(
                        chain.chain,
                        config.trust,
                        at=config.provider.now(),
                        purpose=Purpose.CLIENT,
                        role=role,
                        crls=config.crls,
                        revocation=config.revocation,
                        scheme=config.algorithms.certificates,
                    )
        except CertificateRejected as error:
            return error
        return None

    def _refuse(self, address: str, name: str | None, error: Exception) -> None:
        kind = _kind(error)
        reason = str(error) or type(error).__name__
        self.links.refuse(Refusal(self._clock(), address, name, kind, reason))
        level = logging.DEBUG if kind == "limit" else logging.INFO
        _log.log(level, "%s (%s) was turned away: %s", name or "a client", address, reason)


class _TooMany(MeterSealError):
    """A limit of the gateway is reached."""


class _Idle(MeterSealError):
    """A client said nothing for too long."""


class _NoGuard:
    """Lets everything pass: the service behind is no broker."""

    published = 0

    def from_client(self, data: bytes) -> bytes:
        return data


def _kind(error: Exception) -> str:
    """The word under which refusals are counted."""
    if isinstance(error, CertificateRejected):
        return f"certificate: {error.reason.value}"
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (_TooMany, "limit"),
        (_Idle, "idle"),
        (HandshakeTimeout, "handshake timeout"),
        (NotAllowed, "not allowed"),
        (MalformedData, "malformed"),
        (MeterSealError, "handshake"),
        (OSError, "connection"),
    )
    return next(word for kind, word in kinds if isinstance(error, kind))


async def _read(stream: SecureStream) -> bytes:
    data = await stream.read(_CHUNK)
    if not data:
        raise MalformedData("the client left before its CONNECT")
    return data


def _send_at_once(writer: asyncio.StreamWriter) -> None:
    """Small packets follow each other: waiting to fill them costs 40 ms each."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

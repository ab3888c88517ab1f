"""asyncio streams over the sans-IO connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from meterseal.errors import ConnectionEnded, HandshakeTimeout, MeterSealError, UsageError
from meterseal.net.sockets import DEFAULT_HANDSHAKE_TIMEOUT
from meterseal.transport import Connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meterseal.transport import ClientConfig, HandshakeCompleted, ServerConfig, Session

__all__ = ["SecureStream", "open_connection", "start_server"]

_READ_SIZE = 64 * 1024
DEFAULT_LINE_LIMIT = 64 * 1024


class SecureStream:
    """A secure connection for asyncio; use it in an `async with` block."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = connection
        self._unread = bytearray()

    @property
    def session(self) -> HandshakeCompleted:
        """What the handshake settled; raises `ConnectionEnded` before it is complete."""
        established = self._connection.established
        if established is None:
            raise ConnectionEnded("the handshake is not complete")
        return established

    @property
    def resumable(self) -> Session | None:
        """The newest session that a later connection to this server may offer.

        Under TLS 1.3 it comes some time after the handshake, while data is received.
        """
        return self._connection.session

    @property
    def peer_address(self) -> tuple[str, int]:
        """The peer's host and port."""
        host, port, *_ = self._writer.get_extra_info("peername")
        return str(host), int(port)

    async def handshake(self, timeout: float = DEFAULT_HANDSHAKE_TIMEOUT) -> HandshakeCompleted:  # noqa: ASYNC109
        """Complete the handshake within `timeout` seconds in all.

        Raises `HandshakeTimeout`, `PeerError`, `AlertReceived` or `Truncated`.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._flush()
                while not self._connection.is_established:
                    await self._receive()
        except TimeoutError as error:
            raise HandshakeTimeout(f"no complete handshake within {timeout:g} s") from error
        return self.session

    async def read(self, size: int = _READ_SIZE) -> bytes:
        """Return at least one and at most `size` bytes; empty once the peer said close_notify."""
        while not self._unread and not self._connection.is_peer_closed:
            await self._receive()
        return self._take(size)

    async def readexactly(self, size: int) -> bytes:
        """Return exactly `size` bytes, or raise `asyncio.IncompleteReadError`."""
        while len(self._unread) < size and not self._connection.is_peer_closed:
            await self._receive()
        data = self._take(size)
        if len(data) < size:
            raise asyncio.IncompleteReadError(data, size)
        return data

    async def readline(self, limit: int = DEFAULT_LINE_LIMIT) -> bytes:
        """Return a line with its newline, or what is left at the end of the stream.

        Raises `UsageError` for a line longer than `limit` bytes.
        """
        while (end := self._unread.find(b"\n")) < 0 and not self._connection.is_peer_closed:
            if len(self._unread) > limit:
                raise UsageError(f"a line of more than {limit} bytes")
            await self._receive()
        return self._take(end + 1 if end >= 0 else len(self._unread))

    def write(self, data: bytes) -> None:
        """Queue application data; `drain` waits until the socket has taken it."""
        self._connection.send_data(data)
        self._writer.write(self._connection.data_to_send())

    async def drain(self) -> None:
        """Wait while too much is queued."""
        await self._writer.drain()

    async def close(self) -> None:
        """Say close_notify and close; never raises for a peer that is gone."""
        with contextlib.suppress(MeterSealError, OSError):
            self._connection.close()
            await self._flush()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _take(self, size: int) -> bytes:
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    async def _receive(self) -> None:
        data = await self._reader.read(_READ_SIZE)
        try:
            self._connection.receive_data(data)
        finally:  # what was read before an error is data; an alert goes out with the error
            self._unread += self._connection.read()
            with contextlib.suppress(OSError):
                await self._flush()

    async def _flush(self) -> None:
        output = self._connection.data_to_send()
        if output:
            self._writer.write(output)
            await self._writer.drain()


async def open_connection(  # noqa: PLR0913  (the arguments of a connection)
    host: str,
    port: int,
    config: ClientConfig,
    *,
    server_name: str | None = None,
    session: Session | None = None,
    timeout: float = DEFAULT_HANDSHAKE_TIMEOUT,  # noqa: ASYNC109
) -> SecureStream:
    """Connect over TCP and complete the handshake; arguments and errors as `sockets.connect`."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port)
    connection = Connection.client(config, server_name or host, session)
    stream = SecureStream(reader, writer, connection)
    try:
        await stream.handshake(timeout)
    except BaseException:
        writer.close()
        raise
    return stream


async def start_server(  # noqa: PLR0913  (the arguments of a server)
    handler: Callable[[SecureStream], Awaitable[None]],
    host: str,
    port: int,
    config: ServerConfig,
    *,
    handshake_timeout: float = DEFAULT_HANDSHAKE_TIMEOUT,
    on_refusal: Callable[[tuple[str, int], Exception], None] | None = None,
) -> asyncio.Server:
    """Serve: `handler` gets each client whose handshake is complete; its stream is closed after it.

    A client that fails costs only its own connection; `on_refusal` is told its address and why.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = SecureStream(reader, writer, Connection.server(config))
        address = stream.peer_address
        try:
            await stream.handshake(handshake_timeout)
            await handler(stream)
        except (MeterSealError, OSError) as error:
            if on_refusal is not None:
                on_refusal(address, error)
        finally:
            await stream.close()

    return await asyncio.start_server(serve, host, port)

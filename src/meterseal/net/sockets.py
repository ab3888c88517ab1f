"""Blocking sockets over the sans-IO connection."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Protocol, Self

from meterseal.errors import ConnectionEnded, HandshakeTimeout, InternalError, MeterSealError
from meterseal.transport import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.transport import ClientConfig, HandshakeCompleted, ServerConfig, Session

__all__ = ["SecureListener", "SecureSocket", "Tap", "connect", "listen"]

_READ_SIZE = 64 * 1024
DEFAULT_HANDSHAKE_TIMEOUT = 30.0


class Tap(Protocol):
    """Sees every byte of a connection as it stands on the wire."""

    def opened(self, local: tuple[str, int], remote: tuple[str, int]) -> None:
        """The TCP connection stands."""

    def sent(self, data: bytes) -> None:
        """We sent `data`."""

    def received(self, data: bytes) -> None:
        """We received `data`."""

    def closed(self) -> None:
        """The connection is over."""


class SecureSocket:
    """A connected TCP socket with a secure connection over it. Use it in a `with` block.

    One thread may read while another writes only if the caller serialises the calls.
    """

    def __init__(self, raw: socket.socket, connection: Connection, tap: Tap | None = None) -> None:
        self.raw = raw
        self._connection = connection
        self._tap = tap
        if tap is not None:
            tap.opened(raw.getsockname()[:2], raw.getpeername()[:2])
        self._unread = b""
        self._taken = 0  # of `_unread`: what is asked for whole is handed out without a copy

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

    def handshake(self, timeout: float = DEFAULT_HANDSHAKE_TIMEOUT) -> HandshakeCompleted:
        """Complete the handshake within `timeout` seconds in all, however slowly bytes drip in.

        Raises `HandshakeTimeout`, `PeerError`, `AlertReceived` or `Truncated`.
        """
        before = self.raw.gettimeout()
        deadline = time.monotonic() + timeout
        try:
            self._flush()
            while not self._connection.is_established:
                self._set_timeout_until(deadline)
                self._receive()
        except TimeoutError as error:
            raise HandshakeTimeout(f"no complete handshake within {timeout:g} s") from error
        finally:
            with contextlib.suppress(OSError):
                self.raw.settimeout(before)
        return self.session

    def recv(self, size: int = _READ_SIZE) -> bytes:
        """Return at least one and at most `size` bytes; empty once the peer said close_notify.

        Raises `Truncated` if the stream ends without it.
        """
        while self._taken == len(self._unread) and not self._connection.is_peer_closed:
            self._receive()
        start, self._taken = self._taken, min(self._taken + size, len(self._unread))
        data = self._unread[start : self._taken]
        if self._taken == len(self._unread):
            self._unread, self._taken = b"", 0
        return data

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        self._connection.send_data(data)
        self._flush()

    def close(self) -> None:
        """Say close_notify and close the socket; never raises for a peer that is gone."""
        with contextlib.suppress(MeterSealError, OSError):
            self._connection.close()
            self._flush()
        self.raw.close()
        if self._tap is not None:
            self._tap.closed()
            self._tap = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _set_timeout_until(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.raw.settimeout(left)

    def _receive(self) -> None:
        data = self.raw.recv(_READ_SIZE)
        try:
            self._connection.receive_data(data)
        finally:  # what was read before an error is data; an alert goes out with the error
            if self._tap is not None:  # after the secrets that open it: analysers read but once
                self._tap.received(data)
            self._unread = self._unread[self._taken :] + self._connection.read()
            self._taken = 0
            with contextlib.suppress(OSError):
                self._flush()

    def _flush(self) -> None:
        output = self._connection.data_to_send()
        if output:
            self.raw.sendall(output)
            if self._tap is not None:
                self._tap.sent(output)


def connect(  # noqa: PLR0913  (the arguments of a connection)
    host: str,
    port: int,
    config: ClientConfig,
    *,
    server_name: str | None = None,
    session: Session | None = None,
    timeout: float = DEFAULT_HANDSHAKE_TIMEOUT,
    tap: Tap | None = None,
) -> SecureSocket:
    """Connect over TCP and complete the handshake.

    `server_name` is what the certificate must stand for, `host` by default. `session` is one from
    an earlier connection, `tap` sees the bytes on the wire. Raises `OSError`, `HandshakeTimeout`,
    `PeerError`, `AlertReceived`, `Truncated`.
    """
    raw = socket.create_connection((host, port), timeout=timeout)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = SecureSocket(raw, Connection.client(config, server_name or host, session), tap)
        secure.handshake(timeout)
        raw.settimeout(None)
    except BaseException:
        raw.close()
        raise
    return secure


class SecureListener:
    """A listening socket; iterate or `accept` to get clients whose handshake is still to be made.

    The handshake is not made in `accept`, so that one slow client does not keep out the others.
    """

    def __init__(
        self, raw: socket.socket, config: ServerConfig, tap: Callable[[], Tap] | None = None
    ) -> None:
        self.raw = raw
        self._config = config
        self._tap = tap

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that we listen on."""
        name = self.raw.getsockname()
        if not isinstance(name, tuple):
            raise InternalError("not an internet socket")
        return str(name[0]), int(name[1])

    def accept(self) -> tuple[SecureSocket, tuple[str, int]]:
        """Return the next client and its address; call `handshake` on it."""
        raw, peer = self.raw.accept()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tap = self._tap() if self._tap else None
        secure = SecureSocket(raw, Connection.server(self._config), tap)
        return secure, (str(peer[0]), int(peer[1]))

    def close(self) -> None:
        """Stop listening."""
        self.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def listen(
    host: str, port: int, config: ServerConfig, *, tap: Callable[[], Tap] | None = None
) -> SecureListener:
    """Bind and listen; port 0 takes a free one. Raises `OSError`.

    `tap` makes what sees the bytes of one connection on the wire.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return SecureListener(socket.create_server((host, port), family=family), config, tap)

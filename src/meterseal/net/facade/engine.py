"""One connection, asked in the way of the `ssl` module.

Bytes come in by `feed`, plaintext waits here until it is read, and an error or the peer's close is
told only when everything before it has been read. `None` means: more bytes are needed. Every method
takes the lock, none waits for anything but it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from meterseal.errors import ConnectionEnded, MeterSealError
from meterseal.net.facade.errors import as_ssl_error, ssl_error

if TYPE_CHECKING:
    import ssl

    from meterseal.transport import Connection, HandshakeCompleted, Session

__all__ = ["Engine"]


class Engine:
    """A connection with its plaintext; safe for several threads."""

    foreign: ssl.SSLObject | None = None  # no session of the `ssl` module

    def __init__(self, connection: Connection) -> None:
        self.lock = threading.RLock()
        self._connection = connection
        self._plaintext = bytearray()
        self._failure: MeterSealError | None = None
        self._end_is_news = False
        self._is_shutting_down = False

    @property
    def established(self) -> HandshakeCompleted | None:
        """What the handshake settled, once it is complete."""
        return self._connection.established

    @property
    def session(self) -> Session | None:
        """The newest session that may be resumed."""
        return self._connection.session

    @property
    def is_settled(self) -> bool:
        """Whether no byte of the peer's can matter any more."""
        return self._failure is not None or self._connection.is_peer_closed

    @property
    def pending(self) -> int:
        """How many bytes can be read at once; one, if it is an end that nobody has been told."""
        with self.lock:
            return len(self._plaintext) or int(self._end_is_news)

    def feed(self, data: bytes) -> None:
        """Take bytes of the peer, or empty ones for the end of its stream; raises nothing."""
        with self.lock:
            if self.is_settled:
                return
            try:
                self._connection.receive_data(data)
            except MeterSealError as error:
                self._failure = error
            finally:
                self._plaintext += self._connection.read()
            self._end_is_news = self.is_settled

    @property
    def has_output(self) -> bool:
        """Whether there are bytes for the peer."""
        return self._connection.has_output

    def output(self) -> bytes:
        """Return the bytes for the peer; they are handed out once."""
        with self.lock:
            return self._connection.data_to_send()

    def handshake(self) -> bool | None:
        """Whether the handshake is complete; raises what ended it."""
        with self.lock:
            if self._connection.is_established:
                return True
            self._raise_failure()
            return None

    def read(self, size: int) -> bytes | None:
        """Return at most `size` bytes, empty ones at the end."""
        with self.lock:
            if not self._plaintext:
                return self._end()
            data = bytes(memoryview(self._plaintext)[:size])
            del self._plaintext[: len(data)]
            return data

    def write(self, data: bytes) -> int:
        """Protect `data`; returns its length."""
        with self.lock:
            if data:
                self._raise_failure()
                try:
                    self._connection.send_data(data)
                except MeterSealError as error:
                    raise as_ssl_error(error) from error
            return len(data)

    def say_close(self) -> None:
        """Queue close_notify, unless the session has failed or is closed."""
        with self.lock:
            self._connection.close()

    def shut_down(self) -> bool | None:
        """Say close_notify and see whether the peer has said it too."""
        with self.lock:
            self._is_shutting_down = True
            self._raise_failure()
            self.say_close()
            if self._plaintext:
                raise ssl_error(
                    "APPLICATION_DATA_AFTER_CLOSE_NOTIFY", "data arrived that nobody has read"
                )
            return True if self._connection.is_peer_closed else None

    def take_rest(self) -> bytes:
        """Return the bytes that came after the peer's close_notify."""
        with self.lock:
            return self._connection.take_rest()

    def _end(self) -> bytes | None:
        self._raise_failure()
        if not self._connection.is_peer_closed:
            return None
        self._end_is_news = False
        if self._is_shutting_down:
            error = ConnectionEnded("both ends have closed the session")
            raise as_ssl_error(error) from error
        return b""

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self._end_is_news = False
            raise as_ssl_error(self._failure) from self._failure

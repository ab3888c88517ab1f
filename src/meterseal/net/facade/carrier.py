"""A socket that carries an engine's bytes to and from the kernel, within the socket's timeout.

Three locks keep threads apart. The engine's is held while bytes are worked on and never across a
wait. `_receiving` is held by the one thread that waits for the kernel to have something, `_sending`
by the one that waits for it to take something: so one thread may read while another writes.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from meterseal.net.facade.errors import ssl_error, want_read, want_write
from meterseal.net.facade.readiness import is_writable, wait_readable, wait_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meterseal.net.facade.either import EitherEngine
    from meterseal.net.facade.engine import Engine

    T = TypeVar("T")

__all__ = ["Carrier"]

_READ_SIZE = 64 * 1024
_CHUNK = 64 * 1024
_NON_BLOCKING_CHUNK = 16 * 1024  # one record
_DO_NOT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)


class Carrier(socket.socket):
    """Takes over a plain socket, which is detached; `_engine` is `None` without a session.

    It calls the methods of `socket.socket` itself: those of a subclass speak of plaintext.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(family=sock.family, type=sock.type, proto=sock.proto, fileno=sock.detach())
        self._engine: Engine | EitherEngine | None = None
        self._receiving = threading.Lock()
        self._sending = threading.Lock()
        self._outbox = bytearray()
        self._unfinished = b""  # plaintext whose records the kernel has not taken whole

    def _session_engine(self) -> Engine | EitherEngine:
        if self._engine is None:
            raise ValueError("the socket is not wrapped")
        return self._engine

    def _drive(
        self,
        attempt: Callable[[], T | None],
        deadline: float | None,
        push: Callable[[float | None], None],
    ) -> T:
        """Repeat `attempt`, with more bytes each time, until it has an answer."""
        try:
            while (result := attempt()) is None:
                with self._turn(self._receiving, deadline, want_read):
                    result = attempt()  # another thread may have brought what we need
                    if result is None:
                        push(deadline)
                        self._session_engine().feed(self._receive(deadline))
        except ssl.SSLError:
            self._push_what_fits()  # the alert, if there is one
            raise
        self._push_what_fits()
        return result

    def _receive(self, deadline: float | None) -> bytes:
        if deadline is not None and not wait_readable(self, deadline):
            raise TimeoutError("The read operation timed out")
        try:
            return socket.socket.recv(self, _READ_SIZE)
        except BlockingIOError:
            raise want_read() from None

    def _send(self, data: memoryview) -> int:
        deadline = self._deadline()
        engine = self._session_engine()
        with self._turn(self._sending, deadline, want_write):
            if not self._unfinished:
                self._push_in_turn(deadline)
                size = _CHUNK if self.gettimeout() != 0.0 else _NON_BLOCKING_CHUNK
                chunk = bytes(data[:size])
                engine.write(chunk)
                self._unfinished = chunk
            elif data[: len(self._unfinished)] != self._unfinished:
                raise ssl_error(
                    "BAD_WRITE_RETRY", "a write that was not finished is repeated with other data"
                )
            self._push_in_turn(deadline)
            sent, self._unfinished = len(self._unfinished), b""
            return sent

    def _push(self, deadline: float | None) -> None:
        """Send what the engine has to say, waiting for the kernel."""
        with self._turn(self._sending, deadline, want_write):
            self._push_in_turn(deadline)

    def _push_in_turn(self, deadline: float | None) -> None:
        while self._collect_output():
            if deadline is not None and not wait_writable(self, deadline):
                raise TimeoutError("The write operation timed out")
            try:
                sent = socket.socket.send(self, self._outbox)
            except BlockingIOError:
                raise want_write() from None
            del self._outbox[:sent]

    def _push_what_fits(self) -> None:
        """Send what the kernel takes at once; a thread that is sending takes it along."""
        while self._session_engine().has_output or self._outbox:
            if not self._sending.acquire(blocking=False):
                return
            try:
                if not self._collect_output() or not is_writable(self):
                    return
                sent = socket.socket.send(self, self._outbox, _DO_NOT_WAIT)
                del self._outbox[:sent]
            except OSError:
                return
            finally:
                self._sending.release()

    def _collect_output(self) -> bool:
        self._outbox += self._session_engine().output()
        return bool(self._outbox)

    def _deadline(self) -> float | None:
        timeout = self.gettimeout()
        return time.monotonic() + timeout if timeout else None

    @contextlib.contextmanager
    def _turn(
        self, lock: threading.Lock, deadline: float | None, busy: Callable[[], ssl.SSLError]
    ) -> Iterator[None]:
        """Hold `lock`, waiting for it no longer than the socket may wait."""
        if self.gettimeout() == 0.0:
            if not lock.acquire(blocking=False):
                raise busy()
        elif deadline is None:
            lock.acquire()
        elif not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TimeoutError("The operation timed out")
        try:
            yield
        finally:
            lock.release()

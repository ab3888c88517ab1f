"""One port for two families: sessions with SM suites are ours, all others go to the `ssl` module.

The first hello decides. A client that offers a suite of ours is served by it and never passed on,
so nobody can talk it down to the other family; what it does not offer cannot be forced on it.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from typing import TYPE_CHECKING, TypeVar

from meterseal.transport.negotiate import speaks_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.net.facade.engine import Engine
    from meterseal.transport import HandshakeCompleted, ServerConfig, Session

__all__ = ["EitherEngine", "ForeignEngine"]

T = TypeVar("T")
_LONGEST_HELLO = 32 * 1024


class ForeignEngine:
    """A session of the `ssl` module, asked as an `Engine` is; `foreign` answers for it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.lock = threading.RLock()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.foreign = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    @property
    def pending(self) -> int:
        """How many bytes can be read at once."""
        return self.foreign.pending()

    @property
    def is_settled(self) -> bool:
        """Whether no byte of the peer's can matter any more."""
        return self._incoming.eof

    @property
    def has_output(self) -> bool:
        """Whether there are bytes for the peer."""
        return self._outgoing.pending > 0

    def feed(self, data: bytes) -> None:
        """Take bytes of the peer, or empty ones for the end of its stream."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def output(self) -> bytes:
        """Return the bytes for the peer."""
        return self._outgoing.read()

    def handshake(self) -> bool | None:
        """Whether the handshake is complete; raises what ended it."""

        def shake() -> bool:
            self.foreign.do_handshake()
            return True

        return self._attempt(shake)

    def read(self, size: int) -> bytes | None:
        """Return at most `size` bytes, empty ones at the end."""
        try:
            return self._attempt(lambda: self.foreign.read(size))
        except ssl.SSLZeroReturnError:
            return b""

    def write(self, data: bytes) -> int:
        """Protect `data`; returns its length."""
        return self.foreign.write(data) if data else 0

    def say_close(self) -> None:
        """Queue close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self.foreign.unwrap()

    def shut_down(self) -> bool | None:
        """Say close_notify and see whether the peer has said it too."""

        def close() -> bool:
            self.foreign.unwrap()
            return True

        return self._attempt(close)

    def take_rest(self) -> bytes:
        """Return the bytes that came after the peer's close_notify."""
        return self._incoming.read()

    def _attempt(self, attempt: Callable[[], T]) -> T | None:
        with self.lock:
            try:
                return attempt()
            except ssl.SSLWantReadError:
                return None


class EitherEngine:
    """A server's session whose family the client's first hello decides.

    `ours` begins a session of ours, `fallback` is the context for all others.
    """

    def __init__(
        self, config: ServerConfig, ours: Callable[[], Engine], fallback: ssl.SSLContext
    ) -> None:
        self.lock = threading.RLock()
        self._config = config
        self._ours = ours
        self._fallback = fallback
        self._heard = bytearray()
        self._chosen: Engine | ForeignEngine | None = None

    @property
    def foreign(self) -> ssl.SSLObject | None:
        """The session of the `ssl` module, if it is one."""
        return getattr(self._chosen, "foreign", None)

    @property
    def established(self) -> HandshakeCompleted | None:
        """What the handshake settled, once it is complete; None for a session of `ssl`."""
        return getattr(self._chosen, "established", None)

    @property
    def session(self) -> Session | None:
        """The newest session that may be resumed."""
        return getattr(self._chosen, "session", None)

    @property
    def is_settled(self) -> bool:
        """Whether no byte of the peer's can matter any more."""
        return self._chosen is not None and self._chosen.is_settled

    @property
    def pending(self) -> int:
        """How many bytes can be read at once."""
        return 0 if self._chosen is None else self._chosen.pending

    @property
    def has_output(self) -> bool:
        """Whether there are bytes for the peer."""
        return self._chosen is not None and self._chosen.has_output

    def feed(self, data: bytes) -> None:
        """Take bytes of the peer, or empty ones for the end of its stream."""
        with self.lock:
            if self._chosen is None:
                self._heard += data
                is_ours = speaks_with(bytes(self._heard), self._config)
                if is_ours is None and data and len(self._heard) < _LONGEST_HELLO:
                    return
                self._chosen = self._ours() if is_ours in {None, True} else self._pass_on()
                data = bytes(self._heard)
                self._heard.clear()
            self._chosen.feed(data)

    def output(self) -> bytes:
        """Return the bytes for the peer."""
        return b"" if self._chosen is None else self._chosen.output()

    def handshake(self) -> bool | None:
        """Whether the handshake is complete; raises what ended it."""
        return None if self._chosen is None else self._chosen.handshake()

    def read(self, size: int) -> bytes | None:
        """Return at most `size` bytes, empty ones at the end."""
        return None if self._chosen is None else self._chosen.read(size)

    def write(self, data: bytes) -> int:
        """Protect `data`; returns its length."""
        return 0 if self._chosen is None else self._chosen.write(data)

    def say_close(self) -> None:
        """Queue close_notify."""
        if self._chosen is not None:
            self._chosen.say_close()

    def shut_down(self) -> bool | None:
        """Say close_notify and see whether the peer has said it too."""
        return None if self._chosen is None else self._chosen.shut_down()

    def take_rest(self) -> bytes:
        """Return the bytes that came after the peer's close_notify."""
        return b"" if self._chosen is None else self._chosen.take_rest()

    def _pass_on(self) -> ForeignEngine:
        return ForeignEngine(self._fallback)

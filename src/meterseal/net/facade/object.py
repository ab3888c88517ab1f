"""What `wrap_bio` returns: the shape of `ssl.SSLObject`."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, TypeVar

from meterseal.net.facade.errors import want_read
from meterseal.net.facade.face import Face
from meterseal.transport.codepoints import HEADER_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from meterseal.net.context import SecureContext
    from meterseal.net.facade.either import EitherEngine
    from meterseal.net.facade.engine import Engine
    from meterseal.net.facade.face import Session

    T = TypeVar("T")

__all__ = ["WrappedObject"]


class WrappedObject(Face):
    """A session between two memory BIOs.

    It takes one record at a time from the incoming one and leaves the rest there, because event
    loops decide by what is left whether to read again.
    """

    _seen_as = ssl.SSLObject

    def __init__(  # noqa: PLR0913  (the arguments of `wrap_bio`)
        self,
        context: SecureContext,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        *,
        server_side: bool,
        server_hostname: str | None,
        session: Session | None,
    ) -> None:
        self._context = context
        self._incoming = incoming
        self._outgoing = outgoing
        self.server_side = server_side
        self.server_hostname = server_hostname
        self._header = b""
        self._missing = 0  # bytes of the current record that are still to come
        self._engine: Engine | EitherEngine = context.new_engine(
            self, server_side=server_side, server_hostname=server_hostname, session=session
        )

    def do_handshake(self) -> None:
        """Go on with the handshake; raises `SSLWantReadError` where the peer must speak."""
        self._drive(self._engine.handshake)

    def read(self, len: int = 1024, buffer: Buffer | None = None) -> bytes | int:  # noqa: A002
        """Read at most `len` bytes; with a buffer into it, returning how many they are."""
        if buffer is None:
            return self._read(len)
        with memoryview(buffer) as view, view.cast("B") as target:
            data = self._read(len if 0 < len < target.nbytes else target.nbytes)
            target[: _length(data)] = data
            return _length(data)

    def write(self, data: Buffer) -> int:
        """Protect all of `data`; returns its length."""
        self.do_handshake()
        with memoryview(data) as view:
            raw = view.tobytes()
        return self._drive(lambda: self._engine.write(raw))

    def pending(self) -> int:
        """How many bytes can be read without looking at the incoming BIO."""
        return self._engine.pending

    def unwrap(self) -> None:
        """Say close_notify and wait for the peer's; what follows it stays in the BIO."""
        self._drive(self._engine.shut_down)

    def _read(self, size: int) -> bytes:
        if size < 0:
            raise ValueError("size should not be negative")
        if size == 0:
            return b""
        self.do_handshake()
        return self._drive(lambda: self._engine.read(size))

    def _drive(self, attempt: Callable[[], T | None]) -> T:
        with self._engine.lock:
            try:
                while (result := attempt()) is None:
                    if not self._feed_one_record():
                        raise want_read()
                return result
            finally:
                self._outgoing.write(self._engine.output())

    def _feed_one_record(self) -> bool:
        """Carry at most the rest of one record to the engine; whether there was anything."""
        data = self._next_part()
        if not data and not self._incoming.eof:
            return False
        self._engine.feed(data)
        return True

    def _next_part(self) -> bytes:
        if self._missing:
            data = self._incoming.read(self._missing)
            self._missing -= len(data)
            return data
        self._header += self._incoming.read(HEADER_LENGTH - len(self._header))
        if len(self._header) < HEADER_LENGTH:
            return b""
        header, self._header = self._header, b""
        length = header[3] << 8 | header[4]
        body = self._incoming.read(length) if length else b""
        self._missing = length - len(body)
        return header + body


def _length(data: bytes) -> int:
    """`len`, whose name is that of an argument above."""
    return len(data)

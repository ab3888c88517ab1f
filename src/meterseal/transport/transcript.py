"""The running hash over all handshake messages (RFC 5246, 7.4.9; RFC 8446, 4.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.errors import InternalError
from meterseal.transport.codepoints import HandshakeType
from meterseal.transport.wire import vector24

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Hash


class Transcript:
    """Every handshake message as sent and received, without record headers.

    The hash is known only once a suite is chosen; until then the few messages are kept. `last` is
    the message that came or went last, until the transcript is closed. The messages themselves are
    kept only where somebody signs them and not their hash.
    """

    __slots__ = ("_early", "_hash", "_is_closed", "_kept", "last")

    def __init__(self) -> None:
        self._early: list[bytes] = []
        self._hash: Hash | None = None
        self._kept: list[bytes] | None = None
        self._is_closed = False
        self.last = b""

    def start(self, running_hash: Hash, *, keep: bool = False) -> None:
        """Choose the hash: the messages so far go in first. With `keep` they also stay."""
        self._kept = list(self._early) if keep else None
        for message in self._early:
            running_hash.update(message)
        self._early.clear()
        self._hash = running_hash

    def start_after_retry(self, new_hash: Callable[[], Hash]) -> None:
        """Choose the hash; the first hello stands there by its hash (RFC 8446, 4.4.1)."""
        first = new_hash()
        first.update(self._early[0])
        digest = first.digest()
        self._early[0] = bytes((HandshakeType.MESSAGE_HASH,)) + vector24(digest)
        self.start(new_hash())

    def add(self, message: bytes) -> None:
        """Append one message with its four-byte header."""
        if self._is_closed:
            return
        self.last = message
        if self._hash is None:
            self._early.append(message)
        else:
            self._hash.update(message)
        if self._kept is not None:
            self._kept.append(message)

    def whole(self) -> bytes:
        """Return everything so far; it must have been kept."""
        if self._kept is None:
            raise InternalError("the messages of the transcript were not kept")
        return b"".join(self._kept)

    def digest(self) -> bytes:
        """Return the hash of everything so far."""
        return self._running().digest()

    def copy_hash(self) -> Hash:
        """Return a hash of everything so far that goes on by itself."""
        return self._running().copy()

    def close(self) -> None:
        """Forget everything: what comes after the handshake is in no hash."""
        self._early.clear()
        self._hash = self._kept = None
        self._is_closed = True
        self.last = b""

    def _running(self) -> Hash:
        if self._hash is None:
            raise InternalError("the transcript has no hash")
        return self._hash

"""The running hash over all handshake messages (RFC 5246, 7.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meterseal.crypto.provider import Hash


class Transcript:
    """Every handshake message as sent and received, without record headers.

    The hash is known only once a suite is chosen; until then the few messages are kept.
    """

    __slots__ = ("_early", "_hash")

    def __init__(self) -> None:
        self._early = bytearray()
        self._hash: Hash | None = None

    def start(self, running_hash: Hash) -> None:
        """Choose the hash: the messages so far go in first."""
        running_hash.update(bytes(self._early))
        self._early.clear()
        self._hash = running_hash

    def add(self, message: bytes) -> None:
        """Append one message with its four-byte header."""
        if self._hash is None:
            self._early += message
        else:
            self._hash.update(message)

    def digest(self) -> bytes:
        """Return the hash of everything so far."""
        if self._hash is None:
            raise RuntimeError("the transcript has no hash yet")
        return self._hash.digest()

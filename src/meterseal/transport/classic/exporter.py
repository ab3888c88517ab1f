"""Keys for other uses from a session of TLS 1.2 (RFC 5705, 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.errors import UsageError
from meterseal.transport.wire import vector16

if TYPE_CHECKING:
    from meterseal.crypto.provider import MasterSecret

# What TLS itself derives under: whoever had these bytes would have the session (RFC 5705, 4).
_RESERVED: Final = frozenset(
    {
        b"client finished",
        b"server finished",
        b"master secret",
        b"extended master secret",
        b"key expansion",
    }
)


class Exporter:
    """The master secret and both randoms, from which keys for other uses follow."""

    __slots__ = ("_randoms", "_secret")

    def __init__(self, secret: MasterSecret, randoms: bytes) -> None:
        self._secret = secret
        self._randoms = randoms

    def export(self, label: bytes, context: bytes | None, length: int, /) -> bytes:
        """Return `length` bytes; no context and an empty one are not the same here."""
        if label in _RESERVED:
            raise UsageError(f"the label {label.decode()!r} is TLS's own")
        seed = self._randoms if context is None else self._randoms + vector16(context)
        return self._secret.prf(label, seed, length)

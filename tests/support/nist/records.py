"""Records under AES-128-GCM: TLS 1.2 (RFC 5288) and TLS 1.3 (RFC 8446, 5)."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag as BadTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meterseal.errors import InvalidTag, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.nist.schedule import TrafficSecret

MAX_FRAGMENT = 1 << 14
_TAG = 16
_EXPLICIT = 8
_OUTER = b"\x17\x03\x03"


def fragments(data: bytes) -> Iterator[bytes]:
    """`data` in pieces that fit a record; one that is empty if it is."""
    for start in range(0, max(len(data), 1), MAX_FRAGMENT):
        yield data[start : start + MAX_FRAGMENT]


def _decrypt(key: bytes, nonce: bytes, text: bytes, aad: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, text, aad)
    except BadTag:
        raise InvalidTag("a record does not open") from None


def require_fits(length: int) -> None:
    """Raise `UsageError` for a fragment longer than a record may carry."""
    if length > MAX_FRAGMENT:
        raise UsageError("a record longer than its limit")


# --- TLS 1.2 -----------------------------------------------------------------------------


class GcmSealer:
    """Seals with the sequence number as explicit nonce."""

    def __init__(self, key: bytes, salt: bytes, version: int) -> None:
        self._key, self._salt, self._version = key, salt, version.to_bytes(2, "big")
        self._sequence = count()

    def seal(self, content_type: int, data: bytes, /) -> bytes:
        return b"".join(self._record(bytes((content_type,)), part) for part in fragments(data))

    def _record(self, kind: bytes, fragment: bytes) -> bytes:
        explicit = next(self._sequence).to_bytes(8, "big")
        aad = explicit + kind + self._version + len(fragment).to_bytes(2, "big")
        body = explicit + AESGCM(self._key).encrypt(self._salt + explicit, fragment, aad)
        return kind + self._version + len(body).to_bytes(2, "big") + body


class GcmOpener:
    """Opens; dead after the first failure."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._key, self._salt = key, salt
        self._sequence = count()
        self._is_dead = False

    def open(self, record: bytes, /) -> bytes:
        length = len(record) - 5 - _EXPLICIT - _TAG
        if self._is_dead or length < 0:
            raise InvalidTag("a record does not open")
        self._is_dead = True
        require_fits(length)
        explicit, text = record[5:13], record[13:]
        aad = next(self._sequence).to_bytes(8, "big") + record[:3] + length.to_bytes(2, "big")
        plain = _decrypt(self._key, self._salt + explicit, text, aad)
        self._is_dead = False
        return plain


# --- TLS 1.3 -----------------------------------------------------------------------------


class _Direction:
    def __init__(self, secret: TrafficSecret) -> None:
        self._take(secret)

    def _take(self, secret: TrafficSecret) -> None:
        self._secret = secret
        self._key, self._iv = secret.expand(b"key", 16), secret.expand(b"iv", 12)
        self._sequence = 0

    def _next_nonce(self) -> bytes:
        nonce = int.from_bytes(self._iv, "big") ^ self._sequence
        self._sequence += 1
        return nonce.to_bytes(12, "big")

    def update(self) -> None:
        self._take(self._secret.next_generation())


class Tls13Sealer(_Direction):
    """Seals without padding; worn after `WEAR` records, early enough for a test to see it."""

    WEAR = 1 << 20

    def seal(self, content_type: int, data: bytes, /) -> bytes:
        return b"".join(self._record(part + bytes((content_type,))) for part in fragments(data))

    def _record(self, inner: bytes) -> bytes:
        header = _OUTER + (len(inner) + _TAG).to_bytes(2, "big")
        return header + AESGCM(self._key).encrypt(self._next_nonce(), inner, header)

    @property
    def is_worn(self) -> bool:
        return self._sequence >= self.WEAR


class Tls13Opener(_Direction):
    """Opens; dead after the first failure."""

    _is_dead = False

    def open(self, record: bytes, /) -> tuple[int, bytes]:
        header, text = record[:5], record[5:]
        if self._is_dead or header[:3] != _OUTER or len(text) < 1 + _TAG:
            raise InvalidTag("a record does not open")
        self._is_dead = True
        require_fits(len(text) - 1 - _TAG)
        plain = _decrypt(self._key, self._next_nonce(), text, header).rstrip(b"\0")
        self._is_dead = False
        return (plain[-1], plain[:-1]) if plain else (0, b"")

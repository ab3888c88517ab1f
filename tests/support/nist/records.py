"""Records under AEADs: TLS 1.2 (RFC 5288, RFC 7905) and TLS 1.3 (RFC 8446, 5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag as BadTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from meterseal.errors import InvalidTag, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.nist.schedule import TrafficSecret

MAX_FRAGMENT = 1 << 14
_TAG = 16
_SEQUENCE = 8
_OUTER = b"\x17\x03\x03"


@dataclass(frozen=True)
class Aead:
    """One algorithm. In TLS 1.2 `fixed` bytes of the nonce come from the key block."""

    make: type[AESGCM | ChaCha20Poly1305]
    key: int
    fixed: int

    @property
    def explicit(self) -> int:
        """How many bytes of the nonce stand in a record of TLS 1.2."""
        return 12 - self.fixed


AEADS = {
    "aes-128-gcm": Aead(AESGCM, 16, 4),
    "aes-256-gcm": Aead(AESGCM, 32, 4),
    "chacha20-poly1305": Aead(ChaCha20Poly1305, 32, 12),
}


def fragments(data: bytes) -> Iterator[bytes]:
    """`data` in pieces that fit a record; one that is empty if it is."""
    for start in range(0, max(len(data), 1), MAX_FRAGMENT):
        yield data[start : start + MAX_FRAGMENT]


def _decrypt(cipher: AESGCM | ChaCha20Poly1305, nonce: bytes, text: bytes, aad: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, text, aad)
    except BadTag:
        raise InvalidTag("a record does not open") from None


def _mixed(fixed: bytes, sequence: int) -> bytes:
    return (int.from_bytes(fixed, "big") ^ sequence).to_bytes(12, "big")


def require_fits(length: int) -> None:
    """Raise `UsageError` for a fragment longer than a record may carry."""
    if length > MAX_FRAGMENT:
        raise UsageError("a record longer than its limit")


# --- TLS 1.2 -----------------------------------------------------------------------------


class _Classic:
    def __init__(self, aead: Aead, key: bytes, fixed: bytes) -> None:
        self._aead, self._fixed = aead, fixed
        self._cipher = aead.make(key)
        self._sequence = count()

    def _nonce(self, sequence: int, explicit: bytes) -> bytes:
        return self._fixed + explicit if explicit else _mixed(self._fixed, sequence)


class AeadSealer(_Classic):
    """Seals, with the sequence number as explicit nonce where there is one."""

    def __init__(self, aead: Aead, key: bytes, fixed: bytes, version: int) -> None:
        super().__init__(aead, key, fixed)
        self._version = version.to_bytes(2, "big")

    def seal(self, content_type: int, data: bytes, /) -> bytes:
        return b"".join(self._record(bytes((content_type,)), part) for part in fragments(data))

    def _record(self, kind: bytes, fragment: bytes) -> bytes:
        number = next(self._sequence)
        sequence = number.to_bytes(_SEQUENCE, "big")
        explicit = sequence[: self._aead.explicit]
        aad = sequence + kind + self._version + len(fragment).to_bytes(2, "big")
        body = explicit + self._cipher.encrypt(self._nonce(number, explicit), fragment, aad)
        return kind + self._version + len(body).to_bytes(2, "big") + body


class AeadOpener(_Classic):
    """Opens; dead after the first failure."""

    _is_dead = False

    def open(self, record: bytes, /) -> bytes:
        start = 5 + self._aead.explicit
        length = len(record) - start - _TAG
        if self._is_dead or length < 0:
            raise InvalidTag("a record does not open")
        self._is_dead = True
        require_fits(length)
        number = next(self._sequence)
        aad = number.to_bytes(_SEQUENCE, "big") + record[:3] + length.to_bytes(2, "big")
        nonce = self._nonce(number, record[5:start])
        plain = _decrypt(self._cipher, nonce, record[start:], aad)
        self._is_dead = False
        return plain


# --- TLS 1.3 -----------------------------------------------------------------------------


class _Direction:
    def __init__(self, aead: Aead, secret: TrafficSecret) -> None:
        self._aead = aead
        self._take(secret)

    def _take(self, secret: TrafficSecret) -> None:
        self._secret = secret
        self._cipher = self._aead.make(secret.expand(b"key", self._aead.key))
        self._iv = secret.expand(b"iv", 12)
        self._sequence = 0

    def _next_nonce(self) -> bytes:
        nonce = _mixed(self._iv, self._sequence)
        self._sequence += 1
        return nonce

    def update(self) -> None:
        self._take(self._secret.next_generation())


class Tls13Sealer(_Direction):
    """Seals without padding; worn after `WEAR` records, early enough for a test to see it."""

    WEAR = 1 << 20

    def seal(self, content_type: int, data: bytes, /) -> bytes:
        return b"".join(self._record(part + bytes((content_type,))) for part in fragments(data))

    def _record(self, inner: bytes) -> bytes:
        header = _OUTER + (len(inner) + _TAG).to_bytes(2, "big")
        return header + self._cipher.encrypt(self._next_nonce(), inner, header)

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
        plain = _decrypt(self._cipher, self._next_nonce(), text, header).rstrip(b"\0")
        self._is_dead = False
        return (plain[-1], plain[:-1]) if plain else (0, b"")

"""Records under AES-CBC with HMAC, MAC-then-encrypt (RFC 5246, 6.2.3.2).

The time it takes tells what was wrong: this is for tests of what stands around it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from itertools import count

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from meterseal.errors import InvalidTag
from support.nist.records import fragments, require_fits

# key in bytes, hash of the MAC
CBC = {
    "aes-128-cbc-sha1": (16, "sha1"),
    "aes-128-cbc-sha256": (16, "sha256"),
    "aes-256-cbc-sha1": (32, "sha1"),
}
_BLOCK = 16


def mac_length(hash_name: str) -> int:
    return hashlib.new(hash_name).digest_size


class _Mac:
    def __init__(self, key: bytes, hash_name: str) -> None:
        self._key, self._hash_name = key, hash_name
        self._sequence = count()

    def next(self, header: bytes, fragment: bytes) -> bytes:
        number = next(self._sequence).to_bytes(8, "big")
        covered = number + header + len(fragment).to_bytes(2, "big") + fragment
        return hmac.digest(self._key, covered, self._hash_name)


class CbcSealer:
    """Seals with a random vector and as little padding as will do."""

    def __init__(self, hash_name: str, key: bytes, mac: bytes, version: int) -> None:
        self._key, self._version = key, version.to_bytes(2, "big")
        self._mac = _Mac(mac, hash_name)

    def seal(self, content_type: int, data: bytes, /) -> bytes:
        return b"".join(self._record(bytes((content_type,)), part) for part in fragments(data))

    def _record(self, kind: bytes, fragment: bytes) -> bytes:
        header = kind + self._version
        inner = fragment + self._mac.next(header, fragment)
        padding = _BLOCK - len(inner) % _BLOCK
        vector = os.urandom(_BLOCK)
        cipher = Cipher(algorithms.AES(self._key), modes.CBC(vector)).encryptor()
        body = vector + cipher.update(inner + bytes((padding - 1,)) * padding)
        return header + len(body).to_bytes(2, "big") + body


class CbcOpener:
    """Opens; dead after the first failure."""

    def __init__(self, hash_name: str, key: bytes, mac: bytes) -> None:
        self._key, self._length = key, mac_length(hash_name)
        self._mac = _Mac(mac, hash_name)
        self._is_dead = False

    def open(self, record: bytes, /) -> bytes:
        body = record[5:]
        if self._is_dead or len(body) % _BLOCK or len(body) < 3 * _BLOCK:
            raise InvalidTag("a record does not open")
        self._is_dead = True
        vector, text = body[:_BLOCK], body[_BLOCK:]
        inner = Cipher(algorithms.AES(self._key), modes.CBC(vector)).decryptor().update(text)
        padding = inner[-1] + 1
        end = len(inner) - padding - self._length
        if end < 0 or set(inner[-padding:]) != {inner[-1]}:
            raise InvalidTag("a record does not open")
        fragment, mac = inner[:end], inner[end : end + self._length]
        if mac != self._mac.next(record[:3], fragment):
            raise InvalidTag("a record does not open")
        require_fits(len(fragment))
        self._is_dead = False
        return fragment

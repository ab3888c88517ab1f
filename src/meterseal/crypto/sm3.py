"""SM3, the cryptographic hash (GB/T 32905-2016), HMAC-SM3 and the key derivations built on it.

`sm3` has the shape of the constructors of hashlib, so that it also serves as `digestmod` of the
standard library's `hmac`:

    sm3(b"abc").hexdigest()
    sm3_digest(b"abc")
    hmac(key, message)
"""

from collections.abc import Sequence
from typing import TypeAlias

from meterseal import _core
from meterseal._core import HmacSm3, Sm3

__all__ = [
    "BLOCK_SIZE",
    "DIGEST_SIZE",
    "HMAC",
    "Sm3",
    "hkdf",
    "hkdf_expand",
    "hkdf_extract",
    "hmac",
    "pbkdf2",
    "sm3",
    "sm3_batch",
    "sm3_digest",
]

_Buffer: TypeAlias = bytes | bytearray | memoryview

BLOCK_SIZE = 64
"""Bytes of a message block."""

DIGEST_SIZE = 32
"""Bytes of a digest."""

HMAC = HmacSm3
"""HMAC-SM3 in progress: update, digest, hexdigest, copy, and verify in constant time."""


sm3 = Sm3
"""A hash in progress: update, digest, hexdigest, copy, name and sizes."""

sm3_digest = _core.sm3_digest
"""The 32 bytes of the digest of one message, without an object in between."""


def sm3_batch(messages: Sequence[_Buffer]) -> list[bytes]:
    """Return the 32 bytes of the digest of each message; several are hashed side by side."""
    return _core.sm3_batch(messages)


def hmac(key: _Buffer, data: _Buffer) -> bytes:
    """Return the 32 bytes of HMAC-SM3 of a message. Compare them with `HMAC.verify` only."""
    return _core.hmac_sm3(key, data)


def pbkdf2(password: _Buffer, salt: _Buffer, iterations: int, length: int) -> bytes:
    """Return a key of `length` bytes from a password (RFC 8018, 5.2, with HMAC-SM3).

    Raises UsageError for no iterations, and for a length that is not 1 byte to 16 MiB.
    """
    return _core.pbkdf2_hmac_sm3(password, salt, iterations, length)


def hkdf(secret: _Buffer, salt: _Buffer, info: _Buffer, length: int) -> bytes:
    """Return a key of 1 to 8160 bytes from a secret (RFC 5869 with HMAC-SM3).

    An empty salt stands for 32 zeros. Raises UsageError for any other length.
    """
    return _core.hkdf_sm3(secret, salt, info, length)


def hkdf_extract(salt: _Buffer, secret: _Buffer) -> bytes:
    """Return the pseudorandom key of HKDF, 32 bytes (RFC 5869, 2.2)."""
    return _core.hkdf_extract_sm3(salt, secret)


def hkdf_expand(key: _Buffer, info: _Buffer = b"", length: int = DIGEST_SIZE) -> bytes:
    """Return 1 to 8160 bytes from a pseudorandom key (RFC 5869, 2.3). Raises UsageError."""
    return _core.hkdf_expand_sm3(key, info, length)

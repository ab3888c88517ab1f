"""SM3 (GB/T 32905-2016) and HMAC over it."""

from __future__ import annotations

import struct

__all__ = ["hmac_sm3", "sm3"]

_IV: tuple[int, ...] = (
    *(0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600),
    *(0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E),
)
_BLOCK = 64
_ROUNDS = 64
_EARLY = 16
_MASK = 0xFFFFFFFF


def sm3(message: bytes) -> bytes:
    """Return the 32 bytes of SM3 of a message (5)."""
    zeros = -(len(message) + 9) % _BLOCK
    padded = message + b"\x80" + bytes(zeros) + struct.pack(">Q", 8 * len(message))
    value = _IV
    for start in range(0, len(padded), _BLOCK):
        value = _compress(value, padded[start : start + _BLOCK])
    return struct.pack(">8I", *value)


def _compress(value: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    """CF (5.3.3)."""
    words = _expand(block)
    a, b, c, d, e, f, g, h = value
    for j in range(_ROUNDS):
        constant = 0x79CC4519 if j < _EARLY else 0x7A879D8A
        ss1 = _rotate((_rotate(a, 12) + e + _rotate(constant, j)) & _MASK, 7)
        ss2 = ss1 ^ _rotate(a, 12)
        tt1 = (_ff(a, b, c, j) + d + ss2 + (words[j] ^ words[j + 4])) & _MASK
        tt2 = (_gg(e, f, g, j) + h + ss1 + words[j]) & _MASK
        a, b, c, d = tt1, a, _rotate(b, 9), c
        e, f, g, h = _p0(tt2), e, _rotate(f, 19), g
    return tuple(x ^ y for x, y in zip((a, b, c, d, e, f, g, h), value, strict=True))


def _expand(block: bytes) -> list[int]:
    """W_0 to W_67 (5.3.2)."""
    words = list(struct.unpack(">16I", block))
    for j in range(16, 68):
        mixed = _p1(words[j - 16] ^ words[j - 9] ^ _rotate(words[j - 3], 15))
        words.append(mixed ^ _rotate(words[j - 13], 7) ^ words[j - 6])
    return words


def _ff(x: int, y: int, z: int, j: int) -> int:
    return x ^ y ^ z if j < _EARLY else (x & y) | (x & z) | (y & z)


def _gg(x: int, y: int, z: int, j: int) -> int:
    return x ^ y ^ z if j < _EARLY else (x & y) | (~x & _MASK & z)


def _p0(x: int) -> int:
    return x ^ _rotate(x, 9) ^ _rotate(x, 17)


def _p1(x: int) -> int:
    return x ^ _rotate(x, 15) ^ _rotate(x, 23)


def _rotate(x: int, by: int) -> int:
    by %= 32
    return (x << by | x >> (32 - by)) & _MASK


def hmac_sm3(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SM3 under a key of at most 64 bytes (RFC 2104)."""
    padded = key.ljust(_BLOCK, b"\0")
    inner = sm3(bytes(byte ^ 0x36 for byte in padded) + message)
    return sm3(bytes(byte ^ 0x5C for byte in padded) + inner)

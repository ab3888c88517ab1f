"""SM4 (GB/T 32907-2016) in CBC mode (GB/T 17964-2021)."""

from __future__ import annotations

import struct

__all__ = ["cbc_decrypt", "cbc_encrypt"]

_BLOCK = 16
_MASK = 0xFFFFFFFF
_POLYNOMIAL = 0x1F5
_FK = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)
_ROUNDS = 32


def cbc_encrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Encrypt whole blocks, padded as PKCS #7 has it."""
    count = _BLOCK - len(data) % _BLOCK
    padded = data + bytes([count]) * count
    round_keys = _round_keys(key)
    before, out = int.from_bytes(iv), []
    for start in range(0, len(padded), _BLOCK):
        block = int.from_bytes(padded[start : start + _BLOCK])
        before = _crypt(round_keys, before ^ block)
        out.append(before.to_bytes(_BLOCK))
    return b"".join(out)


def cbc_decrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Decrypt, and take the padding off. Raises ValueError where it is wrong."""
    round_keys = _round_keys(key)[::-1]
    before, out = int.from_bytes(iv), []
    for start in range(0, len(data), _BLOCK):
        block = int.from_bytes(data[start : start + _BLOCK])
        out.append((_crypt(round_keys, block) ^ before).to_bytes(_BLOCK))
        before = block
    padded = b"".join(out)
    count = padded[-1] if padded else 0
    if not 0 < count <= _BLOCK or padded[-count:] != bytes([count]) * count:
        raise ValueError("the padding is wrong")
    return padded[:-count]


def _round_keys(key: bytes) -> list[int]:
    """Step by step (7.3)."""
    words = [word ^ fixed for word, fixed in zip(struct.unpack(">4I", key), _FK, strict=True)]
    for i in range(_ROUNDS):
        constant = sum((4 * i + j) * 7 % 256 << (24 - 8 * j) for j in range(4))
        mixed = _substitute(words[i + 1] ^ words[i + 2] ^ words[i + 3] ^ constant)
        words.append(words[i] ^ mixed ^ _rotate(mixed, 13) ^ _rotate(mixed, 23))
    return words[4:]


def _crypt(round_keys: list[int], block: int) -> int:
    """The 32 rounds over one block, then the reversal (7.1)."""
    x0, x1, x2, x3 = (block >> shift & _MASK for shift in (96, 64, 32, 0))
    for round_key in round_keys:
        x0, x1, x2, x3 = x1, x2, x3, x0 ^ _linear(_substitute(x1 ^ x2 ^ x3 ^ round_key))
    return x3 << 96 | x2 << 64 | x1 << 32 | x0


def _linear(word: int) -> int:
    """L (6.2)."""
    turned = _rotate(word, 2) ^ _rotate(word, 10) ^ _rotate(word, 18) ^ _rotate(word, 24)
    return word ^ turned


def _substitute(word: int) -> int:
    """The four S-boxes side by side (6.2)."""
    box = _BOX
    return (
        box[word >> 24] << 24
        | box[word >> 16 & 255] << 16
        | box[word >> 8 & 255] << 8
        | box[word & 255]
    )


def _rotate(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _MASK


# --- the S-box: inversion in GF(2^8) between two affine maps, which gives the table of 6.2 -------


def _box() -> bytes:
    return bytes(_affine(_inverse(_affine(x))) for x in range(256))


def _affine(x: int) -> int:
    rows = ((0xA7 << i | 0xA7 >> (8 - i)) & 255 for i in range(8))
    return 0xD3 ^ sum(((row & x).bit_count() & 1) << i for i, row in enumerate(rows))


def _inverse(x: int) -> int:
    power = 1
    for _ in range(254):
        power = _product(power, x)
    return power


def _product(x: int, y: int) -> int:
    total = 0
    for bit in range(8):
        total ^= x << bit if y >> bit & 1 else 0
    for bit in range(14, 7, -1):
        total ^= _POLYNOMIAL << (bit - 8) if total >> bit & 1 else 0
    return total


_BOX = _box()

"""SM2 signatures and key shares (GB/T 32918, parts 1 and 2, 2016), in affine coordinates."""

from __future__ import annotations

import random

from meterseal.errors import InvalidSignature
from meterseal.lab.experiment.plain.sm3 import sm3

__all__ = ["Point", "key_pair", "shared_x", "sign", "verify"]

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
Point = tuple[int, int]
G: Point = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_IDENTIFIER = b"1234567812345678"
_plain_generator = random.Random()  # noqa: S311  (the generator that the design objects to)


def key_pair() -> tuple[int, Point]:
    """Return d and P = [d]G (part 1, 6.1)."""
    d = _plain_generator.randrange(1, N - 1)
    return d, _finite(_multiple(d, G))


def shared_x(d: int, peer: Point) -> bytes:
    """Return the X coordinate of [d]P, 32 bytes."""
    return _finite(_multiple(d, peer))[0].to_bytes(32)


def sign(d: int, public: Point, message: bytes) -> tuple[int, int]:
    """Return r and s (part 2, 6.1)."""
    e = _digest(public, message)  # A1, A2
    while True:
        k = _plain_generator.randrange(1, N)  # A3
        x1, _ = _finite(_multiple(k, G))  # A4
        r = (e + x1) % N  # A5
        s = pow(1 + d, -1, N) * (k - r * d) % N  # A6
        if r and s and r + k != N:
            return r, s


def verify(public: Point, message: bytes, signature: tuple[int, int]) -> None:
    """Check a signature (part 2, 7.1). Raises InvalidSignature."""
    r, s = signature
    t = (r + s) % N  # B5
    if not (0 < r < N and 0 < s < N and t):  # B1, B2
        raise InvalidSignature("r, s and r + s must be numbers of 1 to n-1")
    e = _digest(public, message)  # B3, B4
    point = _sum(_multiple(s, G), _multiple(t, public))  # B6
    if point is None or (e + point[0]) % N != r:  # B7
        raise InvalidSignature("the signature does not belong to the message and the key")


def _digest(public: Point, message: bytes) -> int:
    """Return e = SM3(Z, message), where Z = SM3(ENTL, ID, a, b, G, P) (part 2, 5.5)."""
    numbers = b"".join(number.to_bytes(32) for number in (A, B, *G, *public))
    z = sm3((8 * len(_IDENTIFIER)).to_bytes(2) + _IDENTIFIER + numbers)
    return int.from_bytes(sm3(z + message))


def _multiple(k: int, point: Point) -> Point | None:
    """Return [k]P bit by bit (part 1, A.3.2)."""
    total: Point | None = None
    for bit in f"{k:b}":
        total = _sum(total, total)
        if bit == "1":
            total = _sum(total, point)
    return total


def _sum(left: Point | None, right: Point | None) -> Point | None:
    """Add two points, None being infinity (part 1, 3.2.3.1)."""
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 != x2:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    elif y1 == y2 and y1:
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P)
    else:
        return None
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def _finite(point: Point | None) -> Point:
    if point is None:
        raise ValueError("a multiple of a point is infinity")
    return point

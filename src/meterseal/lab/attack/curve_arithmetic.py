"""The curve over Python's integers, for attackers: no check, no secret kept (GB/T 32918.1-2016).

The formulas of addition do not know b: given a point of another curve they go on there.
"""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = ["A", "B", "G", "N", "P", "Point", "add", "lift", "multiply", "negative", "octets"]

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

Point: TypeAlias = tuple[int, int] | None
"""Affine; `None` is infinity."""


def add(left: Point, right: Point) -> Point:
    """Add two points of one curve, whichever it is (3.2.3.1)."""
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if left == right:
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(k: int, point: Point) -> Point:
    """Add a point to itself k times."""
    result: Point = None
    for bit in f"{k:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def negative(point: Point) -> Point:
    """Return the opposite point."""
    return None if point is None else (point[0], -point[1] % P)


def lift(x: int) -> Point:
    """Return a point of the SM2 curve with this x, or `None` if there is none; p is 3 mod 4."""
    square = (x * x * x + A * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    return (x, y) if y * y % P == square else None


def octets(*numbers: int) -> bytes:
    """Return numbers of 32 bytes each."""
    return b"".join(number.to_bytes(32, "big") for number in numbers)

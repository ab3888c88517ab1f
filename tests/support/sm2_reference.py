"""SM2 as the standard's text has it, over Python integers: slow, and independent of the core."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

Point = tuple[int, int]


def add(left: Point | None, right: Point | None, a: int = A) -> Point | None:
    """GB/T 32918.1-2016, 3.2.3.1; `None` is infinity."""
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if left == right:
        slope = (3 * x1 * x1 + a) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(k: int, point: Point | None) -> Point | None:
    result = None
    for bit in f"{k:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def finite(point: Point | None) -> Point:
    assert point is not None
    return point


def sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def kdf(z: bytes, length: int) -> bytes:
    blocks = range(1, (length + 31) // 32 + 1)
    return b"".join(sm3(z + counter.to_bytes(4, "big")) for counter in blocks)[:length]


def octets(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def z_value(public: Point, distinguishing_id: bytes = b"1234567812345678") -> bytes:
    length = (8 * len(distinguishing_id)).to_bytes(2, "big")
    return sm3(length + distinguishing_id + octets(A, B, *G, *public))


def sign(d: int, e: int, k: int) -> tuple[int, int]:
    r = (e + finite(multiply(k, G))[0]) % N
    return r, pow(1 + d, -1, N) * (k - r * d) % N


def verifies(public: Point, e: int, r: int, s: int) -> bool:
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    point = add(multiply(s, G), multiply(t, public))
    return point is not None and (e + point[0]) % N == r


def nonce_of(d: int, r: int, s: int) -> int:
    """The nonce of a signature, for whoever has the private key: k = s (1 + d) + r d."""
    return (s * (1 + d) + r * d) % N


def der_integer(number: int) -> bytes:
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content

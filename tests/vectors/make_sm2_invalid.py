"""Writes sm2_invalid.json: hostile signatures, points, keys and ciphertexts.

`python tests/vectors/make_sm2_invalid.py`, from the root of the repository. Each case is built from
the keys of GB/T 32918.5-2017, annex A, with the Python reference in tests/support.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, "tests")
from support import sm2_reference as ref

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ANNEX = json.loads((HERE / "gbt32918_5.json").read_text())
D = int(ANNEX["sign"]["private_key"], 16)
E = int(ANNEX["sign"]["e"], 16)
PUBLIC = ref.finite(ref.multiply(D, ref.G))
R, S = (int(ANNEX["sign"]["signature"][i : i + 64], 16) for i in (0, 64))
MESSAGE = b"encryption standard"

Case = dict[str, str]


def case(comment: str, data: bytes, **extra: str) -> Case:
    return {"comment": comment, "data": data.hex(), **extra}


def pair(r: int, s: int) -> bytes:
    return ref.der(0x30, ref.der_integer(r) + ref.der_integer(s))


def signatures() -> Iterator[Case]:
    yield from signature_numbers()
    yield from signature_structure()
    good = pair(R, S)
    for length in range(len(good)):
        yield case(f"truncated to {length} bytes", good[:length])
    for position in range(0, 64, 4):
        raw = bytearray(ref.octets(R, S))
        raw[position] ^= 1 << (position // 4 % 8)
        yield case(f"raw, a bit of byte {position} flipped", bytes(raw), encoding="raw")
    raw = ref.octets(R, S)
    for comment, data in (
        ("raw, empty", b""),
        ("raw, 63 bytes", raw[:63]),
        ("raw, 65 bytes", raw + b"\0"),
        ("raw, DER given", good),
        ("raw, r = 0", ref.octets(0, S)),
        ("raw, s = 0", ref.octets(R, 0)),
        ("raw, r = n", ref.octets(ref.N, S)),
        ("raw, s = n", ref.octets(R, ref.N)),
        ("raw, all ones", b"\xff" * 64),
        ("raw, swapped", ref.octets(S, R)),
        ("raw, t = 0", ref.octets(R, ref.N - R)),
    ):
        yield case(comment, data, encoding="raw")


def signature_numbers() -> Iterator[Case]:
    n, p = ref.N, ref.P
    for comment, r, s in (
        ("r = 0", 0, S), ("s = 0", R, 0), ("both 0", 0, 0), ("r = n", n, S), ("s = n", R, n),
        ("r = n - 1", n - 1, S), ("s = n - 1", R, n - 1), ("r = 1", 1, S), ("s = 1", R, 1),
        ("both 1", 1, 1), ("r + n", R + n, S), ("s + n", R, S + n), ("both + n", R + n, S + n),
        ("n - r", n - R, S), ("n - s", R, n - S), ("both opposite", n - R, n - S),
        ("swapped", S, R), ("t = 0", R, n - R), ("t = 0 with r = 1", 1, n - 1),
        ("r = p", p, S), ("s = p", R, p), ("r = 2^256 - 1", 2**256 - 1, S),
        ("r = 2^256", 2**256, S), ("s + 2^256", R, S + 2**256), ("r + 1", R + 1, S),
        ("s + 1", R, S + 1), ("r of 1024 bits", 2**1023, S),
    ):  # fmt: skip
        yield case(comment, pair(r, s))


def signature_structure() -> Iterator[Case]:
    r, s, good = ref.der_integer(R), ref.der_integer(S), pair(R, S)
    body = r + s
    negative_r = b"\x02\x20" + R.to_bytes(32, "big")
    negative_s = b"\x02\x20" + S.to_bytes(32, "big")
    padded = b"\x02\x22\0\0" + R.to_bytes(32, "big")
    for comment, data in (
        ("a byte after the SEQUENCE", good + b"\0"),
        ("two signatures", good + good),
        ("a byte at the end of the SEQUENCE", ref.der(0x30, body + b"\0")),
        ("NULL at the end of the SEQUENCE", ref.der(0x30, body + b"\x05\0")),
        ("three INTEGERs", ref.der(0x30, body + s)),
        ("one INTEGER", ref.der(0x30, r)),
        ("empty SEQUENCE", ref.der(0x30, b"")),
        ("SET", ref.der(0x31, body)),
        ("OCTET STRING around", ref.der(0x04, good)),
        ("primitive SEQUENCE", ref.der(0x10, body)),
        ("no SEQUENCE", body),
        ("long length of one byte", b"\x30\x81" + bytes([len(body)]) + body),
        ("long length of two bytes", b"\x30\x82\0" + bytes([len(body)]) + body),
        ("long length of five bytes", b"\x30\x85\0\0\0\0" + bytes([len(body)]) + body),
        ("length of 2^32 - 1", b"\x30\x84\xff\xff\xff\xff" + body),
        ("indefinite length", b"\x30\x80" + body + b"\0\0"),
        ("length 0xff", b"\x30\xff" + body),
        ("length one too large", b"\x30" + bytes([len(body) + 1]) + body),
        ("length one too small", b"\x30" + bytes([len(body) - 1]) + body),
        ("negative r", ref.der(0x30, negative_r + s)),
        ("negative s", ref.der(0x30, r + negative_s)),
        ("padded r", ref.der(0x30, padded + s)),
        ("padded s", ref.der(0x30, r + b"\x02\x22\0\0" + S.to_bytes(32, "big"))),
        ("empty r", ref.der(0x30, b"\x02\0" + s)),
        ("empty s", ref.der(0x30, r + b"\x02\0")),
        ("long length of r", ref.der(0x30, b"\x02\x81" + r[1:] + s)),
        ("r as OCTET STRING", ref.der(0x30, b"\x04" + r[1:] + s)),
        ("s as ENUMERATED", ref.der(0x30, r + b"\x0a" + s[1:])),
        ("s as BIT STRING", ref.der(0x30, r + b"\x03" + s[1:])),
        ("r as NULL", ref.der(0x30, b"\x05\0" + s)),
        ("r in a SEQUENCE", ref.der(0x30, ref.der(0x30, r) + s)),
        ("raw given", ref.octets(R, S)),
        ("zeros", bytes(70)),
    ):
        yield case(comment, data)


def points() -> Iterator[Case]:
    x, y = PUBLIC
    small_x, small_y = next(filter(None, map(point_of, range(1, 100))))
    no_root = next(x for x in range(1, 100) if point_of(x) is None)
    p256 = (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    )
    for comment, data in (
        ("empty", b""),
        ("infinity as one zero", b"\0"),
        ("infinity as 65 bytes", bytes(65)),
        ("(0, 0)", b"\4" + bytes(64)),
        ("y + 1", b"\4" + ref.octets(x, y + 1)),
        ("x + 1", b"\4" + ref.octets(x + 1, y)),
        ("swapped", b"\4" + ref.octets(y, x)),
        ("y = 0", b"\4" + ref.octets(x, 0)),
        ("x = 0, y = 1", b"\4" + ref.octets(0, 1)),
        ("x = p", b"\4" + ref.octets(ref.P, y)),
        ("y = p", b"\4" + ref.octets(x, ref.P)),
        ("both p", b"\4" + ref.octets(ref.P, ref.P)),
        ("x + p of a good point", b"\4" + ref.octets(small_x + ref.P, small_y)),
        ("all ones", b"\4" + b"\xff" * 64),
        ("the base point of P-256", b"\4" + ref.octets(*p256)),
        ("hybrid 06", b"\6" + ref.octets(x, y)),
        ("hybrid 07", b"\7" + ref.octets(x, y)),
        ("tag 00", b"\0" + ref.octets(x, y)),
        ("tag 01", b"\1" + ref.octets(x, y)),
        ("tag 05", b"\5" + ref.octets(x, y)),
        ("tag 02 with 65 bytes", b"\2" + ref.octets(x, y)),
        ("tag 04 with 33 bytes", b"\4" + ref.octets(x)),
        ("no tag", ref.octets(x, y)),
        ("64 bytes", b"\4" + ref.octets(x, y)[:63]),
        ("66 bytes", b"\4" + ref.octets(x, y) + b"\0"),
        ("compressed, 32 bytes", b"\2" + ref.octets(x)[:31]),
        ("compressed, 34 bytes", b"\2" + ref.octets(x) + b"\0"),
        ("compressed, no root", b"\2" + ref.octets(no_root)),
        ("compressed, x = p", b"\2" + ref.octets(ref.P)),
        ("compressed, x + p of a good point", b"\3" + ref.octets(small_x + ref.P)),
        ("compressed, all ones", b"\3" + b"\xff" * 32),
    ):
        yield case(comment, data)


def point_of(x: int) -> ref.Point | None:
    square = (x**3 + ref.A * x + ref.B) % ref.P
    y = pow(square, (ref.P + 1) // 4, ref.P)
    return (x, y) if y * y % ref.P == square else None


def private_keys() -> Iterator[Case]:
    n = ref.N
    for comment, number in (
        ("0", 0), ("n - 1", n - 1), ("n", n), ("n + 1", n + 1), ("p", ref.P),
        ("2^256 - 1", 2**256 - 1),
    ):  # fmt: skip
        yield case(comment, ref.octets(number))
    yield case("empty", b"")
    yield case("31 bytes", b"\1" * 31)
    yield case("33 bytes", b"\0" + b"\1" * 32)


def ciphertexts() -> Iterator[Case]:
    c1, c3, c2 = (bytes.fromhex(ANNEX["encrypt"][part]) for part in ("c1", "c3", "c2"))
    x, y = int.from_bytes(c1[1:33], "big"), int.from_bytes(c1[33:], "big")
    good = der_ciphertext(x, y, c3, c2)
    for length in range(len(good)):
        yield case(f"truncated to {length} bytes", good[:length])
    yield from ciphertext_structure(x, y, c3, c2)
    for layout, data in (("c1c3c2", c1 + c3 + c2), ("c1c2c3", c1 + c2 + c3)):
        for length in (0, 1, 64, 65, 66, 96, 97, 98, len(data) - 1):
            yield case(f"{layout}, truncated to {length} bytes", data[:length], layout=layout)
        yield case(f"{layout}, a byte more", data + b"\0", layout=layout)
        yield case(f"{layout}, without 04", data[1:], layout=layout)
        for tag in (0, 2, 3, 5, 6, 7):
            yield case(f"{layout}, tag {tag:02x}", bytes([tag]) + data[1:], layout=layout)
        for position in range(1, len(data), 8):
            flipped = bytearray(data)
            flipped[position] ^= 0x10
            yield case(f"{layout}, byte {position} altered", bytes(flipped), layout=layout)
    yield case("c1c2c3 given as c1c3c2", c1 + c2 + c3, layout="c1c3c2")
    yield from ciphertext_points(c3, c2)


def der_ciphertext(x: int, y: int, c3: bytes, c2: bytes) -> bytes:
    return ref.der(0x30, ref.der_integer(x) + ref.der_integer(y) + ref.der(4, c3) + ref.der(4, c2))


def ciphertext_structure(x: int, y: int, c3: bytes, c2: bytes) -> Iterator[Case]:
    good = der_ciphertext(x, y, c3, c2)
    parts = [ref.der_integer(x), ref.der_integer(y), ref.der(4, c3), ref.der(4, c2)]
    body = b"".join(parts)
    for comment, data in (
        ("a byte after the SEQUENCE", good + b"\0"),
        ("a byte at the end of the SEQUENCE", ref.der(0x30, body + b"\0")),
        ("a fifth part", ref.der(0x30, body + ref.der(4, b"\0"))),
        ("a part missing", ref.der(0x30, b"".join(parts[:3]))),
        ("C2 before C3", ref.der(0x30, parts[0] + parts[1] + parts[3] + parts[2])),
        ("y before x", ref.der(0x30, parts[1] + parts[0] + parts[2] + parts[3])),
        ("SET", ref.der(0x31, body)),
        ("long length", b"\x30\x82\0" + bytes([len(body)]) + body),
        ("indefinite length", b"\x30\x80" + body + b"\0\0"),
        ("padded x", ref.der(0x30, b"\x02\x22\0\0" + ref.octets(x) + b"".join(parts[1:]))),
        ("negative y", ref.der(0x30, parts[0] + b"\x02\x20" + ref.octets(y) + b"".join(parts[2:]))),
        ("C3 of 31 bytes", der_ciphertext(x, y, c3[:31], c2)),
        ("C3 of 33 bytes", der_ciphertext(x, y, c3 + b"\0", c2)),
        ("C3 empty", der_ciphertext(x, y, b"", c2)),
        ("C2 empty", der_ciphertext(x, y, c3, b"")),
        ("C2 shorter", der_ciphertext(x, y, c3, c2[:-1])),
        ("C2 longer", der_ciphertext(x, y, c3, c2 + b"\0")),
        ("C1 opposite", der_ciphertext(x, ref.P - y, c3, c2)),
        ("x + p", der_ciphertext(x + ref.P, y, c3, c2)),
    ):
        yield case(comment, data)


def ciphertext_points(c3: bytes, c2: bytes) -> Iterator[Case]:
    """Off-curve points carry a check value that a decryptor without the check would accept."""
    for comment, point in (
        ("C1 is infinity as (0, 0)", (0, 0)),
        ("C1 off the curve", (PUBLIC[0], (PUBLIC[1] + 1) % ref.P)),
        ("C1 of order two on another curve", (5, 0)),
        ("C1 on a curve of another b", (1, 1)),
    ):
        yield case(comment, der_ciphertext(*point, c3, c2))
        shared = ref.multiply(D, point) if point[1] else point
        if shared is not None:
            yield case(f"{comment}, check value fits", sealed(point, shared, MESSAGE))
    nonce = next(k for k in range(1, 10_000) if ref.kdf(ref.octets(*shared_point(k)), 1) == b"\0")
    c1 = ref.finite(ref.multiply(nonce, ref.G))
    yield case("key stream all zeros", sealed(c1, shared_point(nonce), b"M"), plaintext="M")


def shared_point(k: int) -> ref.Point:
    return ref.finite(ref.multiply(k, PUBLIC))


def sealed(c1: ref.Point, shared: ref.Point, message: bytes) -> bytes:
    stream = ref.kdf(ref.octets(*shared), len(message))
    c2 = bytes(m ^ t for m, t in zip(message, stream, strict=True))
    return der_ciphertext(*c1, ref.sm3(ref.octets(shared[0]) + message + ref.octets(shared[1])), c2)


if __name__ == "__main__":
    content = {
        "origin": "made by tests/vectors/make_sm2_invalid.py; every case must be refused",
        "signatures": list(signatures()),
        "points": list(points()),
        "private_keys": list(private_keys()),
        "ciphertexts": list(ciphertexts()),
    }
    (HERE / "sm2_invalid.json").write_text(json.dumps(content, indent=1) + "\n")

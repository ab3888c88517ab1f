"""No input makes a decoder take much memory or many steps for each byte of it."""

from __future__ import annotations

import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from meterseal.asn1 import der
from meterseal.transport import Connection
from meterseal.transport.wire import vector8, vector16, vector24
from support.decoders import decoders
from support.wire import server_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

BYTES_PER_BYTE = 32  # a Python object holds what three bytes of a certificate announce
BYTES_AT_LEAST = 128 * 1024
CALLS_PER_BYTE = 16
CALLS_AT_LEAST = 1000

NUMBERS = bytes(0xFFFE)
EXTENSIONS = vector16(b"".join(n.to_bytes(2, "big") + b"\0\0" for n in range(64)))

GREEDY: dict[str, tuple[str, bytes]] = {
    "a SEQUENCE of empty elements": ("der", der.sequence(b"\x05\x00" * 30_000)),
    "nested as deep as it goes": ("der", b"\x30\x80" * 15_000),
    "a SET of the smallest elements": ("set", der.set_of([b"\x05\x00"] * 30_000)),
    "an announced length of 4 GiB": ("der", b"\x30\x84\xff\xff\xff\xff" + bytes(1000)),
    "the longest identifier": ("oid", der.encode(6, b"\x01" * 30_000)),
    "one arc without an end": ("oid", der.encode(6, b"\xff" * 30_000)),
    "a number of 100 kB": ("integer", der.encode(2, b"\x7f" * 30_000)),
    "PEM without an end": ("pem", b"-----BEGIN A-----\n" + b"A" * 115_000),
    "PEM of short lines": ("pem", b"-----BEGIN A-----\n" + b"A\n" * 60_000),
    "PEM of many empty blocks": ("pem", b"-----BEGIN A-----\n-----END A-----\n" * 1024),
    "a name of many components": ("name", der.sequence(b"\x31\x00" * 15_000)),
    "suites and nothing else": (
        "ClientHello",
        b"\3\3" + bytes(32) + b"\0" + vector16(NUMBERS) + b"\1\0",
    ),
    "as many extensions as fit": (
        "ClientHello",
        b"\3\3" + bytes(32) + b"\0\0\2\0\0\1\0" + EXTENSIONS,
    ),
    "certificates of one byte": ("Certificate", vector24(vector24(b"x") * 20_000)),
    "certificates with extensions": (
        "Tls13Certificate",
        b"\0" + vector24((vector24(b"x") + EXTENSIONS) * 17),
    ),
    "authorities of one byte": (
        "TlcpCertificateRequest",
        b"\1\1" + vector16(vector16(b"x") * 20_000),
    ),
    "protocols of one letter": ("extension protocols", vector16(vector8(b"x") * 32_000)),
    "groups and nothing else": ("extension groups", vector16(NUMBERS)),
    "versions and nothing else": ("extension versions", vector8(bytes(254))),
    "shares of one byte": (
        "extension key shares",
        vector16(b"".join(n.to_bytes(2, "big") + vector16(b"x") for n in range(13_000))),
    ),
    "identities of one byte": (
        "extension pre_shared_key",
        vector16(b"\0\1x\0\0\0\0" * 9_000) + vector16(vector8(bytes(32)) * 1_900),
    ),
    "empty records": ("records", b"\x17\3\3\0\0" * 15_000),
    "half a record": ("records", b"\x17\3\3\x40\0" + bytes(16_000)),
    "a ciphertext that announces 16 MiB": ("ciphertext", b"\x30\x83\xff\xff\xff" + bytes(200)),
    "a line without an end": ("parcels", b" " * 100_000),
}


@pytest.mark.parametrize("case", GREEDY)
def test_memory_and_calls_are_bounded_by_the_length_of_the_input(case: str) -> None:
    name, data = GREEDY[case]
    decoder = decoders()[name]
    decoder.survives(data[:10])  # what is made once is made now
    tracemalloc.start()
    try:
        decoder.survives(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    calls = calls_of(lambda: decoder.survives(data))
    assert calls < max(CALLS_AT_LEAST, CALLS_PER_BYTE * len(data)), (calls, len(data))
    assert peak < max(BYTES_AT_LEAST, BYTES_PER_BYTE * len(data)), (peak, len(data))


def calls_of(act: Callable[[], None]) -> int:
    """Calls of functions, ours and Python's own: work, measured where no other process counts."""
    calls = 0

    def see(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(see)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def test_a_server_keeps_little_of_what_an_unknown_client_sends() -> None:
    """A hello announced as long as it may be comes in records of one byte."""
    tracemalloc.start()
    try:
        connection = Connection.server(server_config())
        before, _ = tracemalloc.get_traced_memory()
        for byte in b"\1\0\x40\0" + bytes(16_000):
            connection.receive_data(b"\x16\3\1\0\1" + bytes((byte,)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 64 * 1024

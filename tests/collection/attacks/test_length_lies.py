"""Lengths that lie, on every wire of the collection: refused at once, and no memory for them."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.dlt645.frame import FrameDecoder
from meterseal.collection.receipts import open_receipt
from meterseal.collection.sealing import open_sealed
from meterseal.collection.topics import unpack
from meterseal.errors import MalformedData
from meterseal.net.gateway.mqtt import Packets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
LIMIT = 10_000


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """No lie may cost more than a few of the largest honest messages."""
    tracemalloc.start()
    yield
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * MIB


def claim(kind: int, size: int) -> bytes:
    """The head of a CBOR item that says it has so many parts."""
    return bytes([kind << 5 | 27]) + size.to_bytes(8, "big")


LIES = {
    f"{what} of {size}": claim(kind, size)
    for what, kind in (("bytes", 2), ("text", 3), ("an array", 4), ("a map", 5))
    for size in (1 << 20, 1 << 40, (1 << 64) - 1)
} | {
    "arrays in arrays": b"\x81" * 60_000,
    "maps in maps": b"\xa1\x00" * 30_000,
    "tags on tags": b"\xd2" * 60_000,
    "a big number": b"\xc2" + claim(2, 1 << 30),
}


@pytest.mark.parametrize("read", [unpack, open_sealed, open_receipt], ids=lambda it: it.__name__)
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_cbor(read: Callable[[bytes], object], lie: bytes) -> None:
    heads = (b"", b"\x81", b"\xd2\x84", b"\xd2\x84\x40\xa0\x58\xff")
    for data in (*(head + lie for head in heads), lie + bytes(1000)):
        with pytest.raises(MalformedData):
            read(data)


@pytest.mark.parametrize("length", [201, 255])
def test_a_frame_of_dlt645_that_says_it_is_long_is_not_waited_for(length: int) -> None:
    decoder = FrameDecoder()
    head = bytes.fromhex("68 01 00 23 11 26 20 68 91") + bytes([length])
    for _ in range(2000):
        assert decoder.receive_data(head) == []
        assert len(decoder._inbox) <= 2 * LIMIT
    honest = bytes.fromhex("68 01 00 23 11 26 20 68 11 04 33 32 34 35 2E 16")
    assert [it.encode() for it in decoder.receive_data(honest)] == [honest]


def test_frames_of_dlt645_without_end_are_not_hoarded() -> None:
    """Each byte might begin a frame; each head promises the most that is allowed."""
    decoder = FrameDecoder()
    head = bytes.fromhex("68 01 00 23 11 26 20 68 91 C8")
    for _ in range(20_000):
        decoder.receive_data(head)
        assert len(decoder._inbox) < 1000


@pytest.mark.parametrize(
    "head",
    [
        bytes.fromhex("30 FF FF FF 7F"),
        bytes.fromhex("30 FF FF FF FF 7F"),
        bytes.fromhex("10 80 80 80 80 00"),
        b"\x30" + bytes([0x80 | (LIMIT + 1) & 0x7F, (LIMIT + 1) >> 7]),
    ],
    ids=["the most there is", "a fifth byte", "a length in no form", "one above the limit"],
)
def test_a_packet_of_mqtt_that_says_it_is_long_is_refused_at_its_head(head: bytes) -> None:
    with pytest.raises(MalformedData):
        Packets(LIMIT).receive_data(head)


def test_a_packet_of_mqtt_that_never_ends_holds_no_more_than_the_limit() -> None:
    packets = Packets(LIMIT)
    packets.receive_data(b"\x30" + bytes([0x80 | LIMIT - 10 & 0x7F, LIMIT - 10 >> 7]))
    for _ in range(LIMIT // 100 - 1):
        assert packets.receive_data(bytes(100)) == []
    assert len(packets._unread) <= LIMIT

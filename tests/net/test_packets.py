"""Capture files are read strictly, in both formats; conversations come out of them whole."""

from __future__ import annotations

import struct
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.errors import MalformedData
from meterseal.net.conversations import Conversation, conversations
from meterseal.net.packets import Packet, read_capture
from support.packets import (
    ACK,
    CLIENT,
    SERVER,
    SYN,
    block,
    enhanced,
    interface,
    ipv6,
    pcap,
    secrets,
    section,
    segment,
    tcp,
)

RAW, ETHERNET = 101, 1
PACKET = segment(from_client=True, sequence=1, payload=b"hello")


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_formats_are_read_in_both_byte_orders(order: str) -> None:
    odd = PACKET + b"\0"
    whole = section(order) + interface(RAW, order) + enhanced(odd, order) + secrets(b"a b c", order)
    simple = block(3, struct.pack(order + "I", len(odd)) + odd, order)
    old = block(2, struct.pack(order + "HHIIII", 0, 0, 0, 0, len(odd), len(odd)) + odd, order)
    capture = read_capture(whole + block(0x0BAD, b"passed over", order) + simple + old)
    assert capture.packets == [Packet(RAW, odd)] * 3
    assert capture.key_log == "a b c\n"
    assert read_capture(pcap([odd, b""], order=order)).packets == [
        Packet(RAW, odd),
        Packet(RAW, b""),
    ]


def test_a_new_section_has_interfaces_and_a_byte_order_of_its_own() -> None:
    second = section(">") + interface(ETHERNET, ">") + enhanced(b"frame", ">")
    capture = read_capture(section() + interface() + enhanced(PACKET) + second)
    assert [packet.link for packet in capture.packets] == [RAW, ETHERNET]
    with pytest.raises(MalformedData, match="interface 0, not described"):
        read_capture(section() + interface() + section() + enhanced(PACKET))


def test_secrets_of_another_protocol_are_passed_over() -> None:
    assert not read_capture(section() + secrets(b"ssh", kind=0x5353484B)).key_log


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no capture"),
        (b"time;kW\n00:00;0.326\n", "no capture"),
        (section()[:8], "no byte order"),
        (section()[:8] + b"\0\0\0\0" + section()[12:], "no byte order"),
        (section() + struct.pack("<II", 1, 8), "a length of 8"),
        (section() + struct.pack("<II", 1, 13) + bytes(8), "a length of 13"),
        (section() + interface()[:-4] + b"\0\0\0\0", "two lengths"),
        (section() + interface()[:-1], "ends within the block"),
        (section() + enhanced(PACKET), "not described"),
        (section() + interface() + enhanced(PACKET, number=1), "not described"),
        (section() + interface() + block(6, struct.pack("<5I", 0, 0, 0, 99, 99)), "longer than"),
        (section() + interface() + block(6, b"short"), "ends within the field"),
        (section() + block(10, struct.pack("<II", 0x544C534B, 99)), "longer than"),
        (section() + secrets(b"\xff"), "no text"),
        (pcap([])[:20], "ends within the field"),
        (pcap([PACKET])[:-1], "ends within the packet at byte 24"),
    ],
)
def test_what_does_not_follow_the_format_is_refused_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(MalformedData, match=said):
        read_capture(data)


@pytest.mark.parametrize("whole", [pcap([PACKET]), section() + interface() + enhanced(PACKET)])
def test_a_cut_file_never_passes_for_one_with_its_packet(whole: bytes) -> None:
    for length in range(len(whole)):
        try:
            capture = read_capture(whole[:length])
        except MalformedData:
            continue
        assert not capture.packets


# --- links -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "header"),
    [
        (0, b"\x02\0\0\0"),
        (1, bytes(12) + b"\x08\x00"),
        (1, bytes(12) + b"\x88\xa8\0\x01\x81\x00\0\x02\x08\x00"),
        (101, b""),
        (108, b"\0\0\0\x02"),
        (113, bytes(14) + b"\x08\x00"),
        (228, b""),
        (276, b"\x08\x00" + bytes(18)),
    ],
)
def test_the_links_that_captures_come_from_are_unwrapped(link: int, header: bytes) -> None:
    (found,) = conversations([Packet(link, header + PACKET)])
    assert found == Conversation(CLIENT, SERVER, [(True, b"hello")])


def test_ipv6_is_read_past_its_options() -> None:
    client, server = ("2001:db8::7", 40000), ("2001:db8::1", 7838)
    packet = ipv6(client[0], server[0], tcp(client, server, 1, b"hello", ACK))
    (found,) = conversations([Packet(RAW, packet)])
    assert found == Conversation(client, server, [(True, b"hello")])


@pytest.mark.parametrize(
    ("link", "data"),
    [
        (147, PACKET),
        (1, bytes(12) + b"\x08\x06" + PACKET),
        (101, b""),
        (101, PACKET[:9] + b"\x11" + PACKET[10:]),
        (101, PACKET[:30]),
        (101, segment(from_client=True, sequence=1, payload=b"part", fragment=0x2000)),
    ],
    ids=["unknown link", "ARP", "empty", "UDP", "short", "fragment"],
)
def test_what_is_no_tcp_is_passed_over(link: int, data: bytes) -> None:
    assert conversations([Packet(link, data)]) == []


# --- conversations ---------------------------------------------------------------------------


def one(*packets: bytes) -> Conversation:
    (found,) = conversations(Packet(RAW, packet) for packet in packets)
    return found


def test_the_opening_says_who_is_the_client() -> None:
    answer = segment(from_client=False, sequence=9, flags=SYN | ACK)
    said = segment(from_client=False, sequence=10, payload=b"220")
    assert one(answer, said) == Conversation(CLIENT, SERVER, [(False, b"220")])
    assert one(said).client == SERVER  # nothing else is known


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_segments_come_in_their_order_however_they_were_caught(order: tuple[int, ...]) -> None:
    start = 2**32 - 2  # sequence numbers wrap
    opening = segment(from_client=True, sequence=start - 1, flags=SYN)
    parts = [
        segment(from_client=True, sequence=start + at, payload=data)
        for at, data in ((0, b"abcd"), (2, b"cdef"), (6, b"gh"))
    ]
    found = one(opening, *(parts[number] for number in order), parts[0])
    assert b"".join(data for _, data in found.chunks) == b"abcdefgh"
    assert not found.is_incomplete


@given(st.binary(min_size=1, max_size=60), st.data())
def test_any_cutting_and_repeating_gives_the_same_stream(
    stream: bytes, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream)), max_size=8)) | {len(stream)})
    pieces = list(zip([0, *cuts], cuts, strict=False))
    extra = data.draw(st.lists(st.sampled_from(pieces), max_size=4))
    shuffled = data.draw(st.permutations([*pieces, *extra]))
    opening = segment(from_client=True, sequence=99, flags=SYN)
    caught = [
        segment(from_client=True, sequence=100 + start, payload=stream[start:end])
        for start, end in shuffled
    ]
    found = one(opening, *caught)
    assert b"".join(piece for _, piece in found.chunks) == stream


def test_a_gap_ends_the_stream_and_is_told() -> None:
    found = one(
        segment(from_client=True, sequence=1, payload=b"ab"),
        segment(from_client=True, sequence=5, payload=b"ef"),
        segment(from_client=False, sequence=1, payload=b"xy"),
    )
    assert found.chunks == [(True, b"ab"), (False, b"xy")]
    assert found.is_incomplete


def test_a_gap_does_not_collect_without_end() -> None:
    far = [segment(from_client=True, sequence=10 + 2 * n, payload=b"x") for n in range(3000)]
    late = segment(from_client=True, sequence=1, payload=b"lost")
    found = one(segment(from_client=True, sequence=0, flags=SYN), *far, late)
    assert found.chunks == []
    assert found.is_incomplete


def test_the_same_ends_may_meet_twice() -> None:
    packets = [
        segment(from_client=True, sequence=0, flags=SYN),
        segment(from_client=True, sequence=1, payload=b"first"),
        segment(from_client=True, sequence=7000, flags=SYN),
        segment(from_client=True, sequence=7001, payload=b"second"),
    ]
    found = conversations(Packet(RAW, packet) for packet in packets)
    assert [conversation.chunks for conversation in found] == [
        [(True, b"first")],
        [(True, b"second")],
    ]

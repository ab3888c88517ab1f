"""Frames and the decoder that finds them; the captures name their sources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.collection.dlt645.frame import (
    ANYONE,
    LONGEST_DATA,
    WAKE_UP,
    Frame,
    FrameDecoder,
    is_addressed,
)
from meterseal.collection.model import MeterAddress
from meterseal.errors import UsageError
from support import dlt645_captures as captures

addresses = st.lists(
    st.one_of(st.integers(0, 99).map("{:02}".format), st.just("AA")), min_size=6, max_size=6
).map("".join)
frames = st.builds(Frame, addresses, st.integers(0, 255), st.binary(max_size=LONGEST_DATA))


def decode_all(data: bytes) -> list[Frame]:
    return FrameDecoder().receive_data(data)


@pytest.mark.parametrize("text", captures.ALL)
def test_a_captured_frame_decodes_and_encodes_to_itself(text: str) -> None:
    (frame,) = decode_all(bytes.fromhex(text))
    assert frame.encode() == bytes.fromhex(text)


def test_stray_bytes_behind_a_frame_do_no_harm_to_it_or_the_next() -> None:
    stray = bytes.fromhex(captures.STRAY)
    first, second = decode_all(stray + WAKE_UP + bytes.fromhex(captures.ADDRESS))
    assert first == Frame(ANYONE, 0x11, bytes.fromhex("00010102"))
    assert second.function == 0x13


def test_wake_up_bytes_do_not_count_in_the_checksum() -> None:
    plain = bytes.fromhex(captures.ADDRESS)
    for count in range(9):
        assert decode_all(b"\xfe" * count + plain) == decode_all(plain)


@given(st.lists(frames, max_size=4), st.data())
def test_every_splitting_of_a_stream_gives_the_same_frames(
    sent: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(WAKE_UP + frame.encode() for frame in sent)
    decoder, received = FrameDecoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += decoder.receive_data(stream[:size])
        stream = stream[size:]
    assert received == sent
    assert not decoder.is_waiting


@given(st.binary(max_size=300), frames)
def test_a_frame_is_found_behind_any_noise_once_the_line_falls_silent(
    noise: bytes, frame: Frame
) -> None:
    decoder = FrameDecoder()
    received = decoder.receive_data(noise)
    received += decoder.end_of_gap()
    assert not decoder.is_waiting
    assert decoder.receive_data(frame.encode())[-1:] == [frame]


@given(st.binary(max_size=400))
def test_no_bytes_upset_the_decoder_or_make_it_hoard(noise: bytes) -> None:
    decoder = FrameDecoder()
    for frame in decoder.receive_data(noise):
        assert frame.encode() in noise
    assert len(decoder._inbox) < 10 + LONGEST_DATA + 2


@given(frames, st.integers(0), st.integers(1, 255))
def test_a_changed_byte_never_gives_another_whole_frame(frame: Frame, at: int, change: int) -> None:
    """A change in one byte always shows in the sum, in a mark or in the length."""
    encoded = bytearray(frame.encode())
    encoded[at % len(encoded)] ^= change
    decoder = FrameDecoder()
    received = decoder.receive_data(bytes(encoded)) + decoder.end_of_gap()
    assert frame not in received


def test_half_a_frame_does_not_swallow_the_whole_one_behind_it() -> None:
    whole = bytes.fromhex(captures.DEMAND)
    for cut in range(1, len(whole)):
        decoder = FrameDecoder()
        received = decoder.receive_data(whole[:cut] + whole) + decoder.end_of_gap()
        assert received == decode_all(whole), cut


@pytest.mark.parametrize(
    "spoilt",
    [
        "68 01 00 23 11 26 20 68 94 00 DE 16",  # checksum
        "68 01 00 23 11 26 20 68 94 00 DF 17",  # end
        "68 01 00 23 11 26 20 69 94 00 E0 16",  # second start
        "68 01 00 23 11 26 2A 68 94 00 E9 16",  # a digit that is none
    ],
)
def test_refuses_what_only_looks_like_a_frame(spoilt: str) -> None:
    assert decode_all(bytes.fromhex(captures.WRITTEN)) != []
    assert decode_all(bytes.fromhex(spoilt)) == []


def test_a_length_beyond_200_is_not_waited_for() -> None:
    frame = bytes.fromhex(captures.WRITTEN)
    head = bytes.fromhex("68 01 00 23 11 26 20 68 91")
    assert decode_all(head + b"\xc9" + frame) != []
    assert decode_all(head + b"\xc8" + frame) == []


@pytest.mark.parametrize(
    "address", ["", "12345678901", "1234567890AB", "A12345678901", "\uff11" * 12]
)
def test_refuses_to_send_to_what_is_no_address(address: str) -> None:
    with pytest.raises(UsageError):
        Frame(address, 0x11).encode()


def test_refuses_to_send_more_than_200_bytes() -> None:
    assert len(Frame(ANYONE, 0x91, bytes(200)).encode()) == 212
    with pytest.raises(UsageError, match="200 bytes"):
        Frame(ANYONE, 0x91, bytes(201)).encode()


def test_a_wildcard_pair_means_any_digits_there() -> None:
    meter = MeterAddress(captures.METER)
    assert is_addressed(captures.METER, meter)
    assert is_addressed(ANYONE, meter)
    assert is_addressed("AAAAAAAA0001", meter)
    assert not is_addressed("AAAAAAAA0002", meter)
    assert not is_addressed("202611230002", meter)

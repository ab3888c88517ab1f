"""The cursor: every read bounded, nothing left over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.errors import DecodeError
from meterseal.transport.wire import Cursor, uint16s, vector8, vector16, vector24


@given(st.binary(max_size=255))
def test_vectors_round_trip(body: bytes) -> None:
    assert Cursor(vector8(body)).vector8() == body
    assert Cursor(vector16(body)).vector16() == body
    assert Cursor(vector24(body)).vector24() == body


@given(st.binary(max_size=64), st.integers(0, 66))
def test_no_prefix_of_a_vector_decodes(body: bytes, cut: int) -> None:
    whole = vector16(body)
    cursor = Cursor(whole[: min(cut, len(whole) - 1)])
    with pytest.raises(DecodeError):
        cursor.vector16()


def test_limits_of_a_vector_are_checked() -> None:
    with pytest.raises(DecodeError, match="expected 1 to"):
        Cursor(b"\x00").vector8(least=1)
    with pytest.raises(DecodeError, match="0 to 32"):
        Cursor(vector8(bytes(33))).vector8(most=32)


def test_integers_are_big_endian() -> None:
    cursor = Cursor(bytes.fromhex("01 0203 040506 0708090a".replace(" ", "")))
    assert (cursor.uint8(), cursor.uint16(), cursor.uint24(), cursor.uint32()) == (
        1,
        0x0203,
        0x040506,
        0x0708090A,
    )
    cursor.finish()


def test_left_over_bytes_are_refused() -> None:
    cursor = Cursor(b"ab")
    cursor.fixed(1)
    with pytest.raises(DecodeError, match="1 bytes after"):
        cursor.finish()


def test_an_odd_list_of_two_byte_values_is_refused() -> None:
    with pytest.raises(DecodeError, match="odd"):
        Cursor(vector16(b"abc")).uint16s()
    assert Cursor(uint16s((1, 0xE107))).uint16s() == (1, 0xE107)

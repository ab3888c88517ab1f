"""Load records: classes that are there and classes that are not."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.collection.dlt645.load_record import (
    _CLASSES,
    LoadRecord,
    decode_records,
    encode_record,
)
from meterseal.errors import MalformedData

STORED_AT = datetime(2026, 11, 23, 6, 15)
FIRST = {
    0x02010100: 2301, 0x02010200: None, 0x02010300: 2314,
    0x02020100: 5123, 0x02020200: 4987, 0x02020300: -5301, 0x02800002: 4998,
}  # fmt: skip


def test_class_1_alone_takes_the_32_bytes_of_annex_b() -> None:
    encoded = encode_record(LoadRecord(STORED_AT, FIRST))
    assert len(encoded) == 32
    assert encoded[:8] == bytes.fromhex("A0A0 1B 15 06 23 11 26")
    assert encoded[25:30] == b"\xaa" * 5
    assert encoded[-2:] == bytes((sum(encoded[:-2]) & 0xFF, 0xE5))
    assert decode_records(encoded) == [LoadRecord(STORED_AT, FIRST)]


@given(st.lists(st.tuples(st.sets(st.integers(0, 5)), st.booleans()), max_size=3))
def test_records_decode_to_themselves(shapes: list[tuple[set[int], bool]]) -> None:
    records = [
        LoadRecord(STORED_AT, {code: 1010 for at in sorted(kept) for code in _CLASSES[at]}, sound)
        for kept, sound in shapes
    ]
    assert decode_records(b"".join(map(encode_record, records))) == records


def test_values_that_look_like_marks_are_values() -> None:
    record = LoadRecord(STORED_AT, dict.fromkeys(_CLASSES[5], None) | {0x02800004: None})
    assert decode_records(encode_record(record)) == [record]


@given(st.integers(0, 31), st.integers(1, 255))
def test_a_changed_byte_is_refused(at: int, change: int) -> None:
    spoilt = bytearray(encode_record(LoadRecord(STORED_AT, FIRST)))
    spoilt[at] ^= change
    with pytest.raises(MalformedData):
        decode_records(bytes(spoilt))


@given(st.binary(max_size=80))
def test_any_bytes_are_records_or_refused(data: bytes) -> None:
    try:
        decode_records(data)
    except MalformedData:
        return
    assert data == b""

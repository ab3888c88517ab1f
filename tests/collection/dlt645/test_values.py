"""Data formats: signs, widths, absent fields, moments."""

import contextlib
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.collection.dlt645.values import (
    Bcd,
    Clock,
    Day,
    Digits,
    Field,
    Moment,
    Text,
    Value,
    Word,
)
from meterseal.errors import MalformedData, UsageError

numbers = st.builds(Bcd, st.integers(1, 6), st.just(0), st.booleans())
moments = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31, 23, 59, 59))


@given(numbers, st.data())
def test_a_number_decodes_to_itself(field: Bcd, data: st.DataObject) -> None:
    most = 10 ** (2 * field.size) * (8 if field.signed else 10) // 10 - 1
    value = data.draw(st.none() | st.integers(-most if field.signed else 0, most))
    encoded = field.encode(value)
    assert len(encoded) == field.size
    assert field.decode(encoded) == value
    for beyond in (most + 1, -most - 1):
        with pytest.raises(UsageError):
            field.encode(beyond)


def test_the_sign_is_the_top_bit_of_the_highest_byte() -> None:
    assert Bcd(3, 3, signed=True).decode(bytes.fromhex("015380")) == -5301
    assert Bcd(3, 3, signed=True).encode(-5301) == bytes.fromhex("015380")
    assert Bcd(3, 3).decode(bytes.fromhex("015380")) == 805301


def test_an_absent_field_is_none_and_not_a_number() -> None:
    assert Bcd(2, 1).decode(b"\xff\xff") is None
    assert Bcd(3, 4, signed=True).decode(b"\xff\xff\xff") is None


@pytest.mark.parametrize(
    ("field", "data"),
    [
        (Bcd(2, 1), "FF01"),
        (Bcd(2, 1), "0A00"),
        (Bcd(3, 3, signed=True), "0000FA"),
        (Moment(5), "0000320111"),
        (Moment(5), "0A00011126"),
        (Moment(6), "600000011126"),
        (Day(), "00312602"),
        (Clock(), "000024"),
        (Digits(2), "1F00"),
        (Text(2), "80FF"),
    ],
)
def test_refuses_what_the_format_does_not_have(field: Field, data: str) -> None:
    with pytest.raises(MalformedData):
        field.decode(bytes.fromhex(data))


@given(moments)
def test_moments_days_and_times_decode_to_themselves(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert Moment(6).decode(Moment(6).encode(moment)) == moment
    assert Moment(5).decode(Moment(5).encode(moment)) == moment.replace(second=0)
    assert Day().decode(Day().encode(moment.date())) == moment.date()
    assert Clock().decode(Clock().encode(moment.time())) == moment.time()


def test_a_moment_that_never_was_is_none() -> None:
    assert Moment(6).decode(bytes(6)) is None
    assert Moment(6).encode(None) == bytes(6)
    assert Day().decode(bytes(4)) is None


def test_the_week_begins_with_sunday_as_0() -> None:
    assert Day().encode(date(2026, 11, 22)) == bytes.fromhex("00221126")
    assert Day().encode(date(2026, 11, 28)) == bytes.fromhex("06281126")


def test_texts_are_sent_last_character_first() -> None:
    assert Text(6).encode("220V") == b"\x00\x00V022"
    assert Text(6).decode(b"\x00\x00V022") == "220V"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Bcd(2), "12"),
        (Moment(5), 5),
        (Day(), "today"),
        (Clock(), None),
        (Digits(2), "123"),
        (Digits(2), "12x4"),
        (Word(2), 1 << 16),
        (Word(2), -1),
        (Text(3), "four"),
        (Text(3), "度"),
    ],
)
def test_refuses_to_encode_what_does_not_fit(field: Field, value: Value) -> None:
    with pytest.raises(UsageError):
        field.encode(value)


def test_words_and_digits_are_kept_as_they_are() -> None:
    assert Word(2).decode(Word(2).encode(0x8001)) == 0x8001
    assert Digits(2).decode(Digits(2).encode("0123")) == "0123"
    assert Digits(2).decode(b"\xff\xff") is None
    assert Clock().decode(Clock().encode(time(21, 53, 55))) == time(21, 53, 55)


@given(st.sampled_from([Bcd(3), Moment(5), Day(), Clock(), Digits(3), Word(2), Text(8)]), st.data())
def test_any_bytes_decode_or_are_refused(field: Field, data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=field.size, max_size=field.size))
    with contextlib.suppress(MalformedData):
        field.decode(raw)

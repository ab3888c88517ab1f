"""Strict DER: what is canonical is read back, and everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.asn1 import der
from meterseal.asn1.der import Reader
from meterseal.errors import MalformedData


def whole(data: bytes) -> Reader:
    return Reader(data, "test value")


def read_integer(data: bytes) -> int:
    reader = whole(data)
    value = reader.integer()
    reader.finish()
    return value


@settings(deadline=None)
@given(st.integers(min_value=-(1 << 500), max_value=1 << 500))
def test_integers_come_back_and_no_prefix_decodes(value: int) -> None:
    encoding = der.integer(value)
    assert read_integer(encoding) == value
    for end in range(len(encoding)):
        with pytest.raises(MalformedData):
            read_integer(encoding[:end])


TREES = st.recursive(
    st.one_of(
        st.integers(min_value=-(1 << 70), max_value=1 << 70).map(der.integer),
        st.booleans().map(der.boolean),
        st.binary(max_size=200).map(der.octet_string),
        st.binary(max_size=20).map(der.bit_string),
        st.just(der.null()),
        st.sampled_from(["1.2.156.10197.1.301", "2.5.4.3", "2.999.1"]).map(der.object_identifier),
    ),
    lambda children: st.lists(children, max_size=4).map(lambda parts: der.sequence(*parts)),
    max_leaves=12,
)


def copy(reader: Reader) -> bytes:
    """Decode everything that is left, and encode it again."""
    parts = []
    while not reader.at_end:
        if reader.next_is(der.SEQUENCE):
            parts.append(der.sequence(copy(reader.sequence("inner"))))
        elif reader.next_is(der.INTEGER):
            parts.append(der.integer(reader.integer()))
        elif reader.next_is(der.BOOLEAN):
            parts.append(der.boolean(reader.boolean()))
        elif reader.next_is(der.OCTET_STRING):
            parts.append(der.octet_string(reader.octet_string()))
        elif reader.next_is(der.BIT_STRING):
            parts.append(der.bit_string(reader.bit_string()))
        elif reader.next_is(der.NULL):
            reader.null()
            parts.append(der.null())
        else:
            parts.append(der.object_identifier(reader.object_identifier()))
    return b"".join(parts)


@settings(deadline=None)
@given(TREES)
def test_trees_come_back_and_no_prefix_decodes(encoding: bytes) -> None:
    assert copy(whole(encoding)) == encoding
    for end in range(1, len(encoding)):
        with pytest.raises(MalformedData):
            copy(whole(encoding[:end]))


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_what_decodes_has_no_other_encoding(data: bytes) -> None:
    try:
        again = copy(whole(data))
    except MalformedData:
        return
    assert again == data


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        ("", "an element is missing"),
        ("30", "ends before its length"),
        ("3080 0000", "indefinite"),
        ("308101 00", "shortest form"),
        ("30820080" + "00" * 128, "shortest form"),
        ("3081", "ends inside its length"),
        ("3003 0201", "3 bytes announced, 2 present"),
        ("0201 00", "expected tag 30, found 02"),
        ("30ff" + "01" * 127, "length field of 127 bytes"),
        ("3084 ffffffff 00", "4294967295 bytes announced, 1 present"),
    ],
)
def test_refuses_elements_that_are_not_der(data: str, fact: str) -> None:
    with pytest.raises(MalformedData, match=fact):
        whole(bytes.fromhex(data)).element(der.SEQUENCE)


def test_refuses_tag_numbers_above_30() -> None:
    with pytest.raises(MalformedData, match="above 30"):
        whole(b"\x1f\x81\x01\x00").element()


@pytest.mark.parametrize("contents", ["", "0001", "007f", "ff80", "ffff", "0000"])
def test_refuses_integers_that_are_not_shortest(contents: str) -> None:
    with pytest.raises(MalformedData, match="INTEGER"):
        read_integer(der.encode(der.INTEGER, bytes.fromhex(contents)))


def test_refuses_integers_beyond_the_limit() -> None:
    assert read_integer(der.encode(der.INTEGER, b"\x7f" * der.MAX_INTEGER)) > 0
    with pytest.raises(MalformedData, match="longer than"):
        read_integer(der.encode(der.INTEGER, b"\x7f" * (der.MAX_INTEGER + 1)))


@pytest.mark.parametrize("contents", ["", "01", "fe", "0000", "ff00"])
def test_refuses_booleans_that_are_not_canonical(contents: str) -> None:
    with pytest.raises(MalformedData, match="BOOLEAN"):
        whole(der.encode(der.BOOLEAN, bytes.fromhex(contents))).boolean()


@pytest.mark.parametrize("contents", ["", "08", "0800", "0101", "07ff", "01"])
def test_refuses_bit_strings_that_are_not_canonical(contents: str) -> None:
    with pytest.raises(MalformedData, match="BIT STRING"):
        der.decode_bit_string(bytes.fromhex(contents), "test")


def test_refuses_null_with_contents_and_unsorted_sets() -> None:
    with pytest.raises(MalformedData, match="NULL"):
        whole(b"\x05\x01\x00").null()
    with pytest.raises(MalformedData, match="SET"):
        whole(der.encode(der.SET, der.integer(2), der.integer(1))).set("test")
    assert der.set_of([der.integer(2), der.integer(1)]) == bytes.fromhex("3106020101020102")


def test_refuses_left_over_bytes() -> None:
    reader = whole(der.null() + b"\0")
    reader.null()
    with pytest.raises(MalformedData, match="test value, offset 2: 1 bytes are left over"):
        reader.finish()


def test_refuses_deep_nesting_and_large_values() -> None:
    data = der.null()
    for _ in range(der.MAX_DEPTH + 1):
        data = der.sequence(data)
    with pytest.raises(MalformedData, match="nested deeper"):
        copy(whole(data))
    with pytest.raises(MalformedData, match="limit"):
        whole(bytes(der.MAX_SIZE + 1))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_any_buffer(kind: type) -> None:
    assert whole(kind(der.integer(5))).integer() == 5

"""OBJECT IDENTIFIERs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.asn1 import oid
from meterseal.errors import MalformedData

ARCS = st.lists(st.integers(min_value=0, max_value=1 << 40), max_size=6)


@settings(deadline=None)
@given(st.integers(0, 2), st.integers(0, 39), ARCS)
def test_identifiers_come_back(first: int, second: int, rest: list[int]) -> None:
    text = ".".join(map(str, [first, second, *rest]))
    assert oid.decode(oid.encode(text)) == text


@settings(deadline=None)
@given(st.binary(max_size=12))
def test_what_decodes_has_no_other_encoding(contents: bytes) -> None:
    try:
        text = oid.decode(contents)
    except MalformedData:
        return
    assert oid.encode(text) == contents


def test_encodes_the_identifiers_of_the_standards() -> None:
    """covers: GB/T 33560-2017, appendix A"""
    assert oid.encode(oid.SM2_CURVE).hex() == "2a811ccf5501822d"
    assert oid.encode(oid.SM2_WITH_SM3).hex() == "2a811ccf55018375"
    assert oid.encode("2.999.3").hex() == "883703"


@pytest.mark.parametrize("contents", ["", "80", "8001", "2a80", "2a8001", "2a81", "2a" * 65])
def test_refuses_contents_that_are_not_canonical(contents: str) -> None:
    with pytest.raises(MalformedData):
        oid.decode(bytes.fromhex(contents))


@pytest.mark.parametrize(
    "text", ["", "1", "1.40", "3.1", "1.2.x", "1..2", "1.02", "1.2.-3", "1.²", "1.2" + ".9" * 64]
)
def test_refuses_text_that_is_no_identifier(text: str) -> None:
    with pytest.raises(MalformedData):
        oid.encode(text)


def test_every_name_stands_for_a_valid_identifier() -> None:
    for identifier in oid.NAMES:
        assert oid.decode(oid.encode(identifier)) == identifier
    assert oid.name_of("1.2.3.4") == "1.2.3.4"

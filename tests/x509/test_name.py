"""Distinguished names and their text forms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.asn1 import der
from meterseal.errors import MalformedData, UsageError
from meterseal.x509 import GeneralName, GeneralNameKind, Name
from meterseal.x509.name import Attribute

PAPER = (
    "/C=CH/ST=shanghai/L=pudongxinqu/O=suep/OU=smartgrid/CN=jisuanjixueyaun"
    "/emailAddress=15279265616@163.com"
)

LABELS = st.sampled_from(["2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.7", "2.5.4.100"])
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ATTRIBUTES = st.builds(Attribute, LABELS, VALUES)
NAMES = st.lists(ATTRIBUTES, min_size=1, max_size=5).map(
    lambda attributes: Name(tuple((attribute,) for attribute in attributes))
)


@settings(deadline=None)
@given(NAMES)
def test_names_come_back_from_der_and_no_prefix_decodes(name: Name) -> None:
    encoding = name.encode()
    assert Name.decode(encoding) == name
    assert Name.decode(encoding).encode() == encoding
    for end in range(0, len(encoding), 7):
        with pytest.raises(MalformedData):
            Name.decode(encoding[:end])


@settings(deadline=None)
@given(NAMES)
def test_names_come_back_from_both_texts(name: Name) -> None:
    assert Name.parse(name.to_slash()) == name
    assert Name.parse(str(name)) == name


@settings(deadline=None)
@given(NAMES)
def test_texts_have_no_characters_that_do_not_print(name: Name) -> None:
    """A name from outside must not command the terminal that shows it."""
    for text in (str(name), name.to_slash(), name.to_rfc4514()):
        assert text.isprintable()


def test_prints_the_three_forms_of_the_papers_name() -> None:
    """Figures 8 and 10 of the design."""
    name = Name.parse(PAPER)
    assert name.to_slash() == PAPER
    assert str(name) == (
        "C = CH, ST = shanghai, L = pudongxinqu, O = suep, OU = smartgrid, "
        "CN = jisuanjixueyaun, emailAddress = 15279265616@163.com"
    )
    assert name.to_rfc4514().startswith("emailAddress=15279265616@163.com,CN=jisuanjixueyaun")
    assert name.common_name == "jisuanjixueyaun"


def test_encodes_as_the_paper_does() -> None:
    """Figure 7: country PrintableString, e-mail address IA5String, the rest UTF8String."""
    tags = [attribute.tag for attribute in Name.parse(PAPER).attributes]
    assert tags == [0x13, 0x0C, 0x0C, 0x0C, 0x0C, 0x0C, 0x16]
    assert Name.parse("C=ZC").encode().hex() == "300d310b300906035504061302" + b"ZC".hex()


def test_parses_both_forms_alike() -> None:
    assert Name.parse("C=CN, O=Grid,CN=a") == Name.parse("/C=CN/O=Grid/CN=a")
    assert Name.parse("commonName=a") == Name.parse("cn=a") == Name.parse("2.5.4.3=a")
    assert Name.parse(r"CN=a\,b").common_name == "a,b"
    assert Name.parse("/CN=a,b/O=c\\/d").values("2.5.4.10") == ["c/d"]
    assert Name.parse(r"CN=\E4\BD\A0").common_name == "\u4f60"
    assert len(Name.parse("CN=a+O=b").rdns) == 1


@pytest.mark.parametrize(
    "text",
    ["", " ", "/", "CN", "CN=", "=x", "CN=a,,O=b", "/CN=a//O=b", "FOO=x", "C=CHN", "C=1a",
     "emailAddress=\u00e4@b", "C=\u4e2d\u56fd", r"CN=\FF", "CN=a+"],
)  # fmt: skip
def test_refuses_texts_that_are_no_names(text: str) -> None:
    with pytest.raises(UsageError):
        Name.parse(text)


def test_compares_without_case_spaces_and_string_types() -> None:
    """covers: RFC 5280, 7.1"""
    one = Name(((Attribute("2.5.4.10", "Power  Grid", der.PRINTABLE_STRING),),))
    two = Name(((Attribute("2.5.4.10", " power grid "),),))
    assert one.matches(two)
    assert not one.matches(Name.parse("O=PowerGrid"))
    assert not one.matches(Name.parse("OU=Power Grid"))
    assert Name.parse("O=Power Grid,CN=x").is_within(one)
    assert not one.is_within(Name.parse("O=Power Grid,CN=x"))
    assert one.is_within(Name())


@pytest.mark.parametrize(
    ("tag", "contents", "value"),
    [
        (der.BMP_STRING, "\u7535".encode("utf-16-be"), "\u7535"),
        (der.UNIVERSAL_STRING, "\u7535".encode("utf-32-be"), "\u7535"),
        (der.T61_STRING, b"\xe4", "\u00e4"),
        (der.VISIBLE_STRING, b"a", "a"),
        (der.BIT_STRING, b"\x00\x01", "#03020001"),
    ],
)
def test_reads_all_string_types_and_writes_them_back(tag: int, contents: bytes, value: str) -> None:
    attribute = der.sequence(der.object_identifier("2.5.4.3"), der.encode(tag, contents))
    encoding = der.sequence(der.set_of([attribute]))
    assert Name.decode(encoding).common_name == value
    assert Name.decode(encoding).encode() == encoding


@pytest.mark.parametrize(
    "value",
    [der.encode(der.UTF8_STRING, b"\xff"), der.encode(der.PRINTABLE_STRING, b"\x80"),
     der.encode(der.BMP_STRING, b"a")],
)  # fmt: skip
def test_refuses_strings_that_break_their_type(value: bytes) -> None:
    attribute = der.sequence(der.object_identifier("2.5.4.3"), value)
    with pytest.raises(MalformedData):
        Name.decode(der.sequence(der.set_of([attribute])))


def test_refuses_empty_components_and_too_many() -> None:
    with pytest.raises(MalformedData, match="empty"):
        Name.decode(der.sequence(der.set_of([])))
    many = Name(tuple((Attribute("2.5.4.3", "x"),) for _ in range(129)))
    with pytest.raises(MalformedData, match="128"):
        Name.decode(many.encode())


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("meter.example.com", GeneralNameKind.DNS, "DNS:meter.example.com"),
        ("DNS:a.b", GeneralNameKind.DNS, "DNS:a.b"),
        ("10.0.0.1", GeneralNameKind.IP, "IP Address:10.0.0.1"),
        ("IP:2001:db8::1", GeneralNameKind.IP, "IP Address:2001:DB8:0:0:0:0:0:1"),
        ("2001:db8::1", GeneralNameKind.IP, "IP Address:2001:DB8:0:0:0:0:0:1"),
        ("email:a@b.c", GeneralNameKind.EMAIL, "email:a@b.c"),
        ("URI:https://a/b", GeneralNameKind.URI, "URI:https://a/b"),
    ],
)
def test_parses_alternative_names(text: str, kind: GeneralNameKind, shown: str) -> None:
    name = GeneralName.parse(text)
    assert name.kind is kind
    assert str(name) == shown
    assert GeneralName.read(der.Reader(name.encode())) == name


@pytest.mark.parametrize("text", ["", "DNS:", "IP:x", "a b", "m\u00fcnchen.de", "DNS:a\tb"])
def test_refuses_texts_that_are_no_alternative_names(text: str) -> None:
    with pytest.raises(UsageError):
        GeneralName.parse(text)


@pytest.mark.parametrize(
    "data", ["8703010203", "8201ff", "a003", "8901 61", "8102c3a4", "a402 3100", "30 00"]
)
def test_refuses_alternative_names_that_are_malformed(data: str) -> None:
    with pytest.raises(MalformedData):
        GeneralName.read(der.Reader(bytes.fromhex(data)))


@pytest.mark.parametrize("data", ["870400000000", "87080a000000ff00ff00", "87080a000001ff000000"])
def test_refuses_address_ranges_that_are_malformed(data: str) -> None:
    with pytest.raises(MalformedData):
        GeneralName.read(der.Reader(bytes.fromhex(data)), constraint=True)

"""Distinguished names (RFC 5280, 4.1.2.4) and their three text forms.

- `str(name)`, the long form of GmSSL and OpenSSL: `C = CN, O = Grid, CN = meter-1`
- `to_slash()`, their one-line form: `/C=CN/O=Grid/CN=meter-1`
- `to_rfc4514()`, last component first: `CN=meter-1,O=Grid,C=CN`

`Name.parse` reads the slash form and the comma form, both in the order in which they are written.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from meterseal.asn1.der import Buffer, Reader

__all__ = ["Attribute", "Name"]

_MAX_ATTRIBUTES = 128
_COUNTRY_LETTERS = 2

_ENCODINGS = {
    der.UTF8_STRING: "utf-8",
    der.PRINTABLE_STRING: "ascii",
    der.IA5_STRING: "ascii",
    der.VISIBLE_STRING: "ascii",
    der.T61_STRING: "latin-1",
    der.BMP_STRING: "utf-16-be",
    der.UNIVERSAL_STRING: "utf-32-be",
}
_STRING_TAGS = {
    oids.COUNTRY: der.PRINTABLE_STRING,
    "2.5.4.5": der.PRINTABLE_STRING,
    "2.5.4.46": der.PRINTABLE_STRING,
    oids.EMAIL_ADDRESS: der.IA5_STRING,
    oids.DOMAIN_COMPONENT: der.IA5_STRING,
}
_ATTRIBUTE_ARCS = ("2.5.4.", "0.9.2342.", "1.2.840.113549.1.9.1")
_IDENTIFIERS = {
    name.lower(): identifier
    for identifier, name in oids.NAMES.items()
    if identifier.startswith(_ATTRIBUTE_ARCS) and identifier != oids.EXTENSION_REQUEST
} | {
    "commonname": oids.COMMON_NAME,
    "email": oids.EMAIL_ADDRESS,
    "e": oids.EMAIL_ADDRESS,
    "s": "2.5.4.8",
    "organization": "2.5.4.10",
}
_DOTTED = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its type, its value, and the tag of the string type that encodes it."""

    oid: str
    value: str
    tag: int = der.UTF8_STRING

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read AttributeTypeAndValue; a value that is no string is kept as `#` and its DER."""
        body = reader.sequence("attribute of a name")
        identifier = body.object_identifier()
        element = body.element()
        body.finish()
        encoding = _ENCODINGS.get(element.tag)
        if encoding is None:
            return cls(identifier, "#" + element.encoding.hex(), 0)
        try:
            return cls(identifier, element.contents.decode(encoding), element.tag)
        except UnicodeDecodeError:
            raise MalformedData(
                f"the attribute {oids.name_of(identifier)} of a name is not valid {encoding}"
            ) from None

    def encode(self) -> bytes:
        """Encode AttributeTypeAndValue."""
        if self.tag:
            value = der.encode(self.tag, self.value.encode(_ENCODINGS[self.tag]))
        else:
            value = bytes.fromhex(self.value[1:])
        return der.sequence(der.object_identifier(self.oid), value)

    @property
    def label(self) -> str:
        """The short name of the type, or its dotted string."""
        return oids.name_of(self.oid)

    @property
    def canonical(self) -> tuple[str, str]:
        """What two equal attributes share (RFC 5280, 7.1): case and spaces are folded."""
        if not self.tag:
            return self.oid, self.value
        folded = unicodedata.normalize("NFKC", self.value).casefold()
        return self.oid, " ".join(folded.split())


@dataclass(frozen=True)
class Name:
    """A sequence of relative distinguished names, each of one attribute or more."""

    rdns: tuple[tuple[Attribute, ...], ...] = ()

    @classmethod
    def decode(cls, data: Buffer) -> Self:
        """Decode a Name. Raises MalformedData."""
        reader = der.Reader(data, "name")
        name = cls.read(reader)
        reader.finish()
        return name

    @classmethod
    def read(cls, reader: Reader, where: str = "name") -> Self:
        """Read a Name that stands next in a reader."""
        body = reader.sequence(where)
        rdns: list[tuple[Attribute, ...]] = []
        count = 0
        while not body.at_end:
            members = body.set(where)
            attributes = []
            while not members.at_end:
                count += 1
                if count > _MAX_ATTRIBUTES:
                    raise MalformedData(f"{where}: more than {_MAX_ATTRIBUTES} attributes")
                attributes.append(Attribute.decode(members))
            if not attributes:
                raise MalformedData(f"{where}: a relative distinguished name is empty")
            rdns.append(tuple(attributes))
        return cls(tuple(rdns))

    @classmethod
    def parse(cls, text: str) -> Self:
        r"""Parse `/C=CN/O=Grid/CN=m1` or `C=CN, O=Grid, CN=m1`, in the order written.

        A backslash takes the following character as it is; `+` joins attributes of one component.
        Raises UsageError.
        """
        slash = text.startswith("/")
        parts = _split(text[1:], "/") if slash else _split(text, ",")
        if not text.strip() or not all(part.strip() for part in parts):
            raise UsageError(f"the name {text!r} has an empty component")
        return cls(tuple(tuple(map(_parse_attribute, _split(part, "+"))) for part in parts))

    def encode(self) -> bytes:
        """Encode the Name."""
        return der.sequence(
            *(der.set_of(attribute.encode() for attribute in rdn) for rdn in self.rdns)
        )

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All attributes in order, without the grouping."""
        return tuple(attribute for rdn in self.rdns for attribute in rdn)

    def values(self, identifier: str) -> list[str]:
        """Return the values of one type of attribute, in order."""
        return [item.value for item in self.attributes if item.oid == identifier]

    @property
    def common_name(self) -> str | None:
        """The last, most specific common name, if there is one."""
        names = self.values(oids.COMMON_NAME)
        return names[-1] if names else None

    @cached_property
    def canonical(self) -> tuple[frozenset[tuple[str, str]], ...]:
        """What two equal names share (RFC 5280, 7.1)."""
        return tuple(frozenset(item.canonical for item in rdn) for rdn in self.rdns)

    def matches(self, other: Name) -> bool:
        """Whether both are the same name by the rules of RFC 5280, 7.1."""
        return self.canonical == other.canonical

    def is_within(self, subtree: Name) -> bool:
        """Whether the name begins with all components of `subtree`."""
        return self.canonical[: len(subtree.rdns)] == subtree.canonical

    def to_slash(self) -> str:
        """Return the one-line form `/C=CN/O=Grid/CN=m1`."""
        return "".join("/" + _join(rdn, "=", "+", "/+\\") for rdn in self.rdns)

    def to_rfc4514(self) -> str:
        """Return the string form of RFC 4514, which begins with the last component."""
        return ",".join(_join(rdn, "=", "+", ',+"\\<>;') for rdn in reversed(self.rdns))

    def __str__(self) -> str:
        return ", ".join(_join(rdn, " = ", " + ", ',+"\\<>;') for rdn in self.rdns)


def _join(rdn: tuple[Attribute, ...], equals: str, plus: str, special: str) -> str:
    return plus.join(f"{item.label}{equals}{_escape(item, special)}" for item in rdn)


def _escape(attribute: Attribute, special: str) -> str:
    """Escape what would be read as syntax, and everything that does not print."""
    value = attribute.value
    if not attribute.tag:
        return value
    text = "".join(
        "\\" + character
        if character in special
        else character
        if character.isprintable()
        else "".join(f"\\{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in value
    )
    if text.startswith((" ", "#")):
        text = f"\\{ord(text[0]):02X}" + text[1:]
    return text[:-1] + "\\20" if text.endswith(" ") else text


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that no backslash precedes; the backslashes stay."""
    parts, escaped = [""], False
    for character in text:
        if character == separator and not escaped:
            parts.append("")
        else:
            parts[-1] += character
        escaped = character == "\\" and not escaped
    return parts


def _parse_attribute(text: str) -> Attribute:
    label, equals, value = text.strip().partition("=")
    label, value = label.strip(), value.lstrip()
    if not equals:
        raise UsageError(f"{text.strip()!r} is no attribute of a name; expected TYPE=value")
    known = _IDENTIFIERS.get(label.lower())
    if known is None and not _DOTTED.fullmatch(label):
        raise UsageError(f"the attribute type {label!r} of a name is not known")
    identifier = known or label
    return _attribute(identifier, _unescape(value))


def _attribute(identifier: str, value: str) -> Attribute:
    tag = _STRING_TAGS.get(identifier, der.UTF8_STRING)
    label = oids.name_of(identifier)
    if not value:
        raise UsageError(f"the attribute {label} of a name is empty")
    if identifier == oids.COUNTRY and not (
        len(value) == _COUNTRY_LETTERS and value.isascii() and value.isalpha()
    ):
        raise UsageError(f"the country {value!r} of a name is not two letters")
    if tag != der.UTF8_STRING and not value.isascii():
        raise UsageError(f"the attribute {label} of a name must be ASCII")
    return Attribute(identifier, value, tag)


def _unescape(text: str) -> str:
    """Undo the escapes of RFC 4514, 2.4: a backslash and two hexadecimal digits, or a character."""
    out = bytearray()
    position = 0
    while position < len(text):
        if text[position] != "\\":
            out += text[position].encode()
            position += 1
        elif re.fullmatch("[0-9A-Fa-f]{2}", text[position + 1 : position + 3]):
            out.append(int(text[position + 1 : position + 3], 16))
            position += 3
        else:
            out += text[position + 1 : position + 2].encode()
            position += 2
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise UsageError(f"the escapes of {text!r} do not form UTF-8") from None

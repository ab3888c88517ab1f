"""Strict DER (ITU-T X.690): a reader that refuses what is not canonical, and writers.

A `Reader` walks over the elements of one constructed value in order. Everything it refuses is a
`MalformedData` that names the structure and the offset in it. Refused are indefinite and
non-minimal lengths, long tags, non-minimal INTEGERs, BOOLEANs other than 00 and FF, bits set in
the unused part of a BIT STRING, values beyond the size limit or nested too deep, and bytes left
over (`finish`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from meterseal.asn1 import oid as oids
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Iterable

Buffer: TypeAlias = bytes | bytearray | memoryview

MAX_SIZE = 1 << 20
MAX_DEPTH = 32
MAX_INTEGER = 64

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
T61_STRING = 0x14
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
VISIBLE_STRING = 0x1A
UNIVERSAL_STRING = 0x1C
BMP_STRING = 0x1E
SEQUENCE = 0x30
SET = 0x31

_CONSTRUCTED = 0x20
_CONTEXT = 0x80
_LONG_TAG = 0x1F
_LONG_LENGTH = 0x80
_MAX_LENGTH_SIZE = 4
_MAX_UNUSED_BITS = 7


def context_tag(number: int, *, constructed: bool = True) -> int:
    """Return the tag byte of a context-specific element [number]."""
    return _CONTEXT | number | (_CONSTRUCTED if constructed else 0)


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag byte, its contents and its whole encoding."""

    tag: int
    contents: bytes
    encoding: bytes


class Reader:
    """Reads the elements of one DER value from front to back."""

    __slots__ = ("_data", "_depth", "_position", "where")

    def __init__(self, data: Buffer, where: str = "DER value", *, depth: int = 0) -> None:
        if len(data) > MAX_SIZE:
            raise MalformedData(f"{where} of {len(data)} bytes; the limit is {MAX_SIZE}")
        if depth > MAX_DEPTH:
            raise MalformedData(f"{where} is nested deeper than {MAX_DEPTH} levels")
        self._data = bytes(data)
        self._position = 0
        self._depth = depth
        self.where = where

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self._position == len(self._data)

    def finish(self) -> None:
        """Raise MalformedData if bytes are left over."""
        left = len(self._data) - self._position
        if left:
            raise self._malformed(f"{left} bytes are left over")

    def next_is(self, tag: int) -> bool:
        """Whether the next element has this tag byte."""
        return not self.at_end and self._data[self._position] == tag

    def element(self, *expected: int) -> Element:
        """Read one element, of one of the expected tags if any are given."""
        start = self._position
        data = self._data
        if start == len(data):
            raise self._malformed("an element is missing")
        tag = data[start]
        if expected and tag not in expected:
            wanted = " or ".join(f"{value:02x}" for value in expected)
            raise self._malformed(f"expected tag {wanted}, found {tag:02x}")
        if tag & _LONG_TAG == _LONG_TAG:
            raise self._malformed("tag numbers above 30 are not used here")
        body, length = self._length(start + 1)
        end = body + length
        if end > len(data):
            raise self._malformed(f"{length} bytes announced, {len(data) - body} present")
        self._position = end
        return Element(tag, data[body:end], data[start:end])

    def constructed(self, tag: int, where: str) -> Reader:
        """Read one constructed element and return a reader of its contents."""
        return Reader(self.element(tag).contents, where, depth=self._depth + 1)

    def sequence(self, where: str) -> Reader:
        """Read a SEQUENCE and return a reader of its contents."""
        return self.constructed(SEQUENCE, where)

    def set(self, where: str) -> Reader:
        """Read a SET OF, whose elements must stand in ascending order of their encodings."""
        contents = self.element(SET).contents
        order = Reader(contents, where, depth=self._depth + 1)
        previous = b""
        while not order.at_end:
            encoding = order.element().encoding
            if encoding < previous:
                raise self._malformed("the elements of a SET stand in the wrong order")
            previous = encoding
        return Reader(contents, where, depth=self._depth + 1)

    def explicit(self, number: int, where: str) -> Reader | None:
        """Read [number] EXPLICIT if it stands here; the caller finishes the returned reader."""
        tag = context_tag(number)
        return self.constructed(tag, where) if self.next_is(tag) else None

    def implicit(self, number: int) -> bytes | None:
        """Read the contents of a primitive [number] IMPLICIT if it stands here."""
        tag = context_tag(number, constructed=False)
        return self.element(tag).contents if self.next_is(tag) else None

    def boolean(self) -> bool:
        """Read a BOOLEAN."""
        contents = self.element(BOOLEAN).contents
        if contents not in {b"\x00", b"\xff"}:
            raise self._malformed("a BOOLEAN must be the one byte 00 or ff")
        return contents == b"\xff"

    def integer(self) -> int:
        """Read an INTEGER of any sign."""
        return decode_integer(self.element(INTEGER).contents, self.where)

    def small_integer(self, most: int) -> int:
        """Read an INTEGER between 0 and `most`."""
        value = self.integer()
        if not 0 <= value <= most:
            raise self._malformed(f"an INTEGER is not between 0 and {most}")
        return value

    def object_identifier(self) -> str:
        """Read an OBJECT IDENTIFIER as a dotted string."""
        return oids.decode(self.element(OBJECT_IDENTIFIER).contents)

    def octet_string(self) -> bytes:
        """Read an OCTET STRING."""
        return self.element(OCTET_STRING).contents

    def bit_string(self) -> bytes:
        """Read a BIT STRING that is a whole number of bytes."""
        bits, unused = decode_bit_string(self.element(BIT_STRING).contents, self.where)
        if unused:
            raise self._malformed("a BIT STRING is not a whole number of bytes")
        return bits

    def null(self) -> None:
        """Read a NULL."""
        if self.element(NULL).contents:
            raise self._malformed("a NULL has contents")

    def _length(self, position: int) -> tuple[int, int]:
        data = self._data
        if position == len(data):
            raise self._malformed("an element ends before its length")
        first = data[position]
        position += 1
        if first < _LONG_LENGTH:
            return position, first
        size = first & 0x7F
        if size == 0:
            raise self._malformed("indefinite lengths are not DER")
        if size > _MAX_LENGTH_SIZE:
            raise self._malformed(f"a length field of {size} bytes")
        field = data[position : position + size]
        if len(field) < size:
            raise self._malformed("an element ends inside its length")
        length = int.from_bytes(field)
        if field[0] == 0 or length < _LONG_LENGTH:
            raise self._malformed("a length is not in its shortest form")
        return position + size, length

    def _malformed(self, fact: str) -> MalformedData:
        return MalformedData(f"{self.where}, offset {self._position}: {fact}")


def decode_integer(contents: bytes, where: str) -> int:
    """Decode the contents of an INTEGER, which must be in shortest form."""
    if not contents:
        raise MalformedData(f"{where}: an INTEGER has no contents")
    if len(contents) > MAX_INTEGER:
        raise MalformedData(f"{where}: an INTEGER is longer than {MAX_INTEGER} bytes")
    if len(contents) > 1 and contents[0] in {0x00, 0xFF}:
        repeats_sign = (contents[0] == 0xFF) == bool(contents[1] & 0x80)  # noqa: PLR2004
        if repeats_sign:
            raise MalformedData(f"{where}: an INTEGER is not in its shortest form")
    return int.from_bytes(contents, signed=True)


def decode_bit_string(contents: bytes, where: str) -> tuple[bytes, int]:
    """Decode the contents of a BIT STRING to its bytes and the number of unused bits."""
    if not contents or contents[0] > _MAX_UNUSED_BITS:
        raise MalformedData(f"{where}: a BIT STRING does not begin with its unused bits")
    unused, bits = contents[0], contents[1:]
    if unused and (not bits or bits[-1] & ((1 << unused) - 1)):
        raise MalformedData(f"{where}: the unused bits of a BIT STRING are not zero")
    return bits, unused


def encode(tag: int, *parts: bytes) -> bytes:
    """Encode one element of these contents."""
    contents = b"".join(parts)
    size = len(contents)
    if size < _LONG_LENGTH:
        return bytes([tag, size]) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, _LONG_LENGTH | len(length)]) + length + contents


def sequence(*parts: bytes) -> bytes:
    """Encode a SEQUENCE of elements that are already encoded."""
    return encode(SEQUENCE, *parts)


def set_of(parts: Iterable[bytes]) -> bytes:
    """Encode a SET OF, sorting its elements as DER wants."""
    return encode(SET, *sorted(parts))


def explicit(number: int, *parts: bytes) -> bytes:
    """Encode [number] EXPLICIT."""
    return encode(context_tag(number), *parts)


def implicit(number: int, contents: bytes) -> bytes:
    """Encode a primitive [number] IMPLICIT."""
    return encode(context_tag(number, constructed=False), contents)


def boolean(value: bool) -> bytes:
    """Encode a BOOLEAN."""
    return encode(BOOLEAN, b"\xff" if value else b"\x00")


def integer(value: int) -> bytes:
    """Encode an INTEGER in shortest form."""
    magnitude = value if value >= 0 else ~value
    return encode(INTEGER, value.to_bytes(magnitude.bit_length() // 8 + 1, signed=True))


def null() -> bytes:
    """Encode a NULL."""
    return encode(NULL)


def object_identifier(identifier: str) -> bytes:
    """Encode an OBJECT IDENTIFIER."""
    return encode(OBJECT_IDENTIFIER, oids.encode(identifier))


def octet_string(contents: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return encode(OCTET_STRING, contents)


def bit_string(bits: bytes, unused: int = 0) -> bytes:
    """Encode a BIT STRING."""
    return encode(BIT_STRING, bytes([unused]), bits)

"""Data formats of DL/T 645-2007 (annex A): BCD numbers, moments, words, texts; low byte first.

Numbers are whole steps of the format's last decimal. A field of FF bytes is one that the meter does
not have (an absent phase) and decodes to `None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final, Protocol, TypeAlias

from meterseal.errors import MalformedData, UsageError

__all__ = ["Bcd", "Clock", "Day", "Digits", "Field", "Moment", "Text", "Value", "Word"]

Value: TypeAlias = int | str | bytes | datetime | date | time | None

_CENTURY: Final = 2000
_SIGN: Final = 0x80  # the top bit of the highest byte


class Field(Protocol):
    """The format of one field."""

    @property
    def size(self) -> int:
        """Bytes it takes."""

    def decode(self, data: bytes) -> Value:
        """Return the value of `size` bytes; raises `MalformedData`."""

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a value; raises `UsageError` where it does not fit."""


@dataclass(frozen=True, slots=True)
class Bcd:
    """A number of `2 * size` digits, `decimals` of them behind the point."""

    size: int
    decimals: int = 0
    signed: bool = False

    def decode(self, data: bytes) -> int | None:
        """Return the number in steps of its last decimal."""
        if _is_absent(data):
            return None
        top = data[-1]
        negative = self.signed and bool(top & _SIGN)
        digits = _digits(data[:-1] + bytes((top ^ _SIGN,)) if negative else data)
        return -int(digits) if negative else int(digits)

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a number of steps."""
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, int):
            raise UsageError(f"a number is expected, not {value!r}")
        limit = 10 ** (2 * self.size)
        if self.signed:
            limit = limit * 8 // 10
        if abs(value) >= limit or (value < 0 and not self.signed):
            raise UsageError(f"{value} does not fit a {self.size}-byte register")
        data = bytearray(bytes.fromhex(f"{abs(value):0{2 * self.size}}")[::-1])
        if value < 0:
            data[-1] |= _SIGN
        return bytes(data)


@dataclass(frozen=True, slots=True)
class Moment:
    """YYMMDDhhmm (5 bytes) or YYMMDDhhmmss (6), by the meter's own clock, hence without a zone.

    All zeros (it never happened) decode to `None`.
    """

    size: int

    def decode(self, data: bytes) -> datetime | None:
        """Return the moment."""
        if _is_absent(data) or not any(data):
            return None
        digits = _digits(data)
        year, *rest = (int(digits[at : at + 2]) for at in range(0, len(digits), 2))
        try:
            return datetime(_CENTURY + year, *rest)  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError as error:
            raise MalformedData(f"{digits} is no moment: {error}") from error

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a moment."""
        if value is None:
            return bytes(self.size)
        if not isinstance(value, datetime):
            raise UsageError(f"a moment is expected, not {value!r}")
        return bytes.fromhex(f"{value:%y%m%d%H%M%S}")[: self.size][::-1]


@dataclass(frozen=True, slots=True)
class Day:
    """YYMMDDWW: a date and its weekday, 0 for Sunday. The weekday is not looked at."""

    size: int = 4

    def decode(self, data: bytes) -> date | None:
        """Return the date."""
        if _is_absent(data) or not any(data):
            return None
        digits = _digits(data)
        try:
            return date(_CENTURY + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
        except ValueError as error:
            raise MalformedData(f"{digits} is no date: {error}") from error

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a date."""
        if value is None:
            return bytes(self.size)
        if not isinstance(value, date):
            raise UsageError(f"a date is expected, not {value!r}")
        return bytes.fromhex(f"{value:%y%m%d}{value.isoweekday() % 7:02}")[::-1]


@dataclass(frozen=True, slots=True)
class Clock:
    """Hhmmss: a time of day."""

    size: int = 3

    def decode(self, data: bytes) -> time | None:
        """Return the time of day."""
        if _is_absent(data):
            return None
        digits = _digits(data)
        try:
            return time(int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
        except ValueError as error:
            raise MalformedData(f"{digits} is no time of day: {error}") from error

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a time of day."""
        if not isinstance(value, time):
            raise UsageError(f"a time of day is expected, not {value!r}")
        return bytes.fromhex(f"{value:%H%M%S}")[::-1]


@dataclass(frozen=True, slots=True)
class Digits:
    """A string of `2 * size` digits that is no number: an address, a day and hour (DDhh)."""

    size: int

    def decode(self, data: bytes) -> str | None:
        """Return the digits, most significant first."""
        return None if _is_absent(data) else _digits(data)

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a string of digits."""
        if value is None:
            return b"\xff" * self.size
        if not isinstance(value, str) or len(value) != 2 * self.size or not _is_decimal(value):
            raise UsageError(f"{2 * self.size} digits are expected, not {value!r}")
        return bytes.fromhex(value)[::-1]


@dataclass(frozen=True, slots=True)
class Word:
    """A field of bits as a whole number: a status or mode word."""

    size: int

    def decode(self, data: bytes) -> int:
        """Return the bits."""
        return int.from_bytes(data, "little")

    def encode(self, value: Value) -> bytes:
        """Return the bytes of the bits."""
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * self.size:
            raise UsageError(f"{8 * self.size} bits are expected, not {value!r}")
        return value.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Text:
    """ASCII of at most `size` characters, sent last character first, filled up with zeros."""

    size: int

    def decode(self, data: bytes) -> str | None:
        """Return the text without its filling."""
        if _is_absent(data):
            return None
        try:
            return data[::-1].strip(b"\x00 ").decode("ascii")
        except UnicodeDecodeError as error:
            raise MalformedData(f"a text that is no ASCII: {data[:16].hex()}") from error

    def encode(self, value: Value) -> bytes:
        """Return the bytes of a text."""
        if not isinstance(value, str) or not value.isascii() or len(value) > self.size:
            raise UsageError(f"at most {self.size} ASCII characters are expected, not {value!r}")
        return value.encode("ascii").ljust(self.size, b"\x00")[::-1]


def _is_absent(data: bytes) -> bool:
    return data.count(0xFF) == len(data)


def _digits(data: bytes) -> str:
    digits = data[::-1].hex()
    if not _is_decimal(digits):
        raise MalformedData(f"{digits[:32]} is not binary-coded decimal")
    return digits


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdecimal()

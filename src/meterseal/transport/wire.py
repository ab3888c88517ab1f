"""Reading and writing the presentation language of TLS (RFC 5246, 4).

Every read is bounds-checked; the limits of a vector are arguments of its read, so they are checked
where the structure of the standard is spelled out.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from meterseal.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Uint16s(Collection[int]):
    """Two-byte integers in two bytes each: as objects of a tuple a peer's would take forty.

    Equal to any collection of the same numbers in the same order.
    """

    __slots__ = ("_values",)

    def __init__(self, raw: bytes) -> None:
        """Take them as they stand on the wire; an odd byte at the end is a `DecodeError`."""
        if len(raw) % 2:
            raise DecodeError(f"vector of two-byte values with the odd length {len(raw)}")
        self._values = array("H", raw)
        if sys.byteorder == "little":
            self._values.byteswap()

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __contains__(self, value: object) -> bool:
        return value in self._values

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Uint16s):
            return self._values == other._values
        return isinstance(other, Collection) and self._values.tolist() == list(other)

    def __hash__(self) -> int:
        return hash(self._values.tobytes())

    def __repr__(self) -> str:
        return f"Uint16s({self._values.tolist()})"


class Cursor:
    """A position in the bytes of one message; raises `DecodeError` and nothing else.

    Reading is most of what a handshake does in Python, so each read is one step, not one of three.
    """

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data: Final = data
        self._position = position
        self._end: Final = len(data)

    def fixed(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        start, stop = self._position, self._position + size
        if stop > self._end:
            raise self._short(size)
        self._position = stop
        return self._data[start:stop]

    def uint8(self) -> int:
        """One byte as an integer."""
        at = self._position
        if at >= self._end:
            raise self._short(1)
        self._position = at + 1
        return self._data[at]

    def uint16(self) -> int:
        """Two bytes as an integer."""
        at, data = self._position, self._data
        if at + 2 > self._end:
            raise self._short(2)
        self._position = at + 2
        return data[at] << 8 | data[at + 1]

    def uint24(self) -> int:
        """Three bytes as an integer."""
        return int.from_bytes(self.fixed(3), "big")

    def uint32(self) -> int:
        """Four bytes as an integer."""
        return int.from_bytes(self.fixed(4), "big")

    def vector8(self, least: int = 0, most: int = 0xFF) -> bytes:
        """Opaque bytes behind a one-byte length within `least..most`."""
        return self._opaque(self.uint8(), least, most)

    def vector16(self, least: int = 0, most: int = 0xFFFF) -> bytes:
        """Opaque bytes behind a two-byte length within `least..most`."""
        return self._opaque(self.uint16(), least, most)

    def vector24(self, least: int = 0, most: int = 0xFFFFFF) -> bytes:
        """Opaque bytes behind a three-byte length within `least..most`."""
        return self._opaque(self.uint24(), least, most)

    def uint16s(self, least: int = 1) -> Uint16s:
        """Read a vector of two-byte integers behind a two-byte length in bytes; `least` entries."""
        return Uint16s(self.vector16(least=2 * least))

    def more(self) -> bool:
        """Whether anything is left."""
        return self._position < self._end

    def rest(self) -> bytes:
        """All that is left."""
        return self.fixed(self._end - self._position)

    def finish(self) -> None:
        """Refuse bytes after the last field."""
        if self._position != self._end:
            raise DecodeError(f"{self._end - self._position} bytes after the last field")

    def _opaque(self, size: int, least: int, most: int) -> bytes:
        if not least <= size <= most:
            raise DecodeError(f"vector of {size} bytes, expected {least} to {most}")
        start, stop = self._position, self._position + size
        if stop > self._end:
            raise self._short(size)
        self._position = stop
        return self._data[start:stop]

    def _short(self, size: int) -> DecodeError:
        return DecodeError(f"field of {size} bytes, {self._end - self._position} left")


def vector8(body: bytes) -> bytes:
    """`body` behind a one-byte length."""
    return len(body).to_bytes(1, "big") + body


def vector16(body: bytes) -> bytes:
    """`body` behind a two-byte length."""
    return len(body).to_bytes(2, "big") + body


def vector24(body: bytes) -> bytes:
    """`body` behind a three-byte length."""
    return len(body).to_bytes(3, "big") + body


def uint16s(values: Iterable[int]) -> bytes:
    """Two-byte integers behind a two-byte length in bytes."""
    raw = array("H", values)
    if sys.byteorder == "little":
        raw.byteswap()
    return vector16(raw.tobytes())

"""Reading and writing the presentation language of TLS (RFC 5246, 4).

Every read is bounds-checked; the limits of a vector are arguments of its read, so they are checked
where the structure of the standard is spelled out.
"""

from __future__ import annotations

from typing import Final

from meterseal.errors import DecodeError


class Cursor:
    """A position in the bytes of one message; raises `DecodeError` and nothing else."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self._data: Final = data
        self._position = position
        self._end: Final = len(data) if end is None else end

    def fixed(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        start, stop = self._position, self._position + size
        if stop > self._end:
            raise DecodeError(f"field of {size} bytes, {self._end - start} left")
        self._position = stop
        return self._data[start:stop]

    def uint8(self) -> int:
        """One byte as an integer."""
        return self.fixed(1)[0]

    def uint16(self) -> int:
        """Two bytes as an integer."""
        return int.from_bytes(self.fixed(2), "big")

    def uint24(self) -> int:
        """Three bytes as an integer."""
        return int.from_bytes(self.fixed(3), "big")

    def uint32(self) -> int:
        """Four bytes as an integer."""
        return int.from_bytes(self.fixed(4), "big")

    def vector8(self, least: int = 0, most: int = 0xFF) -> bytes:
        """Opaque bytes behind a one-byte length within `least..most`."""
        return self._vector(self.uint8(), least, most)

    def vector16(self, least: int = 0, most: int = 0xFFFF) -> bytes:
        """Opaque bytes behind a two-byte length within `least..most`."""
        return self._vector(self.uint16(), least, most)

    def vector24(self, least: int = 0, most: int = 0xFFFFFF) -> bytes:
        """Opaque bytes behind a three-byte length within `least..most`."""
        return self._vector(self.uint24(), least, most)

    def uint16s(self, least: int = 1) -> tuple[int, ...]:
        """Read a vector of two-byte integers behind a two-byte length in bytes; `least` entries."""
        raw = self.vector16(least=2 * least)
        if len(raw) % 2:
            raise DecodeError(f"vector of two-byte values with the odd length {len(raw)}")
        return tuple(int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))

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

    def _vector(self, size: int, least: int, most: int) -> bytes:
        if not least <= size <= most:
            raise DecodeError(f"vector of {size} bytes, expected {least} to {most}")
        return self.fixed(size)


def vector8(body: bytes) -> bytes:
    """`body` behind a one-byte length."""
    return len(body).to_bytes(1, "big") + body


def vector16(body: bytes) -> bytes:
    """`body` behind a two-byte length."""
    return len(body).to_bytes(2, "big") + body


def vector24(body: bytes) -> bytes:
    """`body` behind a three-byte length."""
    return len(body).to_bytes(3, "big") + body


def uint16s(values: tuple[int, ...]) -> bytes:
    """Two-byte integers behind a two-byte length in bytes."""
    return vector16(b"".join(value.to_bytes(2, "big") for value in values))

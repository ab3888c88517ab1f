"""Cutting a byte stream into records, with every limit (RFC 5246, 6.2).

Knows content types, lengths and versions; nothing of messages and nothing of keys.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from meterseal.errors import RecordOverflow, UnexpectedMessage, UnsupportedVersion
from meterseal.transport.codepoints import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HEADER_LENGTH,
    MAX_FRAGMENT,
    MAX_PROTECTED_FRAGMENT,
    TLCP,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_MAJOR_TLS: Final = 3
_TYPES: Final = range(CHANGE_CIPHER_SPEC, APPLICATION_DATA + 1)
_HEADER: Final = Struct(">BHH").unpack_from  # content type, version, length


def _is_known(version: int) -> bool:
    return version >> 8 == _MAJOR_TLS or version == TLCP


class RecordInbox:
    """Bytes from the peer until they are whole records.

    `version` is the only record version accepted once a version is agreed; before that any 3.x
    and TLCP's 1.1 are.
    `is_protected` raises the length limit to `max_protected`.
    """

    __slots__ = ("_buffer", "_offset", "is_protected", "max_protected", "version")

    def __init__(self) -> None:
        self._buffer = b""
        self._offset = 0
        self.version: int | None = None
        self.is_protected = False
        self.max_protected = MAX_PROTECTED_FRAGMENT

    def feed(self, data: bytes) -> None:
        """Append what arrived."""
        rest = self._buffer[self._offset :]
        self._buffer = rest + data if rest else bytes(data)
        self._offset = 0

    def next_record(self) -> bytes | None:
        """Return the next whole record with its header, or `None`."""
        buffer, start = self._buffer, self._offset
        if len(buffer) - start < HEADER_LENGTH:
            self._forget_taken()
            return None
        content_type, version, length = _HEADER(buffer, start)
        if version != self.version or length > MAX_FRAGMENT or content_type not in _TYPES:
            self._check_header(content_type, version, length)
        end = start + HEADER_LENGTH + length
        if len(buffer) < end:
            self._forget_taken()
            return None
        self._offset = end
        return buffer[start:end]

    def take_run(self, open_run: Callable[[bytes, int], tuple[bytes, int]]) -> bytes:
        """Return what `open_run` makes of the records that come next; it says how many they are."""
        content, self._offset = open_run(self._buffer, self._offset)
        return content

    def take_rest(self) -> bytes:
        """Return and forget what is left, whether records or not."""
        rest = self._buffer[self._offset :]
        self._buffer = b""
        self._offset = 0
        return rest

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left, not even the start of a record."""
        return self._offset == len(self._buffer)

    def _forget_taken(self) -> None:
        """While we wait, nothing is held but the start of the next record."""
        if not self._offset:
            return
        self._buffer = self._buffer[self._offset :]
        self._offset = 0

    def _check_header(self, content_type: int, version: int, length: int) -> None:
        if content_type not in _TYPES:
            raise UnexpectedMessage(f"this is no TLS record: content type {content_type}")
        if version != self.version and (self.version is not None or not _is_known(version)):
            raise UnsupportedVersion(f"record of version {version:#06x}")
        limit = self.max_protected if self.is_protected else MAX_FRAGMENT
        if length > limit:
            raise RecordOverflow(f"record of {length} bytes, expected at most {limit}")

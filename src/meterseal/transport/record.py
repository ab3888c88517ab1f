"""Cutting a byte stream into records, with every limit (RFC 5246, 6.2).

Knows content types, lengths and versions; nothing of messages and nothing of keys.
"""

from __future__ import annotations

from typing import Final

from meterseal.errors import RecordOverflow, UnexpectedMessage, UnsupportedVersion
from meterseal.transport.codepoints import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HEADER_LENGTH,
    MAX_FRAGMENT,
    MAX_PROTECTED_FRAGMENT,
    TLCP,
)

_MAJOR_TLS: Final = 3


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
        self._buffer = bytearray()
        self._offset = 0
        self.version: int | None = None
        self.is_protected = False
        self.max_protected = MAX_PROTECTED_FRAGMENT

    def feed(self, data: bytes) -> None:
        """Append what arrived."""
        if self._offset:
            del self._buffer[: self._offset]
            self._offset = 0
        self._buffer += data

    def next_record(self) -> bytes | None:
        """Return the next whole record with its header, or `None`."""
        buffer, start = self._buffer, self._offset
        if len(buffer) - start < HEADER_LENGTH:
            return None
        length = buffer[start + 3] << 8 | buffer[start + 4]
        self._check_header(buffer[start], buffer[start + 1] << 8 | buffer[start + 2], length)
        end = start + HEADER_LENGTH + length
        if len(buffer) < end:
            return None
        with memoryview(buffer) as view:
            record = bytes(view[start:end])
        self._offset = end
        if end == len(buffer):
            self._forget()
        return record

    def take_rest(self) -> bytes:
        """Return and forget what is left, whether records or not."""
        rest = bytes(self._buffer[self._offset :])
        self._forget()
        return rest

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left, not even the start of a record."""
        return self._offset == len(self._buffer)

    def _forget(self) -> None:
        self._buffer.clear()
        self._offset = 0

    def _check_header(self, content_type: int, version: int, length: int) -> None:
        if not CHANGE_CIPHER_SPEC <= content_type <= APPLICATION_DATA:
            raise UnexpectedMessage(f"this is no TLS record: content type {content_type}")
        if version != self.version and (self.version is not None or not _is_known(version)):
            raise UnsupportedVersion(f"record of version {version:#06x}")
        limit = self.max_protected if self.is_protected else MAX_FRAGMENT
        if length > limit:
            raise RecordOverflow(f"record of {length} bytes, expected at most {limit}")

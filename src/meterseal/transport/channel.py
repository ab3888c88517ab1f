"""The records of one session in both directions: cut and opened, sealed and queued.

Knows keys, headers and the rules of each version about both; nothing of messages.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from meterseal.errors import (
    BadRecord,
    InternalError,
    InvalidTag,
    PeerError,
    RecordOverflow,
    UnexpectedMessage,
    UsageError,
)
from meterseal.transport.codepoints import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HEADER_LENGTH,
    MAX_FRAGMENT,
    MAX_TLS13_FRAGMENT,
    TLS12,
    TLS13,
)
from meterseal.transport.record import RecordInbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Opener, Sealer, Tls13Opener, Tls13Sealer

    _OpenRun = Callable[[bytes, int], tuple[bytes, int]]

_ALERT_LENGTH: Final = 2
_HEADER: Final = Struct(">BHH").pack  # content type, version, length


class Channel:
    """Records in, records out."""

    def __init__(self, first_version: int) -> None:
        self.is_tls13 = False
        self._inbox = RecordInbox()
        self._outbox: list[bytes] = []
        self._version = first_version
        self._sealer: Sealer | None = None
        self._opener: Opener | None = None
        self._tls13_sealer: Tls13Sealer | None = None
        self._tls13_opener: Tls13Opener | None = None
        self._open_run: _OpenRun | None = None
        self._has_opened = False
        self._expects_data = False

    def agree_version(self, version: int) -> None:
        """Take the record rules of `version`, in both directions.

        TLS 1.3 writes 0303 into every header and reads over it (RFC 8446, 5.1).
        """
        self.is_tls13 = version == TLS13
        self._version = TLS12 if self.is_tls13 else version
        self._inbox.version = None if self.is_tls13 else version
        if self.is_tls13:
            self._inbox.max_protected = MAX_TLS13_FRAGMENT

    # --- writing -------------------------------------------------------------------------

    def write(self, content_type: int, data: bytes) -> None:
        """Queue data of one type, protected if there are keys."""
        if self._sealer is not None:
            self._outbox.append(self._sealer.seal(content_type, data))
            return
        for start in range(0, len(data), MAX_FRAGMENT):
            fragment = data[start : start + MAX_FRAGMENT]
            self._outbox.append(_HEADER(content_type, self._version, len(fragment)) + fragment)

    def seal_with(self, sealer: Sealer) -> None:
        """Protect everything written from now on."""
        self._sealer = sealer

    def seal_with_tls13(self, sealer: Tls13Sealer) -> None:
        """Protect everything written from now on, with keys that can be followed by others."""
        self._sealer = self._tls13_sealer = sealer

    def update_sealer(self) -> None:
        """Go to the next write keys (RFC 8446, 4.6.3)."""
        if self._tls13_sealer is None:
            raise UsageError("only a session of TLS 1.3 changes its keys")
        self._tls13_sealer.update()

    @property
    def is_sealer_worn(self) -> bool:
        """Whether it is time for new write keys."""
        return self._tls13_sealer is not None and self._tls13_sealer.is_worn

    def take_output(self) -> bytes:
        """Return and forget the bytes to be sent."""
        output = b"".join(self._outbox)
        self._outbox.clear()
        return output

    @property
    def has_output(self) -> bool:
        """Whether there are bytes to be sent."""
        return bool(self._outbox)

    # --- reading -------------------------------------------------------------------------

    def open_with(self, opener: Opener) -> None:
        """Demand protection of everything read from now on."""
        self._opener = opener
        self._open_runs_with(opener)

    def open_with_tls13(self, opener: Tls13Opener) -> None:
        """Demand protection of everything read from now on but what RFC 8446, 5 lets pass."""
        self._tls13_opener = opener
        self._open_runs_with(opener)

    def _open_runs_with(self, opener: Opener | Tls13Opener) -> None:
        self._inbox.is_protected = True
        self._open_run = getattr(opener, "open_run", None)

    def expect_data(self) -> None:
        """Look for application data first from now on: records of it are opened many at a time."""
        self._expects_data = True

    def update_opener(self) -> None:
        """Go to the next read keys (RFC 8446, 4.6.3)."""
        if self._tls13_opener is None:
            raise InternalError("only a session of TLS 1.3 changes its keys")
        self._tls13_opener.update()

    def feed(self, data: bytes) -> None:
        """Append what arrived."""
        self._inbox.feed(data)

    def take_rest(self) -> bytes:
        """Return and forget what arrived and is no record yet."""
        return self._inbox.take_rest()

    def next(self) -> tuple[int, bytes] | None:
        """Return content type and content of the next record or run of records, or `None`."""
        if self._expects_data and self._open_run is not None:
            data = self._inbox.take_run(self._open_run)
            if data:
                self._has_opened = True
                return APPLICATION_DATA, data
        record = self._inbox.next_record()
        if record is None:
            return None
        if self._tls13_opener is not None:
            return self._open_tls13(record, self._tls13_opener)
        if self._opener is None:
            return record[0], record[HEADER_LENGTH:]
        try:
            return record[0], self._opener.open(record)
        except (InvalidTag, UsageError) as error:
            raise _answer(error) from None

    def _open_tls13(self, record: bytes, opener: Tls13Opener) -> tuple[int, bytes]:
        if record[0] == CHANGE_CIPHER_SPEC or self._is_early_alert(record):
            return record[0], record[HEADER_LENGTH:]
        if record[0] != APPLICATION_DATA:
            raise UnexpectedMessage(f"an unprotected record of type {record[0]}")
        try:
            content_type, content = opener.open(record)
        except (InvalidTag, UsageError) as error:
            raise _answer(error) from None
        self._has_opened = True
        if not ALERT <= content_type <= APPLICATION_DATA:
            raise UnexpectedMessage(f"a protected record of type {content_type}")
        return content_type, content

    def _is_early_alert(self, record: bytes) -> bool:
        """A client that cannot go on with our ServerHello has no keys to say so."""
        is_alert = record[0] == ALERT and len(record) == HEADER_LENGTH + _ALERT_LENGTH
        return is_alert and not self._has_opened


def _answer(error: InvalidTag | UsageError) -> PeerError:
    """What the peer did, for what an opener raised."""
    if isinstance(error, InvalidTag):
        return BadRecord("a record does not open")
    return RecordOverflow(str(error))

"""ChangeCipherSpec, NewSessionTicket and Finished (RFC 5246, 7.1 and 7.4.9; RFC 5077, 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from meterseal.errors import DecodeError
from meterseal.transport.codepoints import HandshakeType
from meterseal.transport.wire import vector16

if TYPE_CHECKING:
    from meterseal.transport.wire import Cursor

VERIFY_DATA_LENGTH: Final = 12


# struct { enum { change_cipher_spec(1) } type; } ChangeCipherSpec;
@dataclass(slots=True)
class ChangeCipherSpec:
    """Keys change with the next record. A content type of its own, awaited like a message."""

    TYPE: ClassVar[int] = -1  # no handshake type: the driver makes it from its content type

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the single byte 1."""
        if body.uint8() != 1:
            raise DecodeError("ChangeCipherSpec holds something other than 1")
        return cls()

    def encode(self) -> bytes:
        """Write the single byte 1."""
        return b"\x01"


# struct { uint32 ticket_lifetime_hint; opaque ticket<0..2^16-1>; } NewSessionTicket;
@dataclass(slots=True)
class NewSessionTicket:
    """The session's state, sealed by the server for itself (RFC 5077, 3.3)."""

    TYPE: ClassVar[int] = HandshakeType.NEW_SESSION_TICKET
    ticket_lifetime_hint: int
    ticket: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(ticket_lifetime_hint=body.uint32(), ticket=body.vector16())

    def encode(self) -> bytes:
        """Write the body of the message."""
        return self.ticket_lifetime_hint.to_bytes(4, "big") + vector16(self.ticket)


# struct { opaque verify_data[12]; } Finished;
@dataclass(slots=True)
class Finished:
    """Proof of the whole handshake under the new keys (RFC 5246, 7.4.9)."""

    TYPE: ClassVar[int] = HandshakeType.FINISHED
    verify_data: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the twelve bytes."""
        return cls(verify_data=body.fixed(VERIFY_DATA_LENGTH))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return self.verify_data

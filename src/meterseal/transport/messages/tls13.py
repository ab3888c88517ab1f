"""The messages that TLS 1.3 has alone or in another form (RFC 8446, 4.3 to 4.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from meterseal.errors import DecodeError, IllegalParameter
from meterseal.transport.codepoints import HandshakeType
from meterseal.transport.extensions import Extensions, decode_block, encode_block
from meterseal.transport.wire import Cursor, vector8, vector16, vector24

if TYPE_CHECKING:
    from collections.abc import Iterable

_HASH_LENGTHS: Final = (32, 48)
_MAX_CERTIFICATES: Final = 16
_MAX_ENTRY_EXTENSIONS: Final = 8


# struct { Extension extensions<0..2^16-1>; } EncryptedExtensions;
@dataclass(slots=True)
class EncryptedExtensions:
    """The server's answers that need no secrecy from the client but from the world (4.3.1)."""

    TYPE: ClassVar[int] = HandshakeType.ENCRYPTED_EXTENSIONS
    extensions: Extensions = field(default_factory=dict)

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the block."""
        return cls(extensions=decode_block(body))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return encode_block(self.extensions)


# struct {
#     opaque certificate_request_context<0..2^8-1>;
#     Extension extensions<2..2^16-1>;
# } CertificateRequest;
@dataclass(slots=True)
class Tls13CertificateRequest:
    """The server wants to know the client (4.3.2)."""

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE_REQUEST
    context: bytes
    extensions: Extensions

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(context=body.vector8(), extensions=decode_block(body))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return vector8(self.context) + encode_block(self.extensions)


# struct {
#     opaque cert_data<1..2^24-1>;
#     Extension extensions<0..2^16-1>;
# } CertificateEntry;
@dataclass(frozen=True, slots=True)
class CertificateEntry:
    """One certificate in DER and what the sender adds to it."""

    certificate: bytes
    extensions: Extensions = field(default_factory=dict)


# struct {
#     opaque certificate_request_context<0..2^8-1>;
#     CertificateEntry certificate_list<0..2^24-1>;
# } Certificate;
@dataclass(slots=True)
class Tls13Certificate:
    """A chain, the sender's own certificate first (4.4.2)."""

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE
    context: bytes
    certificate_list: tuple[CertificateEntry, ...]

    @classmethod
    def of(cls, chain: Iterable[bytes], about_first: Extensions | None = None) -> Self:
        """Show a chain of certificates in DER, in answer to a handshake's empty context."""
        first, *others = chain
        entries = (CertificateEntry(certificate) for certificate in others)
        return cls(b"", (CertificateEntry(first, about_first or {}), *entries))

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the list; more than 16 certificates are refused."""
        context, entries = body.vector8(), Cursor(body.vector24())
        certificate_list: list[CertificateEntry] = []
        while entries.more():
            if len(certificate_list) == _MAX_CERTIFICATES:
                raise DecodeError(f"more than {_MAX_CERTIFICATES} certificates")
            certificate_list.append(
                CertificateEntry(
                    entries.vector24(least=1), decode_block(entries, _MAX_ENTRY_EXTENSIONS)
                )
            )
        return cls(context, tuple(certificate_list))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return vector8(self.context) + vector24(
            b"".join(
                vector24(entry.certificate) + encode_block(entry.extensions)
                for entry in self.certificate_list
            )
        )

    def chain(self) -> tuple[bytes, ...]:
        """The certificates in DER."""
        return tuple(entry.certificate for entry in self.certificate_list)


# struct { opaque verify_data[Hash.length]; } Finished;
@dataclass(slots=True)
class Tls13Finished:
    """Proof of the whole handshake (4.4.4)."""

    TYPE: ClassVar[int] = HandshakeType.FINISHED
    verify_data: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read 32 bytes, or 48; which of both it must be, the hash decides."""
        verify_data = body.rest()
        if len(verify_data) not in _HASH_LENGTHS:
            raise DecodeError(f"a Finished of {len(verify_data)} bytes")
        return cls(verify_data)

    def encode(self) -> bytes:
        """Write the body of the message."""
        return self.verify_data


# struct {
#     uint32 ticket_lifetime;
#     uint32 ticket_age_add;
#     opaque ticket_nonce<0..255>;
#     opaque ticket<1..2^16-1>;
#     Extension extensions<0..2^16-2>;
# } NewSessionTicket;
@dataclass(slots=True)
class Tls13NewSessionTicket:
    """What a later handshake can begin with (4.6.1). `ticket_lifetime` is in seconds."""

    TYPE: ClassVar[int] = HandshakeType.NEW_SESSION_TICKET
    ticket_lifetime: int
    ticket_age_add: int
    ticket_nonce: bytes
    ticket: bytes
    extensions: Extensions = field(default_factory=dict)

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(
            ticket_lifetime=body.uint32(),
            ticket_age_add=body.uint32(),
            ticket_nonce=body.vector8(),
            ticket=body.vector16(least=1),
            extensions=decode_block(body),
        )

    def encode(self) -> bytes:
        """Write the body of the message."""
        return (
            self.ticket_lifetime.to_bytes(4, "big")
            + self.ticket_age_add.to_bytes(4, "big")
            + vector8(self.ticket_nonce)
            + vector16(self.ticket)
            + encode_block(self.extensions)
        )


# struct { KeyUpdateRequest request_update; } KeyUpdate;
@dataclass(slots=True)
class KeyUpdate:
    """The sender's keys change with the next record (4.6.3)."""

    TYPE: ClassVar[int] = HandshakeType.KEY_UPDATE
    update_requested: bool

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read 0 or 1."""
        request = body.uint8()
        if request > 1:
            raise IllegalParameter(f"a KeyUpdate that asks for {request}")
        return cls(update_requested=bool(request))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return bytes((self.update_requested,))

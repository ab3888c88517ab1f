"""The messages that TLCP writes differently (GB/T 38636-2020, 6.4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from meterseal.errors import DecodeError, IllegalParameter
from meterseal.transport.codepoints import NAMED_CURVE, HandshakeType
from meterseal.transport.messages.certificate import decode_authorities
from meterseal.transport.messages.key_exchange import ecdh_parameters
from meterseal.transport.wire import Cursor, vector8, vector16

_POINT_LENGTH: Final = 65
_SEQUENCE: Final = b"\x30"
_BARE_LENGTH: Final = 4 + _POINT_LENGTH


# digitally-signed struct {
#     opaque client_random[32]; opaque server_random[32];
#     opaque ASN.1Cert<1..2^24-1>;                        the encryption certificate
# } signed_params;
@dataclass(slots=True)
class EccServerKeyExchange:
    """The server's signature over its encryption certificate (GB/T 38636-2020, 6.4.5.4)."""

    TYPE: ClassVar[int] = HandshakeType.SERVER_KEY_EXCHANGE
    signature: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the signature."""
        return cls(signature=body.vector16(least=1))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return vector16(self.signature)


# ServerECDHEParams params;
# digitally-signed struct { client_random; server_random; params; } signed_params;
@dataclass(slots=True)
class EcdheServerKeyExchange:
    """The server's ephemeral point, signed (GB/T 38636-2020, 6.4.5.4).

    The standard has the receiver ignore the curve's number for SM2; stacks write 41, 0 or 249.
    """

    TYPE: ClassVar[int] = HandshakeType.SERVER_KEY_EXCHANGE
    group: int
    public: bytes
    signature: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(*_read_parameters(body), signature=body.vector16(least=1))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return ecdh_parameters(self.group, self.public) + vector16(self.signature)


# opaque ECCEncryptedPreMasterSecret<0..2^16-1>;
@dataclass(slots=True)
class EccClientKeyExchange:
    """The premaster secret under the server's encryption key (GB/T 38636-2020, 6.4.5.8)."""

    TYPE: ClassVar[int] = HandshakeType.CLIENT_KEY_EXCHANGE
    encrypted_pre_master_secret: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the ciphertext; whether it decrypts is not this message's business."""
        return cls(encrypted_pre_master_secret=body.vector16(least=1))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return vector16(self.encrypted_pre_master_secret)


# opaque ClientECDHEParams<1..2^16-1>;
@dataclass(slots=True)
class EcdheClientKeyExchange:
    """The client's ephemeral point (GB/T 38636-2020, 6.4.5.8).

    The standard puts a two-byte length first; many stacks leave it out. Both are read, by the
    total length, which leaves no room for doubt: 71 bytes with the prefix, 69 without.
    """

    TYPE: ClassVar[int] = HandshakeType.CLIENT_KEY_EXCHANGE
    group: int
    public: bytes
    has_prefix: bool

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the point, with or without the length before it."""
        raw = body.rest()
        has_prefix = len(raw) == 2 + _BARE_LENGTH
        outer = Cursor(raw)
        inner = Cursor(outer.vector16()) if has_prefix else outer
        group, public = _read_parameters(inner)
        inner.finish()
        outer.finish()
        return cls(group, public, has_prefix)

    def encode(self) -> bytes:
        """Write the body of the message."""
        bare = ecdh_parameters(self.group, self.public)
        return vector16(bare) if self.has_prefix else bare


# struct {
#     ClientCertificateType certificate_types<1..2^8-1>;
#     DistinguishedName certificate_authorities<0..2^16-1>;
# } CertificateRequest;
@dataclass(slots=True)
class TlcpCertificateRequest:
    """The server wants to know the client (GB/T 38636-2020, 6.4.5.5): no signature schemes."""

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE_REQUEST
    certificate_types: bytes
    certificate_authorities: tuple[bytes, ...] = ()

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(
            certificate_types=body.vector8(least=1),
            certificate_authorities=decode_authorities(Cursor(body.vector16())),
        )

    def encode(self) -> bytes:
        """Write the body of the message."""
        names = b"".join(vector16(name) for name in self.certificate_authorities)
        return vector8(self.certificate_types) + vector16(names)


# digitally-signed struct { opaque handshake_hash[32]; } signature;
@dataclass(slots=True)
class TlcpCertificateVerify:
    """Proof that the client holds its signing key (GB/T 38636-2020, 6.4.5.9).

    Early GmSSL 3 wrote no length before the signature. Both are read, by the first byte: that of a
    length is 0, that of a signature in DER is not.
    """

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE_VERIFY
    signature: bytes
    has_length: bool = True

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the signature, with or without the length before it."""
        raw = body.rest()
        if raw[:1] == _SEQUENCE:
            inner = Cursor(raw, 1)
            inner.vector8(most=0x7F)  # a signature in DER is never longer
            inner.finish()
            return cls(raw, has_length=False)
        outer = Cursor(raw)
        signature = outer.vector16(least=1)
        outer.finish()
        return cls(signature)

    def encode(self) -> bytes:
        """Write the body of the message."""
        return vector16(self.signature) if self.has_length else self.signature


def _read_parameters(body: Cursor) -> tuple[int, bytes]:
    curve_type = body.uint8()
    if curve_type != NAMED_CURVE:
        raise IllegalParameter(f"expected a named curve (3), received curve type {curve_type}")
    group, public = body.uint16(), body.vector8()
    if len(public) != _POINT_LENGTH:
        raise DecodeError(f"expected a point of {_POINT_LENGTH} bytes, received {len(public)}")
    return group, public

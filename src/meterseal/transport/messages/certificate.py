"""Certificate, its status, request and proof (RFC 5246, 7.4.2, 7.4.4, 7.4.8; RFC 6066, 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from meterseal.errors import DecodeError, IllegalParameter
from meterseal.transport.codepoints import STATUS_OCSP, HandshakeType
from meterseal.transport.wire import Cursor, uint16s, vector8, vector16, vector24

if TYPE_CHECKING:
    from collections.abc import Collection

_MAX_CERTIFICATES: Final = 16
_MAX_AUTHORITIES: Final = 1024


# opaque ASN.1Cert<1..2^24-1>;
# struct { ASN.1Cert certificate_list<0..2^24-1>; } Certificate;
@dataclass(slots=True)
class Certificate:
    """A chain in DER, the sender's own certificate first (RFC 5246, 7.4.2)."""

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE
    certificate_list: tuple[bytes, ...]

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the list; more than 16 certificates are refused."""
        entries = Cursor(body.vector24())
        certificate_list: list[bytes] = []
        while entries.more():
            if len(certificate_list) == _MAX_CERTIFICATES:
                raise DecodeError(f"more than {_MAX_CERTIFICATES} certificates")
            certificate_list.append(entries.vector24(least=1))
        return cls(tuple(certificate_list))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return vector24(b"".join(vector24(entry) for entry in self.certificate_list))


# struct {
#     CertificateStatusType status_type;
#     opaque OCSPResponse<1..2^24-1>;
# } CertificateStatus;
@dataclass(slots=True)
class CertificateStatus:
    """What a responder says about the server's certificate, opaque to us (RFC 6066, 8).

    A message of TLS 1.2; under TLS 1.3 an extension of the certificate (RFC 8446, 4.4.2.1).
    """

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE_STATUS
    ocsp_response: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the only kind of status that we ask for."""
        status_type = body.uint8()
        if status_type != STATUS_OCSP:
            raise IllegalParameter(f"a certificate status of type {status_type}, not asked for")
        return cls(ocsp_response=body.vector24(least=1))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return bytes((STATUS_OCSP,)) + vector24(self.ocsp_response)


# struct {
#     ClientCertificateType certificate_types<1..2^8-1>;
#     SignatureAndHashAlgorithm supported_signature_algorithms<2..2^16-2>;
#     DistinguishedName certificate_authorities<0..2^16-1>;
# } CertificateRequest;
@dataclass(slots=True)
class CertificateRequest:
    """The server wants to know the client (RFC 5246, 7.4.4)."""

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE_REQUEST
    certificate_types: bytes
    supported_signature_algorithms: Collection[int]
    certificate_authorities: tuple[bytes, ...] = ()

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(
            certificate_types=body.vector8(least=1),
            supported_signature_algorithms=body.uint16s(),
            certificate_authorities=decode_authorities(Cursor(body.vector16())),
        )

    def encode(self) -> bytes:
        """Write the body of the message."""
        return (
            vector8(self.certificate_types)
            + uint16s(self.supported_signature_algorithms)
            + vector16(b"".join(vector16(name) for name in self.certificate_authorities))
        )


def decode_authorities(names: Cursor) -> tuple[bytes, ...]:
    """Read the names of a CertificateRequest; more than 1024 are refused."""
    authorities: list[bytes] = []
    while names.more():
        if len(authorities) == _MAX_AUTHORITIES:
            raise DecodeError(f"more than {_MAX_AUTHORITIES} certificate authorities")
        authorities.append(names.vector16(least=1))
    return tuple(authorities)


# struct {
#     SignatureAndHashAlgorithm algorithm;
#     opaque signature<0..2^16-1>;
# } DigitallySigned;
@dataclass(slots=True)
class CertificateVerify:
    """Proof that the client holds the key of its certificate (RFC 5246, 7.4.8)."""

    TYPE: ClassVar[int] = HandshakeType.CERTIFICATE_VERIFY
    algorithm: int
    signature: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(algorithm=body.uint16(), signature=body.vector16(least=1))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return self.algorithm.to_bytes(2, "big") + vector16(self.signature)

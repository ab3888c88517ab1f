"""The handshake messages of TLS 1.2 and TLCP, one codec each."""

from typing import ClassVar, Protocol, Self

from meterseal.transport.messages.certificate import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
)
from meterseal.transport.messages.finished import ChangeCipherSpec, Finished, NewSessionTicket
from meterseal.transport.messages.hello import ClientHello, HelloRequest, ServerHello
from meterseal.transport.messages.key_exchange import (
    ClientKeyExchange,
    ServerHelloDone,
    ServerKeyExchange,
    ecdh_parameters,
)
from meterseal.transport.messages.tlcp import (
    EccClientKeyExchange,
    EccServerKeyExchange,
    EcdheClientKeyExchange,
    EcdheServerKeyExchange,
    TlcpCertificateRequest,
    TlcpCertificateVerify,
)
from meterseal.transport.wire import Cursor

__all__ = [
    "Certificate",
    "CertificateRequest",
    "CertificateVerify",
    "ChangeCipherSpec",
    "ClientHello",
    "ClientKeyExchange",
    "EccClientKeyExchange",
    "EccServerKeyExchange",
    "EcdheClientKeyExchange",
    "EcdheServerKeyExchange",
    "Finished",
    "HelloRequest",
    "Message",
    "NewSessionTicket",
    "ServerHello",
    "ServerHelloDone",
    "ServerKeyExchange",
    "TlcpCertificateRequest",
    "TlcpCertificateVerify",
    "ecdh_parameters",
]


class Message(Protocol):
    """A handshake message: its type, how to read it, how to write it."""

    TYPE: ClassVar[int]

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the body; the caller checks that nothing is left."""
        ...

    def encode(self) -> bytes:
        """Write the body, without the four-byte header."""
        ...

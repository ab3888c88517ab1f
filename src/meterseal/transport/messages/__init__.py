"""The handshake messages of TLCP, TLS 1.2 and TLS 1.3, one codec each."""

from typing import ClassVar, Protocol, Self

from meterseal.transport.messages.certificate import (
    Certificate,
    CertificateRequest,
    CertificateStatus,
    CertificateVerify,
)
from meterseal.transport.messages.finished import ChangeCipherSpec, Finished, NewSessionTicket
from meterseal.transport.messages.hello import (
    RETRY_RANDOM,
    ClientHello,
    HelloRequest,
    ServerHello,
)
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
from meterseal.transport.messages.tls13 import (
    CertificateEntry,
    EncryptedExtensions,
    KeyUpdate,
    Tls13Certificate,
    Tls13CertificateRequest,
    Tls13Finished,
    Tls13NewSessionTicket,
)
from meterseal.transport.wire import Cursor

__all__ = [
    "RETRY_RANDOM",
    "Certificate",
    "CertificateEntry",
    "CertificateRequest",
    "CertificateStatus",
    "CertificateVerify",
    "ChangeCipherSpec",
    "ClientHello",
    "ClientKeyExchange",
    "EccClientKeyExchange",
    "EccServerKeyExchange",
    "EcdheClientKeyExchange",
    "EcdheServerKeyExchange",
    "EncryptedExtensions",
    "Finished",
    "HelloRequest",
    "KeyUpdate",
    "Message",
    "NewSessionTicket",
    "ServerHello",
    "ServerHelloDone",
    "ServerKeyExchange",
    "TlcpCertificateRequest",
    "TlcpCertificateVerify",
    "Tls13Certificate",
    "Tls13CertificateRequest",
    "Tls13Finished",
    "Tls13NewSessionTicket",
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

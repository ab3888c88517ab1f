"""Sans-IO secure transport: bytes in, bytes out."""

from meterseal.transport.config import (
    TLCP_SUITES,
    TLS12_CBC_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    CertificateVerifyForm,
    ClientAuthentication,
    ClientConfig,
    Compatibility,
    Credential,
    EncryptionCredential,
    Limits,
    ServerConfig,
)
from meterseal.transport.connection import Connection
from meterseal.transport.events import (
    Event,
    HandshakeCompleted,
    PeerClosed,
    SessionReceived,
    WarningReceived,
)
from meterseal.transport.session import Session, SessionCache, TicketKeys
from meterseal.transport.suites import SUITES, CipherSuite

__all__ = [
    "SUITES",
    "TLCP_SUITES",
    "TLS12_CBC_SUITES",
    "TLS12_SUITES",
    "TLS13_SUITES",
    "CertificateVerifyForm",
    "CipherSuite",
    "ClientAuthentication",
    "ClientConfig",
    "Compatibility",
    "Connection",
    "Credential",
    "EncryptionCredential",
    "Event",
    "HandshakeCompleted",
    "Limits",
    "PeerClosed",
    "ServerConfig",
    "Session",
    "SessionCache",
    "SessionReceived",
    "TicketKeys",
    "WarningReceived",
]

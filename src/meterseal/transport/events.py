"""What a connection tells its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from meterseal.transport.session import Session
    from meterseal.transport.suites import CipherSuite
    from meterseal.x509 import VerifiedChain


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """The session is established: with which suite, whom, and how.

    `peer` is the verified chain, or `None` for a client that was not asked to show one;
    `peer_encryption` is that of a TLCP peer's encryption certificate.
    `session` can be offered on the next connection, or is `None` if it cannot be resumed; under
    TLS 1.3 it comes later, as `SessionReceived`. `group` is the one of a TLS 1.3 key share.
    `ocsp_response` is what the server handed over with its certificate in a full handshake: opaque,
    in DER, and not looked at.
    """

    suite: CipherSuite
    peer: VerifiedChain | None
    peer_encryption: VerifiedChain | None
    server_name: str | None
    resumed: bool
    extended_master_secret: bool
    session: Session | None
    application_protocol: str | None = None
    group: int | None = None
    ocsp_response: bytes | None = None


@dataclass(frozen=True, slots=True)
class SessionReceived:
    """A server of TLS 1.3 gave a ticket: `session` can be offered on a later connection."""

    session: Session


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer said close_notify: nothing more will come, and nothing is missing."""


@dataclass(frozen=True, slots=True)
class WarningReceived:
    """The peer sent a warning alert other than close_notify."""

    code: int


Event = HandshakeCompleted | PeerClosed | SessionReceived | WarningReceived

SENT: Final = "sent"
RECEIVED: Final = "received"

# Sees what goes over a session: SENT or RECEIVED, the content type, and a whole handshake message
# with its header, an alert, or a ChangeCipherSpec, in the clear. Application data is not shown.
Observer = Callable[[str, int, bytes], None]

"""A server's tickets: giving them away, and taking them back (RFC 8446, 4.2.11 and 4.6.1)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import CertificateRejected, HandshakeProofFailed
from meterseal.transport import identity
from meterseal.transport.codepoints import TLS13
from meterseal.transport.config import ClientAuthentication
from meterseal.transport.messages import Tls13NewSessionTicket
from meterseal.transport.session import Tls13Session

if TYPE_CHECKING:
    from meterseal.crypto.provider import Hash, Resumption
    from meterseal.transport.config import ServerConfig
    from meterseal.transport.driver import Driver
    from meterseal.transport.identity import Peer
    from meterseal.transport.tls13.choice import Choice

_NONCE: Final = b"\0"  # one ticket for each handshake
_HANDLE_LENGTH: Final = 32
_MAX_LIFETIME: Final = 7 * 24 * 3600
_MOST_TRIED: Final = 4


@dataclass(frozen=True, slots=True)
class Resumed:
    """Token: the session that the client proved to share, and who it was."""

    session: Tls13Session
    index: int
    peer: Peer | None


def find_session(
    driver: Driver, choice: Choice, config: ServerConfig, before: Hash | None
) -> Resumed | None:
    """Return the first offered session that may be resumed; its binder must be right.

    Anything doubtful about a ticket means a full handshake; a wrong binder ends it. `before` is the
    running hash before the hello, `None` if this is the first.
    """
    if choice.psks is None:
        return None
    for index, (identifier, _age) in enumerate(choice.psks.identities[:_MOST_TRIED]):
        session = _open(identifier, config)
        if session is None or not _fits(session, choice, config):
            continue
        peer = _verify_again(session, config)
        if peer is None and session.peer_chain:
            continue
        running = before or config.provider.new_hash(choice.suite.hash_name)
        running.update(driver.transcript.last[: -choice.psks.binders_length])
        schedule = config.provider.key_schedule(choice.suite.protection, session.psk)
        binder = schedule.binder(running.digest())
        if not hmac.compare_digest(binder, choice.psks.binders[index]):
            raise HandshakeProofFailed("the binder of the pre-shared key does not fit")
        return Resumed(session, index, peer)
    return None


def _open(identifier: bytes, config: ServerConfig) -> Tls13Session | None:
    session = None
    if config.ticket_keys is not None:
        session = config.ticket_keys.open(identifier)
    elif config.session_cache is not None:
        session = config.session_cache.find(identifier, config.provider.now().timestamp())
    return session if isinstance(session, Tls13Session) else None


def _fits(session: Tls13Session, choice: Choice, config: ServerConfig) -> bool:
    must_be_known = config.client_authentication is ClientAuthentication.REQUIRED
    return (
        config.algorithms.suites[session.suite].hash_name == choice.suite.hash_name
        and session.policy == config.policy_digest()
        and session.server_name == choice.server_name
        and (bool(session.peer_chain) or not must_be_known)
    )


def _verify_again(session: Tls13Session, config: ServerConfig) -> Peer | None:
    if not session.peer_chain:
        return None
    try:
        return identity.verify_client(session.peer_chain, config, TLS13)
    except CertificateRejected:
        return None


def send_ticket(
    driver: Driver,
    config: ServerConfig,
    choice: Choice,
    resumption: Resumption,
    peer: Peer | None,
) -> None:
    """Give the client a ticket: sealed, or a handle to what we keep."""
    if config.ticket_keys is None and config.session_cache is None:
        return
    lifetime = min(config.session_lifetime, _MAX_LIFETIME)
    handle = config.provider.random_bytes(_HANDLE_LENGTH) if config.ticket_keys is None else b""
    session = Tls13Session(
        suite=choice.suite.code,
        psk=resumption.psk(_NONCE),
        created=int(config.provider.now().timestamp()),
        lifetime=lifetime,
        policy=config.policy_digest(),
        server_name=choice.server_name,
        peer_chain=peer.entries() if peer else (),
        session_id=handle,
    )
    age_add = int.from_bytes(config.provider.random_bytes(4), "big")
    driver.send(Tls13NewSessionTicket(lifetime, age_add, _NONCE, _ticket(session, config)))


def _ticket(session: Tls13Session, config: ServerConfig) -> bytes:
    if config.ticket_keys is not None:
        return config.ticket_keys.seal(session)
    if config.session_cache is not None:
        config.session_cache.store(session)
    return session.session_id

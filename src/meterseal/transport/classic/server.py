"""The server's handshake, top to bottom (RFC 5246, 7.3; RFC 8422; RFC 5077).

The figure stands in `client.py`; this is its right-hand side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import CertificateRejected, DecodeError, Incompatible, RejectionReason
from meterseal.transport import ext, identity
from meterseal.transport.algorithms import find_signature
from meterseal.transport.classic import steps
from meterseal.transport.classic.exchange import Randoms, server_exchange
from meterseal.transport.classic.offer import (
    Choice,
    answer_extensions,
    check_client_hello,
)
from meterseal.transport.classic.profile import (
    PROFILES,
    accepted_forms,
    request_certificate,
    signed_content,
    start_transcript,
)
from meterseal.transport.codepoints import TLCP, TLS12, TLS13
from meterseal.transport.config import ClientAuthentication
from meterseal.transport.flow import receive
from meterseal.transport.hello import (
    DOWNGRADE_SENTINELS,
    RANDOM_LENGTH,
    choose_protocol,
    fresh_random,
    naming_answers,
    requested_server_name,
    status_to_send,
)
from meterseal.transport.messages import (
    Certificate,
    CertificateStatus,
    CertificateVerify,
    ClientHello,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
)
from meterseal.transport.session import ClassicSession

if TYPE_CHECKING:
    from meterseal.crypto.provider import MasterSecret
    from meterseal.transport.config import ServerConfig
    from meterseal.transport.driver import Driver
    from meterseal.transport.flow import Flow
    from meterseal.transport.identity import Peer
    from meterseal.transport.session import Session
    from meterseal.transport.suites import CipherSuite


@dataclass(frozen=True, slots=True)
class _Opening:
    """What the hellos settled."""

    hello: ClientHello
    server_name: str | None
    session_id: bytes
    randoms: Randoms
    choice: Choice


def shake_hands(driver: Driver, config: ServerConfig, hello: ClientHello) -> Flow[None]:
    """Shake hands after the client's hello."""
    suite = check_client_hello(hello, config)
    if suite.version == TLCP:
        hello = _without_extensions(hello)
    driver.agree_version(suite.version)
    start_transcript(driver.transcript, suite, config)
    session = _find_session(hello, suite, config)
    opening = _send_server_hello(driver, config, hello, suite, session)
    if session is None:
        yield from _full(driver, config, opening)
    else:
        yield from _resume(driver, config, opening, session)


def _without_extensions(hello: ClientHello) -> ClientHello:
    """Under TLCP nothing is answered, so nothing may count but the name that is asked for."""
    name = hello.extensions.get(ext.SERVER_NAME)
    kept = {} if name is None else {int(ext.SERVER_NAME): name}
    return replace(hello, extensions=kept)


def _send_server_hello(
    driver: Driver,
    config: ServerConfig,
    hello: ClientHello,
    suite: CipherSuite,
    session: ClassicSession | None,
) -> _Opening:
    with_ticket = config.ticket_keys is not None and ext.SESSION_TICKET in hello.extensions
    if session is not None:
        session_id = hello.session_id
    elif config.session_cache is not None and not with_ticket:
        session_id = config.provider.random_bytes(32)
    else:
        session_id = b""
    server_name, protocol = requested_server_name(hello), choose_protocol(hello, config)
    names = naming_answers(None if session else server_name, protocol)
    is_tls = suite.version == TLS12
    with_status = is_tls and session is None and status_to_send(hello, config) is not None
    answer = ServerHello(
        server_version=suite.version,
        random=_server_random(config, suite.version),
        session_id=session_id,
        cipher_suite=suite.code,
        extensions=answer_extensions(
            hello, names, with_ticket=with_ticket, with_status=with_status
        ),
    )
    driver.send(answer)
    choice = Choice(
        suite=suite,
        extended_master_secret=ext.EXTENDED_MASTER_SECRET in hello.extensions,
        expects_ticket=with_ticket,
        is_resumed=session is not None,
        expects_status=with_status,
        application_protocol=protocol,
    )
    randoms = Randoms(hello.random, answer.random)
    return _Opening(hello, server_name, session_id, randoms, choice)


def _server_random(config: ServerConfig, version: int) -> bytes:
    """The random; one who could speak TLS 1.3 says so in its end (RFC 8446, 4.1.3)."""
    random = fresh_random(config.provider, with_time=config.time_in_random)
    if version != TLS12 or all(suite.version != TLS13 for suite in config.suites):
        return random
    sentinel = DOWNGRADE_SENTINELS[0]
    return random[: RANDOM_LENGTH - len(sentinel)] + sentinel


# --- the full handshake ------------------------------------------------------------------


def _full(driver: Driver, config: ServerConfig, opening: _Opening) -> Flow[None]:
    choice, randoms = opening.choice, opening.randoms
    version = choice.suite.version
    exchange = server_exchange(choice.suite, config, opening.hello.extensions)
    driver.send_encoded(identity.show(config, version))
    if choice.expects_status and config.credential.ocsp_response is not None:
        driver.send(CertificateStatus(config.credential.ocsp_response))
    driver.send((yield from exchange.announce(randoms)))
    if config.client_authentication is not ClientAuthentication.NONE:
        driver.send_encoded(request_certificate(version, config))
    driver.send(ServerHelloDone())
    peer = yield from _receive_client_certificate(config, version)
    client_keys = yield from receive(exchange.client_message)
    pre_master = yield from exchange.conclude(client_keys, peer)
    secret = steps.derive_master_secret(driver, config.provider, choice, pre_master, randoms)
    if peer is not None:
        yield from _receive_certificate_verify(driver, config, peer, choice.suite)
    steps.release_keys(driver, config.key_log, choice, randoms, secret)
    sealer, opener = steps.derive_protection(
        config.provider, secret, choice, randoms, is_client=False
    )
    proof = yield from steps.receive_finished(driver, opener, secret, steps.CLIENT_FINISHED)
    session = _new_session(config, opening, secret, peer)
    _send_ticket(driver, config, choice, session)
    steps.send_finished(driver, sealer, secret, steps.SERVER_FINISHED)
    _keep(config, session)
    steps.complete(
        driver, proof, choice=choice, peer=peer, server_name=opening.server_name, session=session
    )


def _receive_client_certificate(config: ServerConfig, version: int) -> Flow[Peer | None]:
    if config.client_authentication is ClientAuthentication.NONE:
        return None
    certificate = yield from receive(Certificate)
    if certificate.certificate_list:
        return identity.verify_client(certificate.certificate_list, config, version)
    if config.client_authentication is ClientAuthentication.REQUIRED:
        raise CertificateRejected(RejectionReason.MISSING, "the client showed no certificate")
    return None


def _receive_certificate_verify(
    driver: Driver, config: ServerConfig, peer: Peer, suite: CipherSuite
) -> Flow[None]:
    forms = accepted_forms(suite.version, config)
    contents = [(form, signed_content(form, driver.transcript, suite, config)) for form in forms]
    verify = yield from receive(PROFILES[suite.version].certificate_verify)
    identifier = DEFAULT_ID
    if isinstance(verify, CertificateVerify):
        ours, key = config.algorithms.signatures_tls12, peer.signing.leaf.spki.algorithm
        identifier = find_signature(ours, verify.algorithm, key).identifier
    elif not verify.has_length:
        _require_bare_signatures(config)
    identity.check_certificate_verify(verify.signature, peer, contents, identifier)


def _require_bare_signatures(config: ServerConfig) -> None:
    if not config.compatibility.bare_signature:
        raise DecodeError("a CertificateVerify without the length of its signature")


# --- resumption --------------------------------------------------------------------------


def _find_session(
    hello: ClientHello, suite: CipherSuite, config: ServerConfig
) -> ClassicSession | None:
    """Return the session that the client may resume; anything doubtful means a full handshake."""
    session = _offered_session(hello, config)
    if (
        not isinstance(session, ClassicSession)
        or session.suite != suite.code
        or session.policy != config.policy_digest()
        or session.server_name != requested_server_name(hello)
    ):
        return None
    extended = ext.EXTENDED_MASTER_SECRET in hello.extensions
    if session.extended and not extended:  # RFC 7627, 5.3
        raise Incompatible("the client resumes without its extended master secret")
    if extended and not session.extended:
        return None
    return session if _client_still_valid(session, config, suite.version) else None


def _offered_session(hello: ClientHello, config: ServerConfig) -> Session | None:
    ticket = hello.extensions.get(ext.SESSION_TICKET, b"")
    if ticket and config.ticket_keys is not None:
        return config.ticket_keys.open(ticket)
    if hello.session_id and config.session_cache is not None:
        return config.session_cache.find(hello.session_id, config.provider.now().timestamp())
    return None


def _client_still_valid(session: ClassicSession, config: ServerConfig, version: int) -> bool:
    if not session.peer_chain:
        return config.client_authentication is not ClientAuthentication.REQUIRED
    try:
        identity.verify_client(session.peer_chain, config, version)
    except CertificateRejected:
        return False
    return True


def _resume(
    driver: Driver, config: ServerConfig, opening: _Opening, session: ClassicSession
) -> Flow[None]:
    choice, randoms, secret = opening.choice, opening.randoms, session.master_secret
    peer = (
        identity.verify_client(session.peer_chain, config, choice.suite.version)
        if session.peer_chain
        else None
    )
    steps.release_keys(driver, config.key_log, choice, randoms, secret)
    sealer, opener = steps.derive_protection(
        config.provider, secret, choice, randoms, is_client=False
    )
    _send_ticket(driver, config, choice, session)
    steps.send_finished(driver, sealer, secret, steps.SERVER_FINISHED)
    proof = yield from steps.receive_finished(driver, opener, secret, steps.CLIENT_FINISHED)
    steps.complete(
        driver, proof, choice=choice, peer=peer, server_name=opening.server_name, session=session
    )


def _new_session(
    config: ServerConfig, opening: _Opening, secret: MasterSecret, peer: Peer | None
) -> ClassicSession:
    return ClassicSession(
        suite=opening.choice.suite.code,
        master_secret=secret,
        extended=opening.choice.extended_master_secret,
        created=int(config.provider.now().timestamp()),
        lifetime=config.session_lifetime,
        policy=config.policy_digest(),
        server_name=opening.server_name,
        peer_chain=peer.entries() if peer else (),
        session_id=opening.session_id,
    )


def _send_ticket(driver: Driver, config: ServerConfig, choice: Choice, session: Session) -> None:
    if choice.expects_ticket and config.ticket_keys is not None:
        ticket = config.ticket_keys.seal(session)
        driver.send(NewSessionTicket(session.lifetime, ticket))


def _keep(config: ServerConfig, session: Session) -> None:
    if session.session_id and config.session_cache is not None:
        config.session_cache.store(session)

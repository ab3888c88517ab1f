"""The client's handshake, top to bottom (RFC 5246, 7.3; GB/T 38636-2020, 6.4.1; RFC 5077).

Client                                              Server
ClientHello                   -------->
                                               ServerHello
                                               Certificate
                                       [CertificateStatus]
                                         ServerKeyExchange
                                       [CertificateRequest]
                              <--------    ServerHelloDone
[Certificate]
ClientKeyExchange
[CertificateVerify]
ChangeCipherSpec, Finished    -------->
                                        [NewSessionTicket]
                              <--------   ChangeCipherSpec, Finished
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from meterseal.transport import identity
from meterseal.transport.classic import steps
from meterseal.transport.classic.exchange import Randoms, client_exchange
from meterseal.transport.classic.offer import accept_server_hello, make_offer
from meterseal.transport.classic.profile import (
    PROFILES,
    form_tls12,
    require_scheme,
    sign_transcript,
    signed_content,
    start_transcript,
)
from meterseal.transport.flow import receive, receive_either
from meterseal.transport.messages import (
    Certificate,
    CertificateRequest,
    CertificateStatus,
    CertificateVerify,
    Message,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
    TlcpCertificateVerify,
)
from meterseal.transport.session import DEFAULT_LIFETIME, ClassicSession

if TYPE_CHECKING:
    from meterseal.crypto.provider import MasterSecret
    from meterseal.transport.classic.offer import Choice, Offer
    from meterseal.transport.config import ClientConfig
    from meterseal.transport.driver import Driver
    from meterseal.transport.flow import Flow
    from meterseal.transport.identity import Peer
    from meterseal.transport.session import Session
    from meterseal.transport.suites import CipherSuite

M = TypeVar("M", bound=Message)


def client_flow(
    driver: Driver, config: ClientConfig, server_name: str | None, session: Session | None
) -> Flow[None]:
    """Shake hands as a client; `session` is resumed if the server agrees."""
    offer = make_offer(config, server_name, session)
    driver.send(offer.hello)
    server_hello = yield from receive(ServerHello)
    yield from shake_hands(driver, config, server_name, offer, server_hello)


def shake_hands(
    driver: Driver,
    config: ClientConfig,
    server_name: str | None,
    offer: Offer,
    server_hello: ServerHello,
) -> Flow[None]:
    """Shake hands after the server's hello."""
    choice = accept_server_hello(server_hello, offer, config)
    driver.agree_version(choice.suite.version)
    start_transcript(driver.transcript, choice.suite, config)
    randoms = Randoms(offer.hello.random, server_hello.random)
    if choice.is_resumed and offer.session is not None and offer.peer is not None:
        yield from _resume(driver, config, choice, randoms, (offer.session, offer.peer))
    else:
        yield from _full(driver, config, choice, randoms, (server_name, server_hello.session_id))


def _full(
    driver: Driver,
    config: ClientConfig,
    choice: Choice,
    randoms: Randoms,
    naming: tuple[str | None, bytes],
) -> Flow[None]:
    server_name, session_id = naming
    version = choice.suite.version
    exchange = client_exchange(choice.suite, config)
    certificate = yield from receive(Certificate)
    peer = identity.verify_server(certificate.certificate_list, config, server_name, version)
    status, key_exchange = yield from _receive_status(choice, exchange.server_message)
    proven = exchange.check(key_exchange, peer, randoms)
    request = yield from _receive_request(PROFILES[version].certificate_request)
    if request is not None:
        driver.send_encoded(identity.show(config, version))
    client_keys, pre_master = exchange.conclude(proven)
    driver.send(client_keys)
    master_secret = steps.derive_master_secret(driver, config.provider, choice, pre_master, randoms)
    if request is not None:
        yield from _send_certificate_verify(driver, config, choice.suite, request)
    steps.release_keys(driver, config.key_log, choice, randoms, master_secret)
    sealer, opener = steps.derive_protection(
        config.provider, master_secret, choice, randoms, is_client=True
    )
    steps.send_finished(driver, sealer, master_secret, steps.CLIENT_FINISHED)
    ticket = yield from _receive_ticket(choice)
    proof = yield from steps.receive_finished(driver, opener, master_secret, steps.SERVER_FINISHED)
    session = _new_session(config, choice, master_secret, peer, (server_name, session_id, ticket))
    steps.complete(
        driver,
        proof,
        choice=choice,
        peer=peer,
        server_name=server_name,
        session=session,
        ocsp_response=status,
    )


def _receive_status(choice: Choice, following: type[M]) -> Flow[tuple[bytes | None, M]]:
    """Wait for what follows; a server that announced a status may send it first (RFC 6066, 8)."""
    if not choice.expects_status:
        return None, (yield from receive(following))
    message = yield from receive_either(CertificateStatus, following)
    if isinstance(message, CertificateStatus):
        return message.ocsp_response, (yield from receive(following))
    return None, message


def _receive_request(kind: type[M]) -> Flow[M | None]:
    following = yield from receive_either(kind, ServerHelloDone)
    if isinstance(following, ServerHelloDone):
        return None
    yield from receive(ServerHelloDone)
    return following


def _send_certificate_verify(
    driver: Driver, config: ClientConfig, suite: CipherSuite, request: Message
) -> Flow[None]:
    if config.credential is None:
        return
    key = config.credential.key
    if isinstance(request, CertificateRequest):
        scheme = require_scheme(request.supported_signature_algorithms, config.credential, config)
        form = form_tls12(config)
        content = signed_content(form, driver.transcript, suite, config)
        signature = yield from sign_transcript(form, key, content, scheme.identifier)
        driver.send(CertificateVerify(scheme.code, signature))
        return
    form = config.compatibility.certificate_verify[0]
    content = signed_content(form, driver.transcript, suite, config)
    signature = yield from sign_transcript(form, key, content)
    driver.send(TlcpCertificateVerify(signature))


def _receive_ticket(choice: Choice) -> Flow[NewSessionTicket | None]:
    if not choice.expects_ticket:
        return None
    return (yield from receive(NewSessionTicket))


def _resume(
    driver: Driver,
    config: ClientConfig,
    choice: Choice,
    randoms: Randoms,
    offered: tuple[ClassicSession, Peer],
) -> Flow[None]:
    """Take the abbreviated way (RFC 5246, 7.3)."""
    session, peer = offered
    secret = session.master_secret
    steps.release_keys(driver, config.key_log, choice, randoms, secret)
    sealer, opener = steps.derive_protection(
        config.provider, secret, choice, randoms, is_client=True
    )
    ticket = yield from _receive_ticket(choice)
    proof = yield from steps.receive_finished(driver, opener, secret, steps.SERVER_FINISHED)
    steps.send_finished(driver, sealer, secret, steps.CLIENT_FINISHED)
    naming = (session.server_name, session.session_id, ticket)
    renewed = _new_session(config, choice, secret, peer, naming) if ticket else session
    steps.complete(
        driver,
        proof,
        choice=choice,
        peer=peer,
        server_name=session.server_name,
        session=renewed,
    )


def _new_session(
    config: ClientConfig,
    choice: Choice,
    master_secret: MasterSecret,
    peer: Peer,
    naming: tuple[str | None, bytes, NewSessionTicket | None],
) -> ClassicSession | None:
    """Return what may be offered next time, or `None` if the server keeps nothing."""
    server_name, session_id, new_ticket = naming
    ticket = new_ticket.ticket if new_ticket else b""
    if not ticket and not session_id:
        return None
    hint = new_ticket.ticket_lifetime_hint if new_ticket else 0
    return ClassicSession(
        suite=choice.suite.code,
        master_secret=master_secret,
        extended=choice.extended_master_secret,
        created=int(config.provider.now().timestamp()),
        lifetime=min(hint or DEFAULT_LIFETIME, DEFAULT_LIFETIME),
        policy=config.policy_digest(),
        server_name=server_name,
        peer_chain=peer.entries(),
        session_id=session_id,
        ticket=ticket,
    )

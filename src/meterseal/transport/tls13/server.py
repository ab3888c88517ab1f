"""The server's handshake, top to bottom (RFC 8446, 2).

The figure stands in `client.py`; this is its right-hand side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meterseal.errors import (
    CertificateRequired,
    IllegalParameter,
    InvalidKey,
    UnsupportedExtension,
)
from meterseal.transport import ext, identity
from meterseal.transport.algorithms import signature_codes
from meterseal.transport.codepoints import TLS12, TLS13
from meterseal.transport.config import ClientAuthentication
from meterseal.transport.driver import encode_message
from meterseal.transport.extensions import encode_uint16_list
from meterseal.transport.extensions_tls13 import encode_key_share, encode_uint16
from meterseal.transport.flow import receive
from meterseal.transport.hello import fresh_random, naming_answers, status_to_send
from meterseal.transport.messages import (
    RETRY_RANDOM,
    CertificateStatus,
    ClientHello,
    EncryptedExtensions,
    ServerHello,
    Tls13Certificate,
    Tls13CertificateRequest,
)
from meterseal.transport.once import once
from meterseal.transport.tls13 import steps
from meterseal.transport.tls13.choice import check_second_hello, choose, choose_signature
from meterseal.transport.tls13.tickets import find_session, send_ticket
from meterseal.transport.wire import vector16

if TYPE_CHECKING:
    from meterseal.crypto.provider import Hash, KeySchedule
    from meterseal.transport.algorithms import Signature
    from meterseal.transport.config import ServerConfig
    from meterseal.transport.driver import Driver
    from meterseal.transport.extensions import Extensions
    from meterseal.transport.flow import Flow
    from meterseal.transport.identity import Peer
    from meterseal.transport.tls13.choice import Choice
    from meterseal.transport.tls13.tickets import Resumed


@dataclass(frozen=True, slots=True)
class _Opening:
    """What the client's hellos settled."""

    hello: ClientHello
    choice: Choice
    resumed: Resumed | None
    signature: Signature | None
    is_retried: bool


def shake_hands(driver: Driver, config: ServerConfig, hello: ClientHello) -> Flow[None]:
    """Shake hands after the client's first hello."""
    driver.agree_version(TLS13)
    opening = yield from _open(driver, config, hello)
    choice, resumed = opening.choice, opening.resumed
    schedule = _send_server_hello(driver, config, opening)
    server_name = None if resumed else choice.server_name
    driver.send(EncryptedExtensions(naming_answers(server_name, choice.application_protocol)))
    if opening.signature is not None:
        status = status_to_send(opening.hello, config)
        yield from _send_proof(driver, config, opening.signature, status)
    steps.send_finished(driver, schedule, of_client=False)
    server_finished = driver.transcript.digest()
    sealer, opener = schedule.application_protection(server_finished, is_client=False)
    exporter = schedule.exporter(server_finished)
    driver.protect_writing(sealer)
    steps.release_exporter(driver, exporter)
    steps.log_traffic(config.key_log, opening.hello.random, schedule, "TRAFFIC_SECRET_0")
    steps.log_exporter(config.key_log, opening.hello.random, exporter)
    proven = yield from _receive_proof(driver, config, resumed)
    finished = yield from steps.receive_finished(driver, schedule, of_client=True)
    driver.protect_reading(opener)
    resumption = schedule.resumption(driver.transcript.digest())
    steps.complete(
        driver,
        (proven, finished),
        suite=choice.suite,
        group=choice.group,
        server_name=choice.server_name,
        application_protocol=choice.application_protocol,
        resumed=resumed is not None,
    )
    if choice.takes_tickets:
        send_ticket(driver, config, choice, resumption, proven.peer)


# --- hellos ------------------------------------------------------------------------------


def _open(driver: Driver, config: ServerConfig, hello: ClientHello) -> Flow[_Opening]:
    """Choose, ask again if the share is missing, and find the session to resume."""
    choice = choose(hello, config)
    before: Hash | None = None
    is_retried = choice.share is None
    if is_retried:
        hello, choice, before = yield from _retry(driver, config, hello, choice)
    else:
        driver.transcript.start(config.provider.new_hash(choice.suite.hash_name))
    resumed = find_session(driver, choice, config, before)
    signature = choose_signature(hello, config) if resumed is None else None
    return _Opening(hello, choice, resumed, signature, is_retried)


def _retry(
    driver: Driver, config: ServerConfig, first: ClientHello, choice: Choice
) -> Flow[tuple[ClientHello, Choice, Hash]]:
    """Ask for the share of the group we chose; also return the hash before the second hello."""
    driver.transcript.start_after_retry(lambda: config.provider.new_hash(choice.suite.hash_name))
    extensions: Extensions = {
        ext.SUPPORTED_VERSIONS: encode_uint16(TLS13),
        ext.KEY_SHARE: encode_uint16(choice.group),
    }
    driver.send(
        ServerHello(TLS12, RETRY_RANDOM, first.session_id, choice.suite.code, 0, extensions)
    )
    if first.session_id:
        driver.send_change_cipher_spec()
    before = driver.transcript.copy_hash()
    second = yield from receive(ClientHello)
    check_second_hello(second, first, choice.group)
    return second, choose(second, config), before


def _send_server_hello(driver: Driver, config: ServerConfig, opening: _Opening) -> KeySchedule:
    """Answer with our share; everything afterwards is protected."""
    hello, choice, resumed = opening.hello, opening.choice, opening.resumed
    public, shared_secret = _answer_share(config, choice)
    extensions: Extensions = {
        ext.SUPPORTED_VERSIONS: encode_uint16(TLS13),
        ext.KEY_SHARE: encode_key_share(choice.group, public),
    }
    if resumed is not None:
        extensions[ext.PRE_SHARED_KEY] = encode_uint16(resumed.index)
    random = fresh_random(config.provider, with_time=False)
    driver.send(ServerHello(TLS12, random, hello.session_id, choice.suite.code, 0, extensions))
    if hello.session_id and not opening.is_retried:
        driver.send_change_cipher_spec()
    psk = resumed.session.psk if resumed else None
    schedule = config.provider.key_schedule(choice.suite.protection, psk)
    sealer, opener = schedule.handshake_protection(
        shared_secret, driver.transcript.digest(), is_client=False
    )
    driver.protect_writing(sealer)
    driver.protect_reading(opener)
    steps.log_traffic(config.key_log, hello.random, schedule, "HANDSHAKE_TRAFFIC_SECRET")
    return schedule


def _answer_share(config: ServerConfig, choice: Choice) -> tuple[bytes, bytes]:
    try:
        return config.provider.answer_key_share(choice.group, choice.share or b"")
    except InvalidKey as error:
        raise IllegalParameter(f"the client's key share: {error}") from None


# --- who we are --------------------------------------------------------------------------


def _send_proof(
    driver: Driver, config: ServerConfig, scheme: Signature, status: bytes | None
) -> Flow[None]:
    """Show our certificate and prove its key; ask the same of the client first."""
    if config.client_authentication is not ClientAuthentication.NONE:
        driver.send_encoded(once(config, _certificate_request))
    driver.send_encoded(once(config, _certificate if status is None else _stapled_certificate))
    credential = config.credential
    yield from steps.send_certificate_verify(driver, credential.key, scheme, steps.SERVER_CONTEXT)


def _certificate(config: ServerConfig) -> bytes:
    return _encode_chain(config, {})


def _stapled_certificate(config: ServerConfig) -> bytes:
    """With the OCSP response about it (RFC 8446, 4.4.2.1)."""
    status = CertificateStatus(config.credential.ocsp_response or b"").encode()
    return _encode_chain(config, {ext.STATUS_REQUEST: status})


def _encode_chain(config: ServerConfig, about_first: Extensions) -> bytes:
    chain = (certificate.encode() for certificate in config.credential.chain)
    return encode_message(Tls13Certificate.of(chain, about_first))


def _certificate_request(config: ServerConfig) -> bytes:
    """The server's question, with the names of the roots that may vouch for the client."""
    schemes = encode_uint16_list(signature_codes(config.algorithms.signatures_tls13))
    extensions: Extensions = {ext.SIGNATURE_ALGORITHMS: schemes}
    names = b"".join(vector16(anchor.subject.encode()) for anchor in config.trust)
    if names:
        extensions[ext.CERTIFICATE_AUTHORITIES] = vector16(names)
    return encode_message(Tls13CertificateRequest(b"", extensions))


def _receive_proof(
    driver: Driver, config: ServerConfig, resumed: Resumed | None
) -> Flow[steps.PeerProven]:
    """The client's certificate and its proof, if we asked for them."""
    if resumed is not None:
        return steps.PeerProven(resumed.peer)
    if config.client_authentication is ClientAuthentication.NONE:
        return steps.PeerProven(None)
    certificate = yield from receive(Tls13Certificate)
    peer = _check_certificate(certificate, config)
    if peer is None:
        return steps.PeerProven(None)
    ours = config.algorithms.signatures_tls13
    return (yield from steps.receive_certificate_verify(driver, peer, ours, steps.CLIENT_CONTEXT))


def _check_certificate(certificate: Tls13Certificate, config: ServerConfig) -> Peer | None:
    if certificate.context:
        raise IllegalParameter("the client's certificate has a context that we did not give")
    for entry in certificate.certificate_list:
        for number in entry.extensions:
            raise UnsupportedExtension(f"extension {number} of a certificate was not asked for")
    if certificate.certificate_list:
        return identity.verify_client(certificate.chain(), config, TLS13)
    if config.client_authentication is ClientAuthentication.REQUIRED:
        raise CertificateRequired
    return None

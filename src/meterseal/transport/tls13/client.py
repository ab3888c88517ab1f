"""The client's handshake, top to bottom (RFC 8446, 2).

Client                                              Server
ClientHello                   -------->
                              <--------  [HelloRetryRequest]
[ClientHello]                 -------->
                                               ServerHello
                                       EncryptedExtensions
                                      [CertificateRequest]
                                             [Certificate]
                                       [CertificateVerify]
                              <--------           Finished
[Certificate]
[CertificateVerify]
Finished                      -------->
                              <--------  [NewSessionTicket]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meterseal.errors import (
    DecodeError,
    IllegalParameter,
    MissingExtension,
    UnsupportedExtension,
)
from meterseal.transport import ext, identity
from meterseal.transport.algorithms import usable_signatures
from meterseal.transport.codepoints import TLS13
from meterseal.transport.extensions import decode_uint16_list
from meterseal.transport.extensions_tls13 import decode_authorities
from meterseal.transport.flow import receive, receive_either
from meterseal.transport.hello import accept_protocol
from meterseal.transport.messages import (
    CertificateEntry,
    CertificateStatus,
    EncryptedExtensions,
    ServerHello,
    Tls13Certificate,
    Tls13CertificateRequest,
)
from meterseal.transport.tls13 import steps
from meterseal.transport.tls13.after import Continuation
from meterseal.transport.tls13.offer import accept_server_hello, answer_retry, encode_hello
from meterseal.transport.wire import Cursor

if TYPE_CHECKING:
    from meterseal.crypto.provider import KeySchedule
    from meterseal.transport.config import ClientConfig
    from meterseal.transport.driver import Driver
    from meterseal.transport.extensions import Extensions
    from meterseal.transport.flow import Flow
    from meterseal.transport.suites import CipherSuite
    from meterseal.transport.tls13.offer import Answer, Offer

_IN_ENCRYPTED_EXTENSIONS = frozenset(
    {
        ext.SERVER_NAME,
        ext.SUPPORTED_GROUPS,
        ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
    }
)


@dataclass(frozen=True, slots=True)
class _Proof:
    """What the server's flight proved, and whether it asks the same of us."""

    proven: steps.PeerProven
    request: Tls13CertificateRequest | None = None
    ocsp_response: bytes | None = None


def shake_hands(
    driver: Driver,
    config: ClientConfig,
    server_name: str | None,
    offer: Offer,
    server_hello: ServerHello,
) -> Flow[Continuation]:
    """Shake hands after the server's first answer; return what the rest of the session needs."""
    driver.agree_version(TLS13)
    retried: CipherSuite | None = None
    if server_hello.is_retry_request:
        offer, retried = answer_retry(server_hello, offer, config)
        server_hello = yield from _send_second_hello(driver, config, offer, retried)
    answer = accept_server_hello(server_hello, offer, retried)
    if retried is None:
        driver.transcript.start(config.provider.new_hash(answer.suite.hash_name))
        _please_middleboxes(driver, config)
    schedule = _enter_handshake(driver, config, offer, answer)
    extensions = yield from _receive_encrypted_extensions(offer)
    protocol = accept_protocol(extensions, config)
    proof = yield from _receive_proof(driver, config, server_name, offer, answer)
    finished = yield from steps.receive_finished(driver, schedule, of_client=False)
    server_finished = driver.transcript.digest()
    sealer, opener = schedule.application_protection(server_finished, is_client=True)
    exporter = schedule.exporter(server_finished)
    yield from _send_proof(driver, config, proof.request)
    steps.send_finished(driver, schedule, of_client=True)
    driver.protect_reading(opener)
    driver.protect_writing(sealer)
    steps.release_exporter(driver, exporter)
    steps.log_traffic(config.key_log, offer.hello.random, schedule, "TRAFFIC_SECRET_0")
    steps.log_exporter(config.key_log, offer.hello.random, exporter)
    resumption = schedule.resumption(driver.transcript.digest())
    steps.complete(
        driver,
        (proof.proven, finished),
        suite=answer.suite,
        group=answer.group,
        server_name=server_name,
        application_protocol=protocol,
        resumed=answer.is_resumed,
        ocsp_response=proof.ocsp_response,
    )
    chain = proof.proven.peer.entries() if proof.proven.peer else ()
    return Continuation(answer.suite, server_name, chain, resumption)


def _please_middleboxes(driver: Driver, config: ClientConfig) -> None:
    if config.compatibility.middleboxes:
        driver.send_change_cipher_spec()


def _send_second_hello(
    driver: Driver, config: ClientConfig, offer: Offer, suite: CipherSuite
) -> Flow[ServerHello]:
    driver.transcript.start_after_retry(lambda: config.provider.new_hash(suite.hash_name))
    _please_middleboxes(driver, config)
    driver.send_encoded(encode_hello(offer, config, driver.transcript.copy_hash()))
    return (yield from receive(ServerHello))


def _enter_handshake(
    driver: Driver, config: ClientConfig, offer: Offer, answer: Answer
) -> KeySchedule:
    psk = offer.session.psk if answer.is_resumed and offer.session else None
    schedule = config.provider.key_schedule(answer.suite.protection, psk)
    sealer, opener = schedule.handshake_protection(
        answer.shared_secret, driver.transcript.digest(), is_client=True
    )
    driver.protect_writing(sealer)
    driver.protect_reading(opener)
    stage = "HANDSHAKE_TRAFFIC_SECRET"
    steps.log_traffic(config.key_log, offer.hello.random, schedule, stage)
    return schedule


def _receive_encrypted_extensions(offer: Offer) -> Flow[Extensions]:
    extensions = (yield from receive(EncryptedExtensions)).extensions
    for number, body in extensions.items():
        if number not in offer.hello.extensions:
            raise UnsupportedExtension(f"the server answers extension {number}, not offered")
        if number not in _IN_ENCRYPTED_EXTENSIONS:
            raise IllegalParameter(f"extension {number} does not belong into this message")
        if number == ext.SERVER_NAME and body:
            raise DecodeError("the answer to server_name is not empty")
    return extensions


# --- who we are --------------------------------------------------------------------------


def _receive_proof(
    driver: Driver, config: ClientConfig, server_name: str | None, offer: Offer, answer: Answer
) -> Flow[_Proof]:
    """The server's certificate and its proof; a resumed one's was verified to offer the session."""
    if answer.is_resumed:
        return _Proof(steps.PeerProven(offer.peer))
    request: Tls13CertificateRequest | None = None
    following = yield from receive_either(Tls13CertificateRequest, Tls13Certificate)
    if isinstance(following, Tls13CertificateRequest):
        request = following
        _check_request(request)
        following = yield from receive(Tls13Certificate)
    status = _check_certificate(following, offer)
    peer = identity.verify_server(following.chain(), config, server_name, TLS13)
    ours = config.algorithms.signatures_tls13
    proven = yield from steps.receive_certificate_verify(driver, peer, ours, steps.SERVER_CONTEXT)
    return _Proof(proven, request, status)


def _check_request(request: Tls13CertificateRequest) -> None:
    if request.context:
        raise IllegalParameter("a certificate request of the handshake has no context")
    if ext.SIGNATURE_ALGORITHMS not in request.extensions:
        raise MissingExtension("the server does not say which signatures it takes")
    if ext.CERTIFICATE_AUTHORITIES in request.extensions:
        decode_authorities(request.extensions[ext.CERTIFICATE_AUTHORITIES])


def _check_certificate(certificate: Tls13Certificate, offer: Offer) -> bytes | None:
    """Check the form; return the OCSP response about the first certificate, if there is one."""
    if certificate.context:
        raise IllegalParameter("the server's certificate has a context")
    if not certificate.certificate_list:
        raise DecodeError("the server showed no certificate")
    statuses = [_read_status(entry, offer) for entry in certificate.certificate_list]
    return statuses[0]


def _read_status(entry: CertificateEntry, offer: Offer) -> bytes | None:
    """Read what the server adds to one certificate: an OCSP response if we asked (4.4.2.1)."""
    status: bytes | None = None
    for number, body in entry.extensions.items():
        if number not in offer.hello.extensions:
            raise UnsupportedExtension(f"extension {number} of a certificate was not offered")
        if number != ext.STATUS_REQUEST:
            raise IllegalParameter(f"extension {number} does not belong to a certificate")
        cursor = Cursor(body)
        status = CertificateStatus.decode(cursor).ocsp_response
        cursor.finish()
    return status


def _send_proof(
    driver: Driver, config: ClientConfig, request: Tls13CertificateRequest | None
) -> Flow[None]:
    """Show our certificate if the server asks for one that we have, an empty one if we have not."""
    if request is None:
        return
    schemes = decode_uint16_list(request.extensions[ext.SIGNATURE_ALGORITHMS])
    credential, ours = config.credential, config.algorithms.signatures_tls13
    usable = credential and usable_signatures(ours, schemes, credential.chain[0].spki.algorithm)
    if not credential or not usable:
        driver.send(Tls13Certificate(b"", ()))
        return
    driver.send(Tls13Certificate.of(certificate.encode() for certificate in credential.chain))
    key, context = credential.key, steps.CLIENT_CONTEXT
    yield from steps.send_certificate_verify(driver, key, usable[0], context)

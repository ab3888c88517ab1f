"""A signature made for one purpose is taken for no other, though the key is the same.

Each verifier is asked about each maker's signature with everything that an attacker could choose
put as the maker had it: the same randoms, the same ephemeral point, the same transcript.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.asn1 import der
from meterseal.errors import CertificateRejected, HandshakeProofFailed, IllegalParameter
from meterseal.errors import InvalidSignature as Invalid
from meterseal.transport import (
    TLS12_SUITES,
    CertificateVerifyForm,
    Credential,
    EncryptionCredential,
)
from meterseal.transport.classic.exchange import Randoms, client_exchange, server_exchange
from meterseal.transport.codepoints import ExtensionType
from meterseal.transport.driver import _use_key
from meterseal.transport.extensions import encode_uint16_list
from meterseal.transport.flow import Sign, sign_digest, sign_message
from meterseal.transport.identity import Peer, check_certificate_verify
from meterseal.transport.messages import (
    CertificateVerify,
    EccServerKeyExchange,
    EcdheServerKeyExchange,
    ServerKeyExchange,
)
from meterseal.transport.tls13 import steps
from meterseal.x509 import (
    Certificate,
    CertificateRequest,
    CertificateRevocationList,
    KeyRole,
    KeyUsage,
    Purpose,
    RevocationPolicy,
    TrustStore,
    create_request,
    verify_chain,
)
from meterseal.x509.spki import SM2_WITH_SM3
from support import pki
from support.crls import crl
from support.tlcp import ECC, ECDHE, tlcp_client, tlcp_server
from support.wire import client_config, server_config

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from meterseal.crypto import sm2
    from meterseal.transport import CipherSuite

TLS12 = TLS12_SUITES[0]
KEY = pki.key("one key for everything")
ROOT = pki.root()
TRUST = TrustStore([ROOT.certificate])
AUTHORITY = pki.intermediate("authority", ROOT, subject_key=KEY)
LEAF = pki.server(AUTHORITY)
SIGNING = pki.entity("owner", ROOT, subject_key=KEY, usage=KeyUsage.DIGITAL_SIGNATURE)
SEALING = pki.entity("sealing", ROOT, subject=pki.name("owner"), usage=KeyUsage.KEY_ENCIPHERMENT)
CREDENTIAL = Credential(
    (SIGNING.certificate,), KEY, EncryptionCredential(SEALING.certificate, SEALING.key)
)


def verified(certificate: Certificate, role: KeyRole) -> Any:  # noqa: ANN401
    return verify_chain([certificate], TRUST, at=pki.NOW, purpose=Purpose.ANY, role=role)


PEER = Peer(
    verified(SIGNING.certificate, KeyRole.SIGNING),
    verified(SEALING.certificate, KeyRole.ENCRYPTION),
)


RANDOMS = Randoms(bytes(32), b"\1" * 32)


@dataclass(frozen=True)
class Said:
    """A signature and what stood around it."""

    signature: bytes
    randoms: Randoms = RANDOMS
    group: int = 41
    point: bytes = pki.key("ephemeral").public_key().to_bytes()
    digest: bytes = b"\2" * 32
    transcript: bytes = b"\1\0\0\x29\1\1" + bytes(600)


def ran(flow: Generator[Any, Any, Any]) -> Any:  # noqa: ANN401
    """Run a step that asks for nothing but the key."""
    answer = None
    try:
        while True:
            request = flow.send(answer)
            assert isinstance(request, Sign)
            answer = _use_key(request)
    except StopIteration as end:
        return end.value


# --- who signs -----------------------------------------------------------------------------


def key_exchange(suite: CipherSuite) -> Said:
    make = server_config if suite is TLS12 else tlcp_server
    randoms = Randoms(os.urandom(32), os.urandom(32))
    schemes = (client_config().algorithms.signatures_tls12[0].code,)
    extensions = {int(ExtensionType.SIGNATURE_ALGORITHMS): encode_uint16_list(schemes)}
    exchange = server_exchange(suite, make(credential=CREDENTIAL), extensions)
    message = ran(exchange.announce(randoms))
    if suite is ECC:
        return Said(message.signature, randoms)
    return Said(message.signature, randoms, message.group, message.public)


def tls13_proof(context: bytes) -> Said:
    digest, sent = os.urandom(32), []
    driver: Any = SimpleNamespace(
        transcript=SimpleNamespace(digest=lambda: digest), send=sent.append
    )
    scheme = client_config().algorithms.signatures_tls13[0]
    ran(steps.send_certificate_verify(driver, KEY, scheme, context))
    return Said(sent[0].signature, digest=digest)


def classic_proof(sign: Callable[[sm2.PrivateKey, bytes], Any]) -> Said:
    digest = os.urandom(32)
    return Said(ran(sign(KEY, digest)), digest=digest)


def whole_proof() -> Said:
    transcript = b"\1\0\0\x29\1\1" + os.urandom(600)
    return Said(ran(sign_message(KEY, transcript)), transcript=transcript)


MAKERS: dict[str, Callable[[], Said]] = {
    "key exchange of TLCP, ECC": lambda: key_exchange(ECC),
    "key exchange of TLCP, ECDHE": lambda: key_exchange(ECDHE),
    "key exchange of TLS 1.2": lambda: key_exchange(TLS12),
    "proof of a TLS 1.3 server": lambda: tls13_proof(steps.SERVER_CONTEXT),
    "proof of a TLS 1.3 client": lambda: tls13_proof(steps.CLIENT_CONTEXT),
    "proof of a TLS 1.2 client": lambda: classic_proof(sign_digest),
    "proof of a TLCP client": lambda: classic_proof(sign_message),
    "proof of a TLCP client of GmSSL 3.2": whole_proof,
    "certificate": lambda: Said(LEAF.certificate.signature),
    "revocation list": lambda: Said(crl(AUTHORITY).signature),
    "certificate request": lambda: Said(create_request(KEY, pki.name("owner")).signature),
}


# --- who verifies --------------------------------------------------------------------------


def check_key_exchange(suite: CipherSuite, said: Said, group: int | None = None) -> None:
    if suite is TLS12:
        config = client_config()
        message: Any = ServerKeyExchange(30, said.point, 0x0707, said.signature)
    elif suite is ECC:
        config, message = tlcp_client(ECC), EccServerKeyExchange(said.signature)
    else:
        config = tlcp_client(ECDHE)
        number = said.group if group is None else group
        message = EcdheServerKeyExchange(number, said.point, said.signature)
    client_exchange(suite, config).check(message, PEER, said.randoms)


def check_tls13_proof(said: Said, context: bytes) -> None:
    driver: Any = SimpleNamespace(transcript=SimpleNamespace(digest=lambda: said.digest))
    schemes = client_config().algorithms.signatures_tls13
    flow = steps.receive_certificate_verify(driver, PEER, schemes, context)
    next(flow)
    with pytest.raises(StopIteration):
        flow.send(CertificateVerify(schemes[0].code, said.signature))


def check_proof(said: Said, form: CertificateVerifyForm) -> None:
    content = said.transcript if form is WHOLE_TRANSCRIPT else said.digest
    check_certificate_verify(said.signature, PEER, [(form, content)])


def with_signature(tbs: bytes, said: Said) -> bytes:
    return der.sequence(tbs, SM2_WITH_SM3.encode(), der.bit_string(said.signature))


def check_certificate(said: Said) -> None:
    leaf = Certificate.decode(with_signature(LEAF.certificate.tbs, said))
    chain = [leaf, AUTHORITY.certificate]
    verify_chain(chain, TRUST, at=pki.NOW, purpose=Purpose.SERVER)


def check_list(said: Said) -> None:
    altered = CertificateRevocationList.decode(with_signature(crl(AUTHORITY).tbs, said))
    verify_chain(
        [LEAF.certificate, AUTHORITY.certificate],
        TRUST,
        at=pki.NOW,
        purpose=Purpose.SERVER,
        crls=(altered,),
        revocation=RevocationPolicy.REQUIRED_FOR_LEAF,
    )


def check_request(said: Said) -> None:
    info = create_request(KEY, pki.name("owner")).info
    CertificateRequest.decode(with_signature(info, said)).verify()


HASHED_TWICE, BARE_DIGEST = CertificateVerifyForm.HASHED_TWICE, CertificateVerifyForm.BARE_DIGEST
WHOLE_TRANSCRIPT = CertificateVerifyForm.WHOLE_TRANSCRIPT
VERIFIERS: dict[str, Callable[[Said], None]] = {
    "key exchange of TLCP, ECC": lambda said: check_key_exchange(ECC, said),
    "key exchange of TLCP, ECDHE": lambda said: check_key_exchange(ECDHE, said),
    "key exchange of TLS 1.2": lambda said: check_key_exchange(TLS12, said),
    "proof of a TLS 1.3 server": lambda said: check_tls13_proof(said, steps.SERVER_CONTEXT),
    "proof of a TLS 1.3 client": lambda said: check_tls13_proof(said, steps.CLIENT_CONTEXT),
    "proof of a TLS 1.2 client": lambda said: check_proof(said, BARE_DIGEST),
    "proof of a TLCP client": lambda said: check_proof(said, HASHED_TWICE),
    "proof of a TLCP client of GmSSL 3.2": lambda said: check_proof(said, WHOLE_TRANSCRIPT),
    "certificate": check_certificate,
    "revocation list": check_list,
    "certificate request": check_request,
}
REFUSALS = (HandshakeProofFailed, IllegalParameter, CertificateRejected, Invalid)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_signature_is_good_for_its_own_purpose_alone(maker: str, verifier: str) -> None:
    said = MAKERS[maker]()
    if maker == verifier:
        VERIFIERS[verifier](said)
        return
    with pytest.raises(REFUSALS):
        VERIFIERS[verifier](said)


def test_no_number_of_a_curve_makes_tlcp_take_the_key_exchange_of_tls12() -> None:
    """TLCP ignores that number, as its standard says; but both sign it in the same place."""
    said = MAKERS["key exchange of TLS 1.2"]()
    for number in (*range(300), 4590, 0xFFFF):
        with pytest.raises(REFUSALS):
            check_key_exchange(ECDHE, said, number)


def test_the_bare_form_of_tlcp_differs_from_tls12_by_its_transcript_alone() -> None:
    """Why it is off unless configured: this signature has no identifier and no context."""
    said = MAKERS["proof of a TLS 1.2 client"]()
    check_proof(said, BARE_DIGEST)
    other = Said(said.signature, digest=os.urandom(32))
    with pytest.raises(HandshakeProofFailed):
        check_proof(other, BARE_DIGEST)
    assert tlcp_server().compatibility.certificate_verify == (HASHED_TWICE,)

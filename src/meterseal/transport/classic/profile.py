"""What differs between TLCP and TLS 1.2 beyond the key exchange, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import Incompatible
from meterseal.transport.algorithms import name_signatures, signature_codes, usable_signatures
from meterseal.transport.codepoints import ECDSA_SIGN, RSA_SIGN, TLCP, TLS12
from meterseal.transport.config import CertificateVerifyForm
from meterseal.transport.driver import encode_message
from meterseal.transport.flow import sign_digest, sign_message
from meterseal.transport.messages import (
    CertificateRequest,
    CertificateVerify,
    TlcpCertificateRequest,
    TlcpCertificateVerify,
)
from meterseal.transport.once import once

if TYPE_CHECKING:
    from collections.abc import Collection

    from meterseal.crypto.provider import Signer
    from meterseal.transport.algorithms import Signature
    from meterseal.transport.config import ClientConfig, Credential, ServerConfig
    from meterseal.transport.flow import Flow
    from meterseal.transport.suites import CipherSuite
    from meterseal.transport.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Profile:
    """The messages of one protocol that have another form in the other."""

    certificate_request: type[CertificateRequest | TlcpCertificateRequest]
    certificate_verify: type[CertificateVerify | TlcpCertificateVerify]


PROFILES: Final = {
    TLS12: Profile(CertificateRequest, CertificateVerify),
    TLCP: Profile(TlcpCertificateRequest, TlcpCertificateVerify),
}


def start_transcript(
    transcript: Transcript, suite: CipherSuite, config: ClientConfig | ServerConfig
) -> None:
    """Choose the suite's hash; the messages stay where a CertificateVerify signs anything else."""
    keep = (
        suite.hash_name != config.algorithms.hash_name
        or config.algorithms.signs_messages
        or config.compatibility.needs_whole(suite.version)
    )
    transcript.start(config.provider.new_hash(suite.hash_name), keep=keep)


def sign_transcript(
    form: CertificateVerifyForm, key: Signer, content: bytes, identifier: bytes = DEFAULT_ID
) -> Flow[bytes]:
    """Sign what a CertificateVerify of this form signs."""
    if form is CertificateVerifyForm.BARE_DIGEST:
        return (yield from sign_digest(key, content))
    return (yield from sign_message(key, content, identifier))


def signed_content(
    form: CertificateVerifyForm,
    transcript: Transcript,
    suite: CipherSuite,
    config: ClientConfig | ServerConfig,
) -> bytes:
    """What a CertificateVerify of this form signs: the digest is that of the signatures' hash."""
    if form is CertificateVerifyForm.WHOLE_TRANSCRIPT:
        return transcript.whole()
    name = config.algorithms.hash_name
    if suite.hash_name == name:
        return transcript.digest()
    whole = config.provider.new_hash(name)
    whole.update(transcript.whole())
    return whole.digest()


def request_certificate(version: int, config: ServerConfig) -> bytes:
    """Encode the server's question, with the names of the roots that may vouch for the client."""
    return once(config, _request_pair if version == TLCP else _request_chain)


def _request_pair(config: ServerConfig) -> bytes:
    types = bytes((RSA_SIGN, ECDSA_SIGN))
    return encode_message(TlcpCertificateRequest(types, _authorities(config)))


def _request_chain(config: ServerConfig) -> bytes:
    schemes = signature_codes(config.algorithms.signatures_tls12)
    request = CertificateRequest(bytes((ECDSA_SIGN,)), schemes, _authorities(config))
    return encode_message(request)


def _authorities(config: ServerConfig) -> tuple[bytes, ...]:
    return tuple(anchor.subject.encode() for anchor in config.trust)


def require_scheme(
    accepted: Collection[int], credential: Credential, config: ClientConfig
) -> Signature:
    """Return the scheme that we sign with, if the peer accepts one."""
    ours = config.algorithms.signatures_tls12
    usable = usable_signatures(ours, accepted, credential.chain[0].spki.algorithm)
    if not usable:
        named = name_signatures(ours)
        raise Incompatible(f"the peer does not accept {named}, or our key does not make them")
    return usable[0]


def form_tls12(config: ClientConfig | ServerConfig) -> CertificateVerifyForm:
    """The one form of CertificateVerify in TLS 1.2."""
    if config.algorithms.signs_messages:
        return CertificateVerifyForm.WHOLE_TRANSCRIPT
    return CertificateVerifyForm.BARE_DIGEST


def accepted_forms(version: int, config: ServerConfig) -> tuple[CertificateVerifyForm, ...]:
    """The forms of CertificateVerify that a server takes."""
    if version == TLS12:
        return (form_tls12(config),)
    return config.compatibility.certificate_verify

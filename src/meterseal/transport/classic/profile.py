"""What differs between TLCP and TLS 1.2 beyond the key exchange, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import Incompatible
from meterseal.transport.codepoints import ECDSA_SIGN, RSA_SIGN, TLCP, TLS12
from meterseal.transport.config import CertificateVerifyForm
from meterseal.transport.flow import sign_digest, sign_message
from meterseal.transport.messages import (
    CertificateRequest,
    CertificateVerify,
    TlcpCertificateRequest,
    TlcpCertificateVerify,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from meterseal.crypto.provider import Signer
    from meterseal.transport.algorithms import Signature
    from meterseal.transport.config import ClientConfig, ServerConfig
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
    other_hash = suite.hash_name != config.algorithms.hash_name
    keep = other_hash or config.compatibility.needs_whole(suite.version)
    transcript.start(config.provider.new_hash(suite.hash_name), keep=keep)


def sign_transcript(form: CertificateVerifyForm, key: Signer, content: bytes) -> Flow[bytes]:
    """Sign what a CertificateVerify of this form signs."""
    sign = sign_digest if form is CertificateVerifyForm.BARE_DIGEST else sign_message
    return (yield from sign(key, content))


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


def request_certificate(
    version: int, config: ServerConfig
) -> CertificateRequest | TlcpCertificateRequest:
    """The server's question, with the names of the roots that may vouch for the client."""
    authorities = tuple(anchor.subject.encode() for anchor in config.trust)
    if version == TLCP:
        return TlcpCertificateRequest(bytes((RSA_SIGN, ECDSA_SIGN)), authorities)
    schemes = (config.algorithms.signature_tls12.code,)
    return CertificateRequest(bytes((ECDSA_SIGN,)), schemes, authorities)


def require_scheme(schemes: Collection[int], ours: Signature) -> int:
    """Return the scheme that we sign with, if the peer accepts it."""
    if ours.code not in schemes:
        raise Incompatible(f"the peer does not accept {ours}")
    return ours.code


def accepted_forms(version: int, config: ServerConfig) -> tuple[CertificateVerifyForm, ...]:
    """The forms of CertificateVerify that a server takes."""
    if version == TLS12:
        return (CertificateVerifyForm.BARE_DIGEST,)
    return config.compatibility.certificate_verify

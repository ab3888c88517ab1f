"""Who the ends are: chains shown, chains verified, proofs that a key belongs to them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import (
    CertificateRejected,
    HandshakeProofFailed,
    InvalidSignature,
    MalformedData,
    RejectionReason,
)
from meterseal.transport.codepoints import TLCP
from meterseal.transport.config import CertificateVerifyForm
from meterseal.transport.driver import encode_message
from meterseal.transport.messages import Certificate
from meterseal.transport.once import once
from meterseal.x509 import Certificate as X509Certificate
from meterseal.x509 import KeyRole, Purpose, verify_chain
from meterseal.x509.signature import SM2_SCHEME, SignatureScheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.crypto.provider import Verifier
    from meterseal.transport.config import ClientConfig, ServerConfig
    from meterseal.transport.session import Session
    from meterseal.x509 import VerifiedChain


@dataclass(frozen=True, slots=True)
class Peer:
    """Token: the peer's verified chain, and that of its encryption certificate under TLCP.

    `scheme` is the kind of signature that the chain was verified with, and that its key makes.
    """

    signing: VerifiedChain
    encryption: VerifiedChain | None = None
    scheme: SignatureScheme = SM2_SCHEME

    def verifier(self) -> Verifier:
        """The key that checks the peer's signatures."""
        return self.scheme.verifier(self.signing.leaf.spki)

    def entries(self) -> tuple[bytes, ...]:
        """The certificates as they are kept with a session, to be verified again."""
        chain = [certificate.encoding for certificate in self.signing.chain]
        if self.encryption is not None:
            chain.insert(1, self.encryption.leaf.encoding)
        return tuple(chain)


def show(config: ClientConfig | ServerConfig, version: int) -> bytes:
    """Encode the message that shows our certificates, none if we have none."""
    return once(config, _show_pair if version == TLCP else _show_chain)


def _show_chain(config: ClientConfig | ServerConfig) -> bytes:
    chain = config.credential.chain if config.credential else ()
    return encode_message(Certificate(tuple(certificate.encode() for certificate in chain)))


def _show_pair(config: ClientConfig | ServerConfig) -> bytes:
    """Signing, encryption, issuers (GB/T 38636-2020, 6.4.5.3)."""
    if config.credential is None or config.credential.encryption is None:
        return _show_chain(config)
    signing, *issuers = config.credential.chain
    chain = (signing, config.credential.encryption.certificate, *issuers)
    return encode_message(Certificate(tuple(certificate.encode() for certificate in chain)))


def verify_server(
    entries: Sequence[bytes], config: ClientConfig, server_name: str | None, version: int
) -> Peer:
    """Verify the server's certificates and name."""
    if not entries:
        raise CertificateRejected(RejectionReason.MISSING, "the server showed no certificate")
    presented = _decode(entries)
    scheme = config.algorithms.certificates
    name = server_name if config.check_name else None

    def verify(chain: list[X509Certificate], role: KeyRole) -> VerifiedChain:
        return verify_chain(
            chain,
            config.trust,
            at=config.provider.now(),
            purpose=Purpose.SERVER,
            server_name=name,
            role=role,
            common_name_fallback=config.common_name_fallback,
            crls=config.crls,
            revocation=config.revocation,
            scheme=scheme,
            strictness=config.strictness,
        )

    if version != TLCP:
        return Peer(verify(presented, KeyRole.SIGNING), scheme=scheme)
    signing, encryption = _split_pair(presented)
    pair = verify(signing, KeyRole.SIGNING), verify(encryption, KeyRole.ENCRYPTION)
    return _paired(*pair, scheme)


def verify_client(entries: Sequence[bytes], config: ServerConfig, version: int) -> Peer:
    """Verify the client's certificates; under TLCP the encryption certificate may be missing."""
    presented = _decode(entries)
    scheme = config.algorithms.certificates

    def verify(chain: list[X509Certificate], role: KeyRole) -> VerifiedChain:
        return verify_chain(
            chain,
            config.trust,
            at=config.provider.now(),
            purpose=Purpose.CLIENT,
            role=role,
            crls=config.crls,
            revocation=config.revocation,
            scheme=scheme,
            strictness=config.strictness,
        )

    if version != TLCP or not _second_is_for_encryption(presented):
        return Peer(verify(presented, KeyRole.SIGNING), scheme=scheme)
    signing, encryption = _split_pair(presented)
    pair = verify(signing, KeyRole.SIGNING), verify(encryption, KeyRole.ENCRYPTION)
    return _paired(*pair, scheme)


def may_offer(session: Session, config: ClientConfig, server_name: str | None) -> Peer | None:
    """Return the server if this configuration made the session, for it, not too long ago.

    Its chain must verify today as it did then; who cannot offer shakes hands anew.
    """
    if (
        session.server_name != server_name
        or session.policy != config.policy_digest()
        or not session.is_fresh(config.provider.now().timestamp())
        or all(session.suite != suite.code for suite in config.suites)
    ):
        return None
    version = config.algorithms.suites[session.suite].version
    try:
        return verify_server(session.peer_chain, config, session.server_name, version)
    except CertificateRejected:
        return None


def check_certificate_verify(
    signature: bytes,
    peer: Peer,
    contents: Sequence[tuple[CertificateVerifyForm, bytes]],
    identifier: bytes = DEFAULT_ID,
) -> None:
    """Check that the client holds its signing key: that it signed what one of the forms signs."""
    key = peer.verifier()
    for form, content in contents:
        with contextlib.suppress(InvalidSignature):
            if form is CertificateVerifyForm.BARE_DIGEST:
                key.verify_digest(signature, content)
            else:
                key.verify(signature, content, identifier)
            return
    raise HandshakeProofFailed("the signature of CertificateVerify does not verify")


def _decode(entries: Sequence[bytes]) -> list[X509Certificate]:
    try:
        return [
            _decode_again(entry) if len(entry) <= _CACHED_LENGTH else X509Certificate.decode(entry)
            for entry in entries
        ]
    except MalformedData as error:
        raise CertificateRejected(RejectionReason.MALFORMED, str(error)) from error


# The same few peers show the same certificates again and again. Decoding is a pure function of the
# bytes, so its result may be kept. Whoever connects may fill this: at most 256 KiB of encodings, 32
# times as much decoded.
_CACHED_LENGTH: Final = 1024
_decode_again = lru_cache(maxsize=256)(X509Certificate.decode)


def _second_is_for_encryption(presented: list[X509Certificate]) -> bool:
    """A TLCP client may show its signing chain alone: then the second certificate is a CA's."""
    if len(presented) < 2:  # noqa: PLR2004
        return False
    usage = presented[1].key_usage
    return usage is not None and bool(usage & KeyRole.ENCRYPTION.value)


def _split_pair(
    presented: list[X509Certificate],
) -> tuple[list[X509Certificate], list[X509Certificate]]:
    """The signing chain and the encryption chain of one message (GB/T 38636-2020, 6.4.5.3)."""
    if len(presented) < 2:  # noqa: PLR2004
        raise CertificateRejected(
            RejectionReason.PAIR_MISMATCH, "one certificate where a pair belongs"
        )
    signing, encryption, *issuers = presented
    return [signing, *issuers], [encryption, *issuers]


def _paired(signing: VerifiedChain, encryption: VerifiedChain, scheme: SignatureScheme) -> Peer:
    """A pair has one owner and two keys."""
    first, second = signing.leaf, encryption.leaf
    if not first.subject.matches(second.subject):
        raise CertificateRejected(
            RejectionReason.PAIR_MISMATCH,
            f"signing for {first.subject}, encryption for {second.subject}",
        )
    if first.public_key() == second.public_key():
        raise CertificateRejected(RejectionReason.PAIR_MISMATCH, "both certificates hold one key")
    return Peer(signing, encryption, scheme)

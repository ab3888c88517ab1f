"""ECDSA on P-256 with SHA-256: what signs, what verifies, and what certificates say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as BadSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from meterseal.asn1 import der
from meterseal.errors import CertificateRejected, InvalidKey, InvalidSignature, RejectionReason

if TYPE_CHECKING:
    from meterseal.x509.spki import AlgorithmIdentifier, SubjectPublicKeyInfo

_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_P256 = "1.2.840.10045.3.1.7"
_ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
_MESSAGE = ec.ECDSA(hashes.SHA256())
_DIGEST = ec.ECDSA(Prehashed(hashes.SHA256()))


class EcdsaVerifier:
    """A public key. ECDSA has no identifier: it is ignored."""

    def __init__(self, point: bytes) -> None:
        try:
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError as error:
            raise InvalidKey(str(error)) from None

    def verify(self, signature: bytes, message: bytes, identifier: bytes = b"", /) -> None:  # noqa: ARG002
        self._check(signature, message, _MESSAGE)

    def verify_digest(self, signature: bytes, digest: bytes, /) -> None:
        self._check(signature, digest, _DIGEST)

    def _check(self, signature: bytes, content: bytes, algorithm: ec.ECDSA) -> None:
        try:
            self._key.verify(signature, content, algorithm)
        except BadSignature:
            raise InvalidSignature("an ECDSA signature does not verify") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EcdsaVerifier) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key.public_numbers())


class EcdsaSigner:
    """A private key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def public_key(self) -> EcdsaVerifier:
        return EcdsaVerifier(encode_point(self._key.public_key()))

    def sign(self, message: bytes, identifier: bytes = b"", /) -> bytes:  # noqa: ARG002
        return self._key.sign(message, _MESSAGE)

    def sign_digest(self, digest: bytes, /) -> bytes:
        return self._key.sign(digest, _DIGEST)


class EcdsaScheme:
    """What chain verification asks: P-256 by its name, ecdsa-with-SHA256 without parameters."""

    def verifier(self, spki: SubjectPublicKeyInfo) -> EcdsaVerifier:
        algorithm = spki.algorithm
        if (algorithm.oid, algorithm.parameters) != (_EC_PUBLIC_KEY, der.object_identifier(_P256)):
            raise InvalidKey(f"expected a P-256 key, found {algorithm}")
        return EcdsaVerifier(spki.key)

    def require_key(self, spki: SubjectPublicKeyInfo) -> None:
        try:
            self.verifier(spki)
        except InvalidKey as error:
            raise CertificateRejected(RejectionReason.UNSUPPORTED_KEY, str(error)) from None

    def require_algorithm(self, algorithm: AlgorithmIdentifier) -> None:
        if (algorithm.oid, algorithm.parameters) != (_ECDSA_WITH_SHA256, None):
            detail = f"expected ecdsa-with-SHA256, found {algorithm}"
            raise CertificateRejected(RejectionReason.UNSUPPORTED_ALGORITHM, detail)

    def verify(self, spki: SubjectPublicKeyInfo, signature: bytes, message: bytes) -> None:
        self.verifier(spki).verify(signature, message)


def encode_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """The uncompressed point, 65 bytes."""
    numbers = key.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

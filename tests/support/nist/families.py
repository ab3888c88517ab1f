"""The algorithms that the runner's cases are written for, as families for the provider seam.

The runner shows RSA certificates unless a case is about others, and expects an end that knows
several groups. None of this is in the package: it is what `support.nist` is, with RSA beside ECDSA.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as BadSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from meterseal.errors import CertificateRejected, InvalidKey, InvalidSignature, RejectionReason
from meterseal.transport.algorithms import Algorithms, Group, Signature
from support.nist import NIST_ALGORITHMS, TLS12, TLS13, NistProvider

if TYPE_CHECKING:
    from meterseal.x509.spki import AlgorithmIdentifier, SubjectPublicKeyInfo

_NULL = b"\x05\x00"
_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
_SHA256_WITH_RSA = "1.2.840.113549.1.1.11"
_HASH = hashes.SHA256()
_PSS = padding.PSS(padding.MGF1(_HASH), salt_length=32)


# --- RSA ---------------------------------------------------------------------------------


class RsaVerifier:
    """A public key that checks PSS signatures; RSA has no identifier: it is ignored."""

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self._key = key

    def verify(self, signature: bytes, message: bytes, _identifier: bytes = b"", /) -> None:
        self._check(signature, message, _HASH)

    def verify_digest(self, signature: bytes, digest: bytes, /) -> None:
        self._check(signature, digest, Prehashed(_HASH))

    def _check(self, signature: bytes, content: bytes, kind: hashes.SHA256 | Prehashed) -> None:
        try:
            self._key.verify(signature, content, _PSS, kind)
        except BadSignature:
            raise InvalidSignature("an RSA signature does not verify") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RsaVerifier) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key.public_numbers())


class RsaSigner:
    """A private key that makes PSS signatures."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def public_key(self) -> RsaVerifier:
        return RsaVerifier(self._key.public_key())

    def sign(self, message: bytes, _identifier: bytes = b"", /) -> bytes:
        return self._key.sign(message, _PSS, _HASH)

    def sign_digest(self, digest: bytes, /) -> bytes:
        return self._key.sign(digest, _PSS, Prehashed(_HASH))


class RsaScheme:
    """Certificates signed with PKCS #1 v1.5 and SHA-256, as the runner signs them."""

    def verifier(self, spki: SubjectPublicKeyInfo) -> RsaVerifier:
        return RsaVerifier(self._key(spki))

    def require_key(self, spki: SubjectPublicKeyInfo) -> None:
        try:
            self._key(spki)
        except InvalidKey as error:
            raise CertificateRejected(RejectionReason.UNSUPPORTED_KEY, str(error)) from None

    def require_algorithm(self, algorithm: AlgorithmIdentifier) -> None:
        if (algorithm.oid, algorithm.parameters) != (_SHA256_WITH_RSA, _NULL):
            detail = f"expected sha256WithRSAEncryption, found {algorithm}"
            raise CertificateRejected(RejectionReason.UNSUPPORTED_ALGORITHM, detail)

    def verify(self, spki: SubjectPublicKeyInfo, signature: bytes, message: bytes) -> None:
        try:
            self._key(spki).verify(signature, message, padding.PKCS1v15(), _HASH)
        except BadSignature:
            raise InvalidSignature("an RSA signature does not verify") from None

    def _key(self, spki: SubjectPublicKeyInfo) -> rsa.RSAPublicKey:
        if (spki.algorithm.oid, spki.algorithm.parameters) != (_RSA_ENCRYPTION, _NULL):
            raise InvalidKey(f"expected an RSA key, found {spki.algorithm}")
        key = serialization.load_der_public_key(spki.encoding)
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidKey("expected an RSA key")
        return key


# --- groups ------------------------------------------------------------------------------

X25519, P256, P384, P521 = 29, 23, 24, 25
_CURVES: dict[int, ec.EllipticCurve] = {
    P256: ec.SECP256R1(),
    P384: ec.SECP384R1(),
    P521: ec.SECP521R1(),
}
GROUPS = {
    X25519: Group(X25519, "x25519"),
    P256: Group(P256, "secp256r1"),
    P384: Group(P384, "secp384r1"),
    P521: Group(P521, "secp521r1"),
}


class CurveShare:
    """An ephemeral key on a curve of NIST."""

    def __init__(self, curve: ec.EllipticCurve) -> None:
        self._private = ec.generate_private_key(curve)
        public = self._private.public_key()
        self.public = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, peer_public: bytes, /) -> bytes:
        if len(peer_public) != len(self.public):
            raise InvalidKey(f"a key share of {len(peer_public)} bytes")
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(self._private.curve, peer_public)
        except ValueError as error:
            raise InvalidKey(str(error)) from None
        return self._private.exchange(ec.ECDH(), peer)


class X25519Share:
    """An ephemeral key of X25519; a secret of zeros alone is refused (RFC 8446, 7.4.2)."""

    def __init__(self) -> None:
        self._private = x25519.X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def agree(self, peer_public: bytes, /) -> bytes:
        try:
            return self._private.exchange(x25519.X25519PublicKey.from_public_bytes(peer_public))
        except ValueError as error:
            raise InvalidKey(str(error)) from None


class RunnerProvider(NistProvider):
    """The NIST provider with more groups and a clock that only a case puts forward."""

    def __init__(self) -> None:
        self.delay, start = 0.0, time.time()
        super().__init__(lambda: start + self.delay)

    def key_share(self, group: int, /) -> CurveShare | X25519Share:  # type: ignore[override]
        return X25519Share() if group == X25519 else CurveShare(_CURVES[group])


# --- families ----------------------------------------------------------------------------

RSA_TLS12 = replace(TLS12, code=0xC02F, name="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
RSA_TLS12_CBC = replace(
    RSA_TLS12,
    code=0xC013,
    name="TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    protection="aes-128-cbc-sha1",
)
_RSA_PSS = Signature(0x0804, "RSA-PSS signatures with SHA-256")
_RSA_ALGORITHMS = replace(
    NIST_ALGORITHMS,
    suites={suite.code: suite for suite in (TLS13, RSA_TLS12)},
    signature_tls13=_RSA_PSS,
    signature_tls12=_RSA_PSS,
    certificates=RsaScheme(),
)


@dataclass(frozen=True)
class Family:
    """Algorithms by the kind of key that signs."""

    algorithms: Algorithms

    def with_group(self, group: int) -> Algorithms:
        """The algorithms, with this group for TLS 1.2 and as the one that TLS 1.3 expects."""
        return replace(self.algorithms, group_tls12=GROUPS[group], group_tls13=GROUPS[group])


RSA = Family(_RSA_ALGORITHMS)
RSA_WITH_CBC = Family(
    replace(
        _RSA_ALGORITHMS,
        suites={suite.code: suite for suite in (TLS13, RSA_TLS12, RSA_TLS12_CBC)},
    )
)
ECDSA = Family(NIST_ALGORITHMS)

"""Every key and signature scheme that suites from outside use, for the provider seam.

The identifier of a scheme, which SM2 would put under Z, is its code point here: so a signer and a
verifier learn which scheme is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature as BadSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from meterseal.asn1 import der
from meterseal.errors import CertificateRejected, InvalidKey, InvalidSignature, RejectionReason
from meterseal.transport.algorithms import Signature
from meterseal.x509.spki import AlgorithmIdentifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.x509.spki import SubjectPublicKeyInfo

    PublicKey = (
        rsa.RSAPublicKey
        | ec.EllipticCurvePublicKey
        | ed25519.Ed25519PublicKey
        | mldsa.MLDSA44PublicKey
        | mldsa.MLDSA65PublicKey
        | mldsa.MLDSA87PublicKey
    )
    PrivateKey = (
        rsa.RSAPrivateKey
        | ec.EllipticCurvePrivateKey
        | ed25519.Ed25519PrivateKey
        | mldsa.MLDSA44PrivateKey
        | mldsa.MLDSA65PrivateKey
        | mldsa.MLDSA87PrivateKey
    )

_NULL = b"\x05\x00"


def _curve(name: str) -> AlgorithmIdentifier:
    return AlgorithmIdentifier("1.2.840.10045.2.1", der.object_identifier(name))


_RSA = AlgorithmIdentifier("1.2.840.113549.1.1.1", _NULL)
_P256 = _curve("1.2.840.10045.3.1.7")
_P384 = _curve("1.3.132.0.34")
_P521 = _curve("1.3.132.0.35")
_ED25519 = AlgorithmIdentifier("1.3.101.112")
_MLDSA44 = AlgorithmIdentifier("2.16.840.1.101.3.4.3.17")
_MLDSA65 = AlgorithmIdentifier("2.16.840.1.101.3.4.3.18")
_MLDSA87 = AlgorithmIdentifier("2.16.840.1.101.3.4.3.19")
_NO_KEY = AlgorithmIdentifier("2.999")  # what a code point offered for another version is made by
_KEYS = (_RSA, _P256, _P384, _P521, _ED25519, _MLDSA44, _MLDSA65, _MLDSA87)

# --- schemes -----------------------------------------------------------------------------

_SHA1, _SHA256, _SHA384, _SHA512 = (
    hashes.SHA1(),  # noqa: S303  (cases ask whether it is refused where it must be)
    hashes.SHA256(),
    hashes.SHA384(),
    hashes.SHA512(),
)
_HASHES: dict[int, hashes.HashAlgorithm] = {
    0x0201: _SHA1, 0x0401: _SHA256, 0x0420: _SHA256, 0x0501: _SHA384, 0x0601: _SHA512,
    0x0203: _SHA1, 0x0403: _SHA256, 0x0503: _SHA384, 0x0603: _SHA512,
    0x0804: _SHA256, 0x0805: _SHA384, 0x0806: _SHA512,
}  # fmt: skip
_PKCS1 = (0x0201, 0x0401, 0x0420, 0x0501, 0x0601)
_PSS = (0x0804, 0x0805, 0x0806)
_ECDSA = {0x0203: _P256, 0x0403: _P256, 0x0503: _P384, 0x0603: _P521}
_WITHOUT_HASH = {0x0807: _ED25519, 0x0904: _MLDSA44, 0x0905: _MLDSA65, 0x0906: _MLDSA87}
_ALL = _HASHES.keys() | _WITHOUT_HASH.keys()
_CERTIFICATES = {  # the runner signs certificates with SHA-256 or with no hash of its own
    AlgorithmIdentifier("1.2.840.113549.1.1.11", _NULL): 0x0401,
    AlgorithmIdentifier("1.2.840.10045.4.3.2"): 0x0403,
    **{key: code for code, key in _WITHOUT_HASH.items()},
}


def _scheme(code: int, key: AlgorithmIdentifier, authentication: str) -> Signature:
    name = f"signatures {code:#06x} of {key}"
    return Signature(code, name, code.to_bytes(2, "big"), key, authentication)


def of_tls13(codes: Iterable[int], *, client_signs: bool) -> tuple[Signature, ...]:
    """Each belongs to one kind of key; what TLS 1.3 does not allow is offered for TLS 1.2 alone.

    `client_signs` lets RSA sign as it did, which servers may not (RFC 9963).
    """
    allowed = {0x0403: _P256, 0x0503: _P384, 0x0603: _P521, **_WITHOUT_HASH}
    allowed |= dict.fromkeys((*_PSS, 0x0420) if client_signs else _PSS, _RSA)
    return tuple(_scheme(code, allowed.get(code, _NO_KEY), "") for code in codes if code in _ALL)


def of_tls12(codes: Iterable[int]) -> tuple[Signature, ...]:
    """In TLS 1.2 ECDSA does not name the curve; what it does not know is offered for TLS 1.3."""
    schemes = []
    for code in codes:
        if code in _ECDSA:
            schemes += [_scheme(code, key, "ECDSA") for key in (_P256, _P384, _P521)]
        elif code == 0x0807:
            schemes.append(_scheme(code, _ED25519, "ECDSA"))
        elif code in (*_PKCS1, *_PSS) and code != 0x0420:
            schemes.append(_scheme(code, _RSA, "RSA"))
        elif code in _ALL:
            schemes.append(_scheme(code, _NO_KEY, ""))
    return tuple(schemes)


# --- keys --------------------------------------------------------------------------------


def _arguments(code: int) -> tuple[Any, ...]:
    """What `sign` and `verify` of the key take beyond signature and message."""
    if code in _WITHOUT_HASH:
        return ()
    kind = _HASHES[code]
    if code in _ECDSA:
        return (ec.ECDSA(kind),)
    if code in _PSS:
        return padding.PSS(padding.MGF1(kind), salt_length=kind.digest_size), kind
    return padding.PKCS1v15(), kind


class AnyVerifier:
    """A public key."""

    def __init__(self, key: PublicKey) -> None:
        self._key = key
        self._encoding = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, signature: bytes, message: bytes, identifier: bytes = b"", /) -> None:
        verify: Any = self._key.verify
        try:
            verify(signature, message, *_arguments(int.from_bytes(identifier, "big")))
        except (BadSignature, ValueError):
            raise InvalidSignature("a signature does not verify") from None

    def verify_digest(self, signature: bytes, digest: bytes, /) -> None:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyVerifier) and self._encoding == other._encoding

    def __hash__(self) -> int:
        return hash(self._encoding)


class AnySigner:
    """A private key."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key

    def public_key(self) -> AnyVerifier:
        return AnyVerifier(self._key.public_key())

    def sign(self, message: bytes, identifier: bytes = b"", /) -> bytes:
        sign: Any = self._key.sign
        signature: bytes = sign(message, *_arguments(int.from_bytes(identifier, "big")))
        return signature

    def sign_digest(self, digest: bytes, /) -> bytes:
        raise NotImplementedError


# --- certificates ------------------------------------------------------------------------


class AnyScheme:
    """Certificates with any of the keys, signed with SHA-256 where there is a choice."""

    def verifier(self, spki: SubjectPublicKeyInfo) -> AnyVerifier:
        if spki.algorithm not in _KEYS:
            raise InvalidKey(f"an unexpected kind of key: {spki.algorithm}")
        try:
            key: Any = serialization.load_der_public_key(spki.encoding)
        except ValueError as error:
            raise InvalidKey(str(error)) from None
        return AnyVerifier(key)

    def require_key(self, spki: SubjectPublicKeyInfo) -> None:
        try:
            self.verifier(spki)
        except InvalidKey as error:
            raise CertificateRejected(RejectionReason.UNSUPPORTED_KEY, str(error)) from None

    def require_algorithm(self, algorithm: AlgorithmIdentifier) -> None:
        if algorithm not in _CERTIFICATES:
            detail = f"an unexpected signature: {algorithm}"
            raise CertificateRejected(RejectionReason.UNSUPPORTED_ALGORITHM, detail)

    def verify(self, spki: SubjectPublicKeyInfo, signature: bytes, message: bytes) -> None:
        code = next(code for code in _CODES if spki.algorithm in _CODES[code])
        self.verifier(spki).verify(signature, message, code.to_bytes(2, "big"))


_CODES = {
    0x0401: (_RSA,),
    0x0403: (_P256, _P384, _P521),
    **{code: (key,) for code, key in _WITHOUT_HASH.items()},
}

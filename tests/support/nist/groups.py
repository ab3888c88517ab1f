"""Ephemeral keys: the curves of NIST, X25519, ML-KEM (RFC 8446, 4.2.8.2; FIPS 203)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from meterseal.errors import InvalidKey
from meterseal.transport.algorithms import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meterseal.crypto.provider import KeyShare

    _LatticeKey = mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey
    _LatticePublic = mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey

P256, P384, P521, X25519, MLKEM1024, X25519MLKEM768 = 23, 24, 25, 29, 0x0202, 0x11EC
GROUPS = {
    X25519MLKEM768: Group(X25519MLKEM768, "X25519MLKEM768"),
    X25519: Group(X25519, "x25519"),
    P256: Group(P256, "secp256r1"),
    P384: Group(P384, "secp384r1"),
    P521: Group(P521, "secp521r1"),
    MLKEM1024: Group(MLKEM1024, "MLKEM1024"),
}
_CLASSIC = 32
_ENCAPSULATED = 1184  # the key of ML-KEM-768


class CurveShare:
    """A key on a curve of NIST; the secret is the X coordinate (RFC 8446, 7.4.2)."""

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
    """A secret of zeros alone is refused (RFC 8446, 7.4.2)."""

    def __init__(self) -> None:
        self._private = x25519.X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def agree(self, peer_public: bytes, /) -> bytes:
        try:
            return self._private.exchange(x25519.X25519PublicKey.from_public_bytes(peer_public))
        except ValueError as error:
            raise InvalidKey(str(error)) from None


class LatticeShare:
    """What a client sends of ML-KEM-1024; the answer is a ciphertext."""

    def __init__(self, kind: type[_LatticeKey] = mlkem.MLKEM1024PrivateKey) -> None:
        self._private = kind.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def agree(self, peer_public: bytes, /) -> bytes:
        try:
            return self._private.decapsulate(peer_public)
        except ValueError as error:
            raise InvalidKey(str(error)) from None


class HybridShare:
    """ML-KEM-768 and then X25519 (draft-ietf-tls-ecdhe-mlkem)."""

    def __init__(self) -> None:
        self._lattice, self._curve = LatticeShare(mlkem.MLKEM768PrivateKey), X25519Share()
        self.public = self._lattice.public + self._curve.public

    def agree(self, peer_public: bytes, /) -> bytes:
        first, second = peer_public[:-_CLASSIC], peer_public[-_CLASSIC:]
        return self._lattice.agree(first) + self._curve.agree(second)


def answer(group: int, peer_public: bytes) -> tuple[bytes, bytes]:
    """Our public value for a client's, and the shared secret."""
    if group == MLKEM1024:
        return _encapsulate(mlkem.MLKEM1024PublicKey, peer_public)
    if group == X25519MLKEM768:
        curve = X25519Share()
        first, second = peer_public[:_ENCAPSULATED], peer_public[_ENCAPSULATED:]
        ciphertext, secret = _encapsulate(mlkem.MLKEM768PublicKey, first)
        return ciphertext + curve.public, secret + curve.agree(second)
    share = SHARES[group]()
    return share.public, share.agree(peer_public)


def _encapsulate(kind: type[_LatticePublic], peer_public: bytes) -> tuple[bytes, bytes]:
    try:
        secret, ciphertext = kind.from_public_bytes(peer_public).encapsulate()
    except ValueError as error:
        raise InvalidKey(str(error)) from None
    return ciphertext, secret


SHARES: Mapping[int, Callable[[], KeyShare]] = {
    X25519MLKEM768: HybridShare,
    X25519: X25519Share,
    P256: partial(CurveShare, ec.SECP256R1()),
    P384: partial(CurveShare, ec.SECP384R1()),
    P521: partial(CurveShare, ec.SECP521R1()),
    MLKEM1024: LatticeShare,
}

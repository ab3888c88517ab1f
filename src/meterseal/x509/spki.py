"""AlgorithmIdentifier and SubjectPublicKeyInfo (RFC 5280, 4.1.1.2 and 4.1.2.7)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.crypto import sm2
from meterseal.errors import InvalidKey, MalformedData

if TYPE_CHECKING:
    from meterseal.asn1.der import Buffer, Reader

__all__ = ["AlgorithmIdentifier", "SubjectPublicKeyInfo"]


@dataclass(frozen=True, slots=True)
class AlgorithmIdentifier:
    """An algorithm and its parameters: their DER, or None where they are absent."""

    oid: str
    parameters: bytes | None = None

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read an AlgorithmIdentifier that stands next in a reader."""
        body = reader.sequence("algorithm identifier")
        identifier = body.object_identifier()
        parameters = None if body.at_end else body.element().encoding
        body.finish()
        return cls(identifier, parameters)

    def encode(self) -> bytes:
        """Encode the AlgorithmIdentifier."""
        return der.sequence(der.object_identifier(self.oid), self.parameters or b"")

    def __str__(self) -> str:
        return oids.name_of(self.oid)


SM2_WITH_SM3 = AlgorithmIdentifier(oids.SM2_WITH_SM3)
SM2_KEY = AlgorithmIdentifier(oids.EC_PUBLIC_KEY, der.object_identifier(oids.SM2_CURVE))


def require_sm2(algorithm: AlgorithmIdentifier) -> None:
    """Raise InvalidKey unless the algorithm is that of SM2 keys, given by its named curve.

    Some releases of OpenSSL 3 write the curve's identifier as the algorithm too; that is accepted.
    Explicit curve parameters are refused, whatever they say (CVE-2020-0601).
    """
    if algorithm.oid not in {oids.EC_PUBLIC_KEY, oids.SM2_CURVE}:
        raise InvalidKey(f"expected an SM2 key, found {algorithm}")
    if algorithm.parameters is None and algorithm.oid == oids.SM2_CURVE:
        return
    parameters = der.Reader(algorithm.parameters or b"", "curve of a key")
    if parameters.next_is(der.SEQUENCE):
        raise InvalidKey("the key has explicit curve parameters; only a named curve is accepted")
    curve = parameters.object_identifier()
    parameters.finish()
    if curve != oids.SM2_CURVE:
        raise InvalidKey(f"expected a key on the curve sm2p256v1, found {oids.name_of(curve)}")


@dataclass(frozen=True, slots=True)
class SubjectPublicKeyInfo:
    """A public key of any algorithm; `public_key()` gives it out if it is one of SM2."""

    algorithm: AlgorithmIdentifier
    key: bytes
    encoding: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read a SubjectPublicKeyInfo that stands next in a reader."""
        element = reader.element(der.SEQUENCE)
        body = der.Reader(element.contents, "public key")
        algorithm = AlgorithmIdentifier.read(body)
        key = body.bit_string()
        body.finish()
        return cls(algorithm, key, element.encoding)

    @classmethod
    def decode(cls, data: Buffer) -> Self:
        """Decode a SubjectPublicKeyInfo. Raises MalformedData."""
        reader = der.Reader(data, "public key")
        info = cls.read(reader)
        reader.finish()
        return info

    @classmethod
    def of(cls, public_key: sm2.PublicKey) -> Self:
        """Make the SubjectPublicKeyInfo of an SM2 key: id-ecPublicKey, named curve."""
        point = public_key.to_bytes()
        return cls(SM2_KEY, point, der.sequence(SM2_KEY.encode(), der.bit_string(point)))

    def public_key(self) -> sm2.PublicKey:
        """Return the SM2 key. Raises InvalidKey for other algorithms, curves and bad points."""
        return _sm2_key(self)


@lru_cache(maxsize=1024)
def _sm2_key(info: SubjectPublicKeyInfo) -> sm2.PublicKey:
    """Keys are values without secrets: a good one is made once and shared."""
    try:
        require_sm2(info.algorithm)
    except MalformedData as error:
        raise InvalidKey(f"the parameters of the key are malformed: {error}") from None
    return sm2.PublicKey.from_bytes(info.key)

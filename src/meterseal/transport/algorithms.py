"""A family of algorithms as data: its suites, and the numbers by which TLS knows its signatures.

Together with a provider that computes them, this is all by which the transport tells one family
from another. The SM family is the default, and the only one that the package holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import IllegalParameter
from meterseal.transport.codepoints import NamedGroup, SignatureScheme
from meterseal.transport.suites import SUITES
from meterseal.x509.signature import SM2_SCHEME

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from meterseal.transport.suites import CipherSuite
    from meterseal.x509.signature import SignatureScheme as CertificateScheme
    from meterseal.x509.spki import AlgorithmIdentifier

__all__ = [
    "SM_ALGORITHMS",
    "Algorithms",
    "Group",
    "Signature",
    "find_signature",
    "name_signatures",
    "signature_codes",
    "usable_signatures",
]


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature scheme: its code point, its name for people, and the identifier under Z.

    `key` is what keys that make it say of themselves, `None` where every key of the family does;
    `authentication` joins it to suites of TLS 1.2.
    """

    code: int
    name: str
    identifier: bytes = DEFAULT_ID
    key: AlgorithmIdentifier | None = None
    authentication: str = ""

    def is_made_by(self, key: AlgorithmIdentifier) -> bool:
        """Whether a key of this algorithm makes such signatures."""
        return self.key is None or self.key == key

    def __str__(self) -> str:
        return f"{self.name} ({self.code:#06x})"


@dataclass(frozen=True, slots=True)
class Group:
    """A group by its code point and its name for people."""

    code: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


@dataclass(frozen=True, slots=True, eq=False)
class Algorithms:
    """One family; what stands first in a list is preferred.

    `suites` are all that the family has, by code point; a configuration chooses among them.
    `hash_name` is the hash of policy digests, `certificates` how certificates are signed.
    `group_tls13` is the group that every peer of the family is expected to know. A client of TLS
    1.2 signs the digest of the messages as it stands, or with `signs_messages` the messages.
    """

    suites: Mapping[int, CipherSuite]
    hash_name: str
    signatures_tls13: tuple[Signature, ...]
    signatures_tls12: tuple[Signature, ...]
    group_tls13: Group
    groups_tls12: tuple[Group, ...]
    certificates: CertificateScheme
    signs_messages: bool = False


def signature_codes(signatures: tuple[Signature, ...]) -> tuple[int, ...]:
    """What is offered to the peer: each code point once."""
    return tuple(dict.fromkeys(signature.code for signature in signatures))


def name_signatures(signatures: tuple[Signature, ...]) -> str:
    """For people."""
    return ", ".join(str(signature) for signature in signatures)


def usable_signatures(
    ours: tuple[Signature, ...], accepted: Collection[int], key: AlgorithmIdentifier
) -> list[Signature]:
    """Those that the peer accepts and our key makes."""
    return [scheme for scheme in ours if scheme.code in accepted and scheme.is_made_by(key)]


def find_signature(ours: tuple[Signature, ...], code: int, key: AlgorithmIdentifier) -> Signature:
    """Return the scheme by which the peer signed, or raise `IllegalParameter`."""
    offered = [scheme for scheme in ours if scheme.code == code]
    if not offered:
        raise IllegalParameter(f"signature scheme {code:#06x} was not offered")
    for scheme in offered:
        if scheme.is_made_by(key):
            return scheme
    raise IllegalParameter(f"{offered[0]} are not made by the key of the certificate")


SM_ALGORITHMS: Final = Algorithms(
    suites=SUITES,
    hash_name="sm3",
    signatures_tls13=(
        Signature(
            SignatureScheme.SM2SIG_SM3,
            "SM2 signatures of TLS 1.3",
            b"TLSv1.3+GM+Cipher+Suite",  # RFC 8998, 3.2.1
        ),
    ),
    signatures_tls12=(Signature(SignatureScheme.SM2SIGN_SM3_GMSSL, "SM2 signatures with SM3"),),
    group_tls13=Group(NamedGroup.CURVE_SM2, "curveSM2"),
    groups_tls12=(Group(NamedGroup.SM2P256V1_GMSSL, "the SM2 curve"),),
    certificates=SM2_SCHEME,
)

"""A family of algorithms as data: its suites, and the numbers by which TLS knows its signatures.

Together with a provider that computes them, this is all by which the transport tells one family
from another. The SM family is the default, and the only one that the package holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.transport.codepoints import NamedGroup, SignatureScheme
from meterseal.transport.suites import SUITES
from meterseal.x509.signature import SM2_SCHEME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meterseal.transport.suites import CipherSuite
    from meterseal.x509.signature import SignatureScheme as CertificateScheme

__all__ = ["SM_ALGORITHMS", "Algorithms", "Group", "Signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature scheme: its code point, its name for people, and the identifier under Z."""

    code: int
    name: str
    identifier: bytes = DEFAULT_ID

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
    """One family. Its hash has 32 bytes; TLS 1.2 has one group and each version one signature.

    `suites` are all that the family has, by code point; a configuration chooses among them.
    `hash_name` is the hash of policy digests, `certificates` how certificates are signed.
    `group_tls13` is the group that every peer of the family is expected to know.
    """

    suites: Mapping[int, CipherSuite]
    hash_name: str
    signature_tls13: Signature
    signature_tls12: Signature
    group_tls13: Group
    group_tls12: Group
    certificates: CertificateScheme


SM_ALGORITHMS: Final = Algorithms(
    suites=SUITES,
    hash_name="sm3",
    signature_tls13=Signature(
        SignatureScheme.SM2SIG_SM3,
        "SM2 signatures of TLS 1.3",
        b"TLSv1.3+GM+Cipher+Suite",  # RFC 8998, 3.2.1
    ),
    signature_tls12=Signature(SignatureScheme.SM2SIGN_SM3_GMSSL, "SM2 signatures with SM3"),
    group_tls13=Group(NamedGroup.CURVE_SM2, "curveSM2"),
    group_tls12=Group(NamedGroup.SM2P256V1_GMSSL, "the SM2 curve"),
    certificates=SM2_SCHEME,
)

"""Pairs of certificates: one owner, one key to sign, one key to decrypt (GM/T 0015; GB/T 38636)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meterseal.errors import UsageError
from meterseal.x509.extensions import KeyUsage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.x509.certificate import Certificate

__all__ = ["CertificatePair", "sort_pair"]

_SIGNS = KeyUsage.DIGITAL_SIGNATURE
_DECRYPTS = KeyUsage.KEY_ENCIPHERMENT | KeyUsage.DATA_ENCIPHERMENT | KeyUsage.KEY_AGREEMENT


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """The two certificates of one owner, and those of CAs that stood with them, in order."""

    signing: Certificate
    encryption: Certificate
    issuers: tuple[Certificate, ...] = ()


def sort_pair(certificates: Iterable[Certificate]) -> CertificatePair:
    """Find the pair in a bundle of any order, by Key Usage.

    Certificates of CAs are its issuers. Raises UsageError that names what is missing, stands
    twice, or cannot be told: a certificate of an end entity without Key Usage or for both uses,
    two owners, one key in both.
    """
    signing: list[Certificate] = []
    encryption: list[Certificate] = []
    issuers: list[Certificate] = []
    for certificate in dict.fromkeys(certificates):
        constraints = certificate.basic_constraints
        if constraints and constraints.ca:
            issuers.append(certificate)
        elif _is_for_encryption(certificate):
            encryption.append(certificate)
        else:
            signing.append(certificate)
    pair = CertificatePair(
        _only_one(signing, "signing"), _only_one(encryption, "encryption"), tuple(issuers)
    )
    _require_one_owner(pair)
    return pair


def _is_for_encryption(certificate: Certificate) -> bool:
    usage = certificate.key_usage
    if usage is None:
        raise UsageError(
            f"the certificate of {certificate.subject} has no Key Usage: is it for signing or for "
            "encryption?"
        )
    signs, decrypts = bool(usage & _SIGNS), bool(usage & _DECRYPTS)
    if signs == decrypts:
        fact = "signing and for encryption" if signs else "neither signing nor encryption"
        raise UsageError(
            f"the certificate of {certificate.subject} is for {fact}; a pair has one for each"
        )
    return decrypts


def _only_one(found: list[Certificate], use: str) -> Certificate:
    if not found:
        raise UsageError(f"the {use} certificate of the pair is missing")
    if len(found) > 1:
        raise UsageError(f"{len(found)} {use} certificates; a pair has one")
    return found[0]


def _require_one_owner(pair: CertificatePair) -> None:
    signing, encryption = pair.signing, pair.encryption
    if not signing.subject.matches(encryption.subject):
        raise UsageError(
            f"the pair has two owners: {signing.subject} signs, {encryption.subject} decrypts"
        )
    if signing.spki.encoding == encryption.spki.encoding:
        raise UsageError(f"both certificates of {signing.subject} hold the same key")

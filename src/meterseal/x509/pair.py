"""Pairs of certificates: one owner, one key to sign, one key to decrypt (GM/T 0015; GB/T 38636).

Bundles come in any order. `sort_pair` goes by Key Usage alone and wants both halves; `sort_own`
goes by the keys that are there and takes what it finds. `issue_pair` makes a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from meterseal.crypto.random import random_bytes
from meterseal.errors import MeterSealError, UsageError
from meterseal.x509.extensions import KeyUsage
from meterseal.x509.issue import DAYS_OF_FIVE_YEARS, issue_certificate
from meterseal.x509.request import CertificateRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from meterseal.crypto import sm2
    from meterseal.x509.certificate import Certificate
    from meterseal.x509.general_name import GeneralName
    from meterseal.x509.name import Name

__all__ = ["CertificatePair", "OwnCertificates", "issue_pair", "sort_own", "sort_pair"]

_SIGNS = KeyUsage.DIGITAL_SIGNATURE
_DECRYPTS = KeyUsage.KEY_ENCIPHERMENT | KeyUsage.DATA_ENCIPHERMENT | KeyUsage.KEY_AGREEMENT


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """The two certificates of one owner, and those of CAs that stood with them, in order."""

    signing: Certificate
    encryption: Certificate
    issuers: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnCertificates:
    """The certificates of a bundle whose keys are ours, and those of CAs, in order."""

    signing: Certificate | None
    encryption: Certificate | None
    issuers: tuple[Certificate, ...]


def sort_pair(certificates: Iterable[Certificate]) -> CertificatePair:
    """Find the pair in a bundle of any order, by Key Usage.

    Certificates of CAs are its issuers. Raises UsageError that names what is missing, stands
    twice, or cannot be told: a certificate of an end entity without Key Usage or for both uses,
    two owners, one key in both.
    """
    everything = list(dict.fromkeys(certificates))
    issuers = tuple(certificate for certificate in everything if _is_of_ca(certificate))
    own = _sort((c for c in everything if not _is_of_ca(c)), issuers, _is_half_for_encryption)
    if own.signing is None or own.encryption is None:
        missing = "signing" if own.signing is None else "encryption"
        raise UsageError(f"the {missing} certificate of the pair is missing")
    pair = CertificatePair(own.signing, own.encryption, own.issuers)
    _require_one_owner(pair)
    return pair


def sort_own(certificates: Iterable[Certificate], keys: Iterable[sm2.PublicKey]) -> OwnCertificates:
    """Find our certificates in a bundle of any order: those whose key is among `keys`.

    One whose Key Usage allows no signatures, but what a pair decrypts with, is for encryption, any
    other for signing. The others are issuers if they are of CAs, else they are passed over. Raises
    UsageError if there are two for one use.
    """
    points = {key.to_bytes() for key in keys}
    everything = list(dict.fromkeys(certificates))
    own = [certificate for certificate in everything if _point(certificate) in points]
    issuers = tuple(c for c in everything if c not in own and _is_of_ca(c))
    return _sort(own, issuers, _is_for_encryption_alone)


def issue_pair(  # noqa: PLR0913
    signing: CertificateRequest | sm2.PublicKey,
    encryption: CertificateRequest | sm2.PublicKey,
    subject: Name | None = None,
    *,
    ca_certificate: Certificate,
    ca_key: sm2.PrivateKey,
    not_before: datetime,
    days: int = DAYS_OF_FIVE_YEARS,
    alt_names: Iterable[GeneralName] | None = None,
    random: Callable[[int], bytes] = random_bytes,
) -> CertificatePair:
    """Issue both certificates of a pair, for requests or public keys, as `issue_certificate` does.

    Both have the same names: those given, or those that the requests ask for. Raises UsageError if
    the requests disagree about owner or names, or have one key.
    """
    names = _names_asked_for(signing, encryption) if alt_names is None else tuple(alt_names)
    issue = partial(
        issue_certificate,
        subject=subject,
        ca_certificate=ca_certificate,
        ca_key=ca_key,
        not_before=not_before,
        days=days,
        alt_names=names,
        random=random,
    )
    return sort_pair([issue(signing, profile="signing"), issue(encryption, profile="encryption")])


def _names_asked_for(
    *holders: CertificateRequest | sm2.PublicKey,
) -> tuple[GeneralName, ...]:
    asked = {
        request.subject_alt_name.names
        for request in holders
        if isinstance(request, CertificateRequest) and request.subject_alt_name is not None
    }
    if len(asked) > 1:
        raise UsageError("the two requests of a pair ask for different names")
    return asked.pop() if asked else ()


# --- sorting ---------------------------------------------------------------------------------


def _sort(
    own: Iterable[Certificate],
    issuers: tuple[Certificate, ...],
    is_for_encryption: Callable[[Certificate], bool],
) -> OwnCertificates:
    signing: list[Certificate] = []
    encryption: list[Certificate] = []
    for certificate in own:
        (encryption if is_for_encryption(certificate) else signing).append(certificate)
    return OwnCertificates(
        _at_most_one(signing, "signing"), _at_most_one(encryption, "encryption"), issuers
    )


def _is_of_ca(certificate: Certificate) -> bool:
    constraints = certificate.basic_constraints
    return constraints is not None and constraints.ca


def _point(certificate: Certificate) -> bytes:
    try:
        return certificate.public_key().to_bytes()
    except MeterSealError:  # another kind of key
        return b""


def _is_half_for_encryption(certificate: Certificate) -> bool:
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


def _is_for_encryption_alone(certificate: Certificate) -> bool:
    usage = certificate.key_usage
    return usage is not None and not usage & _SIGNS and bool(usage & _DECRYPTS)


def _at_most_one(found: list[Certificate], use: str) -> Certificate | None:
    if len(found) > 1:
        raise UsageError(f"{len(found)} {use} certificates; a pair has one")
    return found[0] if found else None


def _require_one_owner(pair: CertificatePair) -> None:
    signing, encryption = pair.signing, pair.encryption
    if not signing.subject.matches(encryption.subject):
        raise UsageError(
            f"the pair has two owners: {signing.subject} signs, {encryption.subject} decrypts"
        )
    if signing.spki.encoding == encryption.spki.encoding:
        raise UsageError(f"both certificates of {signing.subject} hold the same key")

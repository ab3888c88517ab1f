"""Whether the certificates of a path were revoked (RFC 5280, 6.3), by lists given from outside.

Simpler than RFC 5280: a list is signed by the very key that signed the certificate, and is
complete. Of several usable lists of one issuer the newest decides.
"""

from __future__ import annotations

from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from meterseal.asn1 import oid as oids
from meterseal.errors import CertificateRejected, InvalidSignature, RejectionReason
from meterseal.x509.crl import RevocationReason
from meterseal.x509.extensions import KeyUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from meterseal.x509.certificate import Certificate
    from meterseal.x509.crl import CertificateRevocationList, RevokedCertificate
    from meterseal.x509.signature import SignatureScheme

__all__ = ["RevocationPolicy", "lines_about", "require_not_revoked"]

_OF_PARTIAL_LISTS = {
    oids.ISSUING_DISTRIBUTION_POINT: "it is indirect or covers a part of the certificates only",
    oids.DELTA_CRL_INDICATOR: "it is a delta to another list",
}


class RevocationPolicy(Enum):
    """What must be known about the revocation of certificates below the anchor.

    Whatever the policy but `NONE`, a certificate on a usable list is refused, and so is one whose
    issuer's only lists cannot be used: expired, badly signed, indirect, not understood.
    """

    NONE = "lists are not looked at"
    IF_AVAILABLE = "a certificate of an issuer without a list is accepted"
    REQUIRED_FOR_LEAF = "the leaf's issuer must have a list"
    REQUIRED = "every issuer in the path must have a list"


def require_not_revoked(  # noqa: PLR0913
    path: Sequence[Certificate],
    crls: Sequence[CertificateRevocationList],
    policy: RevocationPolicy,
    *,
    at: datetime,
    scheme: SignatureScheme,
    count_signature: Callable[[Certificate], None],
    with_number: bool = False,
) -> None:
    """Raise CertificateRejected if a certificate of the path is revoked, or may be.

    The path goes from the leaf to the anchor, which itself is not looked up. `count_signature` is
    called with the certificate before a signature is computed and may raise. `with_number` takes
    only lists that have a number, as RFC 5280, 5.2.3 demands of those who issue them.
    """
    if policy is RevocationPolicy.NONE:
        return
    for depth, (certificate, issuer) in enumerate(pairwise(path)):
        candidates = sorted((crl for crl in crls if _is_by(crl, issuer)), key=_age, reverse=True)
        problem = "there is no list of its issuer"
        for crl in candidates:
            found = _problem_of(crl, at)
            if found is None and with_number and crl.number is None:
                found = "it has no number"
            if found is None:
                count_signature(certificate)
                found = _problem_of_signature(crl, issuer, scheme)
            if found is None:
                _require_not_listed(certificate, crl)
                break
            problem = f"the list of {crl.this_update:%Y-%m-%d %H:%M:%S} is no use: {found}"
        else:
            if candidates or _is_required(policy, depth):
                raise CertificateRejected(
                    RejectionReason.REVOCATION_UNKNOWN, problem, str(certificate.subject)
                )


def lines_about(
    path: Sequence[Certificate],
    crls: Sequence[CertificateRevocationList],
    scheme: SignatureScheme,
) -> Iterator[tuple[Certificate, RevokedCertificate]]:
    """Yield what genuine lists say of the path, whenever they were issued and however old.

    For those who judge in hindsight. The path goes from the leaf to the anchor.
    """
    for certificate, issuer in pairwise(path):
        for crl in crls:
            line = crl.find(certificate.serial_number) if _is_by(crl, issuer) else None
            if line is not None and _problem_of_signature(crl, issuer, scheme) is None:
                yield certificate, line


def _is_by(crl: CertificateRevocationList, issuer: Certificate) -> bool:
    """Whether the list claims to be of this CA: by name, and by key identifier if both have one."""
    if not crl.issuer.matches(issuer.subject):
        return False
    authority = crl.authority_key_identifier
    wanted = authority.key_identifier if authority else None
    known = issuer.subject_key_identifier
    return wanted is None or known is None or wanted == known


def _is_required(policy: RevocationPolicy, depth: int) -> bool:
    if policy is RevocationPolicy.REQUIRED_FOR_LEAF:
        return depth == 0
    return policy is RevocationPolicy.REQUIRED


def _age(crl: CertificateRevocationList) -> tuple[datetime, int]:
    return crl.this_update, crl.number or 0


def _problem_of(crl: CertificateRevocationList, at: datetime) -> str | None:
    """Return what keeps the list by itself from being used, or None."""
    return _problem_of_time(crl, at) or _problem_of_extensions(crl) or _problem_of_lines(crl)


def _problem_of_signature(
    crl: CertificateRevocationList, issuer: Certificate, scheme: SignatureScheme
) -> str | None:
    usage = issuer.key_usage
    if usage is not None and KeyUsage.CRL_SIGN not in usage:
        return "its issuer's key may not sign lists"
    if crl.tbs_algorithm != crl.signature_algorithm:
        return "the algorithms inside and outside of the signed part differ"
    try:
        scheme.require_algorithm(crl.signature_algorithm)
        scheme.verify(issuer.spki, crl.signature, crl.tbs)
    except CertificateRejected as error:
        return f"{error.reason.value}: {error.detail}"
    except InvalidSignature:
        return f"the key of {issuer.subject} did not sign it"
    return None


def _problem_of_time(crl: CertificateRevocationList, at: datetime) -> str | None:
    if crl.this_update > at:
        return "it is from the future"
    if crl.next_update is None:
        return "it does not say how long it is good"
    if crl.next_update < at:
        return f"it was good until {crl.next_update:%Y-%m-%d %H:%M:%S} UTC"
    return None


def _problem_of_extensions(crl: CertificateRevocationList) -> str | None:
    for extension in crl.extensions:
        if extension.oid in _OF_PARTIAL_LISTS:
            return _OF_PARTIAL_LISTS[extension.oid]
        if extension.critical:  # none that we understand may be (RFC 5280, 5.2)
            return f"it has the critical extension {oids.name_of(extension.oid)}"
    return None


def _problem_of_lines(crl: CertificateRevocationList) -> str | None:
    for identifier, critical in crl.extensions_of_lines:
        if identifier == oids.CERTIFICATE_ISSUER:
            return "it is indirect: it lists certificates of other issuers"
        if critical and identifier != oids.CRL_REASON:
            return f"a line has the unknown critical extension {oids.name_of(identifier)}"
    if RevocationReason.REMOVE_FROM_CRL in crl.reasons:
        return "a line takes another back, as only a delta may"
    return None


def _require_not_listed(certificate: Certificate, crl: CertificateRevocationList) -> None:
    line = crl.find(certificate.serial_number)
    if line is None:
        return
    reason = line.reason.name.lower().replace("_", " ")
    raise CertificateRejected(
        RejectionReason.REVOKED,
        f"on {line.revoked_at:%Y-%m-%d %H:%M:%S} UTC, {reason}",
        str(certificate.subject),
    )

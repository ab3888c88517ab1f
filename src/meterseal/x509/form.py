"""Rules of form that every certificate of a path must keep (RFC 5280, 4.1 and 4.2).

Certificates in use leave out identifiers that RFC 5280 asks for, and OpenSSL's old default writes
Basic Constraints that are not critical; both are accepted here and refused by `strictness`. What is
refused here has no writer among our peers, or changes what the certificate says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.asn1 import oid as oids
from meterseal.errors import CertificateRejected, RejectionReason
from meterseal.x509.certificate import VERSION_3
from meterseal.x509.extensions import DECODERS

if TYPE_CHECKING:
    from meterseal.x509.certificate import Certificate

__all__ = ["require_form"]

_MAX_SERIAL_BITS = 159
_ALWAYS_CRITICAL = {
    oids.NAME_CONSTRAINTS,
    oids.POLICY_CONSTRAINTS,
    oids.INHIBIT_ANY_POLICY,
}
_NEVER_CRITICAL = {
    oids.SUBJECT_KEY_IDENTIFIER,
    oids.AUTHORITY_KEY_IDENTIFIER,
    oids.AUTHORITY_INFORMATION_ACCESS,
}


def require_form(certificate: Certificate) -> None:
    """Raise CertificateRejected if the certificate breaks a rule of form."""
    problem = _problem_of_fields(certificate) or _problem_of_extensions(certificate)
    if problem is not None:
        raise CertificateRejected(RejectionReason.MALFORMED, problem, str(certificate.subject))
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in DECODERS:
            raise CertificateRejected(
                RejectionReason.UNKNOWN_CRITICAL_EXTENSION,
                oids.name_of(extension.oid),
                str(certificate.subject),
            )


def _problem_of_fields(certificate: Certificate) -> str | None:
    if certificate.version != VERSION_3:
        return f"it is of version {certificate.version}; expected {VERSION_3}"
    serial = certificate.serial_number
    if serial <= 0 or serial.bit_length() > _MAX_SERIAL_BITS:
        return "its serial number is not a positive number of at most 20 bytes"
    if not certificate.issuer.rdns:
        return "its issuer is empty"
    return None


def _problem_of_extensions(certificate: Certificate) -> str | None:
    critical = {extension.oid: extension.critical for extension in certificate.extensions}
    for identifier in _ALWAYS_CRITICAL & critical.keys():
        if not critical[identifier]:
            return f"{oids.name_of(identifier)} must be critical"
    for identifier in _NEVER_CRITICAL & critical.keys():
        if critical[identifier]:
            return f"{oids.name_of(identifier)} must not be critical"
    constraints = certificate.basic_constraints
    is_ca = constraints is not None and constraints.ca
    if oids.NAME_CONSTRAINTS in critical and not is_ca:
        return "name constraints stand in a certificate that is not of a CA"
    if not certificate.subject.rdns and (is_ca or not critical.get(oids.SUBJECT_ALT_NAME)):
        return "its subject is empty, and no critical alternative name stands instead"
    return None

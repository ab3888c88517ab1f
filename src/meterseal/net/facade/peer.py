"""Certificates in the shape of `ssl.SSLSocket.getpeercert()`."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from meterseal.x509 import GeneralName, GeneralNameKind, Name

if TYPE_CHECKING:
    from datetime import datetime

    from meterseal.x509 import Certificate

__all__ = ["certificate_dict", "name_tuples"]

NameTuples = tuple[tuple[tuple[str, str], ...], ...]

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_LONG_NAMES: Final = {
    "2.5.4.3": "commonName",
    "2.5.4.4": "surname",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.9": "streetAddress",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "givenName",
    "2.5.4.43": "initials",
    "2.5.4.46": "dnQualifier",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "userId",
    "0.9.2342.19200300.100.1.25": "domainComponent",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_KINDS: Final = {
    GeneralNameKind.EMAIL: "email",
    GeneralNameKind.DNS: "DNS",
    GeneralNameKind.URI: "URI",
    GeneralNameKind.IP: "IP Address",
    GeneralNameKind.DIRECTORY: "DirName",
}


def certificate_dict(certificate: Certificate) -> dict[str, Any]:
    """Return what `getpeercert()` returns for a certificate that was verified."""
    shape: dict[str, Any] = {
        "subject": name_tuples(certificate.subject),
        "issuer": name_tuples(certificate.issuer),
        "version": certificate.version,
        "serialNumber": _serial(certificate.serial_number),
        "notBefore": _moment(certificate.not_before),
        "notAfter": _moment(certificate.not_after),
    }
    alternatives = certificate.subject_alt_name
    if alternatives is not None:
        shape["subjectAltName"] = tuple(map(_alternative, alternatives.names))
    return shape


def name_tuples(name: Name) -> NameTuples:
    """Return a distinguished name as a tuple of components, each a tuple of pairs."""
    return tuple(
        tuple((_LONG_NAMES.get(item.oid, item.oid), item.value) for item in rdn)
        for rdn in name.rdns
    )


def _alternative(name: GeneralName) -> tuple[str, object]:
    kind, value = _KINDS.get(name.kind, name.kind.name.lower()), name.value
    if isinstance(value, Name):
        return kind, name_tuples(value)
    if isinstance(value, ipaddress.IPv6Address):
        groups = value.exploded.split(":")
        return kind, ":".join(f"{int(group, 16):X}" for group in groups)
    return kind, "<unsupported>" if isinstance(value, bytes) else str(value)


def _serial(number: int) -> str:
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)


def _moment(moment: datetime) -> str:
    return f"{_MONTHS[moment.month - 1]} {moment.day:2d} {moment:%H:%M:%S} {moment.year} GMT"

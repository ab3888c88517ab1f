"""Whether a certificate speaks for a host (RFC 6125; RFC 9525).

- A host name is compared with the dNSName entries of the Subject Alternative Name, an address with
  its iPAddress entries, and never across.
- `*` stands for one whole left-most label, above at least two more labels.
- Common names are not looked at, unless the caller asks for it and the certificate has neither a
  dNSName nor an iPAddress: so it is with the certificates of the design's figures 7 and 8.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from meterseal.errors import CertificateRejected, RejectionReason, UsageError
from meterseal.x509.general_name import GeneralName, GeneralNameKind

if TYPE_CHECKING:
    from meterseal.x509.certificate import Certificate
    from meterseal.x509.general_name import IpAddress

__all__ = ["dns_labels", "host_names", "require_server_name"]

_MAX_NAME = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LEAST_LABELS_OF_WILDCARD = 3


def require_server_name(
    certificate: Certificate, server_name: str, *, common_name_fallback: bool = False
) -> None:
    """Raise CertificateRejected unless the certificate speaks for this host name or address.

    Raises UsageError if `server_name` itself is neither; non-ASCII names are given as A-labels.
    """
    reference = parse_server_name(server_name)
    names = host_names(certificate, common_name_fallback=common_name_fallback)
    if not any(_matches(reference, name) for name in names):
        known = ", ".join(map(str, names)) or "no names of hosts"
        if len(known) > _MAX_NAME:
            known = known[:_MAX_NAME] + "..."
        raise CertificateRejected(
            RejectionReason.WRONG_NAME,
            f"expected {server_name}, the certificate has {known}",
            str(certificate.subject),
        )


def parse_server_name(server_name: str) -> IpAddress | list[str]:
    """Parse a host name to its labels, or an address. Raises UsageError."""
    try:
        return ipaddress.ip_address(server_name)
    except ValueError:
        labels = dns_labels(server_name.removesuffix("."))
    if labels is None or labels[0] == "*":
        raise UsageError(f"{server_name!r} is neither a host name in ASCII nor an IP address")
    return labels


def host_names(
    certificate: Certificate, *, common_name_fallback: bool = False
) -> list[GeneralName]:
    """Return the names of hosts that a certificate has, by the rules above."""
    alternatives = certificate.subject_alt_name
    names = [
        name
        for name in (alternatives.names if alternatives else ())
        if name.kind in {GeneralNameKind.DNS, GeneralNameKind.IP}
    ]
    common_name = certificate.subject.common_name
    if names or not common_name_fallback or common_name is None:
        return names
    try:
        return [GeneralName(GeneralNameKind.IP, ipaddress.ip_address(common_name))]
    except ValueError:
        usable = dns_labels(common_name) is not None
        return [GeneralName(GeneralNameKind.DNS, common_name)] if usable else []


def dns_labels(name: str) -> list[str] | None:
    """Split a DNS name to lower-case labels, the first of which may be `*`; None if it is none."""
    if not 0 < len(name) <= _MAX_NAME or not name.isascii():
        return None
    labels = name.lower().split(".")
    plain = labels[1:] if labels[0] == "*" else labels
    if not plain or not all(_LABEL.fullmatch(label) for label in plain):
        return None
    return labels


def _matches(reference: IpAddress | list[str], name: GeneralName) -> bool:
    if not isinstance(reference, list):
        value = name.value
        return (
            isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address)
            and value.packed == reference.packed
        )
    presented = dns_labels(name.value) if isinstance(name.value, str) else None
    if presented is None or len(presented) != len(reference):
        return False
    if presented[0] == "*":
        return len(presented) >= _LEAST_LABELS_OF_WILDCARD and presented[1:] == reference[1:]
    return presented == reference

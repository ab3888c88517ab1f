"""Name constraints (RFC 5280, 4.2.1.10 and 6.1.3).

They are applied to host names, addresses, e-mail addresses and directory names. A constraint of
another kind refuses every certificate that has a name of that kind.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from meterseal.asn1 import oid as oids
from meterseal.errors import CertificateRejected, RejectionReason
from meterseal.x509.general_name import GeneralName, GeneralNameKind
from meterseal.x509.name import Name
from meterseal.x509.server_name import dns_labels, host_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.x509.certificate import Certificate

__all__ = ["require_name_constraints"]


def require_name_constraints(
    chain: Sequence[Certificate], *, comparisons: int, common_name_fallback: bool = False
) -> None:
    """Raise CertificateRejected if a name in the chain, leaf first, breaks a constraint above it.

    Self-issued certificates other than the leaf are exempt. `comparisons` bounds the work.
    """
    constrained = [
        (index, issuer.name_constraints)
        for index, issuer in enumerate(chain)
        if issuer.name_constraints
    ]
    for index, constraints in constrained:
        for below, certificate in enumerate(chain[:index]):
            if below and certificate.is_self_issued:
                continue
            names = _names_of(certificate, common_name_fallback=common_name_fallback and not below)
            comparisons -= len(names) * (len(constraints.permitted) + len(constraints.excluded))
            if comparisons < 0:
                raise CertificateRejected(
                    RejectionReason.TOO_MUCH_WORK, "too many names and name constraints"
                )
            for name in names:
                _require_name(name, constraints.permitted, constraints.excluded, certificate)


def _names_of(certificate: Certificate, *, common_name_fallback: bool) -> list[GeneralName]:
    alternatives = certificate.subject_alt_name
    names = list(alternatives.names) if alternatives else []
    if common_name_fallback:
        hosts = host_names(certificate, common_name_fallback=True)
        names.extend(host for host in hosts if host not in names)
    subject = certificate.subject
    if subject.rdns:
        names.append(GeneralName(GeneralNameKind.DIRECTORY, subject))
    names.extend(
        GeneralName(GeneralNameKind.EMAIL, address)
        for address in subject.values(oids.EMAIL_ADDRESS)
    )
    return names


def _require_name(
    name: GeneralName,
    permitted: Sequence[GeneralName],
    excluded: Sequence[GeneralName],
    certificate: Certificate,
) -> None:
    allowed = [base for base in permitted if base.kind is name.kind]
    barred = [base for base in excluded if base.kind is name.kind]
    if not allowed and not barred:
        return
    problem = _malformed(name, [*allowed, *barred])
    if problem is None and any(_covers(base, name, excluding=True) for base in barred):
        problem = f"{name} is excluded"
    if problem is None and allowed and not any(_covers(base, name) for base in allowed):
        problem = f"{name} is not permitted"
    if problem is not None:
        raise CertificateRejected(
            RejectionReason.NAME_CONSTRAINT, problem, str(certificate.subject)
        )


def _malformed(name: GeneralName, bases: Sequence[GeneralName]) -> str | None:
    if name.kind in {GeneralNameKind.IP, GeneralNameKind.DIRECTORY}:
        return None
    if name.kind is GeneralNameKind.EMAIL:
        mailboxes = [name, *(base for base in bases if "@" in str(base.value))]
        wrong = [mailbox for mailbox in mailboxes if not _is_mailbox(str(mailbox.value))]
        return f"{wrong[0]} is no e-mail address" if wrong else None
    if name.kind is not GeneralNameKind.DNS:
        return f"constraints on {name.kind.name.lower()} names are not supported"
    if dns_labels(str(name.value)) is None:
        return f"{name} is not a host name"
    for base in bases:
        labels = dns_labels(str(base.value))
        if base.value != "" and (labels is None or labels[0] == "*"):
            return f"the constraint {base} is not a host name"
    return None


def _covers(base: GeneralName, name: GeneralName, *, excluding: bool = False) -> bool:
    """Whether a name lies in a subtree; a wildcard is in an excluded one if any host may be."""
    if isinstance(base.value, Name):
        return isinstance(name.value, Name) and name.value.is_within(base.value)
    if isinstance(base.value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return (
            isinstance(name.value, ipaddress.IPv4Address | ipaddress.IPv6Address)
            and name.value in base.value
        )
    if base.kind is GeneralNameKind.EMAIL:
        return _covers_mailbox(str(base.value), str(name.value))
    return _covers_host(str(base.value), str(name.value), excluding=excluding)


def _covers_host(base: str, host: str, *, excluding: bool) -> bool:
    if not base:
        return True
    subtree, labels = dns_labels(base), dns_labels(host)
    if subtree is None or labels is None:
        return excluding
    if labels[-len(subtree) :] == subtree:
        return True
    return excluding and labels[0] == "*" and labels[1:] == subtree[1:]


def _is_mailbox(text: str) -> bool:
    local, at, host = text.rpartition("@")
    return bool(local and at and "@" not in local and dns_labels(host))


def _covers_mailbox(base: str, mailbox: str) -> bool:
    """Whether this is the mailbox, one of the host, or one of those below `.domain`."""
    if not base:
        return True
    local, _, host = mailbox.rpartition("@")
    host = host.lower()
    if "@" in base:
        base_local, _, base_host = base.rpartition("@")
        return local == base_local and host == base_host.lower()
    if base.startswith("."):
        return host.endswith(base.lower())
    return host == base.lower()

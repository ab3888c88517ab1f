"""What a verifier may demand of issuers beyond what every chain must keep.

Certificates in use leave out identifiers that RFC 5280 asks for, and name hosts in ways that the
CA/Browser Forum has given up. Where both ends of a system have their certificates from issuers
that do better, `Strictness.STRICT` refuses the others.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from meterseal.asn1 import oid as oids
from meterseal.errors import CertificateRejected, RejectionReason
from meterseal.x509.general_name import GeneralNameKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meterseal.x509.certificate import Certificate

__all__ = ["Strictness", "require_strict"]

_HOST = re.compile(r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9-]+\.?")


class Strictness(Enum):
    """How the issuers of a chain are judged."""

    TOLERANT = "what changes no meaning may be missing"
    STRICT = "all that RFC 5280 and the CA/Browser Forum ask of issuers"


def require_strict(path: Sequence[Certificate], *, is_server: bool) -> None:
    """Raise CertificateRejected if a certificate of a path, leaf first, breaks a strict rule."""
    for certificate in path:
        is_root = certificate is path[-1] and certificate.is_self_issued
        for problem in _problems(certificate, is_root=is_root):
            raise _refused(problem, certificate)
    for problem in _problems_of_leaf(path[0], is_server=is_server):
        raise _refused(problem, path[0])


def _refused(problem: str, certificate: Certificate) -> CertificateRejected:
    return CertificateRejected(RejectionReason.MALFORMED, problem, str(certificate.subject))


def _problems(certificate: Certificate, *, is_root: bool) -> Iterator[str]:
    yield from _problems_of_identifiers(certificate, is_root=is_root)
    yield from _problems_of_names(certificate)
    if is_root and certificate.extended_key_usage:
        yield "a root is limited to purposes"
    constraints = certificate.basic_constraints
    if constraints and constraints.ca and not _is_critical(certificate, oids.BASIC_CONSTRAINTS):
        yield "the Basic Constraints of a CA are not critical"


def _problems_of_identifiers(certificate: Certificate, *, is_root: bool) -> Iterator[str]:
    """RFC 5280, 4.2.1.1 and 4.2.1.2; a root's identifiers are one and the same."""
    own, authority = certificate.subject_key_identifier, certificate.authority_key_identifier
    constraints = certificate.basic_constraints
    if constraints and constraints.ca and own is None:
        yield "a CA has no Subject Key Identifier"
    if authority is None:
        if not is_root:
            yield "it has no Authority Key Identifier"
        return
    if authority.key_identifier is None:
        yield "its Authority Key Identifier does not identify a key"
    if not is_root:
        return
    if authority.serial_number is not None or authority.issuer:
        yield "the Authority Key Identifier of a root names a certificate"
    if own is not None and authority.key_identifier not in {own, None}:
        yield "the Authority Key Identifier of a root is not its own"


def _problems_of_names(certificate: Certificate) -> Iterator[str]:
    """RFC 5280, 4.2.1.6: host names in the preferred syntax; critical only without a subject."""
    alternatives = certificate.subject_alt_name
    if alternatives is None:
        return
    if certificate.subject.rdns and _is_critical(certificate, oids.SUBJECT_ALT_NAME):
        yield "its alternative names are critical beside a subject"
    for name in alternatives.names:
        if name.kind is GeneralNameKind.DNS and not _HOST.fullmatch(str(name.value)):
            yield f"{name} is no host name"


def _problems_of_leaf(leaf: Certificate, *, is_server: bool) -> Iterator[str]:
    usage = leaf.extended_key_usage
    if usage is None:
        yield "it does not say what it is for"
    elif oids.ANY_EXTENDED_KEY_USAGE in usage.purposes:
        yield "it is for any purpose"
    elif _is_critical(leaf, oids.EXTENDED_KEY_USAGE):
        yield "its Extended Key Usage is critical"
    if is_server:
        yield from _problems_of_common_name(leaf)


def _problems_of_common_name(leaf: Certificate) -> Iterator[str]:
    """A server's common name repeats an alternative name, letter by letter."""
    common, alternatives = leaf.subject.common_name, leaf.subject_alt_name
    if common is not None and common not in {
        str(name.value) for name in (alternatives.names if alternatives else ())
    }:
        yield "its common name is not among its alternative names"


def _is_critical(certificate: Certificate, identifier: str) -> bool:
    return any(found.oid == identifier and found.critical for found in certificate.extensions)

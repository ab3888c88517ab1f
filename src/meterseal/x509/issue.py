"""Issuing certificates: self-signed ones and a small CA.

Nothing here reads a clock: the first moment of validity is an argument. What a certificate may be
used for follows from its profile:

| profile    | CA  | key usage                                                | purposes       |
|------------|-----|----------------------------------------------------------|----------------|
| ca         | yes | certificate and CRL signing                              |                |
| server     | no  | digital signature                                        | server         |
| client     | no  | digital signature                                        | client         |
| signing    | no  | digital signature, non-repudiation                       | server, client |
| encryption | no  | key encipherment, data encipherment, key agreement       | server, client |

Certificates of end entities carry no Basic Constraints: an empty one is refused by GmSSL 3, and
one with an explicit FALSE is not DER.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.asn1.times import encode_time, whole_seconds
from meterseal.crypto import sm3
from meterseal.crypto.checked import VerifyingSigner
from meterseal.crypto.random import random_bytes
from meterseal.errors import UsageError
from meterseal.x509 import extensions as ext
from meterseal.x509.certificate import Certificate
from meterseal.x509.extensions import Extension, KeyUsage
from meterseal.x509.request import CertificateRequest
from meterseal.x509.spki import SM2_WITH_SM3, SubjectPublicKeyInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meterseal.crypto import sm2
    from meterseal.x509.general_name import GeneralName
    from meterseal.x509.name import Name

__all__ = ["DAYS_OF_FIVE_YEARS", "Profile", "build_certificate", "issue_certificate", "self_signed"]

DAYS_OF_FIVE_YEARS = 1826
_SERIAL_SIZE = 8
_KEY_IDENTIFIER_SIZE = 20
_MAX_SERIAL_BITS = 159

Profile: TypeAlias = Literal["ca", "server", "client", "signing", "encryption"]


@dataclass(frozen=True, slots=True)
class _Rules:
    key_usage: KeyUsage
    purposes: tuple[str, ...] = ()


_BOTH = (oids.SERVER_AUTH, oids.CLIENT_AUTH)
_PROFILES = {
    "ca": _Rules(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN),
    "server": _Rules(KeyUsage.DIGITAL_SIGNATURE, (oids.SERVER_AUTH,)),
    "client": _Rules(KeyUsage.DIGITAL_SIGNATURE, (oids.CLIENT_AUTH,)),
    "signing": _Rules(KeyUsage.DIGITAL_SIGNATURE | KeyUsage.NON_REPUDIATION, _BOTH),
    "encryption": _Rules(
        KeyUsage.KEY_ENCIPHERMENT | KeyUsage.DATA_ENCIPHERMENT | KeyUsage.KEY_AGREEMENT, _BOTH
    ),
}


def self_signed(  # noqa: PLR0913
    key: sm2.PrivateKey,
    subject: Name,
    *,
    not_before: datetime,
    days: int = DAYS_OF_FIVE_YEARS,
    alt_names: Iterable[GeneralName] = (),
    path_length: int | None = None,
    key_usage: KeyUsage | None = None,
    random: Callable[[int], bytes] = random_bytes,
) -> Certificate:
    """Issue a self-signed CA certificate with the extensions of the design's figure 8.

    It has key identifiers and a critical CA flag but no key usage unless one is given, so that it
    can stand both as the root of a CA and, when it is trusted itself, as the certificate of one
    server.
    """
    public_key = key.public_key()
    identifier = key_identifier(public_key)
    extensions = [
        *_key_identifiers(identifier, identifier),
        _extension(ext.BasicConstraints(ca=True, path_length=path_length), critical=True),
        *_key_usage_extension(key_usage),
        *_alt_name_extension(alt_names, subject),
    ]
    return build_certificate(
        public_key,
        subject,
        issuer=subject,
        issuer_key=key,
        not_before=not_before,
        days=days,
        extensions=extensions,
        serial_number=random_serial(random),
    )


def issue_certificate(  # noqa: PLR0913
    holder: CertificateRequest | sm2.PublicKey,
    subject: Name | None = None,
    *,
    ca_certificate: Certificate,
    ca_key: sm2.PrivateKey,
    not_before: datetime,
    profile: Profile = "server",
    days: int = DAYS_OF_FIVE_YEARS,
    alt_names: Iterable[GeneralName] | None = None,
    path_length: int | None = None,
    random: Callable[[int], bytes] = random_bytes,
) -> Certificate:
    """Issue a certificate for a request or a public key.

    A request's signature is verified first. Of a request only subject and alternative names are
    taken, and arguments that are given replace them; what the certificate may be used for is
    decided by `profile` alone. Raises InvalidSignature, InvalidKey, or UsageError if the CA's key
    is not that of its certificate or the certificate may not issue.
    """
    public_key, subject, names = _what_to_certify(holder, subject, alt_names)
    _require_issuer(ca_certificate, ca_key, profile)
    rules = _PROFILES.get(profile)
    if rules is None:
        raise UsageError(f"unknown profile {profile!r}; one of {', '.join(_PROFILES)}")
    authority = ca_certificate.subject_key_identifier or key_identifier(ca_key.public_key())
    extensions = [*_key_identifiers(key_identifier(public_key), authority)]
    if profile == "ca":
        constraints = ext.BasicConstraints(ca=True, path_length=path_length)
        extensions.append(_extension(constraints, critical=True))
    elif path_length is not None:
        raise UsageError("a path length stands only in the certificate of a CA")
    extensions.extend(_key_usage_extension(rules.key_usage))
    if rules.purposes:
        extensions.append(_extension(ext.ExtendedKeyUsage(rules.purposes)))
    extensions.extend(_alt_name_extension(names, subject))
    return build_certificate(
        public_key,
        subject,
        issuer=ca_certificate.subject,
        issuer_key=ca_key,
        not_before=not_before,
        days=days,
        extensions=extensions,
        serial_number=random_serial(random),
    )


def build_certificate(  # noqa: PLR0913
    public_key: sm2.PublicKey | SubjectPublicKeyInfo,
    subject: Name,
    *,
    issuer: Name,
    issuer_key: sm2.PrivateKey,
    not_before: datetime,
    days: int,
    extensions: Iterable[Extension],
    serial_number: int,
) -> Certificate:
    """Build and sign a certificate of exactly these parts, without judging them.

    Validity runs for `days` times 24 hours. Raises UsageError for what X.509 cannot hold.
    """
    if not 1 <= serial_number.bit_length() <= _MAX_SERIAL_BITS or serial_number < 0:
        raise UsageError(f"a serial number is positive and of at most {_MAX_SERIAL_BITS} bits")
    if days < 1:
        raise UsageError(f"a validity of {days} days; expected at least 1")
    first = whole_seconds(not_before)
    try:
        last = first + timedelta(days=days)
    except OverflowError:
        raise UsageError(f"a validity of {days} days ends beyond the calendar") from None
    if isinstance(public_key, SubjectPublicKeyInfo):
        spki = public_key
    else:
        spki = SubjectPublicKeyInfo.of(public_key)
    entries = tuple(extensions)
    tbs = der.sequence(
        der.explicit(0, der.integer(2)),
        der.integer(serial_number),
        SM2_WITH_SM3.encode(),
        issuer.encode(),
        der.sequence(encode_time(first), encode_time(last)),
        subject.encode(),
        spki.encoding,
        der.explicit(3, ext.encode_extensions(entries)) if entries else b"",
    )
    signature = der.bit_string(VerifyingSigner(issuer_key).sign(tbs))
    return Certificate.decode(der.sequence(tbs, SM2_WITH_SM3.encode(), signature))


def random_serial(random: Callable[[int], bytes] = random_bytes) -> int:
    """Return a serial number of 8 random bytes, not zero."""
    return int.from_bytes(random(_SERIAL_SIZE)) or 1


def key_identifier(public_key: sm2.PublicKey) -> bytes:
    """Return the 20-byte identifier of a key: the first bytes of the SM3 digest of its point.

    RFC 5280, 4.2.1.2 leaves the method to the CA (its own examples use SHA-1).
    """
    return sm3.sm3(public_key.to_bytes()).digest()[:_KEY_IDENTIFIER_SIZE]


def _what_to_certify(
    holder: CertificateRequest | sm2.PublicKey,
    subject: Name | None,
    alt_names: Iterable[GeneralName] | None,
) -> tuple[sm2.PublicKey, Name, tuple[GeneralName, ...]]:
    if not isinstance(holder, CertificateRequest):
        if subject is None:
            raise UsageError("a certificate for a bare public key needs a subject")
        return holder, subject, tuple(alt_names or ())
    holder.verify()
    if alt_names is None:
        wanted = holder.subject_alt_name
        alt_names = wanted.names if wanted else ()
    return holder.public_key(), subject or holder.subject, tuple(alt_names)


def _require_issuer(certificate: Certificate, key: sm2.PrivateKey, profile: str) -> None:
    if certificate.public_key().to_bytes() != key.public_key().to_bytes():
        raise UsageError("the CA key does not belong to the CA certificate")
    constraints = certificate.basic_constraints
    usage = certificate.key_usage
    if constraints is None or not constraints.ca:
        raise UsageError(f"the certificate of {certificate.subject} is not that of a CA")
    if usage is not None and KeyUsage.KEY_CERT_SIGN not in usage:
        raise UsageError(f"the key usage of {certificate.subject} does not allow to issue")
    if profile == "ca" and constraints.path_length == 0:
        raise UsageError(f"the path length of {certificate.subject} allows no CA below it")


def _extension(
    value: ext.BasicConstraints
    | ext.ExtendedKeyUsage
    | ext.SubjectAltName
    | ext.SubjectKeyIdentifier
    | ext.AuthorityKeyIdentifier,
    *,
    critical: bool = False,
) -> Extension:
    return Extension(value.OID, critical, value.encode())


def _key_usage_extension(usage: KeyUsage | None) -> list[Extension]:
    if usage is None:
        return []
    return [Extension(oids.KEY_USAGE, critical=True, value=usage.encode())]


def _key_identifiers(subject: bytes, authority: bytes) -> tuple[Extension, Extension]:
    return (
        _extension(ext.SubjectKeyIdentifier(subject)),
        _extension(ext.AuthorityKeyIdentifier(authority)),
    )


def _alt_name_extension(names: Iterable[GeneralName], subject: Name) -> list[Extension]:
    """Encode alternative names, critical when they are the only names (RFC 5280, 4.2.1.6)."""
    names = tuple(names)
    if not names and not subject.rdns:
        raise UsageError("a certificate needs a subject or an alternative name")
    if not names:
        return []
    return [_extension(ext.SubjectAltName(names), critical=not subject.rdns)]

"""Certificate revocation lists (RFC 5280, 5): values, decoded strictly, and issued by a small CA.

Decoding checks structure only; whether a list may be believed is the business of `revocation`.
Only complete lists of a CA about its own certificates are understood: an indirect list, a delta or
a part decodes, and is refused when it should be used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Self

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.asn1.times import encode_time, read_generalized_time, read_time, whole_seconds
from meterseal.crypto.checked import VerifyingSigner
from meterseal.errors import MalformedData, UsageError
from meterseal.x509 import extensions as ext
from meterseal.x509 import pem
from meterseal.x509.extensions import Extension, KeyUsage
from meterseal.x509.name import Name
from meterseal.x509.spki import SM2_WITH_SM3, AlgorithmIdentifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.asn1.der import Buffer, Reader
    from meterseal.crypto import sm2
    from meterseal.x509.certificate import Certificate

__all__ = [
    "CertificateRevocationList",
    "RevocationReason",
    "RevokedCertificate",
    "dump_crls",
    "issue_crl",
    "load_crls",
]

MAX_CRL_SIZE = der.MAX_SIZE
_VERSION_2 = 1
_LABEL = "X509 CRL"
_ENUMERATED = 0x0A
_MAX_NUMBER_BITS = 159


class RevocationReason(IntEnum):
    """Why a certificate was revoked (5.3.1)."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    REMOVE_FROM_CRL = 8
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


@dataclass(frozen=True, slots=True)
class RevokedCertificate:
    """One line of a list. `extensions` are those of the line."""

    serial_number: int
    revoked_at: datetime
    extensions: tuple[Extension, ...] = ()

    @classmethod
    def of(
        cls,
        serial_number: int,
        revoked_at: datetime,
        reason: RevocationReason,
        invalid_since: datetime | None = None,
    ) -> Self:
        """Make a line; the reason `UNSPECIFIED` is said by saying nothing (5.3.1).

        `invalid_since` is when the key is known or thought to have been in other hands (5.3.2).
        """
        extensions: tuple[Extension, ...] = ()
        if reason is not RevocationReason.UNSPECIFIED:
            value = der.encode(_ENUMERATED, bytes([reason]))
            extensions = (Extension(oids.CRL_REASON, critical=False, value=value),)
        if invalid_since is not None:
            text = whole_seconds(invalid_since).astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
            value = der.encode(der.GENERALIZED_TIME, text.encode())
            extensions += (Extension(oids.INVALIDITY_DATE, critical=False, value=value),)
        return cls(serial_number, whole_seconds(revoked_at), extensions)

    @property
    def reason(self) -> RevocationReason:
        """Why it was revoked, as far as the line says."""
        for extension in self.extensions:
            if extension.oid == oids.CRL_REASON:
                return _decode_reason(extension.value)
        return RevocationReason.UNSPECIFIED

    @property
    def invalid_since(self) -> datetime:
        """From when on nothing signed is to be believed: the revocation, or a date before it."""
        for extension in self.extensions:
            if extension.oid == oids.INVALIDITY_DATE:
                body = der.Reader(extension.value, "an invalidity date")
                date = read_generalized_time(body)
                body.finish()
                return min(date, self.revoked_at)
        return self.revoked_at

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read a line that stands next in a reader."""
        body = reader.sequence("revoked certificate")
        serial_number = body.integer()
        revoked_at = read_time(body)
        extensions = () if body.at_end else ext.decode_extensions(body)
        body.finish()
        line = cls(serial_number, revoked_at, extensions)
        _ = line.reason, line.invalid_since
        return line

    def encode(self) -> bytes:
        """Encode the line."""
        return der.sequence(
            der.integer(self.serial_number),
            encode_time(self.revoked_at),
            ext.encode_extensions(self.extensions) if self.extensions else b"",
        )


@dataclass(frozen=True, eq=False)
class CertificateRevocationList:
    """A list. Two are equal when their encodings are."""

    encoding: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    tbs_algorithm: AlgorithmIdentifier = field(repr=False)
    issuer: Name
    this_update: datetime
    next_update: datetime | None
    revoked: tuple[RevokedCertificate, ...] = field(repr=False)
    extensions: tuple[Extension, ...] = field(repr=False)
    signature_algorithm: AlgorithmIdentifier = field(repr=False)
    signature: bytes = field(repr=False)
    number: int | None
    authority_key_identifier: ext.AuthorityKeyIdentifier | None = field(repr=False)

    @classmethod
    def decode(cls, data: Buffer) -> Self:
        """Decode a list from DER. Raises MalformedData."""
        encoding = bytes(data)
        reader = der.Reader(encoding, "CRL")
        outer = reader.sequence("CRL")
        reader.finish()
        tbs = outer.element(der.SEQUENCE)
        signature_algorithm = AlgorithmIdentifier.read(outer)
        signature = outer.bit_string()
        outer.finish()
        body = der.Reader(tbs.contents, "CRL")
        has_version = body.next_is(der.INTEGER)
        if has_version and body.integer() != _VERSION_2:
            raise MalformedData("the version of a CRL is encoded as another number than 1")
        tbs_algorithm = AlgorithmIdentifier.read(body)
        issuer = Name.read(body, "issuer")
        this_update = read_time(body)
        has_next = body.next_is(der.UTC_TIME) or body.next_is(der.GENERALIZED_TIME)
        next_update = read_time(body) if has_next else None
        revoked = _read_revoked(body)
        extensions = _read_extensions(body)
        body.finish()
        if not has_version and (extensions or any(line.extensions for line in revoked)):
            raise MalformedData("a CRL of version 1 has extensions")
        values = {extension.oid: extension.value for extension in extensions}
        return cls(
            encoding, tbs.encoding, tbs_algorithm, issuer, this_update, next_update, revoked,
            extensions, signature_algorithm, signature, _decode_number(values.get(oids.CRL_NUMBER)),
            _decode_authority(values.get(oids.AUTHORITY_KEY_IDENTIFIER)),
        )  # fmt: skip

    def encode(self) -> bytes:
        """Return the DER it was decoded from."""
        return self.encoding

    def to_pem(self) -> str:
        """Return the list as one PEM block."""
        return pem.encode(_LABEL, self.encoding)

    def find(self, serial_number: int) -> RevokedCertificate | None:
        """Return the line of a certificate, if it has one."""
        return self._by_serial.get(serial_number)

    @cached_property
    def extensions_of_lines(self) -> frozenset[tuple[str, bool]]:
        """The extensions that stand in lines: identifier, and whether it is critical."""
        return frozenset((e.oid, e.critical) for line in self.revoked for e in line.extensions)

    @cached_property
    def reasons(self) -> frozenset[RevocationReason]:
        """The reasons that stand in lines."""
        return frozenset(line.reason for line in self.revoked)

    @cached_property
    def _by_serial(self) -> dict[int, RevokedCertificate]:
        return {line.serial_number: line for line in self.revoked}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CertificateRevocationList) and self.encoding == other.encoding

    def __hash__(self) -> int:
        return hash(self.encoding)


def load_crls(data: Buffer) -> list[CertificateRevocationList]:
    """Load the lists of a PEM bundle, or the one of a DER file.

    Raises MalformedData, also if there is none.
    """
    if not pem.is_pem(data):
        return [CertificateRevocationList.decode(data)]
    blocks = [block for block in pem.decode(data) if block.label == _LABEL]
    if not blocks:
        raise MalformedData(f"the PEM data has no {_LABEL} block")
    return [CertificateRevocationList.decode(block.contents) for block in blocks]


def dump_crls(crls: Iterable[CertificateRevocationList]) -> bytes:
    """Write lists as a PEM bundle."""
    return "".join(crl.to_pem() for crl in crls).encode()


def issue_crl(  # noqa: PLR0913
    revoked: Iterable[RevokedCertificate],
    *,
    ca_certificate: Certificate,
    ca_key: sm2.PrivateKey,
    this_update: datetime,
    days: int,
    number: int,
) -> CertificateRevocationList:
    """Issue the complete list of a CA, good for `days` times 24 hours.

    Raises UsageError if the key is not that of the certificate, the certificate may not sign lists,
    or a certificate stands twice.
    """
    lines = tuple(revoked)
    _require_crl_issuer(ca_certificate, ca_key)
    if len({line.serial_number for line in lines}) < len(lines):
        raise UsageError("a certificate stands twice among the revoked ones")
    if not 0 <= number.bit_length() <= _MAX_NUMBER_BITS or number < 0:
        raise UsageError(f"the number of a CRL has at most {_MAX_NUMBER_BITS} bits")
    if days < 1:
        raise UsageError(f"a CRL for {days} days; expected at least 1")
    first = whole_seconds(this_update)
    try:
        last = first + timedelta(days=days)
    except OverflowError:
        raise UsageError(f"a CRL for {days} days ends beyond the calendar") from None
    tbs = der.sequence(
        der.integer(_VERSION_2),
        SM2_WITH_SM3.encode(),
        ca_certificate.subject.encode(),
        encode_time(first),
        encode_time(last),
        der.sequence(*(line.encode() for line in lines)) if lines else b"",
        der.explicit(0, ext.encode_extensions(_crl_extensions(ca_certificate, number))),
    )
    signature = der.bit_string(VerifyingSigner(ca_key).sign(tbs))
    return CertificateRevocationList.decode(der.sequence(tbs, SM2_WITH_SM3.encode(), signature))


def _require_crl_issuer(certificate: Certificate, key: sm2.PrivateKey) -> None:
    if certificate.public_key() != key.public_key():
        raise UsageError("the CA key does not belong to the CA certificate")
    constraints, usage = certificate.basic_constraints, certificate.key_usage
    if constraints is None or not constraints.ca:
        raise UsageError(f"the certificate of {certificate.subject} is not that of a CA")
    if usage is not None and KeyUsage.CRL_SIGN not in usage:
        raise UsageError(f"the key usage of {certificate.subject} does not allow to sign CRLs")


def _crl_extensions(certificate: Certificate, number: int) -> tuple[Extension, ...]:
    """The CRL number, and the key identifier where the CA's certificate has one (5.2)."""
    extensions = [Extension(oids.CRL_NUMBER, critical=False, value=der.integer(number))]
    identifier = certificate.subject_key_identifier
    if identifier is not None:
        authority = ext.AuthorityKeyIdentifier(identifier)
        extensions.insert(0, Extension(authority.OID, critical=False, value=authority.encode()))
    return tuple(extensions)


def _read_revoked(body: Reader) -> tuple[RevokedCertificate, ...]:
    if not body.next_is(der.SEQUENCE):
        return ()
    lines = body.sequence("revoked certificates")
    revoked = [RevokedCertificate.read(lines)]
    while not lines.at_end:
        revoked.append(RevokedCertificate.read(lines))
    return tuple(revoked)


def _read_extensions(body: Reader) -> tuple[Extension, ...]:
    explicit = body.explicit(0, "CRL extensions")
    if explicit is None:
        return ()
    extensions = ext.decode_extensions(explicit)
    explicit.finish()
    return extensions


def _decode_reason(value: bytes) -> RevocationReason:
    reader = der.Reader(value, "CRL reason")
    number = der.decode_integer(reader.element(_ENUMERATED).contents, reader.where)
    reader.finish()
    try:
        return RevocationReason(number)
    except ValueError:
        raise MalformedData(f"CRL reason: {number} has no meaning") from None


def _decode_number(value: bytes | None) -> int | None:
    if value is None:
        return None
    reader = der.Reader(value, "CRL number")
    number = reader.integer()
    reader.finish()
    if number < 0 or number.bit_length() > _MAX_NUMBER_BITS:
        raise MalformedData("CRL number: it is not a number of at most 20 bytes")
    return number


def _decode_authority(value: bytes | None) -> ext.AuthorityKeyIdentifier | None:
    return None if value is None else ext.AuthorityKeyIdentifier.decode(value)

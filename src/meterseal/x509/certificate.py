"""Certificates (RFC 5280, 4.1): values that keep the bytes they were decoded from.

Decoding checks structure only; whether a certificate may be trusted is the business of `verify`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.asn1.times import read_time
from meterseal.crypto import sm3
from meterseal.errors import MalformedData, UsageError
from meterseal.x509 import extensions as ext
from meterseal.x509 import pem
from meterseal.x509.name import Name
from meterseal.x509.spki import AlgorithmIdentifier, SubjectPublicKeyInfo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography import x509 as pyca

    from meterseal.asn1.der import Buffer, Reader
    from meterseal.crypto import sm2

__all__ = ["Certificate", "dump_certificates", "load_certificates"]

MAX_CERTIFICATE_SIZE = 1 << 18
VERSION_1, VERSION_3 = 1, 3
_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")

TypedT = TypeVar("TypedT", bound=ext.Typed)


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate. Two are equal when their encodings are."""

    encoding: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    version: int
    serial_number: int
    tbs_algorithm: AlgorithmIdentifier = field(repr=False)
    issuer: Name
    not_before: datetime
    not_after: datetime
    subject: Name
    spki: SubjectPublicKeyInfo = field(repr=False)
    extensions: tuple[ext.Extension, ...] = field(repr=False)
    signature_algorithm: AlgorithmIdentifier = field(repr=False)
    signature: bytes = field(repr=False)
    _typed: dict[str, ext.Typed] = field(repr=False)

    @classmethod
    def decode(cls, data: Buffer) -> Self:
        """Decode a certificate from DER.

        Raises MalformedData for anything that is not strict DER, or malformed in an extension that
        we understand.
        """
        if len(data) > MAX_CERTIFICATE_SIZE:
            raise MalformedData(
                f"a certificate of {len(data)} bytes; the limit is {MAX_CERTIFICATE_SIZE}"
            )
        encoding = bytes(data)
        reader = der.Reader(encoding, "certificate")
        outer = reader.sequence("certificate")
        reader.finish()
        tbs = outer.element(der.SEQUENCE)
        signature_algorithm = AlgorithmIdentifier.read(outer)
        signature = outer.bit_string()
        outer.finish()
        body = der.Reader(tbs.contents, "certificate")
        version = _read_version(body)
        serial_number = body.integer()
        tbs_algorithm = AlgorithmIdentifier.read(body)
        issuer = Name.read(body, "issuer")
        not_before, not_after = _read_validity(body)
        subject = Name.read(body, "subject")
        spki = SubjectPublicKeyInfo.read(body)
        _skip_unique_identifiers(body, version)
        extensions = _read_extensions(body, version)
        body.finish()
        typed: dict[str, ext.Typed] = {
            extension.oid: ext.DECODERS[extension.oid](extension.value)
            for extension in extensions
            if extension.oid in ext.DECODERS
        }
        return cls(
            encoding, tbs.encoding, version, serial_number, tbs_algorithm, issuer, not_before,
            not_after, subject, spki, extensions, signature_algorithm, signature, typed,
        )  # fmt: skip

    def encode(self) -> bytes:
        """Return the DER it was decoded from."""
        return self.encoding

    def to_pem(self) -> str:
        """Return the certificate as one PEM block."""
        return pem.encode("CERTIFICATE", self.encoding)

    def to_text(self) -> str:
        """Return the text form that GmSSL and OpenSSL print."""
        from meterseal.x509.text import certificate_text  # noqa: PLC0415

        return certificate_text(self)

    def to_cryptography(self) -> pyca.Certificate:
        """Return the certificate as one of the package `cryptography`, to read names and so on.

        That package cannot use SM2 keys: its `public_key()` and verification raise.
        """
        try:
            from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415
        except ImportError:
            raise UsageError("pip install 'meterseal[cryptography]' to use this") from None
        return load_der_x509_certificate(self.encoding)

    def public_key(self) -> sm2.PublicKey:
        """Return the subject's SM2 key. Raises InvalidKey for other keys."""
        return self.spki.public_key()

    def fingerprint(self) -> bytes:
        """Return the SM3 digest of the encoding, 32 bytes."""
        return sm3.sm3(self.encoding).digest()

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name; the signature is not looked at."""
        return self.subject.matches(self.issuer)

    @property
    def basic_constraints(self) -> ext.BasicConstraints | None:
        """The Basic Constraints, if present."""
        return self._get(oids.BASIC_CONSTRAINTS, ext.BasicConstraints)

    @property
    def key_usage(self) -> ext.KeyUsage | None:
        """The Key Usage, if present."""
        return self._get(oids.KEY_USAGE, ext.KeyUsage)

    @property
    def extended_key_usage(self) -> ext.ExtendedKeyUsage | None:
        """The Extended Key Usage, if present."""
        return self._get(oids.EXTENDED_KEY_USAGE, ext.ExtendedKeyUsage)

    @property
    def subject_alt_name(self) -> ext.SubjectAltName | None:
        """The Subject Alternative Name, if present."""
        return self._get(oids.SUBJECT_ALT_NAME, ext.SubjectAltName)

    @property
    def subject_key_identifier(self) -> bytes | None:
        """The Subject Key Identifier, if present."""
        value = self._get(oids.SUBJECT_KEY_IDENTIFIER, ext.SubjectKeyIdentifier)
        return value.key_identifier if value else None

    @property
    def authority_key_identifier(self) -> ext.AuthorityKeyIdentifier | None:
        """The Authority Key Identifier, if present."""
        return self._get(oids.AUTHORITY_KEY_IDENTIFIER, ext.AuthorityKeyIdentifier)

    @property
    def name_constraints(self) -> ext.NameConstraints | None:
        """The Name Constraints, if present."""
        return self._get(oids.NAME_CONSTRAINTS, ext.NameConstraints)

    def _get(self, identifier: str, kind: type[TypedT]) -> TypedT | None:
        value = self._typed.get(identifier)
        return value if isinstance(value, kind) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.encoding == other.encoding

    def __hash__(self) -> int:
        return hash(self.encoding)


def load_certificates(data: Buffer) -> list[Certificate]:
    """Load the certificates of a PEM bundle, in order, or the one of a DER file.

    Raises MalformedData, also if there is none.
    """
    if not pem.is_pem(data):
        return [Certificate.decode(data)]
    blocks = [block for block in pem.decode(data) if block.label in _LABELS]
    if not blocks:
        raise MalformedData("the PEM data has no CERTIFICATE block")
    return [Certificate.decode(block.contents) for block in blocks]


def dump_certificates(certificates: Iterable[Certificate]) -> bytes:
    """Write certificates as a PEM bundle."""
    return "".join(certificate.to_pem() for certificate in certificates).encode()


def _read_version(body: Reader) -> int:
    explicit = body.explicit(0, "version of a certificate")
    if explicit is None:
        return VERSION_1
    number = explicit.integer()
    explicit.finish()
    if number not in {1, 2}:
        raise MalformedData(f"the version of a certificate is encoded as {number}; expected 1 or 2")
    return number + 1


def _read_validity(body: Reader) -> tuple[datetime, datetime]:
    validity = body.sequence("validity")
    moments = read_time(validity), read_time(validity)
    validity.finish()
    return moments


def _skip_unique_identifiers(body: Reader, version: int) -> None:
    for number in (1, 2):
        if body.implicit(number) is not None and version == VERSION_1:
            raise MalformedData("a certificate of version 1 has unique identifiers")


def _read_extensions(body: Reader, version: int) -> tuple[ext.Extension, ...]:
    explicit = body.explicit(3, "extensions")
    if explicit is None:
        return ()
    if version != VERSION_3:
        raise MalformedData(f"a certificate of version {version} has extensions")
    extensions = ext.decode_extensions(explicit)
    explicit.finish()
    return extensions

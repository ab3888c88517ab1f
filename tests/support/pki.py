"""Certificates for tests: honest ones, and forged ones with any part replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from meterseal.asn1 import der
from meterseal.asn1.times import encode_time
from meterseal.crypto import sm2
from meterseal.x509 import (
    BasicConstraints,
    Certificate,
    Extension,
    GeneralName,
    KeyUsage,
    Name,
    SubjectAltName,
)
from meterseal.x509.extensions import (
    AuthorityKeyIdentifier,
    ExtendedKeyUsage,
    NameConstraints,
    SubjectKeyIdentifier,
    encode_extensions,
)
from meterseal.x509.issue import key_identifier
from meterseal.x509.spki import SM2_WITH_SM3, AlgorithmIdentifier, SubjectPublicKeyInfo

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
FIRST = NOW - timedelta(days=100)
LAST = NOW + timedelta(days=100)
CA_USAGE = KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN


@cache
def key(label: str) -> sm2.PrivateKey:
    """The key of a label: the same within a run of the tests."""
    return sm2.PrivateKey.from_bytes(label.encode().rjust(32, b"\x01"))


def name(common_name: str) -> Name:
    return Name.parse(f"/C=CN/O=Grid/CN={common_name}")


@dataclass(frozen=True)
class Entity:
    """A certificate with its key."""

    certificate: Certificate
    key: sm2.PrivateKey


def entity(
    label: str,
    issuer: Entity | None = None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    usage: KeyUsage | None = None,
    purposes: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
    permitted: tuple[GeneralName, ...] = (),
    excluded: tuple[GeneralName, ...] = (),
    extra: tuple[Extension, ...] = (),
    identifiers: bool = True,
    subject: Name | None = None,
    subject_key: sm2.PrivateKey | None = None,
    signer: sm2.PrivateKey | None = None,
    first: datetime = FIRST,
    last: datetime = LAST,
    serial: int = 0x1234567890ABCDEF,
    version: int = 3,
    spki: bytes | None = None,
    inner: AlgorithmIdentifier = SM2_WITH_SM3,
    outer: AlgorithmIdentifier | None = None,
    distinguishing_id: bytes = b"1234567812345678",
) -> Entity:
    """Issue whatever is asked for, right or wrong; self-signed without an issuer."""
    own = subject_key or key(label)
    subject = name(label) if subject is None else subject
    issuer_name = issuer.certificate.subject if issuer else subject
    issuer_key = issuer.key if issuer else own
    extensions: list[Extension] = []
    if identifiers:
        extensions.append(extension(SubjectKeyIdentifier(key_identifier(own.public_key()))))
        authority = key_identifier(issuer_key.public_key())
        extensions.append(extension(AuthorityKeyIdentifier(authority)))
    if ca or path_length is not None:
        extensions.append(extension(BasicConstraints(ca, path_length), critical=True))
    if usage is not None:
        extensions.append(Extension("2.5.29.15", critical=True, value=usage.encode()))
    if purposes:
        extensions.append(extension(ExtendedKeyUsage(purposes)))
    if names:
        extensions.append(extension(SubjectAltName(tuple(map(GeneralName.parse, names)))))
    if permitted or excluded:
        extensions.append(extension(NameConstraints(permitted, excluded), critical=True))
    extensions.extend(extra)
    tbs = der.sequence(
        der.explicit(0, der.integer(version - 1)) if version > 1 else b"",
        der.integer(serial),
        inner.encode(),
        issuer_name.encode(),
        der.sequence(encode_time(first), encode_time(last)),
        subject.encode(),
        spki or SubjectPublicKeyInfo.of(own.public_key()).encoding,
        der.explicit(3, encode_extensions(tuple(extensions)))
        if version > 2 and extensions
        else b"",
    )
    signature = (signer or issuer_key).sign(tbs, distinguishing_id=distinguishing_id)
    encoding = der.sequence(tbs, (outer or inner).encode(), der.bit_string(signature))
    return Entity(Certificate.decode(encoding), own)


def extension(value, *, critical: bool = False) -> Extension:  # noqa: ANN001
    return Extension(value.OID, critical, value.encode())


def root(label: str = "root", **changes) -> Entity:  # noqa: ANN003
    return entity(label, **{"ca": True, "usage": CA_USAGE, **changes})


def intermediate(label: str, issuer: Entity, **changes) -> Entity:  # noqa: ANN003
    return entity(label, issuer, **{"ca": True, "usage": CA_USAGE, **changes})


def server(issuer: Entity, label: str = "server", **changes) -> Entity:  # noqa: ANN003
    defaults = {
        "usage": KeyUsage.DIGITAL_SIGNATURE,
        "purposes": ("1.3.6.1.5.5.7.3.1",),
        "names": ("DNS:meter.example.com", "IP:192.0.2.7", "IP:2001:db8::7"),
    }
    return entity(label, issuer, **{**defaults, **changes})

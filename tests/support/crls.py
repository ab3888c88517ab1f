"""Revocation lists for tests: honest ones, and forged ones with any part replaced."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from meterseal.asn1 import der
from meterseal.asn1.times import encode_time
from meterseal.x509 import CertificateRevocationList, RevocationReason, RevokedCertificate
from meterseal.x509.extensions import (
    AuthorityKeyIdentifier,
    Extension,
    encode_extensions,
)
from meterseal.x509.issue import key_identifier
from meterseal.x509.spki import SM2_WITH_SM3, AlgorithmIdentifier
from support.pki import NOW

if TYPE_CHECKING:
    from meterseal.crypto import sm2
    from meterseal.x509 import Name
    from support.pki import Entity

DAY = timedelta(days=1)


def line(
    serial: int,
    reason: RevocationReason = RevocationReason.KEY_COMPROMISE,
    extra: tuple[Extension, ...] = (),
) -> RevokedCertificate:
    honest = RevokedCertificate.of(serial, NOW - DAY, reason)
    return RevokedCertificate(serial, honest.revoked_at, honest.extensions + extra)


def encoded(
    issuer: Entity,
    *lines: RevokedCertificate,
    name: Name | None = None,
    signer: sm2.PrivateKey | None = None,
    first: datetime = NOW - DAY,
    last: datetime | None = NOW + DAY,
    number: int | None = 1,
    identifier: bool = True,
    extra: tuple[Extension, ...] = (),
    version: bytes = der.integer(1),
    inner: AlgorithmIdentifier = SM2_WITH_SM3,
    outer: AlgorithmIdentifier | None = None,
    revoked: bytes | None = None,
    distinguishing_id: bytes = b"1234567812345678",
) -> bytes:
    extensions = list(extra)
    if number is not None:
        extensions.append(Extension("2.5.29.20", critical=False, value=der.integer(number)))
    if identifier:
        known = AuthorityKeyIdentifier(key_identifier(issuer.key.public_key()))
        extensions.append(Extension(known.OID, critical=False, value=known.encode()))
    if revoked is None:
        revoked = der.sequence(*(entry.encode() for entry in lines)) if lines else b""
    tbs = der.sequence(
        version,
        inner.encode(),
        (name or issuer.certificate.subject).encode(),
        encode_time(first),
        encode_time(last) if last else b"",
        revoked,
        der.explicit(0, encode_extensions(tuple(extensions))),
    )
    signed = (signer or issuer.key).sign(tbs, distinguishing_id=distinguishing_id)
    signature = der.bit_string(signed)
    return der.sequence(tbs, (outer or inner).encode(), signature)


def crl(issuer: Entity, *lines: RevokedCertificate, **changes) -> CertificateRevocationList:  # noqa: ANN003
    return CertificateRevocationList.decode(encoded(issuer, *lines, **changes))

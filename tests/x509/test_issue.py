"""Issuing: self-signed certificates, requests and a small CA."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.errors import InvalidSignature, MalformedData, UsageError
from meterseal.x509 import (
    BasicConstraints,
    CertificateRequest,
    Extension,
    GeneralName,
    KeyRole,
    KeyUsage,
    Name,
    Purpose,
    TrustStore,
    build_certificate,
    create_request,
    issue_certificate,
    load_request,
    self_signed,
    verify_chain,
)
from meterseal.x509.request import CertificateRequest as Request
from meterseal.x509.spki import SM2_WITH_SM3, AlgorithmIdentifier, SubjectPublicKeyInfo
from support import pki

START = datetime(2021, 3, 1, 8, 30, 31, tzinfo=UTC)
CA_KEY, METER_KEY = pki.key("ca"), pki.key("meter")
CA = self_signed(CA_KEY, Name.parse("/C=CN/CN=Root"), not_before=START)
METER = Name.parse("/C=CN/CN=meter-1")
NAMES = [GeneralName.parse("meter.example.com"), GeneralName.parse("192.0.2.7")]


def issue(holder, **changes):  # noqa: ANN001, ANN003, ANN201
    return issue_certificate(
        holder, **{"ca_certificate": CA, "ca_key": CA_KEY, "not_before": START, **changes}
    )


def test_self_signed_has_the_parts_of_the_paper() -> None:
    """Figures 7 and 8: random serial of 8 bytes, a leading zero byte for the high bit."""
    name = Name.parse(
        "/C=ZC/ST=SHANGHAI/L=LINGANG/O=DIANLIDAXUE/OU=SmartGrid/CN=jisuanjixueyuan"
        "/emailAddress=15279265616@163.com"
    )
    serial = bytes.fromhex("f81985741e97a356")
    certificate = self_signed(CA_KEY, name, not_before=START, days=1895, random=lambda _: serial)
    assert "\n            f8:19:85:74:1e:97:a3:56\n" in certificate.to_text()
    assert b"\x02\x09\x00" + serial in certificate.encode()
    assert certificate.not_after == datetime(2026, 5, 9, 8, 30, 31, tzinfo=UTC)
    assert [entry.oid for entry in certificate.extensions] == [
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.BASIC_CONSTRAINTS,
    ]
    assert certificate.basic_constraints == BasicConstraints(ca=True)
    assert len(certificate.encode()) - len(certificate.signature) == 644 - 71  # as figure 7
    certificate.public_key().verify(certificate.signature, certificate.tbs)


def test_five_years_are_the_default() -> None:
    assert CA.not_after - CA.not_before == timedelta(days=1826)


def test_a_serial_number_is_never_zero() -> None:
    certificate = self_signed(CA_KEY, METER, not_before=START, random=bytes)
    assert certificate.serial_number == 1


@pytest.mark.parametrize(
    ("profile", "usage", "purpose", "role"),
    [
        ("server", KeyUsage.DIGITAL_SIGNATURE, Purpose.SERVER, KeyRole.SIGNING),
        ("client", KeyUsage.DIGITAL_SIGNATURE, Purpose.CLIENT, KeyRole.SIGNING),
        (
            "signing",
            KeyUsage.DIGITAL_SIGNATURE | KeyUsage.NON_REPUDIATION,
            Purpose.CLIENT,
            KeyRole.SIGNING,
        ),
        (
            "encryption",
            KeyUsage.KEY_ENCIPHERMENT | KeyUsage.DATA_ENCIPHERMENT | KeyUsage.KEY_AGREEMENT,
            Purpose.SERVER,
            KeyRole.ENCRYPTION,
        ),
    ],
)
def test_issues_what_verification_accepts(
    profile: str, usage: KeyUsage, purpose: Purpose, role: KeyRole
) -> None:
    certificate = issue(METER_KEY.public_key(), subject=METER, profile=profile)
    assert certificate.key_usage == usage
    assert certificate.basic_constraints is None
    verify_chain([certificate], TrustStore([CA]), at=START, purpose=purpose, role=role)


def test_issues_cas_that_issue() -> None:
    middle = issue(METER_KEY.public_key(), subject=METER, profile="ca", path_length=0)
    leaf = issue_certificate(
        pki.key("leaf").public_key(),
        Name.parse("CN=leaf"),
        ca_certificate=middle,
        ca_key=METER_KEY,
        not_before=START,
    )
    chain = verify_chain([leaf, middle], TrustStore([CA]), at=START, purpose=Purpose.SERVER)
    assert len(chain.chain) == 3
    with pytest.raises(UsageError, match="path length"):
        issue_certificate(
            METER_KEY.public_key(),
            METER,
            ca_certificate=middle,
            ca_key=METER_KEY,
            not_before=START,
            profile="ca",
        )


def test_takes_subject_and_names_from_a_request_unless_given() -> None:
    request = create_request(METER_KEY, METER, alt_names=NAMES)
    certificate = issue(request)
    assert certificate.subject == METER
    assert certificate.subject_alt_name is not None
    assert list(certificate.subject_alt_name.names) == NAMES
    other = issue(request, subject=Name.parse("CN=other"), alt_names=[])
    assert str(other.subject) == "CN = other"
    assert other.subject_alt_name is None


def test_takes_nothing_else_from_a_request() -> None:
    """A request for a CA certificate yields a server's."""
    wanted = Extension(
        oids.BASIC_CONSTRAINTS, critical=True, value=BasicConstraints(ca=True).encode()
    )
    request = forge_request(extensions=(wanted,))
    assert request.extensions == (wanted,)
    assert issue(request).basic_constraints is None


def test_alternative_names_are_critical_when_they_are_the_only_names() -> None:
    """covers: RFC 5280, 4.2.1.6"""
    certificate = issue(METER_KEY.public_key(), subject=Name(), alt_names=NAMES)
    entry = next(e for e in certificate.extensions if e.oid == oids.SUBJECT_ALT_NAME)
    assert entry.critical
    with pytest.raises(UsageError, match="subject or an alternative name"):
        issue(METER_KEY.public_key(), subject=Name())


def test_refuses_to_issue_what_would_not_verify() -> None:
    leaf = issue(METER_KEY.public_key(), subject=METER)
    no_signing = pki.root("ca", usage=KeyUsage.CRL_SIGN).certificate
    key = METER_KEY.public_key()
    for changes, fact in (
        ({"ca_key": METER_KEY}, "does not belong"),
        ({"ca_certificate": leaf, "ca_key": METER_KEY}, "not that of a CA"),
        ({"ca_certificate": no_signing}, "does not allow to issue"),
        ({"profile": "everything"}, "unknown profile"),
        ({"path_length": 1}, "path length"),
        ({"days": 0}, "at least 1"),
        ({"days": 10**7}, "beyond the calendar"),
        ({"not_before": START.replace(tzinfo=None)}, "time zone"),
        ({"subject": None}, "needs a subject"),
    ):
        with pytest.raises(UsageError, match=fact):
            issue(key, **{"subject": METER, **changes})


def test_converts_the_start_to_utc_and_whole_seconds() -> None:
    china = timezone(timedelta(hours=8))
    start = datetime(2026, 1, 1, 8, 0, 0, 999_999, tzinfo=china)
    assert self_signed(CA_KEY, METER, not_before=start).not_before == datetime(
        2026, 1, 1, tzinfo=UTC
    )


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_refuses_serial_numbers_that_x509_cannot_hold(serial: int) -> None:
    with pytest.raises(UsageError, match="serial"):
        build_certificate(
            CA_KEY.public_key(),
            METER,
            issuer=METER,
            issuer_key=CA_KEY,
            not_before=START,
            days=1,
            extensions=(),
            serial_number=serial,
        )


def test_issued_certificates_differ_only_where_they_must() -> None:
    """Equal inputs give equal signed parts: nothing is taken from a hidden clock."""
    first, second = (
        issue(METER_KEY.public_key(), subject=METER, random=lambda n: b"\x11" * n) for _ in range(2)
    )
    assert first.tbs == second.tbs


def forge_request(
    *,
    version: int = 0,
    extensions: tuple[Extension, ...] = (),
    attributes: bytes | None = None,
    algorithm: AlgorithmIdentifier = SM2_WITH_SM3,
    signer: str = "meter",
) -> CertificateRequest:
    if attributes is None and extensions:
        attributes = der.sequence(
            der.object_identifier(oids.EXTENSION_REQUEST),
            der.set_of([der.sequence(*(entry.encode() for entry in extensions))]),
        )
    info = der.sequence(
        der.integer(version),
        METER.encode(),
        SubjectPublicKeyInfo.of(METER_KEY.public_key()).encoding,
        b"" if attributes is None else der.explicit(0, attributes),
    )
    signature = der.bit_string(pki.key(signer).sign(info))
    return Request.decode(der.sequence(info, algorithm.encode(), signature))


def test_requests_come_back_and_verify() -> None:
    request = create_request(METER_KEY, METER, alt_names=NAMES)
    for data in (request.to_pem().encode(), request.encode()):
        again = load_request(data)
        assert again == request
        again.verify()
    create_request(METER_KEY, METER).verify()
    forge_request().verify()


def test_refuses_requests_that_the_key_did_not_sign() -> None:
    with pytest.raises(InvalidSignature):
        forge_request(signer="stranger").verify()
    with pytest.raises(InvalidSignature, match="expected sm2sign-with-sm3"):
        forge_request(algorithm=AlgorithmIdentifier("1.2.840.10045.4.3.2")).verify()
    with pytest.raises(InvalidSignature):
        issue(forge_request(signer="stranger"))


def test_ignores_attributes_it_does_not_know() -> None:
    challenge = der.sequence(
        der.object_identifier("1.2.840.113549.1.9.7"),
        der.set_of([der.encode(der.UTF8_STRING, b"secret")]),
    )
    assert forge_request(attributes=challenge).extensions == ()


def test_refuses_malformed_requests() -> None:
    wish = der.sequence(
        der.object_identifier(oids.EXTENSION_REQUEST),
        der.set_of([der.sequence(Extension("1.2.3", critical=False, value=b"").encode())]),
    )
    for build in (
        lambda: forge_request(version=1),
        lambda: forge_request(attributes=wish + wish),
        lambda: forge_request(attributes=der.null()),
        lambda: forge_request(
            extensions=(Extension(oids.KEY_USAGE, critical=False, value=b"\x05\x00"),)
        ),
        lambda: load_request(CA.to_pem().encode()),
        lambda: load_request(CA.encode()),
        lambda: load_request(bytes(1 << 19)),
    ):
        with pytest.raises(MalformedData):
            build()
    encoding = create_request(METER_KEY, METER, alt_names=NAMES).encode()
    for end in range(len(encoding)):
        with pytest.raises(MalformedData):
            Request.decode(encoding[:end])

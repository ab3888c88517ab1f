"""Certificates as values: decoding, text, extensions, and what is refused."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meterseal.asn1 import der
from meterseal.crypto import sm3
from meterseal.errors import InvalidKey, MalformedData, UsageError
from meterseal.x509 import (
    BasicConstraints,
    Certificate,
    Extension,
    GeneralName,
    GeneralNameKind,
    KeyUsage,
    Name,
    SubjectAltName,
    dump_certificates,
    load_certificates,
    load_request,
    pem,
)
from meterseal.x509.extensions import (
    AuthorityKeyIdentifier,
    ExtendedKeyUsage,
    NameConstraints,
    SubjectKeyIdentifier,
)
from support import pki

FOLDER = Path(__file__).parent.parent / "vectors/x509"
GMSSL = json.loads((FOLDER / "gmssl2.json").read_text(encoding="utf-8"))
RECORDED = json.loads((FOLDER / "recorded_handshake.json").read_text(encoding="utf-8"))
ROOT = pki.root()
SERVER = pki.server(ROOT)


def vector(name: str) -> Certificate:
    return load_certificates(GMSSL[name]["pem"].encode())[0]


def test_reads_the_certificate_of_the_recorded_handshake() -> None:
    certificate = Certificate.decode(bytes.fromhex(RECORDED["certificate"]))
    assert str(certificate.subject) == "C = CN, O = t, CN = localhost"
    assert str(certificate.issuer) == "C = CN, O = t, CN = ca"
    assert certificate.serial_number == 0x81E5A9802A3101C0
    assert certificate.not_before == datetime(2026, 11, 23, 6, 0, 45, tzinfo=UTC)
    assert certificate.key_usage == KeyUsage.DIGITAL_SIGNATURE
    assert certificate.basic_constraints == BasicConstraints()
    assert certificate.subject_alt_name is None
    assert certificate.public_key().to_bytes()[:3].hex() == "049bfb"
    assert certificate.encode().hex() == RECORDED["certificate"]


@pytest.mark.parametrize("name", ["root", "leaf"])
def test_prints_certificates_as_gmssl_2_does(name: str) -> None:
    assert vector(name).to_text() == GMSSL[name]["text"]


def test_prints_requests_as_gmssl_2_does() -> None:
    request = load_request(GMSSL["request"]["pem"].encode())
    request.verify()
    assert request.to_text() == GMSSL["request"]["text"]


def test_has_the_layout_of_the_paper() -> None:
    """Figure 8: serial number, names, five-year validity, key, identifiers and CA flag."""
    text = vector("root").to_text()
    for line in (
        "        Version: 3 (0x2)",
        "            f8:19:85:74:1e:97:a3:56",
        "    Signature Algorithm: sm2sign-with-sm3",
        "                Public-Key: (256 bit)",
        "                ASN1 OID: sm2p256v1",
        "                NIST CURVE: SM2",
        "            X509v3 Basic Constraints: critical",
        "                CA:TRUE",
    ):
        assert line in text.splitlines()
    key_lines = [line for line in text.splitlines() if line.startswith(" " * 20 + "04:")]
    assert len(key_lines[0].strip().rstrip(":").split(":")) == 15


def test_reads_every_extension_we_know() -> None:
    leaf = vector("leaf")
    assert leaf.extended_key_usage == ExtendedKeyUsage(("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"))
    names = leaf.subject_alt_name
    assert names is not None
    assert [name.value for name in names.of(GeneralNameKind.DNS)] == [
        "meter.example.com",
        "*.example.com",
    ]
    assert [str(name.value) for name in names.of(GeneralNameKind.IP)] == [
        "192.0.2.7",
        "2001:db8::7",
    ]
    constraints = leaf.name_constraints
    assert constraints is not None
    assert [str(base) for base in constraints.excluded] == ["IP:10.0.0.0/255.0.0.0"]
    authority = vector("root").authority_key_identifier
    assert authority is not None
    assert authority.key_identifier == vector("root").subject_key_identifier


def test_fingerprint_is_the_sm3_digest() -> None:
    certificate = SERVER.certificate
    assert certificate.fingerprint() == sm3.sm3(certificate.encode()).digest()


def test_equal_certificates_have_equal_encodings() -> None:
    again = Certificate.decode(memoryview(SERVER.certificate.encode()))
    assert again == SERVER.certificate
    assert hash(again) == hash(SERVER.certificate)
    assert again != ROOT.certificate
    assert again != again.encode()


def test_cryptography_reads_the_same() -> None:
    certificate = SERVER.certificate
    other = certificate.to_cryptography()
    assert other.serial_number == certificate.serial_number
    assert other.not_valid_after_utc == certificate.not_after
    assert other.subject.rfc4514_string() == certificate.subject.to_rfc4514()
    assert other.tbs_certificate_bytes == certificate.tbs
    assert other.signature_algorithm_oid.dotted_string == certificate.signature_algorithm.oid
    assert [entry.oid.dotted_string for entry in other.extensions] == [
        entry.oid for entry in certificate.extensions
    ]


def test_bundles_come_back() -> None:
    bundle = dump_certificates([SERVER.certificate, ROOT.certificate])
    assert load_certificates(b"text before\n" + bundle) == [SERVER.certificate, ROOT.certificate]
    assert load_certificates(ROOT.certificate.encode()) == [ROOT.certificate]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no certificate",
        pem.encode("PRIVATE KEY", b"\x30\x00").encode(),
        pem.encode("CERTIFICATE", b"\x30\x00").encode(),
        b"-----BEGIN CERTIFICATE-----\nMIIB\n",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMI B\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIBA*==\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAB==\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nProc-Type: 4\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE----\nMIIB\n-----END CERTIFICATE-----\n",
        bytes((1 << 18) + 1),
        bytes((8 << 20) + 1),
    ],
)
def test_refuses_files_without_whole_certificates(data: bytes) -> None:
    with pytest.raises(MalformedData):
        load_certificates(data)


def test_refuses_more_blocks_than_the_limit() -> None:
    with pytest.raises(MalformedData, match="1024"):
        pem.decode(pem.encode("X", b"x").encode() * 1025)


def test_no_prefix_of_a_certificate_decodes() -> None:
    encoding = SERVER.certificate.encode()
    for end in range(len(encoding)):
        with pytest.raises(MalformedData):
            Certificate.decode(encoding[:end])
    with pytest.raises(MalformedData):
        Certificate.decode(encoding + b"\0")


def test_changing_any_byte_raises_nothing_unexpected() -> None:
    """And whatever still decodes can be printed, compared and asked for its key."""
    certificate = pki.server(
        ROOT, permitted=(GeneralName.parse("DNS:a.b"),), names=("DNS:a.b", "10.0.0.1")
    ).certificate
    encoding = certificate.encode()
    decoded = 0
    for position in range(len(encoding)):
        for change in (0x01, 0x02, 0x80, 0xFF):
            changed = bytearray(encoding)
            changed[position] ^= change
            try:
                other = Certificate.decode(changed)
            except MalformedData:
                continue
            decoded += 1
            assert other != certificate
            assert other.encode() == bytes(changed)
            assert all(line.isprintable() for line in other.to_text().splitlines())
            try:
                other.public_key()
            except InvalidKey:
                continue
    assert decoded > 100


def certificate_with(*extensions: Extension) -> bytes:
    return pki.entity("x", identifiers=False, extra=extensions).certificate.encode()


KNOWN = {
    "2.5.29.14": "Subject Key Identifier",
    "2.5.29.15": "Key Usage",
    "2.5.29.17": "Subject Alternative Name",
    "2.5.29.19": "Basic Constraints",
    "2.5.29.30": "Name Constraints",
    "2.5.29.35": "Authority Key Identifier",
    "2.5.29.37": "Extended Key Usage",
}


@pytest.mark.parametrize("identifier", KNOWN)
@pytest.mark.parametrize("value", ["", "0500", "3003020100", "04", "308000", "0400", "03020800"])
def test_refuses_malformed_values_of_known_extensions(identifier: str, value: str) -> None:
    if (identifier, value) == ("2.5.29.19", ""):
        value = "30"
    with pytest.raises(MalformedData):
        certificate_with(Extension(identifier, critical=False, value=bytes.fromhex(value)))


def test_refuses_an_extension_that_stands_twice() -> None:
    one = Extension("1.2.3", critical=False, value=b"")
    with pytest.raises(MalformedData, match="twice"):
        certificate_with(one, one)


def test_keeps_unknown_extensions() -> None:
    one = Extension("1.2.3", critical=False, value=b"\x05\x00")
    certificate = Certificate.decode(certificate_with(one))
    assert certificate.extensions == (one,)
    assert "            1.2.3: \n                05:00\n" in certificate.to_text()


VALUES = [
    BasicConstraints(),
    BasicConstraints(ca=True),
    BasicConstraints(ca=True, path_length=0),
    BasicConstraints(ca=True, path_length=255),
    *(KeyUsage(1 << bit) for bit in range(9)),
    KeyUsage(0),
    KeyUsage(0x1FF),
    ExtendedKeyUsage(("1.2.3",)),
    ExtendedKeyUsage(("1.2.3", "2.5.29.37.0")),
    SubjectKeyIdentifier(b"id"),
    AuthorityKeyIdentifier(b"id"),
    AuthorityKeyIdentifier(),
    AuthorityKeyIdentifier(
        b"id", (GeneralName(GeneralNameKind.DIRECTORY, Name.parse("CN=ca")),), 0x80
    ),
    SubjectAltName((GeneralName.parse("a.b"), GeneralName.parse("::1"))),
    SubjectAltName((GeneralName(GeneralNameKind.OTHER, der.explicit(0, der.null())),)),
    SubjectAltName((GeneralName(GeneralNameKind.REGISTERED_ID, der.implicit(8, b"\x2a")),)),
    NameConstraints((GeneralName.parse("a.b"),), ()),
    NameConstraints((), (GeneralName(GeneralNameKind.DIRECTORY, Name.parse("O=x")),)),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_extension_values_come_back_and_no_prefix_decodes(value) -> None:  # noqa: ANN001
    encoding = value.encode()
    assert type(value).decode(encoding) == value
    for end in range(len(encoding)):
        with pytest.raises(MalformedData):
            type(value).decode(encoding[:end])
    with pytest.raises(MalformedData):
        type(value).decode(encoding + b"\0")


def test_accepts_what_peers_write_beyond_der() -> None:
    """GmSSL 3 writes FALSE in full; some CAs leave zero bits at the end of a key usage."""
    extension = bytes.fromhex("300b 0603551d0f 010100 04010a")
    assert Extension.read(der.Reader(extension)) == Extension("2.5.29.15", False, b"\x0a")
    assert BasicConstraints.decode(bytes.fromhex("3003010100")) == BasicConstraints()
    assert KeyUsage.decode(bytes.fromhex("030200c0")) == KeyUsage(3)


@pytest.mark.parametrize("value", ["3003020100", "30060101ff0201ff", "300701 01ff02020100"])
def test_refuses_path_lengths_that_make_no_sense(value: str) -> None:
    with pytest.raises(MalformedData):
        BasicConstraints.decode(bytes.fromhex(value))


def test_refuses_key_usage_bits_without_meaning() -> None:
    with pytest.raises(MalformedData, match="no meaning"):
        KeyUsage.decode(der.bit_string(b"\x00\x40", 6))


def swap(certificate: Certificate, old: bytes, new: bytes) -> bytes:
    """Replace a part of the same length."""
    assert len(old) == len(new)
    assert old in certificate.encode()
    return certificate.encode().replace(old, new)


@pytest.mark.parametrize("version", ["a003020100", "a003020103", "a0030201ff", "a003020101"])
def test_refuses_versions_that_do_not_fit(version: str) -> None:
    """An explicit version 1, versions 4 and 0, and extensions in version 2."""
    old = bytes.fromhex("a003020102")
    with pytest.raises(MalformedData, match="version"):
        Certificate.decode(swap(SERVER.certificate, old, bytes.fromhex(version)))


def test_prints_what_peers_never_write() -> None:
    """Negative serial numbers, unknown values of names, keys and issuers in other forms."""
    authority = AuthorityKeyIdentifier(
        None, (GeneralName(GeneralNameKind.DIRECTORY, Name.parse("CN=ca")),), 0xAB
    )
    other = SubjectAltName((GeneralName(GeneralNameKind.OTHER, der.explicit(0, der.null())),))
    text = pki.entity(
        "x",
        serial=-(1 << 70),
        identifiers=False,
        extra=(pki.extension(authority), pki.extension(other)),
        spki=der.sequence(der.sequence(der.object_identifier("1.2.3")), der.bit_string(b"x")),
    ).certificate.to_text()
    for line in (
        "            (Negative) 40:00:00:00:00:00:00:00:00",
        "            Public Key Algorithm: 1.2.3",
        "                Unable to use the public key: expected an SM2 key, found 1.2.3",
        "                DirName:CN = ca",
        "                serial:AB",
        "                other:<4 bytes>",
    ):
        assert line in text.splitlines(), text
    bare = pki.entity("x", identifiers=False).certificate
    assert "extensions" not in bare.to_text()


@pytest.mark.parametrize("value", ["3000", "3002a000", "3004a0023000"])
def test_refuses_name_constraints_that_constrain_nothing(value: str) -> None:
    with pytest.raises(MalformedData):
        NameConstraints.decode(bytes.fromhex(value))


def test_unique_identifiers_belong_to_version_2() -> None:
    """covers: RFC 5280, 4.1.2.8"""

    def with_identifier(version: int) -> bytes:
        certificate = pki.entity("x", version=version).certificate
        body = der.Reader(certificate.tbs).element().contents
        tbs = der.sequence(body, der.implicit(1, b"\0x"))
        signature = der.bit_string(certificate.signature)
        return der.sequence(tbs, certificate.signature_algorithm.encode(), signature)

    assert Certificate.decode(with_identifier(2)).version == 2
    with pytest.raises(MalformedData, match="version 1 has unique identifiers"):
        Certificate.decode(with_identifier(1))


def test_names_the_package_that_conversion_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.x509", None)
    with pytest.raises(UsageError, match=r"meterseal\[cryptography\]"):
        SERVER.certificate.to_cryptography()

"""What we write is read by OpenSSL, and the other way round."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import CertificateRejected, InvalidSignature, RejectionReason
from meterseal.x509 import (
    Encryption,
    GeneralName,
    KeyUsage,
    Name,
    Purpose,
    RevocationPolicy,
    RevocationReason,
    TrustStore,
    create_request,
    dump_private_key,
    dump_public_key,
    issue_certificate,
    load_certificates,
    load_crls,
    load_private_key,
    load_public_key,
    load_request,
    self_signed,
    verify_chain,
)
from support import pki
from support.crls import crl, line

if TYPE_CHECKING:
    from pathlib import Path

OPENSSL = shutil.which("openssl")
ID = "distid:1234567812345678"
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY, OTHER = pki.key("openssl"), pki.key("openssl leaf")


def version() -> str:
    if OPENSSL is None:
        return "none"
    run = subprocess.run([OPENSSL, "version"], capture_output=True, text=True, check=True)
    return run.stdout.split()[1]


pytestmark = pytest.mark.skipif(
    not re.match(r"[34]\.", version()), reason=f"needs OpenSSL 3 or later, found {version()}"
)


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    command = [str(OPENSSL), *map(str, arguments)]
    run = subprocess.run(command, input=data, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


def test_openssl_reads_our_private_keys() -> None:
    expected = dump_public_key(KEY.public_key())
    for data in (dump_private_key(KEY), dump_private_key(KEY, "sec1")):
        assert openssl("pkey", "-pubout", data=data) == expected


@pytest.mark.parametrize(
    ("cipher", "prf"),
    [("aes-128-cbc", "hmac-sha256"), ("aes-256-cbc", "hmac-sha1"), ("aes-192-cbc", "hmac-sha512"),
     ("sm4-cbc", "hmac-sha256")],
)  # fmt: skip
def test_openssl_decrypts_our_private_keys(cipher: str, prf: str) -> None:
    encryption = Encryption(cipher, prf, 1000)  # type: ignore[arg-type]
    data = dump_private_key(KEY, password="meter", encryption=encryption)
    plain = openssl("pkcs8", "-passin", "pass:meter", data=data)
    assert load_private_key(plain).to_bytes() == KEY.to_bytes()


def test_openssl_reads_our_public_key() -> None:
    data = dump_public_key(KEY.public_key())
    assert openssl("pkey", "-pubin", "-pubout", data=data) == data


@pytest.mark.parametrize(
    "options",
    [
        ["-nocrypt"],
        ["-v2", "aes-256-cbc"],
        ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
        ["-v2", "sm4-cbc"],
    ],
)
def test_we_read_the_private_keys_of_openssl(options: list[str]) -> None:
    key = openssl("genpkey", "-algorithm", "SM2")
    password = [] if options == ["-nocrypt"] else ["-passout", "pass:meter"]
    data = openssl("pkcs8", "-topk8", *options, *password, data=key)
    expected = load_public_key(openssl("pkey", "-pubout", data=key))
    assert load_private_key(data, "meter").public_key() == expected


def test_openssl_prints_our_certificate_alike() -> None:
    """Apart from the names that OpenSSL 3 gives to the algorithm and the curve."""
    name = Name.parse("/C=ZC/ST=SHANGHAI/O=DIANLIDAXUE/CN=jisuanjixueyuan")
    certificate = self_signed(KEY, name, not_before=START)
    theirs = openssl(
        "x509", "-noout", "-text", "-nameopt", "oneline", data=certificate.to_pem().encode()
    ).decode()

    def facts(text: str) -> list[str]:
        text = text.replace("SM2-with-SM3", "sm2sign-with-sm3").replace(
            "OID: SM2", "OID: sm2p256v1"
        )
        lines = (line.strip().removeprefix("keyid:") for line in text.splitlines())
        left_out = ("", "NIST CURVE: SM2", "Signature Value:")
        joined = "\n".join(line for line in lines if line not in left_out)
        return joined.splitlines()

    assert facts(certificate.to_text()) == facts(theirs)


def test_openssl_verifies_our_chain_and_request(tmp_path: Path) -> None:
    usage = KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN
    ca = self_signed(KEY, Name.parse("/C=CN/CN=Root"), not_before=START, key_usage=usage)
    names = [GeneralName.parse("meter.example.com"), GeneralName.parse("192.0.2.7")]
    request = create_request(OTHER, Name.parse("/C=CN/CN=meter"), alt_names=names)
    leaf = issue_certificate(request, ca_certificate=ca, ca_key=KEY, not_before=START)
    (tmp_path / "ca.pem").write_text(ca.to_pem())
    (tmp_path / "leaf.pem").write_text(leaf.to_pem())
    moment = int(START.timestamp()) + 1000
    openssl("verify", "-x509_strict", "-vfyopt", ID, "-attime", moment, "-purpose", "sslserver",
            "-verify_hostname", "meter.example.com", "-verify_ip", "192.0.2.7",
            "-CAfile", tmp_path / "ca.pem", tmp_path / "leaf.pem")  # fmt: skip
    openssl("req", "-verify", "-noout", "-vfyopt", ID, data=request.to_pem().encode())


def test_we_verify_what_openssl_issues(tmp_path: Path) -> None:
    for label in ("ca", "leaf"):
        (tmp_path / f"{label}.key").write_bytes(dump_private_key(pki.key(label)))
    (tmp_path / "ext").write_text("subjectAltName=DNS:meter.example.com\nbasicConstraints=CA:FALSE")
    openssl("req", "-x509", "-new", "-key", tmp_path / "ca.key", "-sm3", "-sigopt", ID, "-subj",
            "/C=CN/CN=Root", "-days", "30", "-out", tmp_path / "ca.pem")  # fmt: skip
    openssl("req", "-new", "-key", tmp_path / "leaf.key", "-sm3", "-sigopt", ID, "-subj",
            "/C=CN/CN=meter", "-out", tmp_path / "leaf.csr")  # fmt: skip
    load_request((tmp_path / "leaf.csr").read_bytes()).verify()
    openssl("x509", "-req", "-in", tmp_path / "leaf.csr", "-CA", tmp_path / "ca.pem", "-CAkey",
            tmp_path / "ca.key", "-CAcreateserial", "-sm3", "-sigopt", ID, "-vfyopt", ID, "-days",
            "30", "-extfile", tmp_path / "ext", "-out", tmp_path / "leaf.pem")  # fmt: skip
    leaf = load_certificates((tmp_path / "leaf.pem").read_bytes())
    trust = TrustStore.load((tmp_path / "ca.pem").read_bytes())
    verified = verify_chain(
        leaf, trust, at=leaf[0].not_before, purpose=Purpose.SERVER, server_name="meter.example.com"
    )
    assert len(verified.chain) == 2


def test_a_signature_of_openssl_under_another_identifier_does_not_verify(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(dump_private_key(KEY))
    data = openssl(
        "req", "-new", "-key", tmp_path / "key", "-sm3", "-subj", "/CN=x", "-sigopt", "distid:other"
    )
    with pytest.raises(InvalidSignature):
        load_request(data).verify()


def test_openssl_reads_our_revocation_list(tmp_path: Path) -> None:
    ca = pki.root()
    made = crl(ca, line(4711), number=18)
    text = openssl("crl", "-text", "-noout", data=made.to_pem().encode()).decode()
    for fact in ("Serial Number: 1267", "Key Compromise", "CN = root", "12:00:00 2026", "18"):
        assert fact in text
    (tmp_path / "ca.pub").write_bytes(dump_public_key(ca.key.public_key()))
    (tmp_path / "signature").write_bytes(made.signature)
    (tmp_path / "tbs").write_bytes(made.tbs)
    openssl("pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "ca.pub", "-rawin", "-digest",
            "sm3", "-pkeyopt", ID, "-sigfile", tmp_path / "signature", "-in",
            tmp_path / "tbs")  # fmt: skip


@pytest.mark.skipif(not version().startswith("3.0."), reason="newer ones use the standard's id")
def test_openssl_agrees_on_who_is_revoked(tmp_path: Path) -> None:
    """OpenSSL 3.0 takes revocation lists with an empty identifier alone, so they get that here."""
    ca = pki.root()
    leaf = pki.server(ca, serial=4711)
    (tmp_path / "ca.pem").write_text(ca.certificate.to_pem())
    (tmp_path / "leaf.pem").write_text(leaf.certificate.to_pem())
    for serial, revoked in ((4711, True), (4712, False)):
        (tmp_path / "crl").write_text(crl(ca, line(serial), distinguishing_id=b"").to_pem())
        command = ["verify", "-vfyopt", ID, "-attime", int(pki.NOW.timestamp()), "-crl_check",
                   "-x509_strict", "-CRLfile", tmp_path / "crl", "-CAfile", tmp_path / "ca.pem",
                   tmp_path / "leaf.pem"]  # fmt: skip
        done = subprocess.run(
            [str(OPENSSL), *map(str, command)], capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == revoked, done.stderr
        assert ("certificate revoked" in done.stderr) == revoked
    with pytest.raises(CertificateRejected, match="did not sign"):
        verify_chain(
            [leaf.certificate],
            TrustStore([ca.certificate]),
            at=pki.NOW,
            purpose=Purpose.SERVER,
            crls=load_crls((tmp_path / "crl").read_bytes()),
        )


def test_we_believe_the_revocation_list_of_openssl(tmp_path: Path) -> None:
    ca = pki.root()
    leaf = pki.server(ca, serial=0x4711)
    (tmp_path / "ca.key").write_bytes(dump_private_key(ca.key))
    (tmp_path / "ca.pem").write_text(ca.certificate.to_pem())
    (tmp_path / "index").write_text(
        "R\t360101000000Z\t260530080000Z,superseded\t4711\tunknown\t/CN=server\n"
    )
    (tmp_path / "number").write_text("0A\n")
    (tmp_path / "conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sm3\n"
        "crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n"
    )
    subprocess.run(
        [str(OPENSSL), "ca", "-config", "conf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem",
         "-sigopt", ID, "-crl_lastupdate", "260601000000Z", "-crl_nextupdate", "260701000000Z",
         "-out", "crl"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    (made,) = load_crls((tmp_path / "crl").read_bytes())
    assert made.number == 10
    (entry,) = made.revoked
    assert entry.reason is RevocationReason.SUPERSEDED
    other = pki.server(ca, serial=0x4712)
    for shown, accepted in ((leaf, False), (other, True)):
        try:
            verify_chain(
                [shown.certificate],
                TrustStore([ca.certificate]),
                at=pki.NOW,
                purpose=Purpose.SERVER,
                crls=[made],
                revocation=RevocationPolicy.REQUIRED,
            )
        except CertificateRejected as error:
            assert error.reason is RejectionReason.REVOKED  # noqa: PT017
            assert not accepted
        else:
            assert accepted

"""Revocation lists in a context, as `ssl` has them: loaded with the roots, demanded by flags."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import meterseal
from meterseal import Purpose, SecureContext
from meterseal.crypto import sm2
from meterseal.x509 import (
    GeneralName,
    Name,
    RevocationReason,
    RevokedCertificate,
    dump_certificates,
    dump_crls,
    dump_private_key,
    issue_certificate,
    issue_crl,
    self_signed,
)
from support.contexts import HOST
from support.servers import accepting, echo

if TYPE_CHECKING:
    from pathlib import Path

START = datetime.now(UTC) - timedelta(days=2)
LEAF, CHAIN = ssl.VERIFY_CRL_CHECK_LEAF, ssl.VERIFY_CRL_CHECK_CHAIN


def subject(common: str) -> Name:
    return Name.parse(f"/C=CN/O=Grid/CN={common}")


def make(where: Path) -> Path:
    """root -> CA -> good and revoked, each a bundle with its key; empty and full lists."""
    root_key, ca_key = sm2.PrivateKey.generate(), sm2.PrivateKey.generate()
    root = self_signed(root_key, subject("root"), not_before=START)
    ca = issue_certificate(
        ca_key.public_key(),
        subject("CA"),
        ca_certificate=root,
        ca_key=root_key,
        not_before=START,
        profile="ca",
    )
    serials = {}
    for name in ("good", "revoked"):
        key = sm2.PrivateKey.generate()
        leaf = issue_certificate(
            key.public_key(),
            subject(name),
            ca_certificate=ca,
            ca_key=ca_key,
            not_before=START,
            profile="signing",
            alt_names=[GeneralName.parse(f"DNS:{HOST}")],
        )
        serials[name] = leaf.serial_number
        bundle = dump_certificates([leaf, ca]) + dump_private_key(key)
        (where / f"{name}.pem").write_bytes(bundle)
    (where / "root.pem").write_bytes(dump_certificates([root]))
    line = RevokedCertificate.of(serials["revoked"], START, RevocationReason.KEY_COMPROMISE)
    for name, certificate, key, days in (
        ("ca", ca, ca_key, 30),
        ("root", root, root_key, 30),
        ("old", ca, ca_key, 1),
    ):
        crl = issue_crl(
            [line] if name == "ca" else [],
            ca_certificate=certificate,
            ca_key=key,
            this_update=START,
            days=days,
            number=1,
        )
        (where / f"{name}.crl").write_bytes(dump_crls([crl]))
    return where


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("revocation"))


def trusting(pki: Path, *lists: str, flags: int = 0, server: bool = False) -> SecureContext:
    purpose = Purpose.CLIENT_AUTH if server else Purpose.SERVER_AUTH
    context = meterseal.create_default_context(purpose, cafile=pki / "root.pem")
    for name in lists:
        context.load_verify_locations(pki / f"{name}.crl")
    context.verify_flags |= ssl.VerifyFlags(flags)
    return context


def serving(pki: Path, name: str) -> SecureContext:
    context = meterseal.create_default_context(Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki / f"{name}.pem")
    return context


def connect(client: SecureContext, server: SecureContext, said: bytes = b"x") -> None:
    """One session; without anything said it only waits for what the server has to say."""
    with accepting(echo, server) as (address, _):
        plain = socket.create_connection(address, timeout=10)
        with plain, client.wrap_socket(plain, server_hostname=HOST) as wrapped:
            wrapped.sendall(said)
            assert wrapped.recv() == said


@pytest.mark.parametrize(
    ("lists", "flags"),
    [
        ((), 0),
        (("ca",), 0),
        (("ca",), LEAF),
        (("ca", "root"), LEAF),
        (("ca", "root"), CHAIN),
    ],
)
def test_who_is_not_on_a_list_is_accepted(pki: Path, lists: tuple[str, ...], flags: int) -> None:
    connect(trusting(pki, *lists, flags=flags), serving(pki, "good"))


@pytest.mark.parametrize("flags", [0, LEAF, CHAIN])
def test_a_revoked_server_is_refused_as_ssl_would(pki: Path, flags: int) -> None:
    client = trusting(pki, "ca", "root", flags=flags)
    with pytest.raises(ssl.SSLCertVerificationError) as refusal:
        connect(client, serving(pki, "revoked"))
    assert (refusal.value.verify_code, refusal.value.verify_message) == (23, "certificate revoked")
    assert refusal.value.reason == "CERTIFICATE_VERIFY_FAILED"
    assert "certificate verify failed" in str(refusal.value)


@pytest.mark.parametrize(
    ("lists", "flags"),
    [((), LEAF), ((), CHAIN), (("root",), LEAF), (("ca",), CHAIN), (("old",), 0), (("old",), LEAF)],
)
def test_a_list_that_must_be_there_and_is_not_is_missed(
    pki: Path, lists: tuple[str, ...], flags: int
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as refusal:
        connect(trusting(pki, *lists, flags=flags), serving(pki, "good"))
    assert refusal.value.verify_code == 3
    assert refusal.value.verify_message == "unable to get certificate CRL"


def test_a_revoked_client_is_refused(pki: Path) -> None:
    server = trusting(pki, "ca", "root", flags=CHAIN, server=True)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(pki / "good.pem")
    for name in ("good", "revoked"):
        client = trusting(pki)
        client.load_cert_chain(pki / f"{name}.pem")
        if name == "good":
            connect(client, server)
            continue
        with pytest.raises(ssl.SSLError) as told:
            connect(client, server, said=b"")
        assert told.value.reason == "ALERT_CERTIFICATE_REVOKED"


def test_lists_are_counted_once_and_stand_in_bundles_and_folders(pki: Path, tmp_path: Path) -> None:
    context = trusting(pki, "ca", "ca", "root")
    assert context.cert_store_stats() == {"x509": 1, "crl": 2, "x509_ca": 1}
    whole = (pki / "root.pem").read_text() + (pki / "ca.crl").read_text()
    (tmp_path / "bundle.pem").write_text(whole)
    for given in ({"cafile": tmp_path / "bundle.pem"}, {"capath": tmp_path}, {"cadata": whole}):
        loaded = meterseal.create_default_context(**given)
        assert loaded.cert_store_stats() == {"x509": 1, "crl": 1, "x509_ca": 1}


def test_a_broken_list_is_an_error_and_a_key_is_none(pki: Path, tmp_path: Path) -> None:
    lines = (pki / "ca.crl").read_text().splitlines()
    (tmp_path / "broken.crl").write_text("\n".join([lines[0], *lines[1:-1][:-1], lines[-1]]))
    with pytest.raises(ssl.SSLError, match="PEM_LIB"):
        trusting(pki).load_verify_locations(tmp_path / "broken.crl")
    key = dump_private_key(sm2.PrivateKey.generate())
    (tmp_path / "keys.pem").write_bytes(key + key)
    with pytest.raises(ssl.SSLError, match="NO_CERTIFICATE_OR_CRL_FOUND"):
        trusting(pki).load_verify_locations(tmp_path / "keys.pem")


def test_what_stands_in_a_list_counts_when_a_session_is_resumed(pki: Path) -> None:
    client, server = trusting(pki), serving(pki, "revoked")

    def once(session: object = None) -> object:
        with accepting(echo, server) as (address, _):
            plain = socket.create_connection(address, timeout=10)
            with client.wrap_socket(plain, server_hostname=HOST, session=session) as wrapped:
                wrapped.sendall(b"x")
                assert wrapped.recv() == b"x"
                return wrapped.session

    session = once()
    client.load_verify_locations(pki / "ca.crl")
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        once(session)

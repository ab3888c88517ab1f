"""The context's settings: what they accept, what they refuse, what they tell."""

from __future__ import annotations

import socket
import ssl
import stat
from pathlib import Path

import certifi
import pytest

import meterseal
from meterseal import Purpose, SecureContext
from meterseal.transport import SUITES
from support.contexts import HOST, PASSWORD, client_context, files, server_context
from support.servers import accepting, echo


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (0xE011, ["ECDHE_SM4_CBC_SM3", "ECDHE-SM2-WITH-SM4-SM3", "TLCP_ECDHE_SM4_CBC_SM3"]),
        (0xE013, ["ECC-SM2-WITH-SM4-SM3", "ECC_SM4_CBC_SM3", "ecc-sm4-cbc-sm3", "ECC_SM4_SM3"]),
        (0xE013, ["TLS_ECC_SM4_CBC_SM3", "ECC-SM2-SM4-CBC-SM3", "0xE013", "e013"]),
        (0xE051, ["ECDHE-SM4-GCM-SM3", "ECDHE-SM2-SM4-GCM-SM3", "TLS_cipher_ecdhe_sm4_gcm_sm3"]),
        (0xE053, ["ECC_SM4_GCM_SM3", "ECC-SM2-SM4-GCM-SM3", "GMTLS_ECC_SM4_GCM_SM3"]),
        (0xE107, ["ECDHE-SM2-WITH-SMS4-GCM-SM3", "TLS_ECDHE_SM2_WITH_SM4_GCM_SM3"]),
        (0x00C6, ["TLS_SM4_GCM_SM3", "00C6"]),
    ],
)
def test_every_name_of_a_suite_is_understood(code: int, names: list[str]) -> None:
    for name in names:
        context = client_context("auto")
        context.set_ciphers(name)
        (cipher,) = context.get_ciphers()
        assert (cipher["id"], cipher["name"]) == (code, SUITES[code].name)


def test_lists_of_suites_keep_their_order() -> None:
    context = client_context()
    context.set_ciphers("ECC_SM4_CBC_SM3:ECC_SM4_GCM_SM3, ECC-SM4-CBC-SM3")
    assert [cipher["id"] for cipher in context.get_ciphers()] == [0xE013, 0xE053]
    context.set_ciphers("DEFAULT")
    assert len(context.get_ciphers()) == 4


@pytest.mark.parametrize("name", ["AES128-SHA", "0xE0FF", "", "TLS_SM4_GCM_SM3"])
def test_a_suite_that_cannot_be_used_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ssl.SSLError, match=name or "no cipher suite is named") as refusal:
        client_context("tlcp").set_ciphers(name)
    assert refusal.value.reason == "NO_CIPHER_MATCH"


def test_a_suite_of_tlcp_makes_a_client_speak_it() -> None:
    context = client_context("auto")
    context.set_ciphers("ECC_SM4_CBC_SM3")
    with accepting(echo) as (address, _):
        plain = socket.create_connection(address, timeout=10)
        with context.wrap_socket(plain, server_hostname=HOST) as wrapped:
            assert wrapped.cipher() == ("ECC_SM4_CBC_SM3", "TLCPv1.1", 128)
            assert wrapped.shared_ciphers() is None


@pytest.mark.parametrize("protocol", ["tls13-sm", "tls12-sm", "tlcp"])
def test_an_ocsp_response_is_handed_to_a_client_that_asks(protocol: str) -> None:
    server, client = server_context(), client_context(protocol)
    server.ocsp_response = b"\x30\x03\x0a\x01\x06"
    for asked in (False, True):
        client.request_ocsp = asked
        with accepting(echo, server) as (address, _):
            plain = socket.create_connection(address, timeout=10)
            with client.wrap_socket(plain, server_hostname=HOST) as wrapped:
                expected = server.ocsp_response if asked and protocol != "tlcp" else None
                assert wrapped.ocsp_response() == expected
    wrapped = client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    with pytest.raises(ValueError, match="handshake not done yet"):
        wrapped.ocsp_response()


def test_verification_and_names_are_paired_as_in_ssl() -> None:
    context = client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    with pytest.raises(ValueError, match="CERT_NONE"):
        context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.check_hostname = True
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert server_context().verify_mode == ssl.CERT_NONE


def test_a_client_never_connects_without_verifying() -> None:
    context = client_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLError, match="does not connect without verifying"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())


def test_each_side_has_its_own_context() -> None:
    bios = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLError, match="Cannot create a server socket"):
        client_context().wrap_bio(*bios, server_side=True)
    with pytest.raises(ssl.SSLError, match="Cannot create a client socket"):
        server_context().wrap_bio(*bios, server_hostname=HOST)
    with pytest.raises(ValueError, match="client mode"):
        server_context().wrap_bio(*bios, server_side=True, server_hostname=HOST)
    with pytest.raises(ssl.SSLError, match="NO_CERTIFICATE_SET"):
        meterseal.create_default_context(Purpose.CLIENT_AUTH).wrap_bio(*bios, server_side=True)
    with pytest.raises(ValueError, match="PROTOCOL_TLS_CLIENT"):
        SecureContext(ssl.PROTOCOL_TLS)
    with pytest.raises(ValueError, match="expected a protocol"):
        meterseal.create_default_context(protocol="sslv3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="purpose"):
        meterseal.create_default_context("client")  # type: ignore[arg-type]


def test_a_pair_is_loaded_from_one_file_or_four_or_in_two_calls() -> None:
    f = files()
    four = SecureContext(ssl.PROTOCOL_TLS_SERVER)
    four.load_cert_chain(
        sign=f.server_sign_pem,
        sign_key=f.server_sign_key,
        enc=f.server_enc_pem,
        enc_key=f.server_enc_key,
    )
    swapped = SecureContext(ssl.PROTOCOL_TLS_SERVER)
    swapped.load_cert_chain(
        sign=f.server_enc_pem,
        sign_key=f.server_enc_key,
        enc=f.server_sign_pem,
        enc_key=f.server_sign_key,
    )
    calls = SecureContext(ssl.PROTOCOL_TLS_SERVER)
    calls.load_cert_chain(f.server_sign_pem, f.server_sign_key)
    assert calls.server_config().credential.encryption is None
    calls.load_cert_chain(f.server_enc_pem, f.server_enc_key)
    expected = server_context().server_config().credential
    assert expected.encryption is not None
    for context in (four, swapped, calls):
        credential = context.server_config().credential
        assert credential.chain[0] == expected.chain[0]
        assert credential.encryption is not None
        assert credential.encryption.certificate == expected.encryption.certificate


def test_certificates_that_do_not_fit_are_refused() -> None:
    context, f = SecureContext(ssl.PROTOCOL_TLS_SERVER), files()
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        context.load_cert_chain(f.server_sign_pem, f.server_enc_key)
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        context.load_cert_chain(f.server_sign_pem)
    with pytest.raises(FileNotFoundError):
        context.load_cert_chain("absent.pem")
    with pytest.raises(ssl.SSLError, match="PEM_LIB"):
        context.load_cert_chain(__file__)
    with pytest.raises(TypeError):
        context.load_cert_chain()


def test_trust_is_loaded_from_files_folders_text_and_der(tmp_path: Path) -> None:
    text = Path(files().ca_pem).read_text()
    der = ssl.PEM_cert_to_DER_cert(text)
    (tmp_path / "one.pem").write_text(text)
    for source in (
        {"cafile": files().ca_pem},
        {"capath": tmp_path},
        {"cadata": text},
        {"cadata": der},
    ):
        context = SecureContext()
        for _ in range(2):
            context.load_verify_locations(**source)  # type: ignore[arg-type]
        assert context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}
        assert context.get_ca_certs(binary_form=True) == [der]
        assert context.get_ca_certs()[0]["subject"][-1] == (("commonName", "Facade root"),)
    with pytest.raises(TypeError):
        SecureContext().load_verify_locations()
    with pytest.raises(ssl.SSLError, match="no SM2 certificate"):
        SecureContext().load_verify_locations(cadata="nothing")


def test_the_roots_of_the_internet_are_passed_over() -> None:
    context = client_context()
    context.load_verify_locations(certifi.where())
    context.load_default_certs()
    assert context.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize("by_environment", [True, False])
def test_the_key_log_receives_the_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    path = tmp_path / "keys.log"
    if by_environment:
        monkeypatch.setenv("SSLKEYLOGFILE", str(path))
    context = client_context()
    if not by_environment:
        context.keylog_filename = str(path)
    assert context.keylog_filename == str(path)
    with accepting(echo, server_context()) as (address, _):
        plain = socket.create_connection(address, timeout=10)
        context.wrap_socket(plain, server_hostname=HOST).close()
    lines = path.read_text().splitlines()
    assert lines
    assert all(line.startswith("CLIENT_RANDOM ") for line in lines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_application_protocols_are_checked() -> None:
    context = client_context("auto")
    context.set_alpn_protocols(["h2", "http/1.1"])
    assert context.client_config().application_protocols == ("h2", "http/1.1")
    for name in ("", "x" * 256):
        with pytest.raises(ssl.SSLError, match="1 to 255"):
            context.set_alpn_protocols([name])


def test_settings_of_openssl_can_be_made() -> None:
    context = client_context()
    context.options |= ssl.OP_NO_COMPRESSION
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.post_handshake_auth = True
    context.set_ecdh_curve("prime256v1")
    assert isinstance(context, ssl.SSLContext)


@pytest.mark.parametrize("protocol", ["tls12-sm", "tls13-sm"])
def test_channel_bindings_name_the_server(protocol: str) -> None:
    with accepting(lambda wrapped: wrapped.get_channel_binding("tls-server-end-point")) as (
        address,
        served,
    ):
        plain = socket.create_connection(address, timeout=10)
        with client_context(protocol).wrap_socket(plain, server_hostname=HOST) as wrapped:
            binding = wrapped.get_channel_binding("tls-server-end-point")
            assert binding is not None
            assert len(binding) == 32
            assert binding == served.result(60)
            assert wrapped.get_channel_binding() is None
            with pytest.raises(ValueError, match="not implemented"):
                wrapped.get_channel_binding("tls-exporter")


def test_the_password_of_a_plain_key_is_not_asked_for() -> None:
    def never() -> str:
        raise AssertionError(PASSWORD)

    server_context().load_cert_chain(files().server_sign_pem, files().server_sign_key, never)


def test_an_sni_callback_chooses_the_context_or_refuses() -> None:
    asked: list[str | None] = []
    other = server_context()
    front = SecureContext(ssl.PROTOCOL_TLS_SERVER)
    front.load_cert_chain(files().client_pair_pem)

    def choose(face, name, context):  # noqa: ANN001, ANN202
        asked.append(name)
        assert context is front
        if name == "station.example":
            return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        face.context = other
        return None

    front.sni_callback = choose
    for protocol, name in (("tls13-sm", HOST), ("tls12-sm", HOST), ("tlcp", None)):
        with accepting(echo, front) as (address, _):
            plain = socket.create_connection(address, timeout=10)
            context = client_context(protocol)
            with context.wrap_socket(plain, server_hostname=HOST) as wrapped:
                assert wrapped.version()
        assert asked.pop() == name
    with accepting(echo, front) as (address, served):
        plain = socket.create_connection(address, timeout=10)
        with pytest.raises(ssl.SSLError, match="unrecognized_name"):
            client_context("auto").wrap_socket(plain, server_hostname="station.example")
        with pytest.raises(ssl.SSLError, match="not served here"):
            served.result(10)


def test_sessions_share_a_configuration_until_something_is_set() -> None:
    server, client = server_context("tls13-sm"), client_context("tls13-sm")
    for context, made in ((server, server.server_config), (client, client.client_config)):
        before = made()
        assert made() is before
        context.set_alpn_protocols(["mqtt"])
        assert made() is not before
        assert made().application_protocols == ("mqtt",)
    before_trust = client.client_config()
    client.load_verify_locations(files().server_pair_pem)
    assert client.client_config().trust != before_trust.trust

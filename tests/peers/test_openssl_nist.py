"""The engine as it is, with P-256 and AES instead of SM: it agrees with Python's own `ssl`."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from meterseal.errors import (
    AlertReceived,
    CertificateRejected,
    Incompatible,
    MeterSealError,
    RejectionReason,
    UnsupportedVersion,
)
from meterseal.transport import (
    CipherSuite,
    ClientAuthentication,
    Connection,
    TicketKeys,
)
from meterseal.x509 import TrustStore
from support.nist import NIST_ALGORITHMS, TLS12, TLS13, NistProvider
from support.nist.identities import HOST, Held, make, nist_world
from support.nist.stdlib_ssl import (
    Theirs,
    client_config,
    our_client,
    our_server,
    server_config,
    shake,
    talk,
    their_context,
)

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = {TLS13.version: ssl.TLSVersion.TLSv1_3, TLS12.version: ssl.TLSVersion.TLSv1_2}
SHOWN = {
    TLS13.version: ("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
    TLS12.version: ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
}
every_suite = pytest.mark.parametrize("suite", [TLS13, TLS12], ids=lambda suite: suite.name)


def their_server(folder: Path, **options: Any) -> Theirs:  # noqa: ANN401
    return Theirs(their_context(folder, is_server=True, **options), is_server=True)


def their_client(folder: Path, **options: Any) -> Theirs:  # noqa: ANN401
    return Theirs(their_context(folder, is_server=False, **options), is_server=False)


def agreed(ours: Connection, theirs: Theirs, suite: CipherSuite) -> None:
    assert theirs.error is None
    assert theirs.is_done
    assert ours.established is not None
    assert ours.established.suite == suite
    cipher = theirs.object.cipher()
    assert cipher is not None
    assert (theirs.object.version(), cipher[0]) == SHOWN[suite.version]
    talk(ours, theirs)


# --- handshake and data ------------------------------------------------------------------


@every_suite
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_our_client_agrees_with_their_server(tmp_path: Path, suite: CipherSuite, step: int) -> None:
    ours, theirs = our_client(suites=(suite,)), their_server(tmp_path)
    shake(ours, theirs, step=step)
    agreed(ours, theirs, suite)


@every_suite
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_their_client_agrees_with_our_server(tmp_path: Path, suite: CipherSuite, step: int) -> None:
    ours, theirs = our_server(suites=(suite,)), their_client(tmp_path)
    shake(ours, theirs, step=step)
    agreed(ours, theirs, suite)
    assert ours.established is not None
    assert ours.established.server_name == HOST


def test_a_share_at_once_needs_no_retry(tmp_path: Path) -> None:
    context = their_context(tmp_path, is_server=False)
    context.set_ecdh_curve("prime256v1")
    ours, theirs = our_server(), Theirs(context, is_server=False)
    theirs.receive_data(b"")
    ours.receive_data(theirs.data_to_send())
    theirs.receive_data(ours.data_to_send())
    assert theirs.is_done
    shake(ours, theirs)
    agreed(ours, theirs, TLS13)


def test_our_client_gives_the_share_that_their_server_asks_for(tmp_path: Path) -> None:
    ours, theirs = our_client(key_shares=()), their_server(tmp_path)
    shake(ours, theirs)
    agreed(ours, theirs, TLS13)


@every_suite
def test_one_hello_for_both_versions_takes_what_they_speak(
    tmp_path: Path, suite: CipherSuite
) -> None:
    version = VERSIONS[suite.version]
    ours = our_client(suites=(TLS13, TLS12))
    theirs = their_server(tmp_path, version=version)
    shake(ours, theirs)
    agreed(ours, theirs, suite)
    server = our_server(suites=(TLS13, TLS12))
    client = their_client(tmp_path, version=version)
    shake(server, client)
    agreed(server, client, suite)


@every_suite
def test_application_protocols_agree_both_ways(tmp_path: Path, suite: CipherSuite) -> None:
    context = their_context(tmp_path, is_server=True)
    context.set_alpn_protocols(["mqtt"])
    ours = our_client(suites=(suite,), application_protocols=("h2", "mqtt"))
    theirs = Theirs(context, is_server=True)
    shake(ours, theirs)
    assert ours.established is not None
    assert ours.established.application_protocol == "mqtt"
    context = their_context(tmp_path, is_server=False)
    context.set_alpn_protocols(["h2", "mqtt"])
    server = our_server(suites=(suite,), application_protocols=("mqtt",))
    client = Theirs(context, is_server=False)
    shake(server, client)
    assert client.object.selected_alpn_protocol() == "mqtt"


@every_suite
def test_closing_is_understood_both_ways(tmp_path: Path, suite: CipherSuite) -> None:
    ours, theirs = our_client(suites=(suite,)), their_server(tmp_path)
    shake(ours, theirs)
    ours.close()
    theirs.receive_data(ours.data_to_send())
    theirs.object.unwrap()
    ours.receive_data(theirs.data_to_send())
    assert ours.is_peer_closed


# --- keys change -------------------------------------------------------------------------


def test_keys_change_on_request_and_data_flows_on(tmp_path: Path) -> None:
    for ours, theirs in (
        (our_client(), their_server(tmp_path)),
        (our_server(), their_client(tmp_path)),
    ):
        shake(ours, theirs)
        for request in (False, True, True):
            ours.update_keys(request_peer=request)
            talk(ours, theirs)
        assert theirs.error is None


# --- resumption --------------------------------------------------------------------------


@every_suite
@pytest.mark.parametrize("with_tickets", [True, False])
def test_our_client_resumes_their_session(
    tmp_path: Path, suite: CipherSuite, with_tickets: bool
) -> None:
    context = their_context(tmp_path, is_server=True)
    if not with_tickets:
        context.options |= ssl.OP_NO_TICKET
    first, theirs = our_client(suites=(suite,)), Theirs(context, is_server=True)
    shake(first, theirs)
    assert first.session is not None
    second, again = our_client(first.session, suites=(suite,)), Theirs(context, is_server=True)
    shake(second, again)
    assert second.established is not None
    assert second.established.resumed
    assert again.object.session_reused
    agreed(second, again, suite)


@every_suite
@pytest.mark.parametrize("with_tickets", [True, False])
def test_their_client_resumes_our_session(
    tmp_path: Path, suite: CipherSuite, with_tickets: bool
) -> None:
    keys = TicketKeys(NistProvider(), suites=NIST_ALGORITHMS.suites) if with_tickets else None
    config = server_config(suites=(suite,), ticket_keys=keys)
    context = their_context(tmp_path, is_server=False)
    first, theirs = Connection.server(config), Theirs(context, is_server=False)
    shake(first, theirs)
    session = theirs.object.session
    assert session is not None
    second, again = Connection.server(config), Theirs(context, is_server=False, session=session)
    shake(second, again)
    assert again.object.session_reused
    assert second.established is not None
    assert second.established.resumed
    agreed(second, again, suite)


# --- client certificates -----------------------------------------------------------------


@every_suite
def test_their_server_takes_our_certificate(tmp_path: Path, suite: CipherSuite) -> None:
    context = their_context(tmp_path, is_server=True)
    context.verify_mode = ssl.CERT_REQUIRED
    ours = our_client(suites=(suite,), credential=nist_world().client.credential)
    theirs = Theirs(context, is_server=True)
    shake(ours, theirs)
    agreed(ours, theirs, suite)
    shown = theirs.object.getpeercert()
    assert shown is not None
    assert shown["subject"] == ((("commonName", "meter-1"),),)


@every_suite
def test_our_server_takes_their_certificate(tmp_path: Path, suite: CipherSuite) -> None:
    ours = our_server(
        suites=(suite,),
        client_authentication=ClientAuthentication.REQUIRED,
        trust=nist_world().trust,
    )
    theirs = their_client(tmp_path, held=nist_world().client)
    shake(ours, theirs)
    agreed(ours, theirs, suite)
    assert ours.established is not None
    assert ours.established.peer is not None
    assert "meter-1" in str(ours.established.peer.leaf.subject)


# --- refusals ----------------------------------------------------------------------------


def refused(ours: Connection, theirs: Theirs, kind: type[MeterSealError]) -> MeterSealError:
    """Our refusal, which the other side hears of as an alert."""
    with pytest.raises(kind) as caught:
        shake(ours, theirs)
    theirs.receive_data(ours.data_to_send())
    assert theirs.error is not None
    assert "ALERT" in str(theirs.error)
    return caught.value


@every_suite
def test_a_client_without_certificate_is_refused_by_either_server(
    tmp_path: Path, suite: CipherSuite
) -> None:
    context = their_context(tmp_path, is_server=True)
    context.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(AlertReceived):
        shake(our_client(suites=(suite,)), Theirs(context, is_server=True))
    ours = our_server(
        suites=(suite,),
        client_authentication=ClientAuthentication.REQUIRED,
        trust=nist_world().trust,
    )
    refused(ours, their_client(tmp_path), MeterSealError)


@every_suite
def test_a_server_of_a_stranger_is_refused_by_either_client(
    tmp_path: Path, suite: CipherSuite
) -> None:
    server = make("station", nist_world().stranger, ExtendedKeyUsageOID.SERVER_AUTH)
    error = refused(
        our_client(suites=(suite,)), their_server(tmp_path, held=server), CertificateRejected
    )
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.UNKNOWN_ISSUER
    ours = our_server(suites=(suite,), credential=server.credential)
    theirs = their_client(tmp_path)
    with pytest.raises(AlertReceived):
        shake(ours, theirs)
    assert isinstance(theirs.error, ssl.SSLCertVerificationError)


@every_suite
def test_a_forged_certificate_of_our_root_is_refused(tmp_path: Path, suite: CipherSuite) -> None:
    """The issuer's name and key identifier fit, its signature does not."""
    forger = Held(nist_world().root.certificate, nist_world().stranger.key)
    server = make("station", forger, ExtendedKeyUsageOID.SERVER_AUTH)
    error = refused(
        our_client(suites=(suite,)), their_server(tmp_path, held=server), CertificateRejected
    )
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.BAD_SIGNATURE


@every_suite
def test_the_certificate_of_a_client_is_no_servers(tmp_path: Path, suite: CipherSuite) -> None:
    theirs = their_server(tmp_path, held=nist_world().client)
    error = refused(our_client(suites=(suite,)), theirs, CertificateRejected)
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.WRONG_EXTENDED_KEY_USAGE


@every_suite
def test_a_root_on_another_curve_is_refused(tmp_path: Path, suite: CipherSuite) -> None:
    root = make("root", curve=ec.SECP384R1())
    server = make("station", root, ExtendedKeyUsageOID.SERVER_AUTH)
    ours = our_client(suites=(suite,), trust=TrustStore([root.ours]))
    error = refused(ours, their_server(tmp_path, held=server), CertificateRejected)
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.UNSUPPORTED_KEY


@every_suite
def test_another_name_is_refused(tmp_path: Path, suite: CipherSuite) -> None:
    ours = Connection.client(client_config(suites=(suite,)), "other.example")
    refused(ours, their_server(tmp_path), CertificateRejected)


def test_nothing_in_common_is_refused_with_the_name_of_what_is_missing(tmp_path: Path) -> None:
    context = their_context(tmp_path, is_server=False, version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    refused(our_server(suites=(TLS12,)), Theirs(context, is_server=False), Incompatible)
    refused(
        our_server(),
        their_client(tmp_path, version=ssl.TLSVersion.TLSv1_2),
        UnsupportedVersion,
    )
    for suite in (TLS13, TLS12):
        context = their_context(tmp_path, is_server=False)
        context.set_ecdh_curve("secp384r1")
        error = refused(our_server(suites=(suite,)), Theirs(context, is_server=False), Incompatible)
        assert "secp256r1 (23)" in str(error)


@every_suite
def test_a_record_of_their_server_with_a_flipped_bit_is_refused(
    tmp_path: Path, suite: CipherSuite
) -> None:
    context = their_context(tmp_path, is_server=True)
    ours, theirs = our_client(suites=(suite,)), Theirs(context, is_server=True)
    shake(ours, theirs)
    theirs.object.write(b"42 kWh")
    record = bytearray(theirs.data_to_send())
    record[-1] ^= 1
    with pytest.raises(MeterSealError, match="does not open"):
        ours.receive_data(bytes(record))
    assert not ours.read()
    theirs.receive_data(ours.data_to_send())
    assert theirs.error is not None
    assert "BAD_RECORD_MAC" in str(theirs.error).upper().replace(" ", "_")

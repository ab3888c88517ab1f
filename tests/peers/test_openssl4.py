"""OpenSSL 4 agrees with our TLS 1.3: both suites, both groups, both roles, and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from OpenSSL import SSL

from meterseal.errors import AlertReceived, CertificateRejected, CertificateRequired
from meterseal.transport import (
    TLS12_SUITES,
    TLS13_SUITES,
    CipherSuite,
    ClientAuthentication,
    Connection,
    Session,
)
from meterseal.transport.codepoints import NamedGroup
from support.identities import credential, world
from support.openssl4 import OpenSsl4, shake, talk
from support.wire import SERVER_NAME, client_config, server_config

if TYPE_CHECKING:
    from pathlib import Path

UNAUTHORIZED = bytes.fromhex("30030a0106")  # an OCSPResponse without a certificate's status
THEIR_NAMES = {
    NamedGroup.CURVE_SM2: "curveSM2",
    NamedGroup.CURVE_SM2_MLKEM768: "curveSM2MLKEM768",
}
every_suite = pytest.mark.parametrize("suite", TLS13_SUITES, ids=lambda suite: suite.name)
every_group = pytest.mark.parametrize("group", THEIR_NAMES, ids=lambda group: group.name)


def our_client(session: Session | None = None, **changes: Any) -> Connection:  # noqa: ANN401
    config = client_config(**{"suites": TLS13_SUITES, **changes})
    return Connection.client(config, SERVER_NAME, session)


def our_server(**changes: Any) -> Connection:  # noqa: ANN401
    return Connection.server(server_config(**{"suites": TLS13_SUITES, **changes}))


def their_server(folder: Path, **changes: Any) -> OpenSsl4:  # noqa: ANN401
    return OpenSsl4(folder, is_server=True, **{"credential": world().server, **changes})


def their_client(folder: Path, **changes: Any) -> OpenSsl4:  # noqa: ANN401
    return OpenSsl4(folder, is_server=False, **changes)


def agreed(ours: Connection, theirs: OpenSsl4, suite: CipherSuite, group: int) -> None:
    shake(ours, theirs)
    assert theirs.is_done
    assert ours.established is not None
    assert (ours.established.suite, ours.established.group) == (suite, group)
    assert theirs.connection.get_group_name() == THEIR_NAMES[NamedGroup(group)]
    talk(ours, theirs)


@every_suite
@every_group
def test_our_client_agrees_with_their_server(
    tmp_path: Path, suite: CipherSuite, group: NamedGroup
) -> None:
    theirs = their_server(tmp_path, suite=suite.name)
    agreed(our_client(suites=(suite,), groups=(group,)), theirs, suite, group)


@every_suite
@every_group
def test_their_client_agrees_with_our_server_after_a_retry(
    tmp_path: Path, suite: CipherSuite, group: NamedGroup
) -> None:
    theirs = their_client(tmp_path, suite=suite.name)
    agreed(our_server(suites=(suite,), groups=(group,)), theirs, suite, group)


def test_our_client_gives_the_share_that_their_server_asks_for(tmp_path: Path) -> None:
    ours = our_client(groups=(4590, 41), key_shares=())
    theirs = their_server(tmp_path)
    shake(ours, theirs)
    assert ours.established is not None
    assert (
        theirs.connection.get_group_name() == THEIR_NAMES[NamedGroup(ours.established.group or 0)]
    )
    talk(ours, theirs)


def test_client_certificates_are_shown_and_verified_both_ways(tmp_path: Path) -> None:
    ours = our_client(credential=world().client)
    theirs = their_server(tmp_path, asks=True)
    shake(ours, theirs)
    subject = theirs.connection.get_peer_certificate()
    assert subject is not None
    assert "meter-1" in subject.to_cryptography().subject.rfc4514_string()
    talk(ours, theirs)
    server = our_server(client_authentication=ClientAuthentication.REQUIRED, trust=world().trust)
    client = their_client(tmp_path, credential=world().client)
    shake(server, client)
    assert server.established is not None
    assert server.established.peer is not None
    assert "meter-1" in str(server.established.peer.leaf.subject)
    talk(server, client)


def test_a_mixed_hello_agrees_on_tls_1_3(tmp_path: Path) -> None:
    ours = our_client(suites=TLS13_SUITES + TLS12_SUITES)
    agreed(ours, their_server(tmp_path), TLS13_SUITES[0], 4590)


def test_application_protocols_and_names_arrive(tmp_path: Path) -> None:
    ours = our_client(application_protocols=("mqtt", "h2"))
    theirs = their_server(tmp_path, protocols=(b"h2",))
    shake(ours, theirs)
    assert ours.established is not None
    assert ours.established.application_protocol == "h2"
    assert theirs.connection.get_servername() == SERVER_NAME.encode()
    server = our_server(application_protocols=("mqtt",))
    client = their_client(tmp_path, protocols=(b"h2", b"mqtt"))
    shake(server, client)
    assert client.connection.get_alpn_proto_negotiated() == b"mqtt"
    assert server.established is not None
    assert server.established.server_name == SERVER_NAME


def test_an_ocsp_response_travels_both_ways(tmp_path: Path) -> None:
    def staple(context: SSL.Context) -> None:
        context.set_ocsp_server_callback(lambda _connection, _data: UNAUTHORIZED)

    def listen(context: SSL.Context) -> None:
        context.set_ocsp_client_callback(lambda _, response, __: not heard.append(response))

    theirs = their_server(tmp_path, prepare=staple)
    ours = our_client(request_ocsp=True)
    shake(ours, theirs)
    assert ours.established is not None
    assert ours.established.ocsp_response == UNAUTHORIZED
    talk(ours, theirs)
    heard: list[bytes] = []
    credential = replace(world().server, ocsp_response=UNAUTHORIZED)
    server, client = our_server(credential=credential), their_client(tmp_path, prepare=listen)
    client.connection.request_ocsp()
    shake(server, client)
    assert heard == [UNAUTHORIZED]
    talk(server, client)


def test_our_client_resumes_with_their_ticket(tmp_path: Path) -> None:
    first = our_client()
    theirs = their_server(tmp_path)
    shake(first, theirs)
    assert first.session is not None
    second = our_client(first.session)
    again = their_server(tmp_path, context=theirs.context)
    shake(second, again)
    assert second.established is not None
    assert second.established.resumed
    assert second.established.peer is not None
    talk(second, again)


def test_their_client_resumes_with_our_ticket(tmp_path: Path) -> None:
    config = server_config(suites=TLS13_SUITES)
    first, client = Connection.server(config), their_client(tmp_path)
    shake(first, client)
    talk(first, client)
    session = client.connection.get_session()
    second = Connection.server(config)
    again = their_client(tmp_path, context=client.context, session=session)
    shake(second, again)
    assert second.established is not None
    assert second.established.resumed
    talk(second, again)


def test_their_stack_follows_our_key_updates(tmp_path: Path) -> None:
    ours, theirs = our_client(), their_server(tmp_path)
    shake(ours, theirs)
    for request_peer in (False, True, True):
        ours.update_keys(request_peer=request_peer)
        talk(ours, theirs)


def test_both_export_the_same_keys(tmp_path: Path) -> None:
    ours, theirs = our_client(), their_server(tmp_path)
    shake(ours, theirs)
    for context in (b"", b"meter-1"):
        expected = theirs.connection.export_keying_material(b"EXPORTER-test", 40, context)
        assert ours.export_keying_material(b"EXPORTER-test", context, 40) == expected


def test_a_client_without_a_certificate_is_refused_with_certificate_required(
    tmp_path: Path,
) -> None:
    server = our_server(client_authentication=ClientAuthentication.REQUIRED, trust=world().trust)
    with pytest.raises(CertificateRequired):
        shake(server, their_client(tmp_path))
    with pytest.raises((AlertReceived, SSL.Error)):
        shake(our_client(), their_server(tmp_path, asks=True))


def test_a_stranger_is_refused_by_both(tmp_path: Path) -> None:
    forged = credential(world().stranger, world().stranger_key, "station", host=SERVER_NAME)
    with pytest.raises(CertificateRejected):
        shake(our_client(), their_server(tmp_path, credential=forged))
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        shake(our_server(credential=forged), their_client(tmp_path))

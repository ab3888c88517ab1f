"""Bouncy Castle agrees with our TLS 1.3: SM4 suites, both groups, both roles, and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import AlertReceived, CertificateRejected, MeterSealError
from meterseal.net import connect
from meterseal.transport import (
    TLS13_SUITES,
    CipherSuite,
    ClientAuthentication,
    TicketKeys,
)
from meterseal.transport.codepoints import NamedGroup
from meterseal.x509 import TrustStore
from support.bouncycastle import BouncyCastle, build
from support.identities import credential, world
from support.openssl4 import write
from support.peer_program import SIZES, Unavailable, exchange, session_folder, visit
from support.wire import SERVER_NAME, client_config, provider, server_config

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.net import SecureSocket
    from meterseal.transport import ServerConfig

HYBRID = NamedGroup.CURVE_SM2_MLKEM768
BOTH_GROUPS = "curveSM2MLKEM768,curveSM2"  # it signs with SM2 only if curveSM2 is among them
GCM, CCM = TLS13_SUITES
every_suite = pytest.mark.parametrize("suite", TLS13_SUITES, ids=lambda suite: suite.name)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build(session_folder(tmp_path_factory))
    except Unavailable as reason:
        pytest.skip(f"Bouncy Castle cannot be had: {reason}")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bouncycastle")
    strange = credential(world().stranger, world().stranger_key, "meter-1", profile="client")
    write(folder, "server", world().server)
    write(folder, "client", world().client)
    write(folder, "stranger", strange)
    (folder / "ca.pem").write_text(world().root.to_pem())
    (folder / "other-ca.pem").write_text(world().stranger.to_pem())
    return folder


@pytest.fixture
def their_server(program: Path, files: Path) -> BouncyCastle:
    return BouncyCastle(program, files / "ca.pem", files / "server")


@pytest.fixture
def their_client(program: Path, files: Path) -> BouncyCastle:
    return BouncyCastle(program, files / "ca.pem", files / "client")


def dial(port: int, **changes: object) -> SecureSocket:
    name = changes.pop("server_name", SERVER_NAME)
    config = client_config(**{"suites": TLS13_SUITES, "credential": world().client, **changes})
    return connect("127.0.0.1", port, config, server_name=name)  # type: ignore[arg-type]


def our_server(**changes: object) -> ServerConfig:
    return server_config(
        **{
            "suites": TLS13_SUITES,
            "trust": world().trust,
            "client_authentication": ClientAuthentication.REQUIRED,
            **changes,
        }
    )


@every_suite
def test_our_client_and_their_server_agree(suite: CipherSuite, their_server: BouncyCastle) -> None:
    with their_server.server(suite=suite.name, client_auth=True) as served:
        with dial(served.port) as secure:
            exchange(secure)
            assert secure.session.suite == suite
            assert secure.session.group == 41
    (report,) = served.reports
    assert not report["error"]
    assert (report["suite"], report["bytes"]) == (suite.name, sum(SIZES))
    assert report["peer_certificates"] == 1


@every_suite
def test_our_server_and_their_client_agree(suite: CipherSuite, their_client: BouncyCastle) -> None:
    (report,), sessions = visit(our_server(), their_client, suite=suite.name)
    assert not report["error"]
    assert (report["suite"], report["bytes"]) == (suite.name, sum(SIZES))
    assert isinstance(sessions, list), sessions
    (session,) = sessions
    assert session.suite == suite
    assert session.peer is not None
    assert "meter-1" in str(session.peer.leaf.subject)


@every_suite
def test_both_roles_agree_on_the_hybrid_group(
    suite: CipherSuite, their_server: BouncyCastle, their_client: BouncyCastle
) -> None:
    with their_server.server(suite=suite.name, groups=BOTH_GROUPS) as served:
        with dial(served.port, groups=(HYBRID,)) as secure:
            exchange(secure)
            assert secure.session.group == HYBRID
    assert not served.reports[0]["error"]
    (report,), sessions = visit(our_server(), their_client, suite=suite.name, groups=BOTH_GROUPS)
    assert not report["error"]
    assert report["bytes"] == sum(SIZES)
    assert isinstance(sessions, list), sessions
    (session,) = sessions
    assert session.group == HYBRID


def test_it_knows_no_resumption_and_takes_no_offence_at_tickets(
    their_server: BouncyCastle, their_client: BouncyCastle
) -> None:
    """Why there is no test of resumption with it: it ignores tickets and gives none away."""
    with their_server.server(suite=GCM.name) as served, dial(served.port) as secure:
        exchange(secure)
        assert secure.resumable is None
    config = our_server(ticket_keys=TicketKeys(provider()))
    reports, sessions = visit(config, their_client, suite=GCM.name, connections=2)
    assert [report["error"] for report in reports] == ["", ""]
    assert isinstance(sessions, list), sessions
    assert [session.resumed for session in sessions] == [False, False]


def test_without_client_authentication_both_roles_agree(
    their_server: BouncyCastle, their_client: BouncyCastle
) -> None:
    with their_server.server(suite=GCM.name, connections=2) as served:
        with dial(served.port, credential=None) as secure:
            exchange(secure)
        # It is given a share for a group it does not know, and asks for another.
        with dial(served.port, credential=None, groups=(4590, 41), key_shares=(4590,)) as secure:
            exchange(secure)
    assert [report["error"] for report in served.reports] == ["", ""]
    config = our_server(client_authentication=ClientAuthentication.NONE)
    (report,), sessions = visit(config, replace(their_client, identity=None), suite=GCM.name)
    assert not report["error"]
    assert isinstance(sessions, list), sessions
    (session,) = sessions
    assert session.peer is None


def test_our_client_and_their_server_refuse(their_server: BouncyCastle) -> None:
    strange = credential(world().stranger, world().stranger_key, "meter-1", profile="client")
    wrong = [
        ({"server_name": "other.example"}, CertificateRejected, "wrong name"),
        ({"trust": TrustStore([world().stranger])}, CertificateRejected, "unknown issuer"),
        ({"suites": (CCM,)}, AlertReceived, "handshake_failure"),
        ({"credential": strange}, AlertReceived, "certificate|unknown_ca"),
        ({"credential": None}, AlertReceived, "certificate"),
    ]
    with their_server.server(suite=GCM.name, client_auth=True, connections=len(wrong)) as served:
        for changes, error, text in wrong:
            with pytest.raises(error, match=text), dial(served.port, **changes) as secure:
                secure.recv()
    assert [bool(report["error"]) for report in served.reports] == [True] * len(wrong)


def test_their_client_refuses_another_name_and_another_root(
    their_client: BouncyCastle, files: Path
) -> None:
    (report,), error = visit(our_server(), their_client, suite=GCM.name, name="other.example")
    assert report["error"]
    assert isinstance(error, AlertReceived)
    stranger = replace(their_client, roots=files / "other-ca.pem")
    (report,), error = visit(our_server(), stranger, suite=GCM.name)
    assert report["error"]
    assert isinstance(error, AlertReceived)


@pytest.mark.parametrize(
    ("changes", "identity", "text"),
    [
        ({}, "stranger", "unknown issuer"),
        ({}, None, "certificate"),
        ({"suites": (CCM,)}, "client", "no cipher suite"),
    ],
    ids=["of another root", "no certificate", "no common suite"],
)
def test_our_server_refuses_their_client(
    changes: dict[str, object],
    identity: str | None,
    text: str,
    their_client: BouncyCastle,
    files: Path,
) -> None:
    client = replace(their_client, identity=files / identity if identity else None)
    (report,), error = visit(our_server(**changes), client, suite=GCM.name)
    assert report["error"]
    assert isinstance(error, MeterSealError)
    assert text in str(error)

"""gotlcp agrees with ours under TLCP: four suites, both roles, resumption, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import AlertReceived, CertificateRejected, MeterSealError
from meterseal.net import connect
from meterseal.transport import (
    TLCP_SUITES,
    CipherSuite,
    ClientAuthentication,
    Compatibility,
)
from meterseal.x509 import TrustStore
from support.gotlcp import GoTlcp, build
from support.identities import pair, world
from support.peer_program import SIZES, Unavailable, exchange, session_folder, visit
from support.tongsuo import write_pair
from support.wire import SERVER_NAME, client_config, server_config

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.net import SecureSocket
    from meterseal.transport import ServerConfig, Session

ECDHE = [suite for suite in TLCP_SUITES if suite.name.startswith("ECDHE")]
ECC = [suite for suite in TLCP_SUITES if suite.name.startswith("ECC")]
every_suite = pytest.mark.parametrize("suite", TLCP_SUITES, ids=lambda suite: suite.name)
with_prefix = pytest.mark.parametrize("prefix", [False, True], ids=["bare", "prefix"])


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build(session_folder(tmp_path_factory))
    except Unavailable as reason:
        pytest.skip(f"gotlcp cannot be had: {reason}")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gotlcp")
    strange = pair(world().stranger, world().stranger_key, "meter-1")
    pairs = {"server": world().server_pair, "client": world().client_pair, "stranger": strange}
    for name, credential in pairs.items():
        (folder / name).mkdir()
        write_pair(folder / name, credential)
    (folder / "ca.pem").write_text(world().root.to_pem())
    (folder / "other-ca.pem").write_text(world().stranger.to_pem())
    return folder


@pytest.fixture
def their_server(program: Path, files: Path) -> GoTlcp:
    return GoTlcp(program, files / "ca.pem", files / "server")


@pytest.fixture
def their_client(program: Path, files: Path) -> GoTlcp:
    return GoTlcp(program, files / "ca.pem", files / "client")


def code(suite: CipherSuite) -> str:
    return f"{suite.code:04x}"


def dial(
    port: int, suite: CipherSuite, *, session: Session | None = None, **changes: object
) -> SecureSocket:
    name = changes.pop("server_name", SERVER_NAME)
    config = client_config(**{"suites": (suite,), "credential": world().client_pair, **changes})
    return connect("127.0.0.1", port, config, server_name=name, session=session)  # type: ignore[arg-type]


def our_server(**changes: object) -> ServerConfig:
    return server_config(
        **{
            "credential": world().server_pair,
            "suites": TLCP_SUITES,
            "trust": world().trust,
            "client_authentication": ClientAuthentication.REQUIRED,
            **changes,
        }
    )


@every_suite
def test_our_client_and_their_server_agree_and_resume(
    suite: CipherSuite, their_server: GoTlcp
) -> None:
    session = None
    with their_server.server(suite=code(suite), client_auth=True, connections=2) as served:
        for attempt in range(2):
            with dial(served.port, suite, session=session) as secure:
                exchange(secure)
                assert secure.session.suite == suite
                assert secure.session.resumed == bool(attempt)
                session = secure.session.session
    assert [report["suite"] for report in served.reports] == [code(suite)] * 2
    assert [report["resumed"] for report in served.reports] == [False, True]
    assert [report["bytes"] for report in served.reports] == [sum(SIZES)] * 2
    assert served.reports[0]["peer_certificates"] == 2


@every_suite
def test_our_server_and_their_client_agree_and_resume(
    suite: CipherSuite, their_client: GoTlcp
) -> None:
    reports, sessions = visit(our_server(), their_client, suite=code(suite), connections=2)
    assert isinstance(sessions, list), sessions
    assert [report.get("error") for report in reports] == [None, None]
    assert [report["resumed"] for report in reports] == [False, True]
    assert [session.resumed for session in sessions] == [False, True]
    assert [session.suite for session in sessions] == [suite, suite]
    assert sessions[0].peer is not None


@pytest.mark.parametrize("suite", ECC, ids=lambda suite: suite.name)
def test_without_client_authentication_both_roles_agree(
    suite: CipherSuite, their_server: GoTlcp, their_client: GoTlcp
) -> None:
    with their_server.server(suite=code(suite)) as served:
        with dial(served.port, suite, credential=None) as secure:
            exchange(secure)
    assert served.reports[0]["peer_certificates"] == 0
    anonymous = replace(their_client, identity=None)
    config = our_server(client_authentication=ClientAuthentication.NONE)
    reports, sessions = visit(config, anonymous, suite=code(suite))
    assert "error" not in reports[0]
    assert isinstance(sessions, list)
    assert sessions[0].peer is None


@with_prefix
@pytest.mark.parametrize("suite", ECDHE, ids=lambda suite: suite.name)
def test_the_length_before_the_point_is_read_by_both(
    suite: CipherSuite, prefix: bool, their_server: GoTlcp, their_client: GoTlcp
) -> None:
    compatibility = Compatibility(ecdhe_length_prefix=prefix)
    with their_server.server(suite=code(suite), client_auth=True) as served:
        with dial(served.port, suite, compatibility=compatibility) as secure:
            exchange(secure)
    reports, _ = visit(our_server(), their_client, suite=code(suite), prefix=prefix)
    assert "error" not in served.reports[0] | reports[0]


def test_our_client_refuses_their_server(their_server: GoTlcp) -> None:
    suite = ECC[0]
    strange = pair(world().stranger, world().stranger_key, "meter-1")
    wrong = [
        ({"server_name": "other.example"}, CertificateRejected, "wrong name"),
        ({"trust": TrustStore([world().stranger])}, CertificateRejected, "unknown issuer"),
        ({"suites": ECDHE[:1]}, AlertReceived, "handshake_failure"),
        ({"credential": strange}, AlertReceived, "certificate|unknown_ca"),
    ]
    with their_server.server(suite=code(suite), client_auth=True, connections=len(wrong)) as served:
        for changes, error, text in wrong:
            with pytest.raises(error, match=text), dial(served.port, suite, **changes) as secure:
                secure.recv()
    assert all(report["error"] for report in served.reports)
    assert len(served.reports) == len(wrong)


@pytest.mark.parametrize(
    ("options", "alert"),
    [({"name": "other.example"}, "certificate"), ({"suite": code(ECDHE[0])}, "no cipher suite")],
    ids=["wrong name", "no common suite"],
)
def test_their_client_is_refused_or_refuses(
    options: dict[str, object], alert: str, their_client: GoTlcp
) -> None:
    config = our_server(suites=tuple(ECC))
    reports, error = visit(config, their_client, **{"suite": code(ECC[0]), **options})
    assert reports[0]["error"]
    assert isinstance(error, MeterSealError)
    assert alert in str(error)


def test_their_client_refuses_a_root_it_does_not_know(their_client: GoTlcp, files: Path) -> None:
    stranger = replace(their_client, roots=files / "other-ca.pem")
    reports, error = visit(our_server(), stranger, suite=code(ECC[0]))
    assert "unknown authority" in reports[0]["error"]
    assert isinstance(error, AlertReceived)


@pytest.mark.parametrize("identity", ["stranger", None], ids=["of another root", "none"])
def test_our_server_refuses_the_client(
    identity: str | None, their_client: GoTlcp, files: Path
) -> None:
    client = replace(their_client, identity=files / identity if identity else None)
    reports, error = visit(our_server(), client, suite=code(ECC[0]))
    assert reports[0]["error"]
    assert isinstance(error, CertificateRejected)

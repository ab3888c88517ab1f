"""Bouncy Castle agrees with our TLS 1.3: SM4 suites, both groups, both roles, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.transport import TLS13_SUITES, CipherSuite
from meterseal.transport.codepoints import NamedGroup
from support import agreement
from support.bouncycastle import build, peer
from support.peer_program import SIZES, Unavailable, exchange, session_folder, visit

if TYPE_CHECKING:
    from pathlib import Path

    from support.java import JavaPeer

HYBRID = NamedGroup.CURVE_SM2_MLKEM768
BOTH_GROUPS = "curveSM2MLKEM768,curveSM2"  # it signs with SM2 only if curveSM2 is among them
GCM, CCM = TLS13_SUITES
OURS = agreement.tls13()
every_suite = pytest.mark.parametrize("suite", TLS13_SUITES, ids=lambda suite: suite.name)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build(session_folder(tmp_path_factory))
    except Unavailable as reason:
        pytest.skip(f"Bouncy Castle cannot be had: {reason}")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agreement.write_files(tmp_path_factory.mktemp("bouncycastle"), OURS)


@pytest.fixture
def their_server(program: Path, files: Path) -> JavaPeer:
    return peer(program, files, "server")


@pytest.fixture
def their_client(program: Path, files: Path) -> JavaPeer:
    return peer(program, files, "client")


@every_suite
def test_our_client_and_their_server_agree(suite: CipherSuite, their_server: JavaPeer) -> None:
    """It gives no tickets away: there is nothing to resume."""
    agreement.our_client_and(their_server, OURS, suite, resumes=False)


@every_suite
def test_our_server_and_their_client_agree(suite: CipherSuite, their_client: JavaPeer) -> None:
    """It drops the tickets it is given, and takes no offence at them."""
    agreement.our_server_and(their_client, OURS, suite, resumes=False)


@every_suite
def test_both_roles_agree_on_the_hybrid_group(
    suite: CipherSuite, their_server: JavaPeer, their_client: JavaPeer
) -> None:
    with their_server.server(suite=suite.name, groups=BOTH_GROUPS) as served:
        with OURS.dial(served.port, groups=(HYBRID,)) as secure:
            exchange(secure)
            assert secure.session.group == HYBRID
    assert not served.reports[0]["error"]
    (report,), sessions = visit(OURS.serving(), their_client, suite=suite.name, groups=BOTH_GROUPS)
    assert not report["error"]
    assert report["bytes"] == sum(SIZES)
    assert isinstance(sessions, list), sessions
    (session,) = sessions
    assert session.group == HYBRID


def test_without_client_authentication_both_roles_agree(
    their_server: JavaPeer, their_client: JavaPeer
) -> None:
    agreement.without_client_authentication(their_server, their_client, OURS, GCM)


def test_it_asks_for_another_share_if_it_knows_no_group_of_ours(their_server: JavaPeer) -> None:
    with their_server.server(suite=GCM.name) as served:
        with OURS.dial(served.port, groups=(4590, 41), key_shares=(4590,)) as secure:
            exchange(secure)
            assert secure.session.group == NamedGroup.CURVE_SM2
    assert not served.reports[0]["error"]


def test_our_client_is_refused_or_refuses(their_server: JavaPeer) -> None:
    agreement.our_client_is_refused_or_refuses(their_server, OURS, GCM, CCM)


def test_their_client_refuses(their_client: JavaPeer, files: Path) -> None:
    agreement.their_client_refuses(their_client, OURS, GCM, files / "other-ca.pem")


def test_our_server_refuses(their_client: JavaPeer, files: Path) -> None:
    strange = files / "stranger"
    agreement.our_server_refuses(their_client, OURS, GCM, strange, withheld=False)

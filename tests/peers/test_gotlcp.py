"""gotlcp agrees with ours under TLCP: four suites, both roles, resumption, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.transport import TLCP_SUITES, CipherSuite, Compatibility
from support import agreement
from support.gotlcp import GoTlcp, build
from support.peer_program import Unavailable, exchange, session_folder, visit

if TYPE_CHECKING:
    from pathlib import Path

ECDHE = [suite for suite in TLCP_SUITES if suite.name.startswith("ECDHE")]
ECC = [suite for suite in TLCP_SUITES if suite.name.startswith("ECC")]
every_suite = pytest.mark.parametrize("suite", TLCP_SUITES, ids=lambda suite: suite.name)
with_prefix = pytest.mark.parametrize("prefix", [False, True], ids=["bare", "prefix"])
OURS = agreement.tlcp()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build(session_folder(tmp_path_factory))
    except Unavailable as reason:
        pytest.skip(f"gotlcp cannot be had: {reason}")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agreement.write_files(tmp_path_factory.mktemp("gotlcp"), OURS)


@pytest.fixture
def their_server(program: Path, files: Path) -> GoTlcp:
    return GoTlcp(program, files / "ca.pem", files / "server")


@pytest.fixture
def their_client(program: Path, files: Path) -> GoTlcp:
    return GoTlcp(program, files / "ca.pem", files / "client")


@every_suite
def test_our_client_and_their_server_agree_and_resume(
    suite: CipherSuite, their_server: GoTlcp
) -> None:
    agreement.our_client_and(their_server, OURS, suite)


@every_suite
def test_our_server_and_their_client_agree_and_resume(
    suite: CipherSuite, their_client: GoTlcp
) -> None:
    agreement.our_server_and(their_client, OURS, suite)


@pytest.mark.parametrize("suite", ECC, ids=lambda suite: suite.name)
def test_without_client_authentication_both_roles_agree(
    suite: CipherSuite, their_server: GoTlcp, their_client: GoTlcp
) -> None:
    agreement.without_client_authentication(their_server, their_client, OURS, suite)


@with_prefix
@pytest.mark.parametrize("suite", ECDHE, ids=lambda suite: suite.name)
def test_the_length_before_the_point_is_read_by_both(
    suite: CipherSuite, prefix: bool, their_server: GoTlcp, their_client: GoTlcp
) -> None:
    compatibility = Compatibility(ecdhe_length_prefix=prefix)
    with their_server.server(suite=suite.name, client_auth=True) as served:
        with OURS.dial(served.port, suites=(suite,), compatibility=compatibility) as secure:
            exchange(secure)
    reports, _ = visit(OURS.serving(), their_client, suite=suite.name, prefix=prefix)
    assert [report["error"] for report in served.reports + reports] == ["", ""]


def test_our_client_is_refused_or_refuses(their_server: GoTlcp) -> None:
    agreement.our_client_is_refused_or_refuses(their_server, OURS, ECC[0], ECDHE[0])


def test_their_client_refuses(their_client: GoTlcp, files: Path) -> None:
    agreement.their_client_refuses(their_client, OURS, ECC[0], files / "other-ca.pem")


def test_our_server_refuses(their_client: GoTlcp, files: Path) -> None:
    strange = files / "stranger"
    agreement.our_server_refuses(their_client, OURS, ECC[0], strange, withheld=True)

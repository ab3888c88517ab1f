"""Tencent Kona agrees with ours: TLCP in four suites, TLS 1.3 in one, both roles, and refusals.

It runs where METERSEAL_KONA names a folder of its jars (docs/guide/outside-suites.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import AlertReceived
from meterseal.transport import TLCP_SUITES, TLS13_SUITES, Compatibility
from support import agreement
from support.kona import build, peer
from support.peer_program import Unavailable, session_folder

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.transport import CipherSuite
    from support.agreement import Side
    from support.java import JavaPeer

GCM, CCM = TLS13_SUITES
ECC = tuple(suite for suite in TLCP_SUITES if suite.name.startswith("ECC"))
ECDHE = tuple(suite for suite in TLCP_SUITES if suite not in ECC)


def over(*suites: CipherSuite) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("suite", suites, ids=lambda suite: suite.name)


@dataclass(frozen=True)
class Ends:
    """Both of its roles, what we are to them, and the files that both have."""

    side: Side
    files: Path
    server: JavaPeer
    client: JavaPeer


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build(session_folder(tmp_path_factory))
    except Unavailable as reason:
        pytest.skip(f"Kona cannot be had: {reason}")


@pytest.fixture
def ends(suite: CipherSuite, program: Path, tmp_path: Path) -> Ends:
    """Those of the suite's protocol."""
    is_tls13 = suite in TLS13_SUITES
    side = agreement.tls13() if is_tls13 else agreement.tlcp()
    files = agreement.write_files(tmp_path, side)
    protocol = "TLSv1.3" if is_tls13 else "TLCPv1.1"
    server, client = (peer(program, files, role, protocol) for role in ("server", "client"))
    return Ends(side, files, server, client)


@over(*TLCP_SUITES, GCM)
def test_our_client_and_their_server_agree_and_resume(suite: CipherSuite, ends: Ends) -> None:
    agreement.our_client_and(ends.server, ends.side, suite)


@over(*TLCP_SUITES, GCM)
def test_our_server_and_their_client_agree_and_resume(suite: CipherSuite, ends: Ends) -> None:
    agreement.our_server_and(ends.client, ends.side, suite)


@over(*ECC, GCM)
def test_without_client_authentication_both_roles_agree(suite: CipherSuite, ends: Ends) -> None:
    agreement.without_client_authentication(ends.server, ends.client, ends.side, suite)


@over(*ECDHE)
def test_it_refuses_the_standards_length_before_the_point(suite: CipherSuite, ends: Ends) -> None:
    prefix = Compatibility(ecdhe_length_prefix=True)
    with ends.server.server(suite=suite.name, client_auth=True) as served:
        with pytest.raises(AlertReceived):
            ends.side.dial(served.port, suites=(suite,), compatibility=prefix)
    assert served.reports[0]["error"]


@pytest.mark.parametrize(
    ("suite", "other"), [(ECC[0], ECC[1]), (GCM, CCM)], ids=["TLCP", "TLS 1.3"]
)
def test_our_client_is_refused_or_refuses(
    suite: CipherSuite, other: CipherSuite, ends: Ends
) -> None:
    agreement.our_client_is_refused_or_refuses(ends.server, ends.side, suite, other)


@over(ECC[0], GCM)
def test_their_client_refuses(suite: CipherSuite, ends: Ends) -> None:
    agreement.their_client_refuses(ends.client, ends.side, suite, ends.files / "other-ca.pem")


@over(ECC[0], GCM)
def test_our_server_refuses(suite: CipherSuite, ends: Ends) -> None:
    strange = ends.files / "stranger"
    agreement.our_server_refuses(ends.client, ends.side, suite, strange, withheld=True)

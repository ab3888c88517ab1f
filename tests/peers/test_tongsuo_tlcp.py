"""Tongsuo's TLCP agrees with ours: four suites, both roles, resumption, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.errors import MeterSealError
from meterseal.transport import (
    TLCP_SUITES,
    CipherSuite,
    ClientAuthentication,
    Compatibility,
    Connection,
    SessionCache,
)
from support.identities import world
from support.tongsuo import Tongsuo, TongsuoFailed, write_pair
from support.wire import SERVER_NAME, client_config, server_config

if TYPE_CHECKING:
    from pathlib import Path

THEIR_NAMES = {
    0xE013: "ECC-SM2-SM4-CBC-SM3",
    0xE053: "ECC-SM2-SM4-GCM-SM3",
    0xE011: "ECDHE-SM2-SM4-CBC-SM3",
    0xE051: "ECDHE-SM2-SM4-GCM-SM3",
}
every_suite = pytest.mark.parametrize("suite", TLCP_SUITES, ids=lambda suite: suite.name)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    for name, pair in (("server", world().server_pair), ("client", world().client_pair)):
        (tmp_path / name).mkdir()
        write_pair(tmp_path / name, pair)
    (tmp_path / "ca.pem").write_text(world().root.to_pem())
    return {"server": tmp_path / "server", "client": tmp_path / "client", "ca": tmp_path / "ca.pem"}


def shake(ours: Connection, theirs: Tongsuo) -> None:
    for _ in range(10):
        theirs.step()
        theirs.receive_data(ours.data_to_send())
        theirs.step()
        output = theirs.data_to_send()
        if output:
            ours.receive_data(output)
    assert ours.is_established
    assert theirs.is_done


def talk(ours: Connection, theirs: Tongsuo) -> None:
    """Some data each way, in several sizes: padding has many lengths."""
    for size in (1, 15, 16, 17, 5000):
        ours.send_data(bytes(size))
        theirs.receive_data(ours.data_to_send())
        assert theirs.read() == bytes(size)
        theirs.write(b"x" * size)
        ours.receive_data(theirs.data_to_send())
        assert ours.read() == b"x" * size


def our_server(**changes: object) -> Connection:
    return Connection.server(
        server_config(
            **{
                "credential": world().server_pair,
                "suites": TLCP_SUITES,
                "trust": world().trust,
                "client_authentication": ClientAuthentication.REQUIRED,
                **changes,
            }
        )
    )


def our_client(suite: CipherSuite, **changes: object) -> Connection:
    session = changes.pop("session", None)
    config = client_config(**{"suites": (suite,), "credential": world().client_pair, **changes})
    return Connection.client(config, SERVER_NAME, session)  # type: ignore[arg-type]


@every_suite
def test_our_client_and_their_server_agree_and_resume(
    suite: CipherSuite, folders: dict[str, Path]
) -> None:
    theirs = Tongsuo(folders["server"], folders["ca"], THEIR_NAMES[suite.code], is_server=True)
    ours = our_client(suite)
    shake(ours, theirs)
    talk(ours, theirs)
    assert ours.established is not None
    assert ours.established.suite == suite
    again, resumed = (
        theirs.again(is_server=True),
        our_client(suite, session=ours.established.session),
    )
    shake(resumed, again)
    talk(resumed, again)
    assert resumed.established is not None
    assert resumed.established.resumed
    assert again.is_resumed


@every_suite
def test_our_server_and_their_client_agree_and_resume(
    suite: CipherSuite, folders: dict[str, Path]
) -> None:
    cache = SessionCache()
    theirs = Tongsuo(folders["client"], folders["ca"], THEIR_NAMES[suite.code], is_server=False)
    ours = our_server(session_cache=cache)
    shake(ours, theirs)
    talk(ours, theirs)
    assert ours.established is not None
    assert ours.established.peer is not None
    assert ours.established.peer_encryption is not None
    again = theirs.again(is_server=False, session=theirs.session)
    resumed = our_server(session_cache=cache)
    shake(resumed, again)
    talk(resumed, again)
    assert resumed.established is not None
    assert resumed.established.resumed


def test_no_common_suite_is_refused_by_both(folders: dict[str, Path]) -> None:
    theirs = Tongsuo(folders["client"], folders["ca"], THEIR_NAMES[0xE013], is_server=False)
    ours = our_server(suites=TLCP_SUITES[:1])
    with pytest.raises(MeterSealError, match="no cipher suite"):
        shake(ours, theirs)
    theirs.receive_data(ours.data_to_send())
    with pytest.raises(TongsuoFailed, match="handshake failure"):
        theirs.step()


def test_their_server_refuses_the_prefix_that_the_standard_has(folders: dict[str, Path]) -> None:
    suite = next(suite for suite in TLCP_SUITES if suite.code == 0xE051)
    theirs = Tongsuo(folders["server"], folders["ca"], THEIR_NAMES[suite.code], is_server=True)
    ours = our_client(suite, compatibility=Compatibility(ecdhe_length_prefix=True))
    with pytest.raises(TongsuoFailed):
        shake(ours, theirs)

"""Tongsuo agrees with our TLS 1.3: both suites over curveSM2, both roles, tickets, key updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import CertificateRejected
from meterseal.transport import TLS13_SUITES, CipherSuite, ClientAuthentication, Connection
from support.identities import world
from support.tls13 import client13, server13
from support.tongsuo import Tongsuo13, TongsuoFailed, write_pair
from support.wire import SERVER_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.transport import Credential

every_suite = pytest.mark.parametrize("suite", TLS13_SUITES, ids=lambda suite: suite.name)


def tongsuo(folder: Path, pair: Credential, suite: str, **options: Any) -> Tongsuo13:  # noqa: ANN401
    write_pair(folder, pair)
    (folder / "ca.pem").write_text(world().root.to_pem())
    return Tongsuo13(folder, folder / "ca.pem", suite, **options)


def shake(ours: Connection, theirs: Tongsuo13) -> None:
    for _ in range(10):
        theirs.receive_data(ours.data_to_send())
        theirs.step()
        if output := theirs.data_to_send():
            ours.receive_data(output)
    assert ours.is_established
    assert theirs.is_done


def talk(ours: Connection, theirs: Tongsuo13) -> None:
    for size in (1, 16, 5000):
        ours.send_data(bytes(size))
        theirs.receive_data(ours.data_to_send())
        assert theirs.read() == bytes(size)
        theirs.write(bytes(size))
        ours.receive_data(theirs.data_to_send())
        assert ours.read() == bytes(size)


@every_suite
@pytest.mark.parametrize("shares", [None, ()], ids=["with share", "after a retry"])
def test_our_client_agrees_with_their_server(
    tmp_path: Path, suite: CipherSuite, shares: tuple[int, ...] | None
) -> None:
    theirs = tongsuo(tmp_path, world().server_pair, suite.name, is_server=True, asks=True)
    config = client13(suites=(suite,), key_shares=shares, credential=world().client)
    ours = Connection.client(config, SERVER_NAME)
    shake(ours, theirs)
    assert ours.established is not None
    assert (ours.established.suite, ours.established.group) == (suite, 41)
    talk(ours, theirs)


@every_suite
def test_their_client_agrees_with_our_server(tmp_path: Path, suite: CipherSuite) -> None:
    theirs = tongsuo(tmp_path, world().client_pair, suite.name, is_server=False)
    config = server13(
        suites=(suite,),
        trust=world().trust,
        client_authentication=ClientAuthentication.REQUIRED,
    )
    ours = Connection.server(config)
    shake(ours, theirs)
    assert ours.established is not None
    assert ours.established.group == 41
    assert ours.established.peer is not None
    talk(ours, theirs)
    again = theirs.again(is_server=False, session=theirs.session)
    second = Connection.server(config)
    shake(second, again)
    assert again.is_resumed
    talk(second, again)


def test_our_client_resumes_with_their_ticket(tmp_path: Path) -> None:
    theirs = tongsuo(tmp_path, world().server_pair, "TLS_SM4_GCM_SM3", is_server=True)
    first = Connection.client(client13(), SERVER_NAME)
    shake(first, theirs)
    assert first.session is not None
    again = theirs.again(is_server=True)
    second = Connection.client(client13(), SERVER_NAME, first.session)
    shake(second, again)
    assert again.is_resumed
    assert second.established is not None
    assert second.established.resumed
    talk(second, again)


def test_keys_are_updated_from_both_sides(tmp_path: Path) -> None:
    theirs = tongsuo(tmp_path, world().server_pair, "TLS_SM4_GCM_SM3", is_server=True)
    ours = Connection.client(client13(), SERVER_NAME)
    shake(ours, theirs)
    for request_peer in (False, True):
        ours.update_keys(request_peer=request_peer)
        talk(ours, theirs)
        theirs.update_keys(request_peer=request_peer)
        talk(ours, theirs)


def test_a_stranger_is_refused_by_both(tmp_path: Path) -> None:
    theirs = tongsuo(tmp_path, world().server_pair, "TLS_SM4_GCM_SM3", is_server=True)
    ours = Connection.client(client13(), "other.example")
    with pytest.raises(CertificateRejected):
        shake(ours, theirs)
    theirs = tongsuo(tmp_path, world().server_pair, "TLS_SM4_GCM_SM3", is_server=True, asks=True)
    with pytest.raises(TongsuoFailed):
        shake(Connection.client(client13(), SERVER_NAME), theirs)

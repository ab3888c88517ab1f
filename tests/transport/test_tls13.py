"""Two ends of TLS 1.3 agree: suites, groups, retries, identities, resumption, keys after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.errors import UsageError
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    CipherSuite,
    ClientAuthentication,
    Compatibility,
    Connection,
    SessionCache,
    SessionReceived,
    TicketKeys,
)
from meterseal.transport.messages import ClientHello
from meterseal.transport.wire import Cursor
from support.identities import NOW, world
from support.tls13 import COMPATIBILITY, client13, link13, server13
from support.wire import SERVER_NAME, Link, client_config, link, provider, server_config

if TYPE_CHECKING:
    from meterseal.transport import ServerConfig

every_suite = pytest.mark.parametrize("suite", TLS13_SUITES, ids=lambda suite: suite.name)
every_group = pytest.mark.parametrize("group", [41, 4590])
MUTUAL = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}


def agreed(pair: Link) -> Link:
    assert not pair.errors
    ends = (pair.client, pair.server)
    for sender, receiver in (ends, ends[::-1]):
        for size in (0, 1, 16_384, 40_000):
            sender.send_data(bytes(size))
            receiver.receive_data(sender.data_to_send() or b"")
            assert receiver.read() == bytes(size)
    return pair


@every_suite
@every_group
@pytest.mark.parametrize("shares", [None, ()], ids=["with share", "after a retry"])
def test_two_ends_agree(suite: CipherSuite, group: int, shares: tuple[int, ...] | None) -> None:
    client = client13(suites=(suite,), groups=(group,), key_shares=shares)
    pair = agreed(link13(client))
    for end in (pair.client, pair.server):
        assert end.established is not None
        assert (end.established.suite, end.established.group) == (suite, group)
        assert end.established.server_name == SERVER_NAME
        assert not end.established.resumed
    assert pair.client.established is not None
    assert pair.client.established.peer is not None
    assert pair.client.established.peer.leaf == world().server.chain[0]


def test_the_servers_order_of_suites_and_groups_decides() -> None:
    server = server13(suites=TLS13_SUITES[::-1], groups=(41, 4590))
    pair = agreed(link13(None, server))
    assert pair.client.established is not None
    assert pair.client.established.suite.name == "TLS_SM4_CCM_SM3"
    assert pair.client.established.group == 41


def test_a_share_that_is_there_is_taken_before_one_that_must_be_asked_for() -> None:
    pair = agreed(link13(client13(key_shares=(41,)), server13(groups=(4590, 41))))
    assert pair.client.established is not None
    assert pair.client.established.group == 41


def test_only_the_hellos_are_in_the_clear_and_both_ends_please_middleboxes() -> None:
    pair = link13()
    assert [record[0] for record in pair.seen["client"]] == [22, 20, 23]
    assert [record[0] for record in pair.seen["server"]][:2] == [22, 20]
    assert {record[0] for record in pair.seen["server"][2:]} == {23}
    retried = link13(client13(key_shares=()))
    for who in ("client", "server"):
        assert retried.seen[who].count(COMPATIBILITY) == 1
    assert [record[0] for record in retried.seen["client"]] == [22, 20, 22, 23]
    assert [record[0] for record in retried.seen["server"]][:3] == [22, 20, 22]


def test_a_client_may_be_told_that_there_are_no_middleboxes_to_please() -> None:
    plain = Compatibility(middleboxes=False)
    for shares in (None, ()):
        pair = agreed(link13(client13(key_shares=shares, compatibility=plain)))
        for who in ("client", "server"):
            assert COMPATIBILITY not in pair.seen[who]
        assert not ClientHello.decode(Cursor(pair.seen["client"][0], 9)).session_id
    both = client13(suites=(*TLS13_SUITES, *TLS12_SUITES), compatibility=plain)
    assert COMPATIBILITY not in agreed(link13(both)).seen["client"]
    old = link13(both, server_config(suites=TLS12_SUITES))
    assert not old.errors
    assert old.client.is_established


def test_the_hello_holds_what_rfc_8998_asks_for() -> None:
    record = link13().seen["client"][0]
    hello = ClientHello.decode(Cursor(record, 9))
    assert hello.cipher_suites == (0x00C6, 0x00C7)
    assert hello.client_version == 0x0303
    assert len(hello.session_id) == 32
    assert hello.extensions[10].hex() == "0004" + "11ee" + "0029"
    assert hello.extensions[13].hex() == "0002" + "0708"
    assert hello.extensions[43].hex() == "02" + "0304"
    assert 50 not in hello.extensions  # signature_algorithms_cert: OpenSSL 4.0 chokes on it
    assert 42 not in hello.extensions  # early data


# --- who is there ------------------------------------------------------------------------


def test_both_know_each_other() -> None:
    pair = agreed(link13(client13(credential=world().client), server13(**MUTUAL)))
    assert pair.server.established is not None
    assert pair.server.established.peer is not None
    assert pair.server.established.peer.leaf == world().client.chain[0]


def test_an_optional_client_may_stay_unknown() -> None:
    optional = {**MUTUAL, "client_authentication": ClientAuthentication.OPTIONAL}
    pair = agreed(link13(None, server13(**optional)))
    assert pair.server.established is not None
    assert pair.server.established.peer is None


def test_application_protocols_are_chosen_by_the_server() -> None:
    client = client13(application_protocols=("h2", "mqtt"))
    for protocols, chosen in (((), None), (("mqtt", "h2"), "mqtt")):
        pair = agreed(link13(client, server13(application_protocols=protocols)))
        for end in (pair.client, pair.server):
            assert end.established is not None
            assert end.established.application_protocol == chosen


# --- resumption --------------------------------------------------------------------------


def servers() -> list[ServerConfig]:
    return [
        server13(**MUTUAL, ticket_keys=TicketKeys(provider())),
        server13(**MUTUAL, session_cache=SessionCache()),
    ]


@pytest.mark.parametrize("kind", [0, 1], ids=["ticket", "cache"])
@pytest.mark.parametrize("shares", [None, ()], ids=["with share", "after a retry"])
def test_a_session_is_resumed_again_and_again(kind: int, shares: tuple[int, ...] | None) -> None:
    server = servers()[kind]
    client = client13(credential=world().client, key_shares=shares)
    session = agreed(link13(client, server)).client.session
    assert session is not None
    for _ in range(3):
        pair = agreed(link13(client, server, session=session))
        for end in (pair.client, pair.server):
            assert end.established is not None
            assert end.established.resumed
            assert end.established.peer is not None
        assert pair.client.session != session
        session = pair.client.session


def test_another_suite_of_the_same_hash_may_resume() -> None:
    server = server13()
    session = link13(client13(), server).client.session
    other = server13(suites=TLS13_SUITES[::-1], session_cache=server.session_cache)
    pair = agreed(link13(client13(), other, session=session))
    assert pair.client.established is not None
    assert pair.client.established.resumed
    assert pair.client.established.suite.name == "TLS_SM4_CCM_SM3"


def test_a_session_comes_as_an_event() -> None:
    client, server = Connection.client(client13(), SERVER_NAME), Connection.server(server13())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    assert client.session is None
    server.receive_data(client.data_to_send())
    (event,) = client.receive_data(server.data_to_send())
    assert isinstance(event, SessionReceived)
    assert client.session == event.session


def test_no_ticket_without_a_place_for_it() -> None:
    pair = agreed(link13(None, server13(session_cache=None)))
    assert pair.client.session is None


@pytest.mark.parametrize(
    ("client", "server"),
    [
        ({"trust": world().trust, "check_name": False}, {}),
        ({}, {"client_authentication": ClientAuthentication.OPTIONAL, "trust": world().trust}),
        ({"provider": provider(NOW.timestamp() + 8000)}, {}),
        ({}, {"provider": provider(NOW.timestamp() + 8000)}),
    ],
    ids=["client's policy", "server's policy", "client's clock", "server's clock"],
)
def test_a_session_of_another_policy_or_time_is_not_resumed(
    client: dict[str, object], server: dict[str, object]
) -> None:
    cache = SessionCache()
    session = link13(None, server13(session_cache=cache)).client.session
    pair = agreed(
        link13(client13(**client), server13(session_cache=cache, **server), session=session)
    )
    assert pair.client.established is not None
    assert not pair.client.established.resumed


def test_a_ticket_of_nobody_leads_to_a_full_handshake() -> None:
    session = link13().client.session
    pair = agreed(link13(None, server13(), session=session))
    assert pair.client.established is not None
    assert not pair.client.established.resumed


# --- after the handshake -----------------------------------------------------------------


def test_keys_are_updated_from_both_sides() -> None:
    pair = link13()
    for sender, receiver in ((pair.client, pair.server), (pair.server, pair.client)):
        for request_peer in (False, True):
            sender.update_keys(request_peer=request_peer)
            receiver.receive_data(sender.data_to_send())
            answer = receiver.data_to_send()
            assert bool(answer) == request_peer
            if answer:
                sender.receive_data(answer)
            agreed(pair)


def test_a_worn_key_is_changed_before_the_next_data() -> None:
    pair = link13()
    sealer = pair.client._driver._channel._tls13_sealer
    sealer.limit_records(8)  # type: ignore[union-attr]
    for _ in range(30):
        pair.client.send_data(b"1 kWh")
        pair.server.receive_data(pair.client.data_to_send())
        assert pair.server.read() == b"1 kWh"
    assert sealer.sequence < 8  # type: ignore[union-attr]


def test_both_export_the_same_keys_and_different_sessions_others() -> None:
    pair, other = link13(), link13()
    export = pair.client.export_keying_material(b"EXPORTER-meter", b"1", 48)
    assert len(export) == 48
    assert pair.server.export_keying_material(b"EXPORTER-meter", b"1", 48) == export
    assert pair.server.export_keying_material(b"EXPORTER-meter", b"2", 48) != export
    assert other.server.export_keying_material(b"EXPORTER-meter", b"1", 48) != export


def test_no_context_exports_the_same_as_an_empty_one() -> None:
    end = link13().client
    assert end.export_keying_material(b"E", None, 32) == end.export_keying_material(b"E", b"", 32)


def test_only_an_established_session_of_tls13_updates_its_keys() -> None:
    for end in (link().client, Connection.client(client13(), SERVER_NAME)):
        with pytest.raises(UsageError):
            end.update_keys()


def test_closing_is_seen_by_the_other_end() -> None:
    pair = link13()
    pair.client.close()
    pair.server.receive_data(pair.client.data_to_send())
    assert pair.server.is_peer_closed
    with pytest.raises(UsageError):
        pair.client.update_keys()


def test_the_key_log_has_the_lines_that_analysers_read() -> None:
    lines: list[str] = []
    link13(client13(key_log=lines.append))
    assert [line.split()[0] for line in lines] == [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ]
    assert all([len(part) for part in line.split()[1:]] == [64, 64] for line in lines)
    both: list[str] = []
    link13(client13(key_log=both.append), server13(key_log=both.append))
    assert len(both) == 10
    assert len(set(both)) == 5


# --- with the older protocols ------------------------------------------------------------

MIXED = TLS13_SUITES + TLS12_SUITES


@pytest.mark.parametrize(
    ("client", "server", "version"),
    [
        (MIXED, MIXED, 0x0304),
        (MIXED, TLS13_SUITES, 0x0304),
        (TLS13_SUITES, MIXED, 0x0304),
        (MIXED, TLS12_SUITES, 0x0303),
        (TLS12_SUITES, MIXED, 0x0303),
        (TLCP_SUITES, MIXED + TLCP_SUITES, 0x0101),
    ],
)
def test_one_port_speaks_the_highest_version_of_both(
    client: tuple[CipherSuite, ...], server: tuple[CipherSuite, ...], version: int
) -> None:
    for shares in (None, ()):
        pair = link13(
            client13(suites=client, key_shares=shares, credential=world().client_pair),
            server13(suites=server, credential=world().server_pair, **MUTUAL),
        )
        assert not pair.errors
        assert pair.client.established is not None
        assert pair.client.established.suite.version == version


def test_a_mixed_client_resumes_either_kind_of_session() -> None:
    client = client_config(suites=MIXED)
    for suites in (TLS12_SUITES, TLS13_SUITES):
        for changes in ({}, {"ticket_keys": TicketKeys(provider())}):
            server = server_config(suites=suites, **changes)
            first = link13(client, server).client.session
            assert first is not None
            again = link13(client, server, session=first).client.established
            assert again is not None
            assert again.resumed
            assert again.suite.version == suites[0].version


def test_tlcp_and_tls_do_not_share_a_hello() -> None:
    with pytest.raises(UsageError, match="TLCP alone"):
        Connection.client(client13(suites=TLCP_SUITES + TLS13_SUITES), SERVER_NAME)


def test_shares_belong_to_groups() -> None:
    for changes in ({"groups": ()}, {"groups": (41,), "key_shares": (4590,)}):
        with pytest.raises(UsageError):
            Connection.client(client13(**changes), SERVER_NAME)

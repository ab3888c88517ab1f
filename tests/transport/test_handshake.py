"""Two ends agree: full handshakes, client certificates, resumption, data both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.errors import BadRecord, ConnectionEnded, InvalidKey, Truncated, UsageError
from meterseal.transport import (
    ClientAuthentication,
    Connection,
    Credential,
    PeerClosed,
    SessionCache,
    TicketKeys,
)
from support.identities import NOW, world
from support.wire import SERVER_NAME, Link, client_config, link, provider, server_config


def established(pair: Link) -> None:
    assert not pair.errors
    assert pair.client.is_established
    assert pair.server.is_established


def mutual_server(**changes: object):  # noqa: ANN201
    return server_config(
        trust=world().trust, client_authentication=ClientAuthentication.REQUIRED, **changes
    )


@pytest.mark.usefixtures("backend")
def test_two_ends_agree_and_exchange_data() -> None:
    pair = link()
    established(pair)
    settled = pair.client.established
    assert settled is not None
    assert settled.suite.code == 0xE107
    assert settled.extended_master_secret
    assert not settled.resumed
    assert settled.peer is not None
    assert settled.peer.leaf == world().server.chain[0]
    assert pair.server.established is not None
    assert pair.server.established.peer is None
    assert pair.server.established.server_name == SERVER_NAME
    pair.client.send_data(b"ping")
    pair.server.send_data(b"pong")
    pair.run()
    assert pair.server.read() == b"ping"
    assert pair.client.read() == b"pong"


def test_both_randoms_begin_with_the_utc_time_unless_switched_off() -> None:
    pair = link()
    seconds = int(NOW.timestamp()).to_bytes(4, "big")
    assert pair.seen["client"][0][11:15] == seconds
    assert pair.seen["server"][0][11:15] == seconds
    plain = link(client_config(time_in_random=False), server_config(time_in_random=False))
    assert plain.seen["client"][0][11:15] != seconds
    assert plain.seen["server"][0][11:15] != seconds


def test_a_client_shows_its_certificate_when_asked() -> None:
    pair = link(client_config(credential=world().client), mutual_server())
    established(pair)
    assert pair.server.established is not None
    assert pair.server.established.peer is not None
    assert pair.server.established.peer.leaf == world().client.chain[0]


def test_an_optional_client_certificate_may_be_missing() -> None:
    server = server_config(trust=world().trust, client_authentication=ClientAuthentication.OPTIONAL)
    pair = link(server=server)
    established(pair)
    assert pair.server.established is not None
    assert pair.server.established.peer is None


def test_without_extended_master_secret_the_classic_one_is_used() -> None:
    pair = link(client_config(offer_extended_master_secret=False))
    established(pair)
    assert pair.client.established is not None
    assert not pair.client.established.extended_master_secret
    strict = link(
        client_config(offer_extended_master_secret=False),
        server_config(require_extended_master_secret=True),
    )
    assert "extended master secret" in str(strict.errors["server"])


def test_a_session_keeps_its_kind_of_master_secret() -> None:
    server = server_config(ticket_keys=TicketKeys(provider()))
    for first_extended in (True, False):
        first = link(client_config(offer_extended_master_secret=first_extended), server)
        assert first.client.established is not None
        session = first.client.established.session
        other = client_config(offer_extended_master_secret=not first_extended)
        again = link(other, server, session=session)
        if first_extended:  # RFC 7627, 5.3: aborted
            assert "extended master secret" in str(again.errors["server"])
        else:  # a full handshake
            assert again.client.established is not None
            assert not again.client.established.resumed


@pytest.mark.parametrize("with_tickets", [True, False])
@pytest.mark.parametrize("mutual", [True, False])
def test_sessions_resume(with_tickets: bool, mutual: bool) -> None:
    keys = TicketKeys(provider()) if with_tickets else None
    server = mutual_server(ticket_keys=keys) if mutual else server_config(ticket_keys=keys)
    client = client_config(credential=world().client if mutual else None)
    first = link(client, server)
    established(first)
    assert first.client.established is not None
    session = first.client.established.session
    assert session is not None
    assert bool(session.ticket) == with_tickets
    second = link(client, server, session=session)
    established(second)
    for end in (second.client, second.server):
        assert end.established is not None
        assert end.established.resumed
    assert (second.server.established.peer is not None) == mutual  # type: ignore[union-attr]
    second.client.send_data(b"again")
    second.run()
    assert second.server.read() == b"again"
    third = link(client, server, session=second.client.established.session)  # type: ignore[union-attr]
    assert third.client.established is not None
    assert third.client.established.resumed


def test_a_session_is_not_resumed_under_another_name_policy_or_after_its_time() -> None:
    server = server_config(ticket_keys=TicketKeys(provider()))
    client = client_config()
    first = link(client, server)
    assert first.client.established is not None
    session = first.client.established.session
    assert session is not None
    later = provider(NOW.timestamp() + 3 * 3600)
    other_policy = client_config(common_name_fallback=True)
    for config, name in ((other_policy, SERVER_NAME), (client_config(provider=later), SERVER_NAME)):
        again = link(config, server, session=session, server_name=name)
        assert again.client.established is not None
        assert not again.client.established.resumed
    renamed = link(client, server, session=replace(session, server_name="other.example"))
    assert renamed.client.established is not None
    assert not renamed.client.established.resumed


def test_a_server_resumes_only_under_the_policy_that_made_the_session() -> None:
    cache = SessionCache()
    first = link(server=server_config(session_cache=cache))
    assert first.client.established is not None
    session = first.client.established.session
    stricter = mutual_server(session_cache=cache)
    again = link(client_config(credential=world().client), stricter, session=None)
    assert again.server.established is not None
    plain_client = link(client_config(), stricter, session=session)
    assert "no certificate" in str(plain_client.errors["server"])


def test_a_changed_ticket_leads_to_a_full_handshake() -> None:
    server = server_config(ticket_keys=TicketKeys(provider()))
    first = link(server=server)
    assert first.client.established is not None
    session = first.client.established.session
    assert session is not None
    for position in (0, 20, len(session.ticket) - 1):
        ticket = bytearray(session.ticket)
        ticket[position] ^= 1
        pair = link(server=server, session=replace(session, ticket=bytes(ticket)))
        established(pair)
        assert pair.client.established is not None
        assert not pair.client.established.resumed


def test_the_session_cache_is_bounded_and_forgets_after_a_fatal_error() -> None:
    cache = SessionCache(capacity=3)
    for _ in range(5):
        pair = link(server=server_config(session_cache=cache))
    assert len(cache) == 3
    with pytest.raises(BadRecord):
        pair.server.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert len(cache) == 2


def test_a_session_whose_stream_was_cut_may_be_resumed() -> None:
    cache = SessionCache()
    pair = link(server=server_config(session_cache=cache))
    with pytest.raises(Truncated):
        pair.server.receive_data(b"")
    assert len(cache) == 1


def test_ticket_keys_rotate_and_the_last_but_one_still_opens() -> None:
    now = [NOW.timestamp()]
    clock = provider()
    clock._clock = lambda: now[0]
    keys = TicketKeys(clock, rotation=600)
    server = server_config(ticket_keys=keys, provider=clock)
    client = client_config(provider=clock)
    session = link(client, server).client.established.session  # type: ignore[union-attr]
    for seconds, expected in ((700, True), (1300, False)):
        now[0] = NOW.timestamp() + seconds
        pair = link(client, server, session=session)
        assert pair.client.established is not None
        assert pair.client.established.resumed is expected


@settings(max_examples=15, deadline=None)
@given(st.lists(st.binary(max_size=40_000), max_size=4), st.randoms(use_true_random=False))
def test_any_splitting_of_the_stream_gives_the_same_data(messages: list[bytes], chance) -> None:  # noqa: ANN001
    pair = link()
    for message in messages:
        pair.client.send_data(message)
    stream, received = pair.client.data_to_send(), b""
    while stream:
        size = chance.choice((1, 5, 17, 1000, 30_000))
        pair.server.receive_data(stream[:size])
        received += pair.server.read()
        stream = stream[size:]
    assert received == b"".join(messages)


def test_close_notify_ends_the_session_for_both() -> None:
    pair = link()
    pair.client.send_data(b"last")
    pair.client.close()
    events = pair.server.receive_data(pair.client.data_to_send())
    assert pair.server.read() == b"last"
    assert PeerClosed() in events
    assert pair.server.is_peer_closed
    with pytest.raises(ConnectionEnded):
        pair.server.send_data(b"too late")
    with pytest.raises(ConnectionEnded):
        pair.client.send_data(b"too late")
    pair.client.receive_data(pair.server.data_to_send())
    assert pair.client.receive_data(b"") == []


def test_truncation_is_reported_and_stays() -> None:
    pair = link()
    for _ in range(2):
        with pytest.raises(Truncated):
            pair.client.receive_data(b"")
    with pytest.raises(Truncated):
        pair.client.send_data(b"x")


def test_a_key_that_is_not_the_certificates_is_refused_at_once() -> None:
    with pytest.raises(InvalidKey, match="does not belong"):
        Credential(world().server.chain, world().client.key)
    with pytest.raises(UsageError, match="at least one"):
        Credential((), world().client.key)


def test_a_client_needs_a_name_to_check() -> None:
    with pytest.raises(UsageError, match="server name"):
        Connection.client(client_config(), None)


def test_the_key_log_tells_the_same_secret_on_both_sides() -> None:
    lines: list[str] = []
    link(client_config(key_log=lines.append), server_config(key_log=lines.append))
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert lines[0].startswith("CLIENT_RANDOM ")

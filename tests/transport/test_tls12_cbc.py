"""ECDHE-SM2-WITH-SMS4-SM3 (E102): SM4-CBC with HMAC-SM3, and the SHA-256 PRF of TLS 1.2."""

from __future__ import annotations

import pytest

from meterseal.transport import (
    SUITES,
    TLS12_CBC_SUITES,
    TLS12_SUITES,
    ClientAuthentication,
    SessionCache,
    TicketKeys,
)
from support.identities import world
from support.wire import Link, client_config, link, provider, server_config

E102 = SUITES[0xE102]


def agreed(pair: Link) -> None:
    assert not pair.errors
    assert pair.client.established is not None
    assert pair.client.established.suite is E102
    pair.client.send_data(b"ping" * 5000)
    pair.server.send_data(b"pong")
    pair.run()
    assert pair.server.read() == b"ping" * 5000
    assert pair.client.read() == b"pong"


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("extended", [True, False])
def test_two_ends_agree_with_and_without_a_client_certificate(extended: bool) -> None:
    for mutual in (False, True):
        server = server_config(
            suites=(E102,),
            trust=world().trust,
            client_authentication=ClientAuthentication.REQUIRED
            if mutual
            else ClientAuthentication.NONE,
        )
        client = client_config(
            suites=(E102,),
            credential=world().client if mutual else None,
            offer_extended_master_secret=extended,
        )
        pair = link(client, server)
        agreed(pair)
        assert pair.server.established is not None
        assert (pair.server.established.peer is not None) is mutual


@pytest.mark.parametrize("tickets", [True, False])
def test_a_session_is_resumed_under_its_own_prf(tickets: bool) -> None:
    server = server_config(
        suites=(E102,),
        session_cache=None if tickets else SessionCache(),
        ticket_keys=TicketKeys(provider()) if tickets else None,
    )
    client = client_config(suites=(E102,))
    first = link(client, server)
    agreed(first)
    assert first.client.established is not None
    second = link(client, server, session=first.client.established.session)
    agreed(second)
    assert second.client.established is not None
    assert second.client.established.resumed


def test_it_is_offered_only_where_it_is_asked_for() -> None:
    assert E102 in TLS12_CBC_SUITES
    assert E102 not in TLS12_SUITES
    both = (*TLS12_SUITES, E102)
    pair = link(client_config(suites=both), server_config(suites=both))
    assert pair.client.established is not None
    assert pair.client.established.suite.code == 0xE107

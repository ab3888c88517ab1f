"""Sessions that are resumed by others, under other terms, or without end; and second handshakes."""

from __future__ import annotations

import socket
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import (
    AlertDescription,
    BadRecord,
    IllegalParameter,
    NoRenegotiation,
    PeerError,
    UnexpectedMessage,
)
from meterseal.lab.attack.wire import in_message
from meterseal.transport import (
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    Connection,
    SessionCache,
    TicketKeys,
)
from meterseal.transport.events import WarningReceived
from meterseal.transport.messages import ClientHello, HelloRequest, ServerHello
from meterseal.transport.session import ClassicSession
from meterseal.transport.wire import Cursor
from support.contexts import HOST, client_context
from support.identities import NOW, credential, pair, world
from support.servers import accepting
from support.tlcp import ECC, ECC_CBC, ECDHE, tlcp_client, tlcp_server
from support.tls13 import client13, link13, server13
from support.wire import SERVER_NAME, Link, client_config, link, provider, server_config

if TYPE_CHECKING:
    from meterseal.transport import ClientConfig, ServerConfig, Session

A = AlertDescription
TLS12, TLS13 = TLS12_SUITES, TLS13_SUITES
MUTUAL = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}


def client_of(protocol: str, **changes: Any) -> ClientConfig:  # noqa: ANN401
    if protocol == "tlcp":
        return tlcp_client(**changes)
    suites = TLS12 if protocol == "tls12" else TLS13
    return client_config(**{"suites": suites, "credential": world().client, **changes})


def server_of(protocol: str, **changes: Any) -> ServerConfig:  # noqa: ANN401
    if protocol == "tlcp":
        return tlcp_server(**changes)
    return server_config(**{"suites": TLS12 if protocol == "tls12" else TLS13, **MUTUAL, **changes})


def session_of(both: Link) -> Session:
    session = both.client.session
    assert session is not None
    return session


def is_resumed(both: Link) -> bool:
    assert not both.errors
    assert both.client.established is not None
    assert both.server.established is not None
    assert both.client.established.resumed == both.server.established.resumed
    return both.client.established.resumed


every_protocol = pytest.mark.parametrize("protocol", ["tlcp", "tls12", "tls13"])


# --- other terms ---------------------------------------------------------------------------


@every_protocol
def test_the_honest_session_is_resumed(protocol: str) -> None:
    server = server_of(protocol)
    first = link(client_of(protocol), server)
    assert not is_resumed(first)
    assert is_resumed(link(client_of(protocol), server, session=session_of(first)))


def test_a_session_is_not_resumed_with_another_suite() -> None:
    server = tlcp_server()
    session = session_of(link(tlcp_client(ECC), server))
    for suite in (ECC_CBC, ECDHE):
        assert not is_resumed(link(tlcp_client(suite), server, session=session))

        def only(body: bytes, code: int = suite.code) -> bytes:
            hello = ClientHello.decode(Cursor(body))
            return replace(hello, cipher_suites=(code,)).encode()

        offered = link(
            tlcp_client(ECC), server, session=session, change=in_message("client", 1, only)
        )
        assert isinstance(offered.errors["client"], IllegalParameter)  # that was not offered


def test_a_server_does_not_resume_what_was_made_with_another_suite() -> None:
    """Even if the client would take that suite: somebody cut the session's own out of the hello."""

    def only(body: bytes) -> bytes:
        return replace(ClientHello.decode(Cursor(body)), cipher_suites=(ECC_CBC.code,)).encode()

    server, client = tlcp_server(), tlcp_client(suites=(ECC, ECC_CBC))
    session = session_of(link(client, server))
    assert session.suite == ECC.code
    both = link(client, server, session=session, change=in_message("client", 1, only))
    answer = ServerHello.decode(Cursor(both.seen["server"][0], 9))
    assert answer.cipher_suite == ECC_CBC.code
    assert answer.session_id != session.session_id
    assert not both.server.is_established


def test_a_server_that_resumes_with_another_kind_of_master_secret_is_refused() -> None:
    """RFC 7627, 5.3: the extension must come again, or stay away again."""

    def without(body: bytes) -> bytes:
        hello = ServerHello.decode(Cursor(body))
        kept = {number: value for number, value in hello.extensions.items() if number != 23}
        return replace(hello, extensions=kept).encode()

    server = server_config()
    session = session_of(link(server=server))
    both = link(server=server, session=session, change=in_message("server", 2, without))
    error = both.errors["client"]
    assert isinstance(error, PeerError)
    assert "another kind of master secret" in str(error)


def test_a_server_that_resumes_with_another_suite_is_refused() -> None:
    def other(body: bytes) -> bytes:
        return replace(ServerHello.decode(Cursor(body)), cipher_suite=ECC_CBC.code).encode()

    server = tlcp_server()
    client = tlcp_client(suites=(ECC, ECC_CBC))
    session = session_of(link(client, server))
    both = link(client, server, session=session, change=in_message("server", 2, other))
    error = both.errors["client"]
    assert isinstance(error, IllegalParameter)
    assert "another suite" in str(error)


@every_protocol
def test_a_session_is_not_resumed_for_another_identity(protocol: str) -> None:
    w = world()
    server = server_of(protocol)
    session = session_of(link(client_of(protocol), server))
    if protocol == "tlcp":
        somebody = pair(w.root, w.root_key, "meter-2")
        elsewhere = pair(w.root, w.root_key, "station", host=SERVER_NAME)
    else:
        somebody = credential(w.root, w.root_key, "meter-2", profile="client")
        elsewhere = credential(w.root, w.root_key, "station", host=SERVER_NAME)
    other_client = link(client_of(protocol, credential=somebody), server, session=session)
    assert not is_resumed(other_client)
    assert other_client.server.established is not None
    assert other_client.server.established.peer is not None
    assert other_client.server.established.peer.leaf == somebody.chain[0]
    moved = server_of(protocol, credential=elsewhere, session_cache=server.session_cache)
    assert not is_resumed(link(client_of(protocol), moved, session=session))


def test_a_session_is_not_resumed_after_the_encryption_certificate_was_changed() -> None:
    """It may have been changed because its key is known, and with it the secrets of sessions."""
    w, server = world(), tlcp_server()
    session = session_of(link(tlcp_client(), server))
    assert is_resumed(link(tlcp_client(), server, session=session))
    fresh = pair(w.root, w.root_key, "station", host=SERVER_NAME).encryption
    changed = tlcp_server(
        credential=replace(w.server_pair, encryption=fresh), session_cache=server.session_cache
    )
    assert not is_resumed(link(tlcp_client(), changed, session=session))


@every_protocol
def test_a_session_is_not_resumed_under_another_name(protocol: str) -> None:
    server = server_of(protocol)
    client = client_of(protocol, check_name=False)
    session = session_of(link(client, server))
    other = "other.example"
    assert not is_resumed(link(client, server, session=session, server_name=other))
    # A hostile client: the session is another name's, whatever it says.
    said = replace(session, server_name=other)
    both = link(client, server, session=said, server_name=other)
    assert is_resumed(both) == (protocol == "tlcp")  # which has no name in its hello


@every_protocol
def test_a_session_made_without_a_client_is_not_resumed_where_one_is_asked_for(
    protocol: str,
) -> None:
    cache = SessionCache()
    lax = {"client_authentication": ClientAuthentication.OPTIONAL, "session_cache": cache}
    client = client_of(protocol, credential=None)
    session = session_of(link(client, server_of(protocol, **lax)))
    strict = link(client, server_of(protocol, session_cache=cache), session=session)
    assert isinstance(strict.errors["server"], PeerError)
    assert not strict.server.is_established


@pytest.mark.parametrize("with_tickets", [True, False])
def test_sessions_of_one_version_are_not_resumed_in_another(with_tickets: bool) -> None:
    cache, keys = SessionCache(), TicketKeys(provider()) if with_tickets else None
    shared = {"session_cache": cache, "ticket_keys": keys}
    new = session_of(link13(client13(), server13(**shared)))
    old = session_of(link(client_config(), server_config(**shared)))
    assert isinstance(old, ClassicSession)
    crossed = replace(old, session_id=b"" if with_tickets else new.ticket, ticket=new.ticket)
    if not with_tickets:
        crossed = replace(crossed, ticket=b"")
    assert not is_resumed(link(client_config(), server_config(**shared), session=crossed))
    upwards = replace(new, ticket=old.ticket or old.session_id)
    assert not is_resumed(link13(client13(), server13(**shared), session=upwards))


# --- identifiers ---------------------------------------------------------------------------


class Repeating(SmProvider):
    """Draws the same 32 bytes, which is what a session identifier is made of, again and again."""

    def random_bytes(self, size: int, /) -> bytes:
        return bytes(32) if size == 32 else super().random_bytes(size)


@pytest.mark.parametrize("protocol", ["tlcp", "tls12"])
def test_a_collision_of_session_identifiers_mixes_no_sessions(protocol: str) -> None:
    server = server_of(protocol, provider=Repeating(clock=NOW.timestamp))
    first = session_of(link(client_of(protocol), server))
    second = session_of(link(client_of(protocol), server))
    assert first.session_id == second.session_id == bytes(32)
    assert is_resumed(link(client_of(protocol), server, session=second))
    both = link(client_of(protocol), server, session=first)
    assert isinstance(both.errors["client"], BadRecord)
    assert not both.server.is_established


@pytest.mark.parametrize("protocol", ["tlcp", "tls12"])
def test_a_client_cannot_choose_its_session_identifier(protocol: str) -> None:
    server = server_of(protocol)
    made_up = b"\x42" * 32

    def choose(body: bytes) -> bytes:
        return replace(ClientHello.decode(Cursor(body)), session_id=made_up).encode()

    both = link(client_of(protocol), server, change=in_message("client", 1, choose))
    answer = ServerHello.decode(Cursor(both.seen["server"][0], 9))
    assert len(answer.session_id) == 32
    assert answer.session_id != made_up


@pytest.mark.parametrize("protocol", ["tlcp", "tls12"])
def test_who_knows_an_identifier_alone_neither_resumes_nor_spoils_the_session(
    protocol: str,
) -> None:
    """It travels in the clear."""
    server = server_of(protocol)
    theirs = session_of(link(client_of(protocol), server))
    own = session_of(link(client_of(protocol), server_of(protocol)))
    both = link(client_of(protocol), server, session=replace(own, session_id=theirs.session_id))
    assert both.errors
    assert not both.client.is_established
    assert not both.server.is_established
    assert is_resumed(link(client_of(protocol), server, session=theirs))


def fill(cache: SessionCache, example: ClassicSession, numbers: range) -> None:
    for number in numbers:
        identifier = number.to_bytes(32, "big")
        cache.store(replace(example, session_id=identifier))
        assert cache.find(b"\xff" + identifier[1:], NOW.timestamp()) is None


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_cache_does_not_grow_with_the_number_of_identifiers(count: int) -> None:
    example = session_of(link(client_of("tlcp"), server_of("tlcp")))
    assert isinstance(example, ClassicSession)
    cache = SessionCache(capacity=1000)
    fill(cache, example, range(2000))
    tracemalloc.start()
    try:
        fill(cache, example, range(2000, 4000))
        full, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    fill(cache, example, range(4000, count - 2000))
    tracemalloc.start()
    try:
        fill(cache, example, range(count - 2000, count))
        later, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(cache) == 1000
    assert later <= full * 1.1 + 4096
    assert peak <= full * 1.2 + 65_536
    assert cache.find((count - 1).to_bytes(32, "big"), NOW.timestamp()) is not None
    assert cache.find((count - 1001).to_bytes(32, "big"), NOW.timestamp()) is None


def test_what_a_cached_session_holds_is_bounded() -> None:
    """A name as long as a hello would make of 10,000 sessions half a gigabyte."""
    server = server_config(session_cache=SessionCache())
    both = link(client_config(check_name=False), server, server_name="a" * 256)
    assert isinstance(both.errors["server"], IllegalParameter)
    assert "256 bytes" in str(both.errors["server"])


# --- second handshakes ---------------------------------------------------------------------


def raw(message: ClientHello | HelloRequest) -> bytes:
    body = message.encode()
    return bytes((message.TYPE,)) + len(body).to_bytes(3, "big") + body


@every_protocol
def test_a_client_cannot_begin_a_second_handshake(protocol: str) -> None:
    """CVE-2009-3555, and the triple handshake's third step."""
    both = link(client_of(protocol), server_of(protocol))
    hello = Connection.client(client_of(protocol), SERVER_NAME).data_to_send()[5:]
    both.client._driver.send_encoded(hello)
    kind = UnexpectedMessage if protocol == "tls13" else NoRenegotiation
    with pytest.raises(kind):
        both.server.receive_data(both.client.data_to_send())
    assert both.server.read() == b""


@pytest.mark.parametrize("protocol", ["tlcp", "tls12"])
def test_a_server_that_asks_for_a_second_handshake_is_told_no(protocol: str) -> None:
    both = link(client_of(protocol), server_of(protocol))
    for _ in range(4):
        both.server._driver.send_encoded(raw(HelloRequest()))
        both.client.receive_data(both.server.data_to_send())
        events = both.server.receive_data(both.client.data_to_send())
        assert events == [WarningReceived(A.NO_RENEGOTIATION)]
    both.server.send_data(b"still the first session")
    both.client.receive_data(both.server.data_to_send())
    assert both.client.read() == b"still the first session"
    both.server._driver.send_encoded(raw(HelloRequest()))
    with pytest.raises(UnexpectedMessage):
        both.client.receive_data(both.server.data_to_send())


def test_tls13_knows_no_hello_request() -> None:
    both = link13()
    both.server._driver.send_encoded(raw(HelloRequest()))
    with pytest.raises(UnexpectedMessage):
        both.client.receive_data(both.server.data_to_send())


# --- what a session without a bound master secret must not be used for -----------------------


def test_tlcp_gives_no_channel_binding() -> None:
    def bindings(wrapped: Any) -> list[bytes | None]:  # noqa: ANN401
        return [wrapped.get_channel_binding(n) for n in ("tls-unique", "tls-server-end-point")]

    with accepting(bindings) as (address, served):
        plain = socket.create_connection(address, timeout=20)
        with client_context("tlcp").wrap_socket(plain, server_hostname=HOST) as wrapped:
            assert wrapped.version() == "TLCPv1.1"
            assert bindings(wrapped) == [None, None]
        assert served.result(20) == [None, None]


def test_two_tls12_ends_bind_the_master_secret_and_can_demand_it() -> None:
    """Without the binding a man in the middle can give two sessions one secret (RFC 7627, 1)."""
    both = link()
    assert both.client.established is not None
    assert both.client.established.extended_master_secret

    def without(body: bytes) -> bytes:
        hello = ClientHello.decode(Cursor(body))
        kept = {number: value for number, value in hello.extensions.items() if number != 23}
        return replace(hello, extensions=kept).encode()

    stripped = link(change=in_message("client", 1, without))
    assert stripped.errors  # Finished covers the hello
    strict = link(
        client_config(require_extended_master_secret=True), change=in_message("client", 1, without)
    )
    error = strict.errors["client"]
    assert isinstance(error, PeerError)
    assert error.description is A.INSUFFICIENT_SECURITY

"""What suites made for ordinary TLS found in us once, each kept as a case of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.errors import (
    AlertDescription,
    AlertReceived,
    DecodeError,
    IllegalParameter,
    MeterSealError,
    PeerError,
    RenegotiationMismatch,
    UnexpectedMessage,
)
from meterseal.lab.attack.wire import with_client_hello, with_server_hello
from meterseal.transport import (
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    Connection,
    Limits,
    TicketKeys,
)
from meterseal.transport.codepoints import TLS12, TLS13, ExtensionType
from meterseal.transport.driver import Driver, encode_message
from meterseal.transport.events import RECEIVED
from meterseal.transport.extensions import encode_supported_versions
from meterseal.transport.flow import Flow, receive
from meterseal.transport.messages import (
    ChangeCipherSpec,
    ClientHello,
    EncryptedExtensions,
    ServerHello,
    ServerHelloDone,
    Tls13CertificateRequest,
)
from meterseal.transport.session import Tls13Session
from meterseal.transport.wire import Cursor
from support.identities import NOW, world
from support.tls13 import client13, link13, server13
from support.wire import SERVER_NAME, Link, client_config, link, provider, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

MIXED = TLS13_SUITES + TLS12_SUITES
MUTUAL = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}
ALERT, HANDSHAKE, CCS = 21, 22, 20


def record(content_type: int, fragment: bytes) -> bytes:
    return bytes((content_type,)) + b"\x03\x03" + len(fragment).to_bytes(2, "big") + fragment


# --- whose turn it is --------------------------------------------------------------------


@pytest.mark.parametrize("rest", [b"\x0e", b"\x0e\0\0\0"], ids=["begun", "whole"])
def test_nothing_of_the_next_flight_may_come_with_the_last(rest: bytes) -> None:
    """A peer that speaks on when it is our turn has not read what we are about to say."""
    driver = Driver(Limits(), is_client=True)

    def flow() -> Flow[None]:
        yield from receive(ServerHelloDone)
        driver.send(ServerHelloDone())
        yield from receive(ServerHelloDone)

    driver.start(flow())
    with pytest.raises(UnexpectedMessage, match="our turn"):
        driver.receive_data(record(HANDSHAKE, b"\x0e\0\0\0" + rest))
    assert not driver.has_output


def test_what_follows_a_finished_in_its_record_is_refused_before_we_finish() -> None:
    """The alert must go out under keys that the peer still reads with."""
    pair = link13(says={"server": lambda _, raw: [raw + b"\x14\0"] if raw[0] == 20 else [raw]})
    assert isinstance(pair.errors["client"], UnexpectedMessage)
    told = pair.errors["server"]
    assert isinstance(told, AlertReceived)
    assert told.code == AlertDescription.UNEXPECTED_MESSAGE


def test_warnings_and_compatibility_records_are_counted_apart() -> None:
    limits = Limits(warnings=2)
    driver = Driver(limits, is_client=True)
    driver.start(receive(ServerHelloDone))  # type: ignore[arg-type]
    driver.agree_version(TLS13)
    canceled, compatible = record(ALERT, b"\x01\x5a"), record(CCS, ChangeCipherSpec().encode())
    driver.receive_data((canceled + compatible) * 2)
    with pytest.raises(UnexpectedMessage, match="more than 2 ChangeCipherSpecs"):
        driver.receive_data(compatible)
    with pytest.raises(UnexpectedMessage, match="more than 2 warnings"):
        driver.receive_data(canceled)


# --- sessions ----------------------------------------------------------------------------


def test_the_identifier_for_middleboxes_resumes_nothing() -> None:
    """RFC 8446, D.4: a server of TLS 1.2 that echoes it claims a session that never was."""
    echoed: list[bytes] = []

    def take(hello: ClientHello) -> dict[str, object]:
        echoed.append(hello.session_id)
        return {}

    def change(sender: str, number: int, raw: bytes) -> bytes:
        if sender == "client":
            return with_client_hello(take)(sender, number, raw)
        return with_server_hello(lambda _: {"session_id": echoed[0]})(sender, number, raw)

    pair = Link(
        Connection.client(client_config(suites=MIXED), SERVER_NAME),
        Connection.server(server_config(suites=TLS12_SUITES)),
        change=change,
    ).run()
    assert len(echoed[0]) == 32
    with pytest.raises(IllegalParameter, match="not offered"):
        raise pair.errors["client"]


def test_a_ticket_is_not_offered_where_tickets_are_off() -> None:
    keys = TicketKeys(provider())
    first = link(server=server_config(ticket_keys=keys))
    assert first.client.session is not None
    assert first.client.session.ticket
    second = link(
        client_config(offer_tickets=False),
        server_config(ticket_keys=keys),
        session=first.client.session,
    )
    assert second.client.established is not None
    assert not second.client.established.resumed
    assert not ClientHello.decode(Cursor(second.seen["client"][0], 9)).session_id


def test_the_age_of_a_ticket_is_told_in_milliseconds() -> None:
    start = NOW.timestamp() + 0.75
    keys = TicketKeys(provider(start))
    first = link13(client13(provider=provider(start)), server13(ticket_keys=keys))
    session = first.client.session
    assert isinstance(session, Tls13Session)
    output = Connection.client(
        client13(provider=provider(start + 10)), SERVER_NAME, session
    ).data_to_send()
    body = ClientHello.decode(Cursor(output, 9)).extensions[ExtensionType.PRE_SHARED_KEY]
    length = int.from_bytes(body[2:4], "big")
    told = int.from_bytes(body[4 + length : 8 + length], "big")
    assert (told - session.age_add) & 0xFFFFFFFF == 10_000


# --- hellos ------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [0x0302, 0x0304, 0x0305])
def test_supported_versions_alone_say_what_a_client_speaks(legacy: int) -> None:
    """RFC 8446, 4.2.1: where the extension stands, the field above it says nothing."""
    versions = {ExtensionType.SUPPORTED_VERSIONS: encode_supported_versions((TLS12,))}
    chosen: list[bytes] = []

    def change(sender: str, number: int, raw: bytes) -> bytes:
        if sender == "server":
            chosen.append(raw)
            return b""
        return with_client_hello(
            lambda hello: {
                "client_version": legacy,
                "extensions": {**hello.extensions, **versions},
            }
        )(sender, number, raw)

    pair = link(change=change)
    assert "server" not in pair.errors
    assert chosen[0][9:11] == TLS12.to_bytes(2, "big")


def test_a_name_that_was_asked_for_is_acknowledged_in_full_handshakes() -> None:
    """RFC 6066, 3: an empty server_name says so; on resumption there is none."""
    for suites, kind in ((TLS12_SUITES, ServerHello), (TLS13_SUITES, EncryptedExtensions)):
        said: list[tuple[str, int, bytes]] = []
        config = client_config(suites=suites, observer=lambda *seen, said=said: said.append(seen))
        server = server_config(suites=suites)
        first = link(config, server)
        second = link(config, server, session=first.client.session)
        assert second.client.established is not None
        assert second.client.established.resumed
        full, resumed = (
            kind.decode(Cursor(raw, 4)).extensions
            for direction, _, raw in said
            if direction == RECEIVED and raw[0] == kind.TYPE
        )
        assert full[ExtensionType.SERVER_NAME] == b""
        assert ExtensionType.SERVER_NAME not in resumed


def test_lists_that_must_hold_something_are_not_empty() -> None:
    """RFC 8422, 5.1.2 and RFC 8446, 4.2.9."""
    for shake, number in (
        (link, ExtensionType.EC_POINT_FORMATS),
        (link13, ExtensionType.PSK_KEY_EXCHANGE_MODES),
    ):
        change = with_client_hello(
            lambda hello, number=number: {"extensions": {**hello.extensions, number: b"\0"}}
        )
        refused(shake(change=change), "server", DecodeError)


@pytest.mark.parametrize("body", [b"\0\0", b"\0\x02\0\0", b"\0\x03\0\x01a!"])
def test_authorities_that_do_not_follow_their_structure_are_refused(body: bytes) -> None:
    """certificate_authorities decides nothing here, and is read all the same (RFC 8446, 4.2.4)."""
    number = int(ExtensionType.CERTIFICATE_AUTHORITIES)

    def add(hello: ClientHello) -> dict[str, object]:
        return {"extensions": {number: body, **hello.extensions}}

    refused(link13(change=with_client_hello(add)), "server", DecodeError)
    pair = link13(server=server13(**MUTUAL), says={"server": _with_authorities(body)})
    refused(pair, "client", DecodeError)


def _with_authorities(body: bytes) -> Callable[[int, bytes], list[bytes]]:
    def change(_: int, raw: bytes) -> list[bytes]:
        if raw[0] != Tls13CertificateRequest.TYPE:
            return [raw]
        request = Tls13CertificateRequest.decode(Cursor(raw, 4))
        request.extensions[ExtensionType.CERTIFICATE_AUTHORITIES] = body
        return [encode_message(request)]

    return change


def refused(pair: Link, by: str, kind: type[PeerError]) -> MeterSealError:
    assert isinstance(pair.errors[by], kind), pair.errors
    return pair.errors[by]


# --- a handshake that is no first one ----------------------------------------------------


def test_a_first_handshake_that_claims_to_be_a_second_one_ends_with_handshake_failure() -> None:
    def claim(hello: ClientHello | ServerHello) -> dict[str, dict[int, bytes]]:
        return {"extensions": {**hello.extensions, ExtensionType.RENEGOTIATION_INFO: b"\x01\xaa"}}

    for role, change in {
        "server": with_client_hello(claim),
        "client": with_server_hello(claim),
    }.items():
        error = link(change=change).errors[role]
        assert isinstance(error, RenegotiationMismatch)
        assert error.description is AlertDescription.HANDSHAKE_FAILURE

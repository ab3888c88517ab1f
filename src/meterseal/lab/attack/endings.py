"""Sessions cut short, and second handshakes on sessions that stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meterseal.errors import AlertDescription, NoRenegotiation, Truncated, UnexpectedMessage
from meterseal.lab.attack.ends import (
    PROTOCOLS,
    READING,
    Protocol,
    Server,
    Visit,
    data_number,
    echo,
    meet,
    visit,
)
from meterseal.lab.attack.identities import SERVER_NAME
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.obliging import begins_again, says_hello_again
from meterseal.lab.attack.wire import CLIENT, SERVER, message
from meterseal.transport import Connection
from meterseal.transport.codepoints import HEADER_LENGTH
from meterseal.transport.messages import HelloRequest

if TYPE_CHECKING:
    from meterseal.lab.attack.ends import Act
    from meterseal.net import SecureSocket

__all__ = ["ATTACKS"]

_WHOLE = b"first reading;second reading"


# --- truncation ----------------------------------------------------------------------------


def _two_records(it: SecureSocket, data: bytearray) -> None:
    """Say all there is to say, and leave."""
    del data
    first, _, second = _WHOLE.partition(b";")
    it.sendall(first)
    it.sendall(b";" + second)


def _read_to_the_end(it: SecureSocket, data: bytearray) -> None:
    while part := it.recv():
        data += part


def _believe_the_end(it: SecureSocket, data: bytearray) -> None:
    """As plain TCP has it: the end of the stream is the end of what was said."""
    try:
        _read_to_the_end(it, data)
    except Truncated:
        return


def _cut(sender: str, number: int, kept: int) -> Any:  # noqa: ANN401  (a `Change`)
    """Deliver `kept` bytes of that record, and then the end of the stream."""

    def change(who: str, n: int, record: bytes) -> bytes:
        if (who, n) == (sender, number) and kept:
            return record[:kept]
        if who == sender and n >= number:
            raise EOFError
        return record

    return change


def truncation(notes: Notes) -> None:
    """Cut the stream: between records, within one, within its header, in either direction."""
    for protocol in PROTOCOLS.values():
        number = data_number(protocol, SERVER)
        cuts = {
            "before the second record": (number + 1, 0),
            "within the second record": (number + 1, HEADER_LENGTH + 9),
            "within the header of the second record": (number + 1, 3),
            "before any data": (number, 0),
            "before close_notify": (number + 2, 0),
        }
        for what, (at, kept) in cuts.items():
            client = _cut_off(protocol, at, kept)
            held = isinstance(client.error, Truncated) and _WHOLE.startswith(client.data)
            notes.tried(f"{protocol.name}: cut {what}", f"client {client}", held=held)
        met = meet(protocol.client(), protocol.server(), _cut(CLIENT, data_number(protocol), 0))
        held = isinstance(met.server.error, Truncated) and not met.server.data
        notes.tried(f"{protocol.name}: the client cut off", f"server {met.server}", held=held)
    protocol = PROTOCOLS["TLS 1.3"]
    client = _cut_off(protocol, data_number(protocol, SERVER) + 1, 0, believing=True)
    fell = client.error is None and client.data == b"first reading"
    notes.control("a client that believes the end of the stream", f"client {client}", fell=fell)


def _cut_off(protocol: Protocol, at: int, kept: int, *, believing: bool = False) -> Visit:
    """Have a server say two records, cut them, and return what the client makes of it."""
    act = _believe_the_end if believing else _read_to_the_end
    return meet(
        protocol.client(),
        protocol.server(),
        _cut(SERVER, at, kept),
        act=act,
        server_act=_two_records,
    ).client


# --- second handshakes ---------------------------------------------------------------------


def renegotiation(notes: Notes) -> None:
    """Begin a second handshake on a session that stands, from either side."""
    for protocol in PROTOCOLS.values():
        _client_begins(notes, protocol)
        _server_asks(notes, protocol)
    _obliging_server(notes)
    _obliging_client(notes)


def _client_begins(notes: Notes, protocol: Protocol) -> None:
    """CVE-2009-3555: what we said first would count as said by whoever shakes hands next."""
    with Server(protocol.server()) as station:
        visit(station.address, protocol.client(), act=_hello_again(protocol))
        seen = station.next_visit()
    held = seen.error is not None and seen.data in {READING, b""}
    what = f"{protocol.name}: a client begins a second handshake"
    notes.tried(what, f"server {seen}", held=held)


def _hello_again(protocol: Protocol) -> Act:
    hello = Connection.client(protocol.client(), SERVER_NAME).data_to_send()[HEADER_LENGTH:]

    def act(it: SecureSocket, data: bytearray) -> None:
        it.sendall(READING)
        it._connection._driver.send_encoded(hello)  # noqa: SLF001  (an attacker's liberty)
        it.sendall(b"")
        _read_to_the_end(it, data)

    return act


def _ask(it: SecureSocket, data: bytearray) -> None:
    it._connection._driver.send_encoded(message(HelloRequest.TYPE))  # noqa: SLF001
    echo(it, data)


def _server_asks(notes: Notes, protocol: Protocol) -> None:
    with Server(protocol.server(), act=_ask) as station:
        client = visit(station.address, protocol.client())
        seen = station.next_visit()
    told_no = AlertDescription.NO_RENEGOTIATION in seen.warnings
    held = client.error is not None if protocol.name == "TLS 1.3" else told_no
    said = f"client {client}" + ("; it said no_renegotiation" if told_no else "")
    notes.tried(f"{protocol.name}: a server asks for a second handshake", said, held=held)


def _obliging_server(notes: Notes) -> None:
    """It answers the second hello with its own, which our client did not expect."""
    protocol = PROTOCOLS["TLS 1.2"]
    config = protocol.server()
    with Server(config, prepare=begins_again(config)) as station:
        client = visit(station.address, protocol.client(), act=_hello_again(protocol))
        station.next_visit()
    fell = isinstance(client.error, UnexpectedMessage)
    notes.control("TLS 1.2, a server from before RFC 5746", f"client {client}", fell=fell)


def _obliging_client(notes: Notes) -> None:
    """It answers the question with a hello, which our server refuses."""
    protocol = PROTOCOLS["TLS 1.2"]
    config = protocol.client()
    obliging = says_hello_again(config, SERVER_NAME)
    with Server(protocol.server(), act=_ask) as station:
        visit(station.address, config, prepare=obliging)
        seen = station.next_visit()
    fell = isinstance(seen.error, NoRenegotiation)
    notes.control("TLS 1.2, a client that begins again when asked", f"server {seen}", fell=fell)


ATTACKS = (
    Attack(
        "truncation",
        "cuts the stream at every kind of place and waits for half of it to be taken for all",
        "RFC 5246, 7.2.1; RFC 8446, 6.1",
        truncation,
    ),
    Attack(
        "renegotiation",
        "begins a second handshake on a session that stands, from either side (CVE-2009-3555)",
        "RFC 5746, 1; RFC 8446, 4.1.2",
        renegotiation,
    ),
)

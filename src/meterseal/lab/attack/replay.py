"""What was recorded is sent again: records, handshakes, tickets."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm_provider import SmProvider
from meterseal.lab.attack import weak
from meterseal.lab.attack.ends import (
    PROTOCOLS,
    READING,
    Meeting,
    Protocol,
    Server,
    Visit,
    data_number,
    meet,
    visit,
)
from meterseal.lab.attack.identities import world
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.relay import Relay
from meterseal.lab.attack.wire import CLIENT, SERVER
from meterseal.transport import TicketKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.net import SecureSocket
    from meterseal.transport import ServerConfig, Session

__all__ = ["ATTACKS"]

_FIRST, _SECOND = b"first " + READING, b"second " + READING


# --- records -------------------------------------------------------------------------------


def _say_two(it: SecureSocket, data: bytearray) -> None:
    it.sendall(_FIRST)
    it.sendall(_SECOND)
    while len(data) < len(_FIRST + _SECOND) and (part := it.recv()):
        data += part


@dataclass
class _Shuffler:
    """Delivers the two records of data in another way; `number` is that of the first."""

    number: int
    deliver: Callable[[bytes, bytes], tuple[bytes, bytes]]
    held: bytes = b""
    other: bytes = field(default=b"", repr=False)

    def __call__(self, sender: str, number: int, record: bytes) -> bytes:
        if sender != CLIENT or number not in {self.number, self.number + 1}:
            return record
        if number == self.number:
            self.held = record
            return b""
        return b"".join(self.deliver(self.held, record))


_DELIVERIES: Final = {
    "sent twice": lambda one, two: (one + one, two),
    "sent again after the next": lambda one, two: (one + two, one),
    "delivered in the other order": lambda one, two: (two, one),
    "withheld": lambda _one, two: (b"", two),
}


def _shuffled(protocol: Protocol, how: str, number: int, **server: object) -> Meeting:
    change = _Shuffler(number, _DELIVERIES[how])
    return meet(protocol.client(), protocol.server(**server), change, act=_say_two)


def record(notes: Notes) -> None:
    """Send a record of data again, in another order, in another direction, in another session."""
    for protocol in PROTOCOLS.values():
        number = data_number(protocol)
        for how in _DELIVERIES:
            met = _shuffled(protocol, how, number)
            held = met.server.error is not None and (_FIRST + _SECOND).startswith(met.server.data)
            notes.tried(
                f"{protocol.name}: a record of data {how}", f"server {met.server}", held=held
            )
        _reflect(notes, protocol, number)
        _transplant(notes, protocol, number)
    protocol = PROTOCOLS["TLCP ECC"]
    forgetful = weak.WeakRecords(weak.ForgetfulOpener)
    met = _shuffled(protocol, "sent twice", data_number(protocol), provider=forgetful)
    who = "TLCP ECC, a server that takes sequence numbers from the records"
    notes.control(who, f"server {met.server}", fell=met.server.data == _FIRST + _FIRST + _SECOND)


def _reflect(notes: Notes, protocol: Protocol, number: int) -> None:
    """Give the client its own record back as if it were the server's."""
    answer = data_number(protocol, SERVER)
    sent: list[bytes] = []

    def change(sender: str, n: int, record: bytes) -> bytes:
        if (sender, n) == (CLIENT, number):
            sent.append(record)
        return sent[0] if (sender, n) == (SERVER, answer) else record

    met = meet(protocol.client(), protocol.server(), change)
    held = met.client.error is not None and not met.client.data
    what = f"{protocol.name}: the client's own record sent back to it"
    notes.tried(what, f"client {met.client}", held=held)


def _transplant(notes: Notes, protocol: Protocol, number: int) -> None:
    """Put a record of one session into another between the same two."""
    old = meet(protocol.client(), protocol.server()).seen[CLIENT][number]

    def change(sender: str, n: int, record: bytes) -> bytes:
        return old if (sender, n) == (CLIENT, number) else record

    met = meet(protocol.client(), protocol.server(), change)
    held = met.server.error is not None and not met.server.data
    what = f"{protocol.name}: a record of an earlier session of the same two"
    notes.tried(what, f"server {met.server}", held=held)


# --- handshakes ----------------------------------------------------------------------------


def _play(station: Server, recording: list[bytes]) -> Visit:
    """Be the client again from a recording; returns what the server made of it."""
    with contextlib.suppress(OSError), socket.create_connection(station.address, 20) as raw:
        raw.settimeout(1.0)
        for record in recording:
            raw.sendall(record)
            with contextlib.suppress(TimeoutError):
                if record is recording[0]:
                    raw.recv(65_536)
        raw.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            while raw.recv(65_536):
                pass
    return station.next_visit()


def _recorded_and_played(
    protocol: Protocol, config: ServerConfig, session: Session | None = None
) -> tuple[Visit, Visit]:
    """Record a whole session at a server and play the client's part to it again."""
    with Server(config) as station:
        with Relay(station.address) as relay:
            visit(relay.address, protocol.client(), session=session)
            first = station.next_visit()
            recording = relay.seen[CLIENT]
        return first, _play(station, recording)


def handshake(notes: Notes) -> None:
    """Play all that a client said in a session to the same server again."""
    for protocol in PROTOCOLS.values():
        first, again = _recorded_and_played(protocol, protocol.server())
        held = first.data == READING and not again.is_established and not again.data
        notes.tried(f"{protocol.name}: a whole recorded session", f"server {again}", held=held)
    protocol = PROTOCOLS["TLCP ECC"]
    pair = world().server_pair
    repeating = protocol.server(
        provider=weak.RepeatingProvider(),
        time_in_random=False,
        credential=replace(pair, key=weak.RepeatingSigner(pair.key)),
        session_cache=None,
    )
    _, again = _recorded_and_played(protocol, repeating)
    who = "TLCP ECC, a server whose generator repeats itself"
    notes.control(who, f"server {again}", fell=again.data == READING)


def ticket(notes: Notes) -> None:
    """Play a resumption again: its ticket or identifier is good, whoever shows it."""
    for protocol in PROTOCOLS.values():
        kinds = {"identifier": {}, "ticket": {"ticket_keys": TicketKeys(SmProvider())}}
        for kind, settings in kinds.items():
            if protocol.has_pairs and kind == "ticket":
                continue  # TLCP has none
            config = protocol.server(**settings)
            with Server(config) as station:
                stolen = visit(station.address, protocol.client()).resumable
                station.next_visit()
            _, again = _recorded_and_played(protocol, config, stolen)
            held = not again.is_established and not again.data
            what = f"{protocol.name}: a recorded resumption by {kind}"
            notes.tried(what, f"server {again}", held=held)
            with Server(config) as station:
                visit(station.address, protocol.client(), session=stolen)
                thief = station.next_visit()
            who = f"{protocol.name}, the same {kind} with the session's secret beside it"
            resumed = thief.session is not None and thief.session.resumed
            notes.control(who, f"server {thief}", fell=resumed)


ATTACKS = (
    Attack(
        "replay-record",
        "sends records of data again: twice, in another order, back, and in another session",
        "RFC 5246, 6.2.3; RFC 8446, 5.3",
        record,
    ),
    Attack(
        "replay-handshake",
        "plays all that a client once said to the same server again",
        "GB/T 38636-2020, 6.4.5.2; RFC 8446, 4.1.2",
        handshake,
    ),
    Attack(
        "replay-ticket",
        "plays a recorded resumption again, by identifier and by ticket",
        "RFC 5077, 5; RFC 8446, 8.1",
        ticket,
    ),
)

"""One altered handshake for each number: which protocol, where, and how follow from the number.

Either end may be made to lie under its own keys, or somebody on the way alters the records.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from meterseal.errors import InternalError, MeterSealError
from meterseal.lab.attack.wire import meddle
from meterseal.transport import TLCP_SUITES, TLS12_SUITES, TLS13_SUITES, Connection, TicketKeys
from meterseal.transport import ClientAuthentication as Mode
from meterseal.transport.codepoints import APPLICATION_DATA, HANDSHAKE
from meterseal.transport.wire import vector16, vector24
from support.edits import EDITS, LENGTHS, edited
from support.identities import world
from support.tlcp import ECC, ECC_CBC, ECDHE, tlcp_client, tlcp_server
from support.wire import SERVER_NAME, Link, client_config, provider, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.transport import ClientConfig, ServerConfig, Session

MUTUAL = {"trust": world().trust, "client_authentication": Mode.REQUIRED}
ALL = TLS13_SUITES + TLS12_SUITES
NOISE = (
    b"\x15\x03\x03\0\2\1\x5a",  # a warning
    b"\x14\x03\x03\0\1\1",
    b"\x16\x03\x03\0\0",
    b"\x17\x03\x03\0\0",
    b"\x18\x03\x03\0\3\1\x40\0",  # a heartbeat that asks for more than it brings
    b"\x16\x03\x03\0\4\0\0\0\0",
    b"\x80\x2e\x01\x03\x01",  # a hello of SSL 2
)


@dataclass(frozen=True)
class Talk:
    """Two configurations, and whether a session between them is resumed."""

    client: ClientConfig
    server: ServerConfig
    resumes: bool = False

    @property
    def session(self) -> Session | None:
        return _session(self) if self.resumes else None


@cache
def talks() -> dict[str, Talk]:
    tls_server = server_config(suites=ALL, **MUTUAL)
    tls12 = client_config(credential=world().client)
    tls13 = client_config(suites=ALL, credential=world().client)
    quiet = server_config(suites=(*ALL, *TLCP_SUITES), credential=world().server_pair)
    naming: Any = {"application_protocols": ("mqtt", "h2")}
    sealing = server_config(suites=ALL, ticket_keys=TicketKeys(provider()), **naming)
    return {
        "TLS 1.2": Talk(client_config(), quiet),
        "TLS 1.2, mutual": Talk(tls12, tls_server),
        "TLS 1.2, resumed": Talk(tls12, tls_server, resumes=True),
        "TLS 1.2, by ticket": Talk(client_config(**naming), sealing, resumes=True),
        "TLS 1.3, by ticket": Talk(client_config(suites=ALL, **naming), sealing, resumes=True),
        "TLCP, ECC": Talk(tlcp_client(suites=(ECC, ECC_CBC), credential=None), quiet),
        "TLCP, ECC with CBC, mutual": Talk(tlcp_client(ECC_CBC), tlcp_server()),
        "TLCP, ECDHE": Talk(tlcp_client(ECDHE), tlcp_server()),
        "TLCP, resumed": Talk(tlcp_client(ECC), tlcp_server(), resumes=True),
        "TLS 1.3": Talk(client_config(suites=TLS13_SUITES), quiet),
        "TLS 1.3, mutual": Talk(tls13, tls_server),
        "TLS 1.3, retried": Talk(client_config(suites=TLS13_SUITES, key_shares=()), quiet),
        "TLS 1.3, resumed": Talk(tls13, tls_server, resumes=True),
    }


_SESSIONS: dict[int, Session | None] = {}


def _session(talk: Talk) -> Session | None:
    if id(talk) not in _SESSIONS:
        _SESSIONS[id(talk)] = _ends(talk, None).run().client.session
    return _SESSIONS[id(talk)]


def _ends(talk: Talk, session: Session | None, **options: Any) -> Link:  # noqa: ANN401
    client = Connection.client(talk.client, SERVER_NAME, session)
    return Link(client, Connection.server(talk.server), **options)


@dataclass
class Mutation:
    """What is done to the records of one handshake."""

    chance: random.Random
    places: dict[tuple[str, int], str] = field(default_factory=dict)
    held: bytes = b""
    is_changed: bool = False  # a message, protected or not, came with another body

    def on_the_way(self, sender: str, number: int, record: bytes) -> bytes:
        """For `Link.change`."""
        held, self.held = self.held, b""
        how = self.places.get((sender, number))
        return (self._altered(how, record) if how else record) + held

    def _altered(self, how: str, record: bytes) -> bytes:
        chance, head, body = self.chance, record[:3], record[5:]
        match how:
            case "drop":
                altered = b""
            case "hold":
                self.held, altered = record, b""
            case "again":
                altered = record + record
            case "noise":
                altered = chance.choice(NOISE) + record
            case "instead":
                altered = chance.choice(NOISE)
            case "split":
                at = chance.randint(0, len(body))
                altered = head + vector16(body[:at]) + head + vector16(body[at:])
            case "whole":
                altered = edit(chance, record)
            case _:
                other = edit(chance, body) if how == "body" else flip(chance, body)
                self.is_changed |= other != body and record[0] in {HANDSHAKE, APPLICATION_DATA}
                altered = head + vector16(other)
        return altered


def edit(chance: random.Random, data: bytes) -> bytes:
    """Alter `data` in one to three places."""
    for _ in range(chance.randint(1, 3)):
        chunk = chance.choice((chance.randbytes(chance.randint(0, 4)), chance.choice(LENGTHS)))
        data = edited(data, (chance.choice(EDITS), chance.getrandbits(24), chunk))
    return data


def flip(chance: random.Random, data: bytes) -> bytes:
    """Alter one bit, often one that makes a difference to Finished alone."""
    if not data:
        return data
    altered = bytearray(data)
    altered[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(altered)


ON_THE_WAY = ("drop", "hold", "again", "noise", "instead", "split", "whole", "body", "flip", "flip")
UNDER_KEYS = ("drop", "again", "type", "raw", "body", "body", "body", "other")


def lie(chance: random.Random) -> Callable[[int, bytes], list[bytes]]:
    """Another message in place of one of the first few."""
    place, how = chance.randint(0, 5), chance.choice(UNDER_KEYS)

    def say(number: int, raw: bytes) -> list[bytes]:
        if number != place:
            return [raw]
        match how:
            case "drop":
                said = []
            case "again":
                said = [raw, raw]
            case "type":
                said = [bytes((chance.choice((*range(26), 254)),)) + raw[1:]]
            case "raw":
                said = [edit(chance, raw) or raw]
            case "other":
                said = [bytes((chance.randint(0, 25),)) + vector24(chance.randbytes(40)), raw]
            case _:
                said = [raw[:1] + vector24(edit(chance, raw[4:]))]
        return said

    return say


@dataclass(frozen=True)
class Outcome:
    """How an altered handshake ended."""

    talk: str
    both: Link
    is_changed: bool

    @property
    def is_established(self) -> bool:
        return self.both.client.is_established and self.both.server.is_established

    @property
    def kind(self) -> str:
        """For counting: the error of the end that refused first, or what became of it."""
        for error in self.both.errors.values():
            if type(error).__name__ != "AlertReceived":
                return type(error).__name__
        return "established" if self.is_established else "waiting"


def altered(number: int) -> Outcome:
    """Run the handshake of this number."""
    chance = random.Random(number)  # noqa: S311  (the same handshake for the same number)
    name = chance.choice(list(talks()))
    talk, mutation = talks()[name], Mutation(chance)
    both = _ends(talk, talk.session, change=mutation.on_the_way)
    if chance.random() < 0.5:
        for _ in range(chance.randint(1, 2)):
            place = (chance.choice(("client", "server")), chance.randint(0, 5))
            mutation.places[place] = chance.choice(ON_THE_WAY)
    else:
        meddle(both.client if chance.random() < 0.5 else both.server, lie(chance))
    return Outcome(name, both.run(), mutation.is_changed)


def check(outcome: Outcome) -> None:
    """What must hold however a handshake was altered."""
    both = outcome.both
    for error in both.errors.values():
        assert not isinstance(error, InternalError), error.__cause__
    if not outcome.is_established or both.errors:
        return
    assert not outcome.is_changed
    ours, theirs = both.client.established, both.server.established
    assert ours is not None
    assert theirs is not None
    assert (ours.suite, ours.resumed, ours.group) == (theirs.suite, theirs.resumed, theirs.group)
    assert ours.peer is not None
    assert ours.peer.leaf in {world().server.chain[0], world().server_pair.chain[0]}
    for sender, receiver in ((both.client, both.server), (both.server, both.client)):
        try:
            sender.send_data(b"1 kWh")
            receiver.receive_data(sender.data_to_send())
        except InternalError:
            raise
        except MeterSealError:
            return  # a record after the handshake was altered
        assert receiver.read() in {b"1 kWh", b""}  # it may wait for what was cut off before

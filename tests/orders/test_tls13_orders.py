"""The legal orders of the TLS 1.3 handshake as an independent judge.

The tables are read off the figures of RFC 8446 (2, 2.1, 2.2 and appendix A), not off the code.
First the honest conversation must follow its table; then, at every step, every other message, sent
under the keys of that step, must be refused with unexpected_message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import AlertDescription, PeerError
from meterseal.lab.attack.wire import message
from meterseal.transport import ClientAuthentication
from support.identities import world
from support.tls13 import client13, link13, server13

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.wire import Link

CLIENT_HELLO, SERVER_HELLO, TICKET, ENCRYPTED, CERTIFICATE = 1, 2, 4, 8, 11
REQUEST, VERIFY, FINISHED, KEY_UPDATE = 13, 15, 20, 24
EVERY_TYPE = [*range(26), 67, 254]
MUTUAL = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}
PROOF = [CERTIFICATE, VERIFY, FINISHED]


@dataclass(frozen=True)
class Conversation:
    """One way through the figure: what each end says after the first ClientHello."""

    name: str
    client_says: list[int]
    server_says: list[int]
    client: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    resumes: bool = False

    def run(self, says: dict[str, Callable[[int, bytes], list[bytes]]]) -> Link:
        client, server = client13(**self.client), server13(**self.server)
        session = link13(client, server).client.session if self.resumes else None
        return link13(client, server, session=session, says=says)


CONVERSATIONS = [
    Conversation("full", [FINISHED], [SERVER_HELLO, ENCRYPTED, *PROOF, TICKET]),
    Conversation(
        "retried",
        [CLIENT_HELLO, FINISHED],
        [SERVER_HELLO, SERVER_HELLO, ENCRYPTED, *PROOF, TICKET],
        client={"key_shares": ()},
    ),
    Conversation(
        "mutual",
        PROOF,
        [SERVER_HELLO, ENCRYPTED, REQUEST, *PROOF, TICKET],
        client={"credential": world().client},
        server=MUTUAL,
    ),
    Conversation(
        "asked in vain",
        [CERTIFICATE, FINISHED],
        [SERVER_HELLO, ENCRYPTED, REQUEST, *PROOF, TICKET],
        server={**MUTUAL, "client_authentication": ClientAuthentication.OPTIONAL},
    ),
    Conversation("resumed", [FINISHED], [SERVER_HELLO, ENCRYPTED, FINISHED, TICKET], resumes=True),
]
every_conversation = pytest.mark.parametrize("talk", CONVERSATIONS, ids=lambda talk: talk.name)


@every_conversation
def test_the_honest_conversation_follows_its_table(talk: Conversation) -> None:
    said: dict[str, list[int]] = {"client": [], "server": []}

    def note(who: str) -> Callable[[int, bytes], list[bytes]]:
        def listen(_number: int, raw: bytes) -> list[bytes]:
            said[who].append(raw[0])
            return [raw]

        return listen

    both = talk.run({who: note(who) for who in said})
    assert not both.errors
    assert said == {"client": talk.client_says, "server": talk.server_says}
    assert both.client.established is not None
    assert both.client.established.resumed == talk.resumes


def legal(talk: Conversation, sender: str, step: int) -> set[int]:
    """What any figure that began alike allows at this step."""
    table = talk.server_says if sender == "server" else talk.client_says
    said = table[:step]
    allowed = {table[step]}
    if sender == "server" and said and said[-1] == ENCRYPTED and not talk.resumes:
        allowed |= {REQUEST, CERTIFICATE}
    if sender == "server" and FINISHED in said:
        allowed |= {TICKET, KEY_UPDATE}
    return allowed


def in_place_of(step: int, *messages: bytes) -> Callable[[int, bytes], list[bytes]]:
    return lambda number, raw: list(messages) if number == step else [raw]


@every_conversation
@pytest.mark.parametrize("sender", ["client", "server"])
def test_every_other_message_is_refused_at_every_step(talk: Conversation, sender: str) -> None:
    table = talk.server_says if sender == "server" else talk.client_says
    receiver = "server" if sender == "client" else "client"
    for step in range(len(table)):
        for number in EVERY_TYPE:
            if number in legal(talk, sender, step):
                continue
            both = talk.run({sender: in_place_of(step, message(number))})
            error = both.errors[receiver]
            assert isinstance(error, PeerError), (step, number, error)
            assert error.description is AlertDescription.UNEXPECTED_MESSAGE, (step, number, error)


@every_conversation
@pytest.mark.parametrize("sender", ["client", "server"])
def test_a_message_left_out_or_said_twice_ends_the_handshake(
    talk: Conversation, sender: str
) -> None:
    table = talk.server_says if sender == "server" else talk.client_says
    receiver = "server" if sender == "client" else "client"
    for step, number in enumerate(table):
        if number == TICKET:
            continue
        without = talk.run({sender: in_place_of(step)})
        assert not (without.client.is_established and without.server.is_established), step
        doubled = talk.run({sender: lambda n, raw, at=step: [raw, raw] if n == at else [raw]})
        assert receiver in doubled.errors, (step, number)


@pytest.mark.parametrize("who", ["client", "server"])
def test_after_the_handshake_only_tickets_and_key_updates_pass(who: str) -> None:
    allowed = {KEY_UPDATE} if who == "client" else {KEY_UPDATE, TICKET}
    for number in EVERY_TYPE:
        if number in allowed:
            continue
        both = link13()
        sender, receiver = both.client, both.server
        if who == "server":
            sender, receiver = receiver, sender
        sender._driver.send_encoded(message(number))
        with pytest.raises(PeerError) as caught:
            receiver.receive_data(sender.data_to_send())
        assert caught.value.description is AlertDescription.UNEXPECTED_MESSAGE

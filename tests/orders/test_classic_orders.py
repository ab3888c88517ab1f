"""The legal orders of the TLS 1.2-shaped handshake as an independent judge.

The tables are read off the figures of the standards (RFC 5246, 7.3; RFC 5077, 3.1;
GB/T 38636-2020, 6.4.1), not off the code. First the honest conversation must follow its table;
then, at every step, every other message must be refused with unexpected_message.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from meterseal.errors import AlertDescription, PeerError
from meterseal.transport import (
    TLCP_SUITES,
    ClientAuthentication,
    TicketKeys,
)
from support.identities import world
from support.wire import Link, client_config, link, provider, server_config

CLIENT_HELLO, SERVER_HELLO, TICKET, CERTIFICATE = 1, 2, 4, 11
KEY_EXCHANGE, REQUEST, DONE, VERIFY, CLIENT_KEYS, FINISHED, STATUS = 12, 13, 14, 15, 16, 20, 22
HELLO_REQUEST = 0
CCS = "ChangeCipherSpec"
EVERY_TYPE = [*range(26), 67, 254]
MUTUAL = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}


@dataclass(frozen=True)
class Conversation:
    """One way through the figure: who may say what, in order."""

    name: str
    client_says: list[int | str]
    server_says: list[int | str]
    client: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    resumes: bool = False

    def run(self, change: Any = None) -> Link:  # noqa: ANN401
        client, server = client_config(**self.client), server_config(**self.server)
        session = None
        if self.resumes:
            first = link(client, server).client.established
            assert first is not None
            session = first.session
        return link(client, server, session=session, **({"change": change} if change else {}))


def suites(code: int) -> dict[str, Any]:
    return {"suites": tuple(suite for suite in TLCP_SUITES if suite.code == code)}


TLCP_CLIENT = {"credential": world().client_pair}
TLCP_SERVER = {"credential": world().server_pair, "suites": TLCP_SUITES, **MUTUAL}
SHORT = [CLIENT_HELLO, CLIENT_KEYS, CCS, FINISHED]
LONG = [CLIENT_HELLO, CERTIFICATE, CLIENT_KEYS, VERIFY, CCS, FINISHED]
ASKING = [SERVER_HELLO, CERTIFICATE, KEY_EXCHANGE, REQUEST, DONE, CCS, FINISHED]

CONVERSATIONS = [
    Conversation(
        "TLS 1.2",
        SHORT,
        [SERVER_HELLO, CERTIFICATE, KEY_EXCHANGE, DONE, CCS, FINISHED],
    ),
    Conversation(
        "TLS 1.2, ticket",
        SHORT,
        [SERVER_HELLO, CERTIFICATE, KEY_EXCHANGE, DONE, TICKET, CCS, FINISHED],
        server={"ticket_keys": TicketKeys(provider())},
    ),
    Conversation(
        "TLS 1.2, mutual", LONG, ASKING, client={"credential": world().client}, server=MUTUAL
    ),
    Conversation(
        "TLS 1.2, asked in vain",
        [CLIENT_HELLO, CERTIFICATE, CLIENT_KEYS, CCS, FINISHED],
        ASKING,
        server={**MUTUAL, "client_authentication": ClientAuthentication.OPTIONAL},
    ),
    Conversation(
        "TLS 1.2, status",
        SHORT,
        [SERVER_HELLO, CERTIFICATE, STATUS, KEY_EXCHANGE, DONE, CCS, FINISHED],
        client={"request_ocsp": True},
        server={"credential": replace(world().server, ocsp_response=b"response")},
    ),
    Conversation(
        "TLS 1.2, resumed",
        [CLIENT_HELLO, CCS, FINISHED],
        [SERVER_HELLO, CCS, FINISHED],
        resumes=True,
    ),
    Conversation(
        "TLS 1.2, resumed by ticket",
        [CLIENT_HELLO, CCS, FINISHED],
        [SERVER_HELLO, TICKET, CCS, FINISHED],
        server={"ticket_keys": TicketKeys(provider())},
        resumes=True,
    ),
    Conversation(
        "TLCP, ECC",
        SHORT,
        [SERVER_HELLO, CERTIFICATE, KEY_EXCHANGE, DONE, CCS, FINISHED],
        client=suites(0xE053),
        server={"credential": world().server_pair, "suites": TLCP_SUITES},
    ),
    Conversation(
        "TLCP, ECC, mutual",
        LONG,
        ASKING,
        client={**suites(0xE013), **TLCP_CLIENT},
        server=TLCP_SERVER,
    ),
    Conversation(
        "TLCP, ECDHE", LONG, ASKING, client={**suites(0xE051), **TLCP_CLIENT}, server=TLCP_SERVER
    ),
    Conversation(
        "TLCP, resumed",
        [CLIENT_HELLO, CCS, FINISHED],
        [SERVER_HELLO, CCS, FINISHED],
        client={**suites(0xE053), **TLCP_CLIENT},
        server=TLCP_SERVER,
        resumes=True,
    ),
]
every_conversation = pytest.mark.parametrize("talk", CONVERSATIONS, ids=lambda talk: talk.name)


def said(records: list[bytes], table: list[int | str]) -> list[int | str]:
    """What the records say; under the new keys only the table can name the message."""
    types: list[int | str] = []
    for index, record in enumerate(records):
        if record[0] == 20:
            types.append(CCS)
        else:
            types.append(table[index] if CCS in types else record[5])
    return types


@every_conversation
def test_the_honest_conversation_follows_its_table(talk: Conversation) -> None:
    both = talk.run()
    assert not both.errors
    assert said(both.seen["client"], talk.client_says) == talk.client_says
    assert said(both.seen["server"], talk.server_says) == talk.server_says
    for end in (both.client, both.server):
        assert end.established is not None
        assert end.established.resumed == talk.resumes


def replaced(talk: Conversation, sender: str, step: int, content_type: int, body: bytes) -> Link:
    """The conversation with one record replaced by another, still in the clear."""

    def change(who: str, number: int, record: bytes) -> bytes:
        if (who, number) != (sender, step):
            return record
        return bytes((content_type,)) + record[1:3] + len(body).to_bytes(2, "big") + body

    return talk.run(change)


def clear_steps(table: list[int | str]) -> list[int]:
    return [step for step in range(len(table)) if CCS not in table[:step]]


def legal_types(talk: Conversation, sender: str, step: int) -> set[int | str]:
    """What any table that began alike allows at this step."""
    table = talk.server_says if sender == "server" else talk.client_says
    allowed: set[int | str] = {table[step]}
    if sender == "server":
        if table[step] in (REQUEST, DONE) and KEY_EXCHANGE in table[:step]:
            allowed |= {DONE} if REQUEST in table[:step] else {REQUEST, DONE}
        if table[step] == STATUS:  # RFC 6066, 8: announced, it may still be left out
            allowed.add(KEY_EXCHANGE)
        allowed.add(HELLO_REQUEST)  # ignored by a client that is shaking hands
    return allowed


@every_conversation
@pytest.mark.parametrize("sender", ["client", "server"])
def test_every_other_message_is_refused_at_every_step(talk: Conversation, sender: str) -> None:
    table = talk.server_says if sender == "server" else talk.client_says
    receiver = "server" if sender == "client" else "client"
    for step in clear_steps(table):
        allowed = legal_types(talk, sender, step)
        for number in EVERY_TYPE:
            if number in allowed:
                continue
            both = replaced(talk, sender, step, 22, bytes((number, 0, 0, 0)))
            error = both.errors[receiver]
            assert isinstance(error, PeerError), (step, number)
            assert error.description is AlertDescription.UNEXPECTED_MESSAGE, (step, number, error)
        if CCS not in allowed:
            both = replaced(talk, sender, step, 20, b"\x01")
            assert "ChangeCipherSpec" in str(both.errors[receiver])
        both = replaced(talk, sender, step, 23, b"early data")
        assert "application data before" in str(both.errors[receiver])


@every_conversation
def test_no_end_is_established_before_the_others_finished(talk: Conversation) -> None:
    for sender, table in (("client", talk.client_says), ("server", talk.server_says)):
        both = talk.run(
            lambda who, n, r, s=sender, t=table: b"" if (who, n) == (s, len(t) - 1) else r
        )
        receiver = both.server if sender == "client" else both.client
        assert not receiver.is_established


@every_conversation
def test_a_plaintext_finished_is_refused(talk: Conversation) -> None:
    for sender, table in (("client", talk.client_says), ("server", talk.server_says)):
        receiver = "server" if sender == "client" else "client"
        both = replaced(talk, sender, table.index(CCS), 22, b"\x14\x00\x00\x0c" + bytes(12))
        error = both.errors[receiver]
        assert isinstance(error, PeerError)
        assert error.description is AlertDescription.UNEXPECTED_MESSAGE
        both = replaced(talk, sender, len(table) - 1, 22, b"\x14\x00\x00\x0c" + bytes(12))
        error = both.errors[receiver]
        assert isinstance(error, PeerError)
        assert error.description is AlertDescription.BAD_RECORD_MAC

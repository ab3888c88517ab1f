"""Altered handshakes keep every promise, and how the bytes are cut changes nothing."""

from __future__ import annotations

import contextlib
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.errors import MeterSealError
from meterseal.transport import Connection
from meterseal.transport.driver import Driver
from support.mutations import Talk, altered, check, edit, talks
from support.wire import SERVER_NAME, Link

every_talk = pytest.mark.parametrize("name", talks())


# --- altered on the way, or by an end that lies under its own keys -----------------------------


@pytest.mark.parametrize("block", range(8))
def test_altered_handshakes_keep_every_promise(block: int) -> None:
    """`make fuzz` goes on where the last of its runs ended."""
    kinds: Counter[str] = Counter()
    for number in range(200 * block, 200 * (block + 1)):
        outcome = altered(number)
        try:
            check(outcome)
        except AssertionError as error:
            raise AssertionError(f"handshake {number}, {outcome.talk}") from error
        kinds[outcome.kind] += 1
    assert len(kinds) >= 7, kinds  # it is not one check that refuses all


def test_a_planted_hole_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a driver that lets any message pass."""
    monkeypatch.setattr(Driver, "_awaited", lambda *_: None)
    found = 0
    for number in range(400):
        with contextlib.suppress(AssertionError):
            check(altered(number))
            continue
        found += 1
    assert found


# --- cut anywhere ------------------------------------------------------------------------------


def told(end: Connection, pieces: list[bytes]) -> list[str]:
    """Feed the pieces; return what happened, in order, data included."""
    happened: list[str] = []
    data = bytearray()
    for piece in pieces:
        try:
            happened += [type(event).__name__ for event in end.receive_data(piece)]
        finally:
            data += end.read()
    return [*happened, data.hex()]


def cut(chance: random.Random, data: bytes, size: int) -> list[bytes]:
    """Pieces of `size` bytes; of random sizes if it is 0."""
    pieces = []
    while data:
        length = size or chance.choice((1, 2, 5, 6, 17, 300, 5000))
        pieces.append(data[:length])
        data = data[length:]
    return pieces


def story(talk: Talk, size: int, seed: int = 0) -> list[list[str]]:
    """Shake hands, send data each way and close, every flight cut; what both ends were told."""
    chance = random.Random(seed)  # noqa: S311
    client = Connection.client(talk.client, SERVER_NAME, talk.session)
    server = Connection.server(talk.server)
    heard: list[list[str]] = []
    steps = [lambda: None] * 4
    steps += [lambda: client.send_data(b"1 kWh" * 5000), lambda: server.send_data(b"noted")]
    steps += [client.close]
    for step in steps:
        step()
        for source, target in ((client, server), (server, client)):
            heard.append(told(target, cut(chance, source.data_to_send(), size)))
    return heard


@every_talk
def test_any_cutting_of_a_whole_session_gives_the_same_events(name: str) -> None:
    whole = story(talks()[name], 1 << 20)
    assert sum("HandshakeCompleted" in heard for heard in whole) == 2
    assert sum("PeerClosed" in heard for heard in whole) == 2
    for size, seed in ((1, 0), (2, 0), (5, 0), (7, 0), (0, 1), (0, 2)):
        assert story(talks()[name], size, seed) == whole, (size, seed)


def flights() -> dict[tuple[str, str], bytes]:
    """The first flight that each end hears in each protocol."""
    heard = {}
    for name, talk in talks().items():
        client = Connection.client(talk.client, SERVER_NAME, talk.session)
        both = Link(client, Connection.server(talk.server)).run()
        heard["server", name] = b"".join(both.seen["client"])
        heard["client", name] = b"".join(both.seen["server"])
    return heard


FLIGHTS = flights()


def verdict(end: Connection, pieces: list[bytes]) -> tuple[str, bool, bytes]:
    error = ""
    data = b""
    for piece in pieces:
        try:
            end.receive_data(piece)
        except MeterSealError as caught:
            error = repr(caught)
        data += end.read()
    return error, end.is_established, data


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(FLIGHTS)),
    st.integers(0, 2**32),
    st.sampled_from((0, 1, 3, 5, 100)),
)
def test_any_cutting_of_hostile_bytes_gives_the_same_refusal(
    heard: tuple[str, str], seed: int, size: int
) -> None:
    role, name = heard
    talk, chance = talks()[name], random.Random(seed)  # noqa: S311
    data = edit(chance, FLIGHTS[heard])

    def fresh() -> Connection:
        if role == "server":
            return Connection.server(talk.server)
        return Connection.client(talk.client, SERVER_NAME, talk.session)

    whole = verdict(fresh(), [data] if data else [])
    assert verdict(fresh(), cut(chance, data, size)) == whole

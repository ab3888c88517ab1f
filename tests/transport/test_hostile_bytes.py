"""No byte string crashes a connection: it goes on waiting or ends with a declared error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.errors import InternalError, MeterSealError
from meterseal.transport import TLS12_SUITES, TLS13_SUITES, CipherSuite, Connection
from support.tls13 import link13
from support.wire import SERVER_NAME, client_config, link, server_config


def feed(connection: Connection, data: bytes) -> None:
    try:
        connection.receive_data(data)
        connection.read()
    except MeterSealError as error:
        if isinstance(error, InternalError):
            raise
    connection.close()
    assert len(connection.data_to_send()) < 16 * 1024  # nobody makes us talk much


HONEST, HONEST13 = link(), link13()
FLIGHTS = {
    ("server", TLS12_SUITES): b"".join(HONEST.seen["client"]),
    ("client", TLS12_SUITES): b"".join(HONEST.seen["server"]),
    ("server", TLS13_SUITES): b"".join(HONEST13.seen["client"]),
    ("client", TLS13_SUITES): b"".join(HONEST13.seen["server"]),
}
both = st.sampled_from([TLS12_SUITES, TLS13_SUITES + TLS12_SUITES])


def end(role: str, suites: tuple[CipherSuite, ...]) -> Connection:
    if role == "server":
        return Connection.server(server_config(suites=suites))
    return Connection.client(client_config(suites=suites), SERVER_NAME)


records = st.builds(
    lambda kind, version, body: bytes((kind,)) + version + len(body).to_bytes(2, "big") + body,
    st.integers(18, 25),
    st.sampled_from([b"\x03\x03", b"\x03\x01", b"\x01\x01"]),
    st.binary(max_size=100),
)
messages = st.builds(
    lambda kind, body: bytes((kind,)) + len(body).to_bytes(3, "big") + body,
    st.integers(0, 24),
    st.binary(max_size=120),
)
flights = st.lists(
    st.one_of(
        records,
        messages.map(lambda m: b"\x16\x03\x03" + len(m).to_bytes(2, "big") + m),
    ),
    max_size=5,
).map(b"".join)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=300), flights), both)
def test_a_server_survives_any_bytes(data: bytes, suites: tuple[CipherSuite, ...]) -> None:
    feed(end("server", suites), data)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=300), flights), both)
def test_a_client_survives_any_bytes(data: bytes, suites: tuple[CipherSuite, ...]) -> None:
    feed(end("client", suites), data)


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(list(FLIGHTS)), st.data())
def test_both_survive_an_altered_flight(
    who: tuple[str, tuple[CipherSuite, ...]], data: st.DataObject
) -> None:
    flight = bytearray(FLIGHTS[who])
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(flight) - 1))
        flight[position : position + 1] = data.draw(st.binary(max_size=3))
    feed(end(*who), bytes(flight))


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["client", "server"]),
    st.integers(0, 6),
    st.integers(0, 2000),
    st.binary(max_size=3),
)
def test_both_survive_altered_messages_under_the_right_keys(
    sender: str, step: int, position: int, instead: bytes
) -> None:
    def change(number: int, raw: bytes) -> list[bytes]:
        if number != step:
            return [raw]
        at = position % len(raw)
        return [raw[:at] + instead + raw[at + 1 :]]

    pair = link13(says={sender: change})
    for error in pair.errors.values():
        assert not isinstance(error, InternalError), error.__cause__

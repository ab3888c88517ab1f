"""No byte string crashes a connection: it goes on waiting or ends with a declared error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.errors import InternalError, MeterSealError
from meterseal.transport import Connection
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


HONEST = link()
FLIGHTS = {"server": b"".join(HONEST.seen["client"]), "client": b"".join(HONEST.seen["server"])}

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


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=300), flights))
def test_a_server_survives_any_bytes(data: bytes) -> None:
    feed(Connection.server(server_config()), data)


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=300), flights))
def test_a_client_survives_any_bytes(data: bytes) -> None:
    feed(Connection.client(client_config(), SERVER_NAME), data)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["client", "server"]), st.data())
def test_both_survive_an_altered_flight(role: str, data: st.DataObject) -> None:
    flight = bytearray(FLIGHTS[role])
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(flight) - 1))
        flight[position : position + 1] = data.draw(st.binary(max_size=3))
    connection = (
        Connection.server(server_config())
        if role == "server"
        else Connection.client(client_config(), SERVER_NAME)
    )
    feed(connection, bytes(flight))

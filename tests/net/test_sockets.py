"""Real sockets: blocking and asyncio ends talk to each other, and say what went wrong."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import pytest

from meterseal.crypto import sm3
from meterseal.errors import (
    AlertReceived,
    CertificateRejected,
    HandshakeTimeout,
    MalformedData,
    MeterSealError,
    Truncated,
)
from meterseal.net import PacketWriter, connect, listen, open_connection, start_server
from meterseal.net.exchange import Parcel, exchange_as_client, exchange_as_server
from support.tls13 import client13, server13
from support.wire import SERVER_NAME, client_config, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.net import SecureSocket, SecureStream
    from meterseal.transport import ServerConfig


class Served:
    """A listener in a thread that serves one client with `work` and keeps its outcome."""

    def __init__(
        self,
        work: Callable[[SecureSocket], object],
        config: ServerConfig | None = None,
        patience: float = 60,
    ) -> None:
        self._patience = patience
        self.listener = listen("127.0.0.1", 0, config or server_config())
        self._pool = ThreadPoolExecutor(1)
        self.outcome = self._pool.submit(self._serve, work)

    @property
    def port(self) -> int:
        return self.listener.address[1]

    def _serve(self, work: Callable[[SecureSocket], object]) -> object:
        secure, _ = self.listener.accept()
        with secure:
            secure.handshake(self._patience)
            return work(secure)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        self._pool.shutdown()


def echo(secure: SecureSocket) -> int:
    total = 0
    while data := secure.recv():
        total += len(data)
        secure.sendall(data)
    return total


def test_blocking_ends_exchange_a_megabyte() -> None:
    chunk = bytes(range(256)) * 256
    with Served(echo) as served:
        with connect("127.0.0.1", served.port, client_config(), server_name=SERVER_NAME) as secure:
            for _ in range(16):
                secure.sendall(chunk)
                received = bytearray()
                while len(received) < len(chunk):
                    received += secure.recv(10_000)
                assert bytes(received) == chunk
        assert served.outcome.result(60) == 16 * len(chunk)


def test_a_session_of_tls13_is_resumed_over_sockets() -> None:
    client, server = client13(), server13()
    session = None
    for is_resumed in (False, True):
        with Served(echo, server) as served:
            with connect(
                "127.0.0.1", served.port, client, server_name=SERVER_NAME, session=session
            ) as secure:
                secure.sendall(b"1 kWh")
                assert secure.recv() == b"1 kWh"
                assert secure.session.resumed is is_resumed
                session = secure.resumable
                assert session is not None


def test_the_name_is_the_host_unless_another_is_given() -> None:
    with Served(echo) as served:
        with pytest.raises(CertificateRejected, match="wrong name"):
            connect("127.0.0.1", served.port, client_config())
        with pytest.raises(AlertReceived, match="bad_certificate"):
            served.outcome.result(60)


def test_a_silent_peer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(HandshakeTimeout, match=r"0\.2 s"):
            connect(*silent.getsockname(), client_config(), server_name=SERVER_NAME, timeout=0.2)


def test_a_dripping_peer_is_given_up_in_time() -> None:
    with (
        Served(echo, patience=0.5) as served,
        socket.create_connection(("127.0.0.1", served.port)) as raw,
    ):
        raw.sendall(b"\x16")
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.05):
                try:
                    raw.sendall(b"\x03")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        with pytest.raises(MeterSealError):
            served.outcome.result(60)
        stop.set()
        dripping.join()


def test_a_cut_connection_is_a_truncation() -> None:
    def cut(secure: SecureSocket) -> None:
        secure.sendall(b"half")
        secure.raw.shutdown(socket.SHUT_RDWR)

    with (
        Served(cut) as served,
        connect("127.0.0.1", served.port, client_config(), server_name=SERVER_NAME) as secure,
    ):
        assert secure.recv() == b"half"
        with pytest.raises(Truncated):
            secure.recv()


async def async_echo(stream: SecureStream) -> None:
    while line := await stream.readline():
        stream.write(line.upper())
        await stream.drain()


def test_asyncio_ends_and_a_blocking_client_of_an_asyncio_server() -> None:
    async def scene() -> None:
        server = await start_server(async_echo, "127.0.0.1", 0, server_config())
        port = server.sockets[0].getsockname()[1]
        stream = await open_connection("127.0.0.1", port, client_config(), server_name=SERVER_NAME)
        async with stream:
            stream.write(b"reading\n")
            assert await stream.readexactly(8) == b"READING\n"

        def blocking() -> bytes:
            with connect("127.0.0.1", port, client_config(), server_name=SERVER_NAME) as secure:
                secure.sendall(b"blocking\n")
                return secure.recv()

        assert await asyncio.to_thread(blocking) == b"BLOCKING\n"
        server.close()
        await server.wait_closed()

    asyncio.run(scene())


def test_an_asyncio_server_survives_garbage_and_says_who_sent_it() -> None:
    refusals: list[str] = []

    async def scene() -> None:
        server = await start_server(
            async_echo,
            "127.0.0.1",
            0,
            server_config(),
            on_refusal=lambda _address, error: refusals.append(str(error)),
        )
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read())[:1] == b"\x15"
        writer.close()
        stream = await open_connection("127.0.0.1", port, client_config(), server_name=SERVER_NAME)
        async with stream:
            stream.write(b"still here\n")
            assert await stream.readline() == b"STILL HERE\n"
        server.close()
        await server.wait_closed()

    asyncio.run(scene())
    assert refusals[0].startswith("this is no TLS record")


# --- parcels -----------------------------------------------------------------------------


def parcel(name: str, data: bytes) -> Parcel:
    return Parcel(name, len(data), io.BytesIO(data))


class Kept(io.BytesIO):
    """A sink that can still be read after it is closed."""

    def close(self) -> None:
        self.kept = self.getvalue()


def test_parcels_go_both_ways_with_receipts() -> None:
    readings, greeting = b"00:00;0.326\n" * 5000, b"server->client"
    at_server, at_client = Kept(), Kept()
    with Served(
        lambda s: exchange_as_server(s, parcel("greeting.txt", greeting), lambda _name: at_server)
    ) as served:
        with connect("127.0.0.1", served.port, client_config(), server_name=SERVER_NAME) as secure:
            sent, received = exchange_as_client(
                secure, parcel("readings.csv", readings), lambda _name: at_client
            )
        theirs = served.outcome.result(60)
    assert sent.sm3 == sm3.sm3(readings).hexdigest()
    assert received.name == "greeting.txt"
    assert theirs == (received, sent)
    assert (at_server.kept, at_client.kept) == (readings, greeting)


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[1]\n",
        b'{"name": "../etc/passwd", "length": 1}\n',
        b'{"name": "..", "length": 1}\n',
        b'{"name": "\\ud800", "length": 1}\n',
        b"[" * 4000 + b"\n",
        b'{"name": "a", "length": 0}' + b" " * 5000 + b"\n",
        b'{"name": "a", "length": -1}\n',
        b'{"name": "a", "length": true}\n',
        b'{"name": "a", "length": 1073741825}\n',
        b"x" * 5000,
    ],
)
def test_a_parcel_that_breaks_the_rules_is_refused(line: bytes) -> None:
    def misbehave(secure: SecureSocket) -> None:
        secure.sendall(line)
        secure.recv()

    with Served(misbehave) as served:
        with (
            connect("127.0.0.1", served.port, client_config(), server_name=SERVER_NAME) as secure,
            pytest.raises(MalformedData),
        ):
            exchange_as_client(secure, parcel("x", b""), lambda _name: io.BytesIO())


def test_a_receipt_that_does_not_fit_is_an_error() -> None:
    def lie(secure: SecureSocket) -> None:
        secure.sendall(b'{"name": "g", "length": 0}\n')
        secure.recv()
        secure.sendall(b'{"received": 4, "sm3": "00"}\n')
        while secure.recv():
            pass

    with Served(lie) as served:
        with (
            connect("127.0.0.1", served.port, client_config(), server_name=SERVER_NAME) as secure,
            pytest.raises(MalformedData, match="receipt"),
        ):
            exchange_as_client(secure, parcel("x", b"data"), lambda _name: io.BytesIO())


def test_a_capture_holds_every_byte_of_both_directions() -> None:
    file = io.BytesIO()
    with Served(echo) as served:
        tap = PacketWriter(file, clock=lambda: 1.5).conversation()
        with connect(
            "127.0.0.1", served.port, client_config(), server_name=SERVER_NAME, tap=tap
        ) as secure:
            secure.sendall(b"reading")
            assert secure.recv() == b"reading"
    capture = file.getvalue()
    assert capture[:4] == bytes.fromhex("0a0d0d0a")
    assert capture.count(b"\x16\x03\x03") >= 5

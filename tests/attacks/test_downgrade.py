"""Somebody on the way spoils the first connection, and hopes for a second one that is weaker.

Between TLS 1.3 and TLCP stands no sentinel: their versions are separate worlds. So a client must
not try another protocol by itself, whatever happens to its connection. Here a proxy ends or alters
it in every way that has made clients fall back; the client fails, once, and says nothing in any
other protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import HandshakeTimeout, IllegalParameter, MeterSealError
from meterseal.lab.attack.wire import message, records
from meterseal.net import connect, open_connection
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_CBC_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    Connection,
)
from meterseal.transport.messages import ClientHello, ServerHello
from meterseal.transport.wire import Cursor, vector16
from support.contexts import HOST, client_context
from support.identities import world
from support.tlcp import ECC, ECC_CBC, tlcp_client, tlcp_server
from support.wire import SERVER_NAME, client_config, link

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal import SecureContext
    from meterseal.transport import ClientConfig, ServerConfig

LIMIT = 20.0
TLS = TLS13_SUITES + TLS12_SUITES
RESET = object()
SILENCE = object()
TLS_MAJOR, TLCP_VERSION = b"\x03", b"\x01\x01"


# --- ways to spoil it ----------------------------------------------------------------------


def alert(code: int, *, level: int = 2, version: bytes = b"\x03\x03") -> bytes:
    return b"\x15" + version + b"\0\2" + bytes((level, code))


def server_hello(version: int, suite: int, random: bytes = bytes(32)) -> bytes:
    body = ServerHello(version, random, b"", suite).encode()
    return b"\x16" + version.to_bytes(2, "big") + vector16(message(2, body))


def answered(change: Callable[[ClientHello], dict[str, Any]]) -> Callable[[bytes], bytes]:
    """What a server of all protocols says to the hello as it is altered on the way."""

    def answer(first: bytes) -> bytes:
        hello = ClientHello.decode(Cursor(first, 9))
        altered = replace(hello, **change(hello)).encode()
        server = Connection.server(tlcp_server(suites=(*TLS, *TLCP_SUITES)))
        with contextlib.suppress(MeterSealError):
            server.receive_data(b"\x16\x03\x01" + vector16(message(1, altered)))
        return server.data_to_send()

    return answer


def with_extension(number: int, body: bytes) -> Callable[[ClientHello], dict[str, Any]]:
    return lambda hello: {"extensions": {**hello.extensions, number: body}}


TLCP_CODES = tuple(int(suite.code) for suite in TLCP_SUITES)
WAYS: dict[str, Callable[[bytes], Any]] = {
    "closed": lambda _: b"",
    "reset": lambda _: RESET,
    "silent": lambda _: SILENCE,
    "handshake_failure": lambda _: alert(40),
    "protocol_version": lambda _: alert(70),
    "insufficient_security": lambda _: alert(71),
    "internal_error": lambda _: alert(80),
    "inappropriate_fallback": lambda _: alert(86),
    "unrecognized_name": lambda _: alert(112),
    "an alert of TLCP": lambda _: alert(70, version=TLCP_VERSION),
    "an alert of SSL 3": lambda _: alert(40, version=b"\x03\x00"),
    "close_notify": lambda _: alert(0, level=1),
    "warnings, then closed": lambda _: alert(112, level=1) * 3,
    "garbage": lambda _: bytes(range(256)),
    "another protocol": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "half a record": lambda _: b"\x16\x03\x03\x00\x50\x02",
    "its own hello": lambda first: first,
    "a hello of TLCP": lambda _: server_hello(0x0101, 0xE053),
    "a hello of TLCP in a record of TLS": lambda _: (
        b"\x16\x03\x03" + server_hello(0x0101, 0xE053)[3:]
    ),
    "a hello of TLS 1.0": lambda _: server_hello(0x0301, 0xE107),
    "a hello with the sentinel": lambda _: server_hello(
        0x0303, 0xE107, bytes(24) + b"DOWNGRD\x01"
    ),
    "a suite of TLCP": lambda _: server_hello(0x0303, 0xE053),
    "versions cut down to TLS 1.2": answered(with_extension(43, b"\x02\x03\x03")),
    "versions cut out": answered(
        lambda hello: {"extensions": {n: b for n, b in hello.extensions.items() if n != 43}}
    ),
    "the version of TLCP put in": answered(lambda _: {"client_version": 0x0101}),
    "TLCP put in, suites and all": answered(
        lambda _: {"client_version": 0x0101, "cipher_suites": TLCP_CODES, "extensions": {}}
    ),
    "suites of TLS 1.3 cut out": answered(
        lambda hello: {"cipher_suites": tuple(c for c in hello.cipher_suites if c > 0xFF)}
    ),
}  # fmt: skip


class Spoiler:
    """Takes one connection, answers its first flight and keeps all that it says."""

    def __init__(self, way: str) -> None:
        self._way = WAYS[way]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT)
        self.heard = b""

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def serve(self) -> None:
        plain, _ = self._listener.accept()
        with plain:
            plain.settimeout(LIMIT)
            self.heard = plain.recv(65_536)
            answer = self._way(self.heard)
            if answer is RESET:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            with contextlib.suppress(OSError):  # it may be gone already
                if answer is not SILENCE:
                    plain.sendall(answer)
                    plain.shutdown(socket.SHUT_WR)
                while more := plain.recv(65_536):
                    self.heard += more

    def is_tried_again(self) -> bool:
        """Whether another connection waits; the client has given up, so it would be there."""
        self._listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()
            return True
        return False

    def close(self) -> None:
        self._listener.close()


def spoil(way: str, attempt: Callable[[int], object]) -> bytes:
    """Let a client connect; it must fail and not come again. Returns what it said."""
    spoiler = Spoiler(way)
    with contextlib.closing(spoiler), ThreadPoolExecutor(1) as pool:
        served = pool.submit(spoiler.serve)
        with pytest.raises((MeterSealError, OSError)):
            attempt(spoiler.port)
        served.result(LIMIT)
        assert not spoiler.is_tried_again()
    return spoiler.heard


def timeout(way: str) -> float:
    return 0.2 if way == "silent" else LIMIT


every_way = pytest.mark.parametrize("way", WAYS)


def check_speech(heard: bytes, *, tlcp: bool = False) -> None:
    """Every record is of the protocol that was asked for, and there is one hello."""
    said = list(records(heard))
    assert [record[5] for record in said if record[0] == 22].count(1) == 1
    assert all((record[1:3] == TLCP_VERSION) == tlcp for record in said)
    assert tlcp or all(record[1:2] == TLS_MAJOR for record in said)
    hello = ClientHello.decode(Cursor(said[0], 9))
    assert tlcp == (hello.client_version == 0x0101)
    assert tlcp or not set(TLCP_CODES) & set(hello.cipher_suites)


@every_way
def test_a_blocking_client_fails_once_and_never_changes_its_protocol(way: str) -> None:
    def attempt(port: int) -> None:
        config = client_config(suites=TLS)
        with connect("127.0.0.1", port, config, server_name=SERVER_NAME, timeout=timeout(way)):
            pass

    check_speech(spoil(way, attempt))


@every_way
def test_a_client_of_tlcp_fails_once_and_never_changes_its_protocol(way: str) -> None:
    def attempt(port: int) -> None:
        with connect(
            "127.0.0.1", port, tlcp_client(), server_name=SERVER_NAME, timeout=timeout(way)
        ):
            pass

    check_speech(spoil(way, attempt), tlcp=True)


@every_way
def test_an_asyncio_client_fails_once_and_never_changes_its_protocol(way: str) -> None:
    async def attempt(port: int) -> None:
        config = client_config(suites=TLS)
        await open_connection(
            "127.0.0.1", port, config, server_name=SERVER_NAME, timeout=timeout(way)
        )

    check_speech(spoil(way, lambda port: asyncio.run(attempt(port))))


@every_way
@pytest.mark.parametrize("protocol", ["auto", "tlcp"])
def test_a_context_fails_once_and_never_changes_its_protocol(way: str, protocol: str) -> None:
    def attempt(port: int) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=timeout(way))
        with plain, client_context(protocol).wrap_socket(plain, server_hostname=HOST):
            pass

    check_speech(spoil(way, attempt), tlcp=protocol == "tlcp")


# --- the policy of auto --------------------------------------------------------------------


def offered(context: SecureContext) -> ClientHello:
    output = Connection.client(context.client_config(), HOST).data_to_send()
    return ClientHello.decode(Cursor(output, 9))


def test_auto_offers_tls_and_no_tlcp() -> None:
    expected = [*TLS, *TLS12_CBC_SUITES]
    assert list(offered(client_context("auto")).cipher_suites) == [s.code for s in expected]


def test_auto_offers_no_more_than_its_policy() -> None:
    context = client_context("auto")
    context.set_ciphers("TLS_SM4_GCM_SM3")
    hello = offered(context)
    assert list(hello.cipher_suites) == [0x00C6]
    assert hello.extensions[43] == b"\x02\x03\x04"
    context.set_ciphers("ECC_SM4_GCM_SM3")
    assert offered(context).client_version == 0x0101


def hello_with(change: Callable[[ClientHello], dict[str, Any]]) -> Any:  # noqa: ANN401
    def alter(sender: str, number: int, record: bytes) -> bytes:
        if (sender, number) != ("client", 0):
            return record
        hello = ClientHello.decode(Cursor(record, 9))
        return record[:3] + vector16(message(1, replace(hello, **change(hello)).encode()))

    return alter


@pytest.mark.parametrize(
    "change",
    [
        with_extension(43, b"\x02\x03\x03"),
        lambda hello: {"extensions": {n: b for n, b in hello.extensions.items() if n != 43}},
    ],
    ids=["versions cut down", "versions cut out"],
)
def test_a_client_that_offered_tls13_heeds_the_sentinel(
    change: Callable[[ClientHello], dict[str, Any]],
) -> None:
    server = tlcp_server(suites=(*TLS, *TLCP_SUITES))
    client = client_config(suites=TLS, credential=world().client)
    both = link(client, server, change=hello_with(change))
    error = both.errors["client"]
    assert isinstance(error, IllegalParameter)
    assert "talked it down" in str(error)


def weaker(protocol: str) -> tuple[ClientConfig, ServerConfig, Callable[[ClientHello], bool]]:
    """Ends that agree on GCM, and whether a hello still offers it."""
    if protocol == "tlcp":
        suites: Any = (ECC, ECC_CBC)
        client, server = tlcp_client(suites=suites), tlcp_server()
    else:
        suites = TLS13_SUITES
        client = client_config(suites=suites, credential=world().client)
        server = tlcp_server(credential=world().server, suites=suites)
    best = suites[0].code
    return client, server, lambda hello: best in hello.cipher_suites


@pytest.mark.parametrize("protocol", ["tlcp", "tls13"])
def test_suites_cut_out_of_a_hello_are_missed_at_finished(protocol: str) -> None:
    """FREAK and Logjam: both ends can do better than what somebody leaves of the hello."""
    client, server, is_offered = weaker(protocol)
    honest = link(client, server)
    assert not honest.errors
    assert is_offered(ClientHello.decode(Cursor(honest.seen["client"][0], 9)))

    def cut(hello: ClientHello) -> dict[str, Any]:
        return {"cipher_suites": tuple(hello.cipher_suites)[1:]}

    both = link(client, server, change=hello_with(cut))
    assert both.errors
    assert not both.client.is_established
    assert not both.server.is_established


def test_silence_is_a_timeout_of_its_own_kind() -> None:
    """Whoever wants to try again knows that nobody said no."""

    def attempt(port: int) -> None:
        with pytest.raises(HandshakeTimeout):
            connect("127.0.0.1", port, client_config(suites=TLS), timeout=0.2)
        raise TimeoutError

    check_speech(spoil("silent", attempt))

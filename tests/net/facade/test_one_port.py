"""One port for SM and international TLS: the client's first hello decides, and only that."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from support.contexts import client_context, server_context
from support.international import write_international

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def international(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A plain context with a P-256 certificate, and that certificate."""
    pem = write_international(tmp_path_factory.mktemp("international"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context, pem


def plain_client(pem: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pem))
    context.set_alpn_protocols(["http/1.1"])
    return context


def both(fallback: ssl.SSLContext) -> ssl.SSLContext:
    context = server_context()
    context.fallback = fallback  # type: ignore[attr-defined]
    return context


def clients(pem: Path) -> dict[str, ssl.SSLContext]:
    return {
        "TLSv1.3": plain_client(pem),
        "TLS_SM4_GCM_SM3": client_context(protocol="tls13-sm"),
        "ECDHE": client_context(protocol="tlcp"),
    }


def test_asyncio_serves_both_families_on_one_port(
    international: tuple[ssl.SSLContext, Path],
) -> None:
    fallback, pem = international
    seen: list[tuple[str | None, str | None]] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = writer.get_extra_info("ssl_object")
        seen.append((session.version(), session.selected_alpn_protocol()))
        writer.write(await reader.readexactly(100_000))
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=both(fallback))
        port = server.sockets[0].getsockname()[1]
        for context in clients(pem).values():
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost"
            )
            writer.write(b"x" * 100_000)
            assert await reader.readexactly(100_000) == b"x" * 100_000
            assert await reader.read() == b""
            writer.close()
        server.close()

    asyncio.run(main())
    assert seen[0] == ("TLSv1.3", "http/1.1")
    assert [version for version, _ in seen[1:]] == ["TLSv1.3", "TLCPv1.1"]


def test_sockets_serve_both_families_on_one_port(
    international: tuple[ssl.SSLContext, Path],
) -> None:
    fallback, pem = international
    context = both(fallback)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        listener = context.wrap_socket(plain, server_side=True)
        ciphers: list[str] = []

        def serve() -> None:
            for _ in range(3):
                connection, _address = listener.accept()
                with connection:
                    connection.sendall(connection.recv(100))
                    ciphers.append(connection.cipher()[0])  # type: ignore[index]

        thread = threading.Thread(target=serve)
        thread.start()
        for client in clients(pem).values():
            raw = socket.create_connection(listener.getsockname())
            with client.wrap_socket(raw, server_hostname="localhost") as secure:
                secure.sendall(b"reading")
                assert secure.recv(100) == b"reading"
        thread.join(20)
        listener.close()
    assert "AES" in ciphers[0]
    assert all("SM4" in cipher for cipher in ciphers[1:])


def test_a_client_of_ours_is_never_passed_on(international: tuple[ssl.SSLContext, Path]) -> None:
    """It offers both families: ours serves it, whatever else it would take."""
    from meterseal.transport import ClientConfig, Connection
    from meterseal.transport.negotiate import speaks_with
    from support.identities import world

    server = both(international[0]).server_config()  # type: ignore[attr-defined]
    hello = Connection.client(ClientConfig(trust=world().trust), "localhost").data_to_send()
    assert speaks_with(hello, server) is True
    for end in range(len(hello)):
        assert speaks_with(hello[:end], server) is None
    # The same hello, whose suites are AES-GCM alone.
    foreign = hello.replace(bytes.fromhex("e107"), bytes.fromhex("1301"))
    assert speaks_with(foreign, server) is False


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", bytes(50), b"\x16\x03\x01\x00\x00"])
def test_what_is_no_hello_is_refused_in_our_way(
    international: tuple[ssl.SSLContext, Path], said: bytes
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = both(international[0]).wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(said)
    incoming.write_eof()
    with pytest.raises(ssl.SSLError):
        session.do_handshake()


def test_a_server_without_a_fallback_refuses_them(
    international: tuple[ssl.SSLContext, Path],
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = plain_client(international[1]).wrap_bio(
        ssl.MemoryBIO(), incoming, server_hostname="localhost"
    )
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    session = server_context().wrap_bio(incoming, outgoing, server_side=True)
    with pytest.raises(ssl.SSLError, match=r"(?i)no |common|handshake"):
        session.do_handshake()

"""Event loops other than asyncio's: uvloop, trio, anyio."""

from __future__ import annotations

import asyncio

import anyio
import anyio.streams.tls
import pytest
import trio
import uvloop

from support.contexts import HOST, client_context, server_context
from support.servers import PAGE, accepting, echo, http_server

LARGE = bytes(range(256)) * 1024
PROTOCOLS = pytest.mark.parametrize("protocol", ["tlcp", "tls12-sm", "auto"])


@PROTOCOLS
def test_uvloop_streams_data_and_its_end_that_arrive_together(protocol: str) -> None:
    async def last_words(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(LARGE)
        writer.close()
        await writer.wait_closed()

    async def scene() -> None:
        server = await asyncio.start_server(last_words, "127.0.0.1", 0, ssl=server_context())
        port = server.sockets[0].getsockname()[1]
        async with server:
            for _ in range(5):
                reader, writer = await asyncio.open_connection(
                    HOST, port, ssl=client_context(protocol)
                )
                assert await reader.read() == LARGE
                writer.close()
                await writer.wait_closed()

    uvloop.run(asyncio.wait_for(scene(), 20))


def test_uvloop_start_tls() -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await writer.start_tls(server_context())
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def scene() -> None:
        server = await asyncio.start_server(upgrade, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"STARTTLS\n")
            await writer.start_tls(client_context(), server_hostname=HOST)
            writer.write(b"sealed\n")
            assert await reader.readline() == b"sealed\n"
            writer.close()
            await writer.wait_closed()

    uvloop.run(asyncio.wait_for(scene(), 20))


@PROTOCOLS
def test_trio_on_both_ends(protocol: str) -> None:
    async def answer(stream: trio.SSLStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send_all(data.upper())

    async def scene() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_ssl_over_tcp, answer, 0, server_context())
            port = listeners[0].transport_listener.socket.getsockname()[1]
            with trio.fail_after(10):
                stream = await trio.open_ssl_over_tcp_stream(
                    HOST, port, ssl_context=client_context(protocol)
                )
                async with stream:
                    await stream.send_all(b"reading")
                    assert await stream.receive_some() == b"READING"
            nursery.cancel_scope.cancel()

    trio.run(scene)


def test_trio_gets_back_what_follows_the_session() -> None:
    def work(wrapped) -> None:  # noqa: ANN001
        wrapped.sendall(b"sealed")
        wrapped.unwrap().sendall(b"open")

    async def scene(port: int) -> None:
        with trio.fail_after(10):
            stream = await trio.open_ssl_over_tcp_stream(
                HOST, port, ssl_context=client_context(), https_compatible=False
            )
            assert await stream.receive_some() == b"sealed"
            plain, early = await stream.unwrap()
            assert bytes(early) + await plain.receive_some() == b"open"
            await plain.aclose()

    with accepting(work) as (address, served):
        trio.run(scene, address[1])
        served.result(60)


@PROTOCOLS
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_connects(backend: str, protocol: str) -> None:
    async def scene(port: int) -> None:
        with anyio.fail_after(10):
            stream = await anyio.connect_tcp(
                HOST, port, ssl_context=client_context(protocol), tls_standard_compatible=False
            )
            async with stream:
                await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                received = b""
                while PAGE not in received:
                    received += await stream.receive()
                told = stream.extra_attributes
                assert told[anyio.streams.tls.TLSAttribute.cipher]()[2] == 128
                assert told[anyio.streams.tls.TLSAttribute.peer_certificate]()["version"] == 3

    with http_server() as url:
        anyio.run(scene, int(url.rsplit(":", 1)[1].strip("/")), backend=backend)


def test_anyio_serves_and_closes_as_the_standard_says() -> None:
    async def answer(stream: anyio.streams.tls.TLSStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send(data)

    async def scene() -> None:
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
        listener = anyio.streams.tls.TLSListener(plain, server_context())
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, answer)
            port = plain.listeners[0].extra_attributes[anyio.abc.SocketAttribute.local_port]()
            with anyio.fail_after(10):
                stream = await anyio.connect_tcp(HOST, port, ssl_context=client_context())
                async with stream:
                    await stream.send(b"reading")
                    assert await stream.receive() == b"reading"
            group.cancel_scope.cancel()
        await listener.aclose()

    anyio.run(scene)


def test_an_echo_over_a_blocking_server_from_uvloop() -> None:
    async def scene(port: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port, ssl=client_context())
        writer.write(LARGE)
        assert await reader.readexactly(len(LARGE)) == LARGE
        writer.close()
        await writer.wait_closed()

    with accepting(echo) as (address, served):
        uvloop.run(asyncio.wait_for(scene(address[1]), 20))
        assert served.result(60) == len(LARGE)

"""asyncio accepts the context unpatched: streams, servers, start_tls, errors."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from meterseal.errors import CertificateRejected
from support.contexts import HOST, client_context, files, server_context

MEGABYTE = bytes(range(256)) * 4096


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100_000):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def serve(context, handler=echo):  # noqa: ANN001, ANN201
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("protocol", ["tlcp", "tls12-sm", "tls13-sm"])
def test_streams_carry_a_megabyte_each_way(protocol: str) -> None:
    async def scene() -> None:
        server, port = await serve(server_context())
        async with server:
            reader, writer = await asyncio.open_connection(HOST, port, ssl=client_context(protocol))
            _, received = await asyncio.gather(
                asyncio.to_thread(lambda: None), write_and_read(reader, writer)
            )
            assert received == MEGABYTE
            writer.close()
            await writer.wait_closed()

    async def write_and_read(reader, writer):  # noqa: ANN001, ANN202
        reading = asyncio.create_task(reader.readexactly(len(MEGABYTE)))
        writer.write(MEGABYTE)
        await writer.drain()
        return await reading

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_transport_tells_about_its_session() -> None:
    async def scene() -> None:
        server, port = await serve(server_context())
        async with server:
            _, writer = await asyncio.open_connection(HOST, port, ssl=client_context())
            assert writer.get_extra_info("cipher") == ("ECC_SM4_GCM_SM3", "TLCPv1.1", 128)
            assert writer.get_extra_info("compression") is None
            certificate = writer.get_extra_info("peercert")
            assert ("DNS", HOST) in certificate["subjectAltName"]
            face = writer.get_extra_info("ssl_object")
            assert face.version() == "TLCPv1.1"
            assert face.server_hostname == HOST
            writer.close()
            await writer.wait_closed()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_plain_connection_becomes_a_secure_one_on_both_ends() -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"GO\n")
        await writer.start_tls(server_context())
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def scene() -> None:
        server, port = await serve(None, upgrade)
        async with server:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"STARTTLS\n")
            assert await reader.readline() == b"GO\n"
            await writer.start_tls(client_context(), server_hostname=HOST)
            writer.write(b"sealed\n")
            assert await reader.readline() == b"SEALED\n"
            writer.close()
            await writer.wait_closed()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_wrong_name_is_the_error_that_clients_catch() -> None:
    async def scene() -> None:
        server, port = await serve(server_context())
        async with server:
            with pytest.raises(ssl.SSLCertVerificationError) as refusal:
                await asyncio.open_connection(
                    "127.0.0.1", port, ssl=client_context(), server_hostname="other.example"
                )
        assert refusal.value.verify_code == 62
        assert "other.example" in refusal.value.verify_message
        assert refusal.value.reason == "CERTIFICATE_VERIFY_FAILED"
        assert isinstance(refusal.value.__cause__, CertificateRejected)

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_both_ends_show_certificates_when_the_server_asks() -> None:
    async def who(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subject = dict(pair[0] for pair in writer.get_extra_info("peercert")["subject"])
        writer.write(subject["commonName"].encode() + b"\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def scene(protocol: str) -> None:
        context = server_context()
        context.load_verify_locations(files().ca_pem)
        context.verify_mode = ssl.CERT_REQUIRED
        server, port = await serve(context, who)
        async with server:
            mine = client_context(protocol, pair=True)
            reader, writer = await asyncio.open_connection(HOST, port, ssl=mine)
            assert await reader.readline() == b"meter-1\n"
            writer.close()
            await writer.wait_closed()

    for protocol in ("tlcp", "tls12-sm", "tls13-sm"):
        asyncio.run(asyncio.wait_for(scene(protocol), 20))

"""Both ends with asyncio streams.

python examples/asyncio_echo.py server-pair.pem ca.pem
"""

import asyncio
import sys

import meterseal


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send one line back."""
    writer.write(b"received " + await reader.readline())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def main(pair: str, ca: str) -> None:
    """Serve, connect, exchange a line."""
    serving = meterseal.create_default_context(meterseal.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(pair)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
    async with server:
        port = server.sockets[0].getsockname()[1]
        context = meterseal.create_default_context(cafile=ca)
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
        writer.write(b"00001234.56 kWh\n")
        print((await reader.readline()).decode().strip())
        print(writer.get_extra_info("cipher"))
        writer.close()
        await writer.wait_closed()


asyncio.run(main(*sys.argv[1:]))

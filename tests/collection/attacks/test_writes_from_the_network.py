"""W1: nobody reaches a meter's line through the collector, whatever is said from the network.

DL/T 645 protects a write by a password in clear; so no message of the network may become one.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import aiomqtt

from meterseal.collection import topics
from meterseal.collection.broker import EmbeddedBroker
from meterseal.collection.collector.service import Collector
from meterseal.collection.config import CollectorSettings, LineSettings, UplinkSettings
from meterseal.collection.dlt645.frame import Frame, FrameDecoder
from meterseal.collection.receipts import Receipt
from meterseal.net.ports import free_port
from support.collecting import actors
from support.station import NOW
from support.whole_system import lay_out, until

if TYPE_CHECKING:
    from pathlib import Path

METER = "202611230001"
READ, READ_ON = 0x11, 0x12
COMMANDS = (0x08, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x03)
"""Clock, write, write address, freeze, rate, password, three to clear, trip, output, sign in."""


def frame(function: int) -> bytes:
    """A command with a password, as it would stand on the line."""
    return Frame(METER, function, bytes(12)).encode()


def messages() -> list[bytes]:
    """Commands as they are, in bundles, and signed by somebody who is no station of ours."""
    signed = Receipt(station="station-1", collector="collector-1", issued_at=NOW, entries=())
    frames = [frame(function) for function in COMMANDS]
    return [*frames, topics.pack(frames), b"".join(frames), actors().station.sign(signed)]


def settings_of(folder: Path, broker: int, line: int) -> CollectorSettings:
    """A collector with an open uplink and one line; the rest as `up` lays it out."""
    _, settings = lay_out(folder, meters=1, interval=1.0)
    assert settings.collector is not None
    changes = {
        "uplink": UplinkSettings(address=f"127.0.0.1:{broker}", protocol="plain"),
        "line": (
            LineSettings(
                address=f"127.0.0.1:{line}", meters=(METER,), interval=0.1, answer=0.05
            ),
        ),
        "spread": 0.0,
    }  # fmt: skip
    return settings.collector.model_copy(update=changes)


def test_no_message_of_the_network_becomes_a_command_on_the_line(tmp_path: Path) -> None:
    heard: list[Frame] = []

    async def meter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Listens and never answers."""
        decoder = FrameDecoder()
        with contextlib.suppress(OSError):
            while data := await reader.read(1000):
                heard.extend(decoder.receive_data(data))
        writer.close()

    async def attack(collector: Collector, port: int) -> None:
        async with aiomqtt.Client("127.0.0.1", port, identifier="thief") as client:
            for said in messages():
                for topic in (topics.down, topics.up, topics.status, topics.certificates):
                    await client.publish(topic("collector-1"), said, qos=1)
            status = collector.uplink.status
            async with asyncio.timeout(60):
                while status.bad_receipts < len(messages()):
                    await asyncio.sleep(0.02)

    async def main() -> None:
        port = free_port()
        server = await asyncio.start_server(meter, "127.0.0.1", 0)
        line = server.sockets[0].getsockname()[1]
        collector = Collector(settings_of(tmp_path, port, line))
        async with server, EmbeddedBroker(tmp_path / "broker", port, free_port()):
            running = asyncio.create_task(collector.run())
            try:
                await until(lambda: collector.uplink.status.connected)
                await attack(collector, port)
                polled = len(heard)
                await until(lambda: len(heard) > polled)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert {it.function for it in heard} <= {READ, READ_ON}

"""All links end at once, as when a gateway is restarted, and all clients come back at once (G23).

Each comes back by a full handshake with both certificates, paced by the gateway's limits; nobody is
starved. METERSEAL_STORM says how many come in the long form, which prints how long it took.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import MeterSealError
from meterseal.net import open_connection
from meterseal.net.gateway import Front, GatewayLimits
from meterseal.net.gateway.listener import TURNS
from meterseal.transport import TLS13_SUITES, ClientAuthentication, ClientConfig, ServerConfig
from meterseal.x509 import TrustStore
from support.identities import credential, pair, root

if TYPE_CHECKING:
    from meterseal.net import SecureStream

HOST = "gateway.example"
CA, CA_KEY = root("storm root")
TRUST = TrustStore([CA])
SERVER = ServerConfig(
    credential=pair(CA, CA_KEY, "gateway", host=HOST),
    suites=TLS13_SUITES,
    trust=TRUST,
    client_authentication=ClientAuthentication.REQUIRED,
)
CLIENTS = tuple(credential(CA, CA_KEY, f"collector-{n}", profile="client") for n in range(20))
LONGEST_PAUSE = 2.0


class Client:
    """Connects, and whenever its link ends connects anew, after pauses that grow."""

    def __init__(self, number: int, port: int) -> None:
        self.words = b"client %d" % number
        self.config = ClientConfig(
            trust=TRUST, suites=TLS13_SUITES, credential=CLIENTS[number % len(CLIENTS)]
        )
        self.port = port
        self.links = 0
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            began, pause = time.monotonic(), 0.1
            while (stream := await self._dial()) is None:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(2 * pause, LONGEST_PAUSE)
            self.longest = time.monotonic() - began
            self.links += 1
            try:
                with contextlib.suppress(MeterSealError, OSError):
                    await stream.read()  # until the link ends
            finally:
                with contextlib.suppress(MeterSealError, OSError):
                    await stream.close()

    async def _dial(self) -> SecureStream | None:
        """Connect, and hear one word back; None if the gateway would not have it."""
        try:
            stream = await open_connection("127.0.0.1", self.port, self.config, server_name=HOST)
            assert not stream.session.resumed
            stream.write(self.words)
            await stream.drain()
            assert await stream.readexactly(len(self.words)) == self.words
        except (MeterSealError, OSError, TimeoutError, asyncio.IncompleteReadError):
            return None
        return stream


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def storm(count: int, limits: GatewayLimits, within: float) -> tuple[float, float, int]:
    """Returns how long all and the slowest took to come back, and how often one was refused."""
    backend = await asyncio.start_server(echo, "127.0.0.1", 0)
    target = backend.sockets[0].getsockname()
    front = Front(SERVER, target, limits=limits)
    _, port = await front.start("127.0.0.1", 0)
    clients = [Client(number, port) for number in range(count)]
    tasks = [asyncio.create_task(client.run()) for client in clients]

    async def all_are_back(links: int) -> None:
        async with asyncio.timeout(within):
            while not all(client.links >= links for client in clients):
                await asyncio.sleep(0.02)

    try:
        await all_are_back(1)
        await front.close()
        front, began = Front(SERVER, target, limits=limits), time.monotonic()
        await front.start("127.0.0.1", port)
        await all_are_back(2)
        took = time.monotonic() - began
        assert len(front.links) == count
        refused = front.links.refused["limit"]
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await front.close()
        backend.close()
        for _ in range(TURNS):  # what is being closed is closed
            await asyncio.sleep(0)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
    return took, max(client.longest for client in clients), refused


def test_a_hundred_clients_come_back_at_once_and_nobody_is_starved() -> None:
    limits = GatewayLimits(beginning=20, beginning_of_one=20, handshakes_of_one=1e4)
    _, _, refused = asyncio.run(storm(100, limits, within=120))
    assert refused > 0, "they came faster than they were let in, and came again"


@pytest.mark.slow
def test_a_storm_as_large_as_is_asked_for() -> None:
    count = int(os.environ.get("METERSEAL_STORM", "1000"))
    limits = GatewayLimits(beginning_of_one=1000, handshakes_of_one=1e4)
    took, longest, refused = asyncio.run(storm(count, limits, within=600))
    print(f"\n{count} clients in {took:.1f} s, the slowest in {longest:.1f} s; {refused} refusals")  # noqa: T201

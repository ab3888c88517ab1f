"""Hostile clients from many addresses, all at once, beside honest ones that keep their links.

Addresses of 127.0.0.0/8 stand for machines. Nothing is timed: every honest message must come back
while the hostile connections stand, and every hostile one must be refused and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from meterseal.errors import MeterSealError
from meterseal.lab.attack.flood import (
    HALF_A_HELLO,
    attack,
    garbage,
    oversize,
    silent,
    slow,
    stops,
)
from meterseal.net import open_connection
from meterseal.net.gateway import Front, GatewayLimits
from meterseal.transport import (
    TLS13_SUITES,
    ClientAuthentication,
    ClientConfig,
    ServerConfig,
)
from meterseal.x509 import TrustStore
from support.identities import credential, pair, root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from meterseal.net import SecureStream

HOST = "gateway.example"
MACHINES = 12
EACH = 5
HONEST = 3
MESSAGES = 20
LIMITS = GatewayLimits(
    beginning=MACHINES * EACH + 20, beginning_of_one=EACH, beginning_seconds=5.0,
    handshakes=10_000.0, handshakes_of_one=10_000.0,
)  # fmt: skip
CA, CA_KEY = root("hostile root")
SERVER = ServerConfig(
    credential=pair(CA, CA_KEY, "gateway", host=HOST),
    suites=TLS13_SUITES,
    trust=TrustStore([CA]),
    client_authentication=ClientAuthentication.REQUIRED,
)
CLIENT = ClientConfig(
    trust=TrustStore([CA]),
    suites=TLS13_SUITES,
    credential=credential(CA, CA_KEY, "collector-1", profile="client"),
)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def gateway(limits: GatewayLimits = LIMITS) -> AsyncIterator[tuple[Front, int]]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    front = Front(SERVER, server.sockets[0].getsockname(), limits=limits)
    _, port = await front.start("127.0.0.1", 0)
    try:
        yield front, port
    finally:
        await front.close()
        server.close()


async def hostile(port: int, machine: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection from an address of its own."""
    source = (f"127.0.1.{machine + 1}", 0)
    return await asyncio.open_connection("127.0.0.1", port, local_addr=source)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def say(stream: SecureStream, count: int) -> None:
    for number in range(count):
        words = b"reading %d" % number
        stream.write(words)
        await stream.drain()
        assert await stream.readexactly(len(words)) == words


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


KINDS = (silent, slow, stops, garbage, oversize)


def test_honest_clients_get_through_beside_slow_half_open_and_garbage_ones() -> None:
    async def story() -> None:
        async with gateway() as (front, port), asyncio.TaskGroup() as attackers:
            honest = [await open_connection("127.0.0.1", port, CLIENT, server_name=HOST)]
            for machine in range(MACHINES):
                for number in range(EACH):
                    kind = KINDS[(machine + number) % len(KINDS)]
                    attackers.create_task(attack(port, machine, kind))
            await asyncio.sleep(0)
            for _ in range(HONEST - 1):  # new links, while all of that is going on
                it = await open_connection("127.0.0.1", port, CLIENT, server_name=HOST)
                honest.append(it)
            async with asyncio.timeout(120):
                await asyncio.gather(*(say(stream, MESSAGES) for stream in honest))
            await until(lambda: front.links.refused.total() == MACHINES * EACH)
            slow_ones = MACHINES * EACH * 3 // len(KINDS)
            assert front.links.refused["handshake timeout"] == slow_ones
            assert front.links.refused["handshake"] == MACHINES * EACH - slow_ones
            assert len(front.links) == HONEST
            for stream in honest:
                await say(stream, 1)
                await stream.close()

    asyncio.run(story())


def test_half_open_connections_are_bounded_for_each_machine_and_in_all() -> None:
    limits = GatewayLimits(beginning=30, beginning_of_one=EACH, beginning_seconds=60.0)

    async def story() -> None:
        async with gateway(limits) as (front, port):
            honest = await open_connection("127.0.0.1", port, CLIENT, server_name=HOST)
            held = []
            for machine in range(MACHINES):
                held += [await hostile(port, machine) for _ in range(2 * EACH)]
            await until(lambda: front.links.refused["limit"] == len(held) - 30)
            await say(honest, MESSAGES)
            for _, writer in held:
                await hang_up(writer)
            await until(lambda: front.links.refused.total() == len(held))
            again = await open_connection("127.0.0.1", port, CLIENT, server_name=HOST)
            await say(again, 1)
            await again.close()
            await honest.close()
            await until(lambda: len(front.links) == 0)

    asyncio.run(story())


def test_a_flood_of_handshakes_from_many_machines_is_paced_and_links_that_stand_go_on() -> None:
    """Refused before any work with SM2 is done; whoever is let in is served."""
    limits = GatewayLimits(handshakes=20.0, handshakes_of_one=1.0, beginning_of_one=1000)

    async def story() -> None:
        async with gateway(limits) as (front, port):
            honest = await open_connection("127.0.0.1", port, CLIENT, server_name=HOST)
            flood = []
            for machine in range(MACHINES):
                flood += [await hostile(port, machine) for _ in range(10)]
            for _, writer in flood:
                writer.write(HALF_A_HELLO)
            await say(honest, MESSAGES)
            await until(lambda: front.links.refused["limit"] > 0)
            for _, writer in flood:
                await hang_up(writer)
            await until(lambda: front.links.refused.total() == len(flood))
            assert front.links.refused["limit"] >= MACHINES
            await say(honest, 1)
            async with asyncio.timeout(60):
                while True:  # who is turned away tries again, as collectors do
                    with contextlib.suppress(MeterSealError, OSError):
                        late = await open_connection("127.0.0.1", port, CLIENT, server_name=HOST)
                        await say(late, 1)
                        break
                    await asyncio.sleep(0.1)
            await late.close()
            await honest.close()
            await until(lambda: len(front.links) == 0)

    asyncio.run(story())

"""The gateway on real sockets: who comes in, what they reach, what they may cost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from meterseal.collection.broker import EmbeddedBroker
from meterseal.errors import MeterSealError, UsageError
from meterseal.net import open_connection
from meterseal.net.gateway import Access, AccessRule, Front, GatewayLimits, Tail
from meterseal.net.gateway.admin import Admin
from meterseal.net.gateway.listener import TURNS
from meterseal.net.ports import free_port
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    ClientConfig,
    Credential,
    ServerConfig,
)
from meterseal.x509 import RevocationReason, RevokedCertificate, TrustStore, issue_crl
from support.identities import credential, pair, root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from meterseal.net import SecureStream

START = datetime.now(UTC) - timedelta(days=1)
HOST = "gateway.example"


class World:
    """A gateway's certificates and clients of three names."""

    def __init__(self) -> None:
        self.ca, self.ca_key = root("gateway root")
        own = pair(self.ca, self.ca_key, "gateway", host=HOST)
        self.config = ServerConfig(
            credential=own,
            suites=TLS13_SUITES + TLS12_SUITES + TLCP_SUITES,
            trust=TrustStore([self.ca]),
            client_authentication=ClientAuthentication.REQUIRED,
        )

    def client(self, name: str, *, tlcp: bool = False) -> Credential:
        if tlcp:
            return pair(self.ca, self.ca_key, name)
        return credential(self.ca, self.ca_key, name, profile="client", not_before=START)

    def dial(
        self, name: str, suites: tuple[object, ...] = TLS13_SUITES, own: Credential | None = None
    ) -> ClientConfig:
        shown = own or self.client(name, tlcp=suites == TLCP_SUITES)
        return ClientConfig(
            trust=TrustStore([self.ca]),
            suites=suites,  # type: ignore[arg-type]
            credential=shown,
        )


WORLD = World()
ACCESS = Access(
    [
        AccessRule("collector-*", publish=("m/{name}/#",), subscribe=("m/{name}/#",)),
        AccessRule("station-*", publish=("m/#",), subscribe=("m/#",)),
    ]
)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def echo_front(
    config: ServerConfig = WORLD.config, limits: GatewayLimits | None = None
) -> AsyncIterator[tuple[Front, int]]:
    """A gateway before a service that repeats what it hears."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    front = Front(config, server.sockets[0].getsockname(), limits=limits)
    _, port = await front.start("127.0.0.1", 0)
    try:
        yield front, port
    finally:
        await front.close()
        server.close()
        for _ in range(TURNS):  # what the service was just given begins, and so is ended
            await asyncio.sleep(0)


async def dial(port: int, config: ClientConfig) -> SecureStream:
    return await open_connection("127.0.0.1", port, config, server_name=HOST)


async def is_ended(stream: SecureStream) -> bool:
    """Whether the gateway ends this link without another word."""
    try:
        return await asyncio.wait_for(stream.read(), 10) == b""
    except (MeterSealError, OSError):
        return True
    finally:
        await stream.close()


async def is_turned_away(port: int, config: ClientConfig) -> bool:
    """Whether this client gets no link: under TLS 1.3 it may learn of it only later."""
    try:
        stream = await dial(port, config)
    except (MeterSealError, OSError):
        return True
    return await is_ended(stream)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.01)


def play(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "suites", [TLS13_SUITES, TLS12_SUITES, TLCP_SUITES], ids=["1.3", "1.2", "tlcp"]
)
def test_what_is_said_goes_through_and_comes_back(suites: tuple[object, ...]) -> None:
    async def story() -> None:
        async with echo_front() as (front, port):
            async with await dial(port, WORLD.dial("collector-1", suites)) as stream:
                for size in (1, 1000, 300_000):
                    stream.write(b"x" * size)
                    await stream.drain()
                    assert await stream.readexactly(size) == b"x" * size
                (link,) = front.links
                shown = link.describe()
                assert shown["name"] == "collector-1"
                assert shown["received"] == shown["sent"] == 301_001
                assert "SM3" in str(shown["suite"])
            await until(lambda: len(front.links) == 0)

    play(story)


def test_a_service_that_ends_first_ends_the_link_cleanly() -> None:
    async def story() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"x" * 500_000)
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        front = Front(WORLD.config, server.sockets[0].getsockname())
        _, port = await front.start("127.0.0.1", 0)
        async with await dial(port, WORLD.dial("collector-1")) as stream:
            assert await stream.readexactly(500_000)
            assert await stream.read() == b""
        await until(lambda: len(front.links) == 0)
        assert front.links.refused.total() == 0
        await front.close()
        server.close()

    play(story)


def test_strangers_and_clients_without_a_certificate_are_turned_away() -> None:
    async def story() -> None:
        async with echo_front() as (front, port):
            other, other_key = root("other root")
            stranger = credential(other, other_key, "collector-1", profile="client")
            for config in (
                WORLD.dial("collector-1", own=stranger),
                replace(WORLD.dial("x"), credential=None),
            ):
                assert await is_turned_away(port, config)
            await until(lambda: front.links.refused.total() == 2)
            assert any(kind.startswith("certificate") for kind in front.links.refused)

    play(story)


def test_new_certificates_and_revocations_spare_the_links_of_others() -> None:
    async def story() -> None:
        good, bad = WORLD.client("collector-1"), WORLD.client("collector-2")
        now = datetime.now(UTC)
        crl = issue_crl(
            [
                RevokedCertificate.of(
                    bad.chain[0].serial_number, now, RevocationReason.KEY_COMPROMISE
                )
            ],
            ca_certificate=WORLD.ca,
            ca_key=WORLD.ca_key,
            this_update=now - timedelta(hours=1),
            days=7,
            number=1,
        )
        async with echo_front() as (front, port):
            honest = await dial(port, WORLD.dial("collector-1", own=good))
            thief = await dial(port, WORLD.dial("collector-2", own=bad))
            await until(lambda: len(front.links) == 2)
            renewed = pair(WORLD.ca, WORLD.ca_key, "gateway", host=HOST)
            assert front.reload(replace(WORLD.config, credential=renewed, crls=(crl,))) == 1
            assert await is_ended(thief)
            honest.write(b"still here")
            await honest.drain()
            assert await honest.readexactly(10) == b"still here"
            assert front.links.refused["certificate: revoked"] == 1
            again = await dial(port, WORLD.dial("collector-1", own=good))
            assert again.session.peer is not None
            assert again.session.peer.leaf == renewed.chain[0]
            assert await is_turned_away(port, WORLD.dial("collector-2", own=bad))
            await honest.close()
            await again.close()

    play(story)


@contextlib.asynccontextmanager
async def plain(port: int, count: int = 1, say: bytes = b"") -> AsyncIterator[None]:
    """So many connections that say only this."""
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(count)]
    for writer in writers:
        writer.write(say)
        if say:
            writer.write_eof()
    try:
        yield
    finally:
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def test_clients_that_never_say_who_they_are_are_dropped_and_bounded() -> None:
    limits = GatewayLimits(beginning_seconds=0.5, beginning_of_one=5)

    async def story() -> None:
        async with echo_front(limits=limits) as (front, port):
            async with plain(port, 8):
                await until(lambda: front.links.refused["limit"] == 3)
                await until(lambda: front.links.refused["handshake timeout"] == 5)
            async with await dial(port, WORLD.dial("collector-1")) as stream:
                stream.write(b"x")
                await stream.drain()
                assert await stream.readexactly(1) == b"x"

    play(story)


def test_garbage_costs_only_its_own_connection() -> None:
    async def story() -> None:
        async with echo_front() as (front, port):
            async with await dial(port, WORLD.dial("collector-1")) as stream:
                garbage = (b"GET / HTTP/1.1\r\n\r\n", bytes(500), b"\x16\x03\x01\xff\xff" * 40)
                for count, said in enumerate(garbage, 1):
                    async with plain(port, say=said):
                        await until(lambda count=count: front.links.refused.total() == count)
                stream.write(b"x")
                await stream.drain()
                assert await stream.readexactly(1) == b"x"

    play(story)


def test_handshakes_of_one_address_are_paced() -> None:
    limits = GatewayLimits(handshakes_of_one=3)

    async def story() -> None:
        async with echo_front(limits=limits) as (front, port):
            config = WORLD.dial("collector-1")
            streams = []
            for _ in range(8):
                with contextlib.suppress(MeterSealError, OSError):
                    streams.append(await dial(port, config))
            assert 3 <= len(streams) < 8
            assert front.links.refused["limit"] == 8 - len(streams)
            for stream in streams:
                stream.write(b"x")
                await stream.drain()
                assert await stream.readexactly(1) == b"x"
                await stream.close()

    play(story)


def test_who_says_nothing_for_too_long_is_dropped() -> None:
    async def story() -> None:
        async with echo_front(limits=GatewayLimits(idle_seconds=0.2)) as (front, port):
            assert await is_ended(await dial(port, WORLD.dial("collector-1")))
            assert front.links.refused["idle"] == 1

    play(story)


def test_a_service_that_is_down_closes_the_link_and_is_told() -> None:
    async def story() -> None:
        front = Front(WORLD.config, ("127.0.0.1", free_port()))
        _, port = await front.start("127.0.0.1", 0)
        assert await is_turned_away(port, WORLD.dial("collector-1"))
        await until(lambda: front.links.refused["connection"] == 1)
        await front.close()

    play(story)


def test_the_tail_seals_for_a_client_that_cannot() -> None:
    async def story() -> None:
        async with echo_front() as (front, port):
            tail = Tail(WORLD.dial("collector-1"), "127.0.0.1", port, server_name=HOST)
            _, plain = await tail.start("127.0.0.1", 0)
            for _ in range(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", plain)
                writer.write(b"plain words")
                assert await reader.readexactly(11) == b"plain words"
                writer.close()
                await until(lambda: len(front.links) == 0)
            await tail.close()

    play(story)


def test_the_operator_sees_links_and_counts() -> None:
    async def story() -> None:
        async with echo_front() as (front, port):
            admin = Admin(front.links, "gateway-1")
            host, admin_port = admin.start("127.0.0.1", 0)

            def get(path: str) -> bytes:
                with urllib.request.urlopen(f"http://{host}:{admin_port}{path}") as answer:
                    return bytes(answer.read())

            async with await dial(port, WORLD.dial("collector-1")):
                async with plain(port):
                    pass
                await until(lambda: front.links.refused.total() == 1 and len(front.links) == 1)
                assert json.loads(await asyncio.to_thread(get, "/healthz")) == {"ok": True}
                shown = json.loads(await asyncio.to_thread(get, "/links"))
                assert shown["links"][0]["name"] == "collector-1"
                assert shown["links"][0]["protocol"] == "TLS 1.3"
                assert shown["links"][0]["key_share"] == "curveSM2MLKEM768"
                assert shown["links"][0]["issuer"]
                assert shown["links"][0]["not_before"] < shown["links"][0]["not_after"]
                assert shown["latest_refusals"][0]["address"] == "127.0.0.1"
                metrics = (await asyncio.to_thread(get, "/metrics")).decode()
                assert 'meterseal_gateway_links{gateway="gateway-1"} 1.0' in metrics
                assert 'reason="handshake"' in metrics
                with pytest.raises(urllib.error.HTTPError):
                    await asyncio.to_thread(get, "/else")
            admin.close()

    play(story)


def test_a_broker_behind_sees_the_true_name_and_topics_hold(tmp_path: Path) -> None:
    async def story() -> None:
        broker = EmbeddedBroker(tmp_path / "broker", free_port(), free_port())
        async with broker:
            front = Front(WORLD.config, ("127.0.0.1", broker.mqtt_port), access=ACCESS)
            _, port = await front.start("127.0.0.1", 0)

            async with contextlib.AsyncExitStack() as stack:

                async def client(name: str, client_id: str) -> aiomqtt.Client:
                    tail = Tail(WORLD.dial(name), "127.0.0.1", port, server_name=HOST)
                    _, plain = await tail.start("127.0.0.1", 0)
                    stack.push_async_callback(tail.close)
                    return aiomqtt.Client("127.0.0.1", plain, identifier=client_id, timeout=1)

                station = await stack.enter_async_context(await client("station-1", "station-1"))
                await station.subscribe("m/#", qos=1)
                async with await client("collector-1", "collector-1") as one:
                    await one.publish("m/collector-1/up", b"reading", qos=1)
                    message = await anext(aiter(station.messages))
                    assert (str(message.topic), message.payload) == ("m/collector-1/up", b"reading")
                with contextlib.suppress(aiomqtt.MqttError):
                    async with await client("collector-1", "collector-1") as one:
                        await one.publish("m/collector-2/up", b"forged", qos=1)
                        raise UsageError("it reached another's topic")
                with pytest.raises(aiomqtt.MqttError):
                    async with await client("collector-1", "collector-2"):
                        pass
                with pytest.raises(aiomqtt.MqttError):
                    async with await client("nobody-1", "nobody-1"):
                        pass
                await until(lambda: front.links.refused["not allowed"] == 3)
            await front.close()

    play(story)

"""Gateways as victims: our front before a service that repeats what it hears."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meterseal.errors import MeterSealError
from meterseal.lab.attack.ends import READING
from meterseal.lab.attack.identities import SERVER_NAME, Ca, new_ca, new_credential
from meterseal.net import open_connection
from meterseal.net.gateway import Front, GatewayLimits
from meterseal.transport import TLS13_SUITES, ClientAuthentication, ClientConfig, ServerConfig
from meterseal.x509 import TrustStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meterseal.net import SecureStream
    from meterseal.transport import Credential

__all__ = ["Gateway", "echoes", "gateway"]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway, its CA and its port on loopback."""

    ca: Ca
    front: Front
    config: ServerConfig
    port: int

    def meter(self, name: str) -> Credential:
        """Have a meter certified by the gateway's CA."""
        return new_credential(self.ca, name, profile="client")

    async def dial(self, credential: Credential) -> SecureStream:
        """Come in as somebody. Raises what a connection raises."""
        config = ClientConfig(
            trust=TrustStore([self.ca.certificate]), suites=TLS13_SUITES, credential=credential
        )
        return await open_connection("127.0.0.1", self.port, config, server_name=SERVER_NAME)

    async def lets_in(self, credential: Credential) -> bool:
        """Whether somebody gets a link that carries data."""
        try:
            link = await self.dial(credential)
        except (MeterSealError, OSError):
            return False
        try:
            return await echoes(link)
        finally:
            await link.close()

    def log(self) -> str:
        """Say what the gateway counted."""
        return f"gateway refused {dict(self.front.links.refused)}, holds {len(self.front.links)}"


async def echoes(link: SecureStream) -> bool:
    """Whether what is said on a link comes back."""
    try:
        link.write(READING)
        await link.drain()
        async with asyncio.timeout(10):
            return await link.readexactly(len(READING)) == READING
    except (MeterSealError, OSError, EOFError):
        return False


@contextlib.asynccontextmanager
async def gateway(limits: GatewayLimits | None = None) -> AsyncIterator[Gateway]:
    """Run a gateway."""
    ca = new_ca("gateway root")
    config = ServerConfig(
        credential=new_credential(ca, "gateway", host=SERVER_NAME),
        suites=TLS13_SUITES,
        trust=TrustStore([ca.certificate]),
        client_authentication=ClientAuthentication.REQUIRED,
    )
    service = await asyncio.start_server(_repeat, "127.0.0.1", 0)
    front = Front(config, service.sockets[0].getsockname()[:2], limits=limits)
    _, port = await front.start("127.0.0.1", 0)
    try:
        yield Gateway(ca, front, config, port)
    finally:
        await front.close()
        service.close()


async def _repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()

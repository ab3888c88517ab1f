"""A gateway that runs by its settings.

Certificates and revocation lists are read anew as they change on the disk; links stay up meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING, Final

from meterseal.collection.config import split_address
from meterseal.collection.credentials import server_context
from meterseal.collection.files import stamp_of
from meterseal.errors import MeterSealError
from meterseal.net.gateway import Access, AccessRule, Front, GatewayLimits
from meterseal.net.gateway.admin import Admin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meterseal.collection.config import GatewaySettings, Identity
    from meterseal.transport import ServerConfig

__all__ = ["Gateway", "run_gateway"]

_log: Final = logging.getLogger("meterseal.gateway")


class Gateway:
    """The front, its operator's page, and the watch over its files.

    Raises `OSError`, `ssl.SSLError` or `MeterSealError` where a file is missing or wrong.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self._context = server_context(settings.identity, settings.protocol)
        self._stamp = stamp_of(_files(settings.identity))
        rules = [AccessRule(each.name, each.publish, each.subscribe) for each in settings.rule]
        self.front = Front(
            self._context.server_config(),
            split_address(settings.backend),
            access=Access(rules) if settings.service == "mqtt" else None,
            limits=GatewayLimits(
                connections=settings.connections,
                handshakes=settings.handshakes,
                handshakes_of_one=settings.handshakes_of_one,
                idle_seconds=settings.idle_seconds,
            ),
        )
        self.admin = Admin(self.front.links, settings.name)

    async def run(self) -> None:
        """Serve until cancelled."""
        with contextlib.ExitStack() as stack:
            if self.settings.admin is not None:
                self.admin.start(*split_address(self.settings.admin))
                stack.callback(self.admin.close)
            host, port = await self.front.start(*split_address(self.settings.listen))
            _log.info("%s listens on %s:%d", self.settings.name, host, port)
            try:
                while True:
                    await asyncio.sleep(self.settings.reload_seconds)
                    self.reload()
            finally:
                await self.front.close()

    def reload(self) -> bool:
        """Read certificates, trust and lists anew if a file changed; returns whether they were.

        Files that cannot be read leave what was there in force: a mistake opens no door.
        """
        stamp = stamp_of(_files(self.settings.identity))
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            config = self._renewed()
        except (OSError, ssl.SSLError, MeterSealError) as error:
            _log.error("%s: files changed and were not taken: %s", self.settings.name, error)
            return False
        ended = self.front.reload(config)
        _log.info("%s took changed files; %d links ended", self.settings.name, ended)
        return True

    def _renewed(self) -> ServerConfig:
        self._context = server_context(self.settings.identity, self.settings.protocol)
        return self._context.server_config()


async def run_gateway(settings: GatewaySettings) -> None:
    """Run a gateway until cancelled."""
    await Gateway(settings).run()


def _files(identity: Identity) -> Iterator[Path]:
    yield identity.certificate
    yield identity.key
    if identity.encryption_key is not None:
        yield identity.encryption_key
    yield identity.ca
    yield from identity.crls

"""The client's side of the gateway: plain in front, sealed behind, for clients that cannot seal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from meterseal.errors import MeterSealError
from meterseal.net.gateway.listener import Listener
from meterseal.net.streams import SecureStream, open_connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meterseal.transport import ClientConfig, Session

__all__ = ["Tail"]

_log: Final = logging.getLogger("meterseal.gateway")
_CHUNK: Final = 64 * 1024


class Tail:
    """Takes plain connections, on loopback as a rule, and passes each through a sealed one.

    Every plain client speaks under the tail's own certificate. `server_name` is the name that the
    far end's certificate must stand for (its host by default).
    """

    def __init__(
        self, config: ClientConfig, host: str, port: int, server_name: str | None = None
    ) -> None:
        self._config = config
        self._target = host, port
        self._server_name = server_name
        self._session: Session | None = None
        self._listener = Listener(self._accept)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; returns the address in use (port 0 takes a free one)."""
        return await self._listener.start(host, port)

    async def close(self) -> None:
        """Stop listening and end all connections."""
        await self._listener.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (MeterSealError, OSError) as error:
            _log.warning("no sealed way to %s:%d: %s", *self._target, error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target
        stream = await open_connection(
            host, port, self._config, server_name=self._server_name, session=self._session
        )
        async with stream:
            await _both(_copy(reader.read, stream), _copy(stream.read, writer))
            self._session = stream.resumable


async def _copy(
    read: Callable[[int], Awaitable[bytes]], sink: SecureStream | asyncio.StreamWriter
) -> None:
    while data := await read(_CHUNK):
        sink.write(data)
        await sink.drain()


async def _both(*copies: Awaitable[None]) -> None:
    """Run until either side has ended; a failure of either is raised."""
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)

"""TCP connections, each in a task of its own: what the two sides of a gateway share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["TURNS", "Listener"]

TURNS: Final = 5
"""Turns of the loop that a connection may take from the kernel to its task."""


class Listener:
    """Has every connection served by `serve`, and closes it after; `len` is how many are open."""

    def __init__(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        backlog: int = 100,
    ) -> None:
        self._serve = serve
        self._backlog = backlog
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; returns the address in use (port 0 takes a free one)."""
        self._server = await asyncio.start_server(self._accept, host, port, backlog=self._backlog)
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def close(self) -> None:
        """Stop listening and end all connections, those just let in among them."""
        if self._server is not None:
            self._server.close()
        for _ in range(TURNS):
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            # Ended by us; the server's callback must not raise it further.
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

"""DL/T 645 over asyncio: TCP and serial lines, for a master and for meters.

A serial line has even parity and one stop bit (8E1), 2400 bit/s unless said otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Self

import serial  # type: ignore[import-untyped]

from meterseal.collection.dlt645.frame import ANYONE, BROADCAST
from meterseal.collection.dlt645.items import (
    decode_block,
    decode_item,
    decode_quantities,
    quantities_of,
)
from meterseal.collection.dlt645.master import Answer, Conversation
from meterseal.collection.dlt645.messages import Request
from meterseal.collection.dlt645.slave import SlaveLine
from meterseal.errors import ConnectionEnded, MeterRefused, MeterSilent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime

    from meterseal.collection.dlt645.slave import Slave
    from meterseal.collection.dlt645.values import Value
    from meterseal.collection.model import MeterAddress, Quantity

__all__ = [
    "Link",
    "Master",
    "Timing",
    "link_of_files",
    "open_serial",
    "open_tcp",
    "serve_link",
    "serve_tcp",
]

_READ_SIZE: Final = 4096
_GAP: Final = 0.5  # s of silence that a frame may have inside (clause 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a master waits for, in seconds.

    `answer`: from the end of a request to the first byte of its answer (the standard allows the
    meter 0.5 s); `gap`: between bytes of a frame; `frame`: for one whole frame, noise included;
    `pause`: from an answer to the next request, so that the line can turn round.
    """

    answer: float = 1.0
    gap: float = _GAP
    frame: float = 4.0
    pause: float = 0.02


class Link:
    """A line: bytes out, bytes in as they come; `reading` where that has a transport of its own."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        reading: asyncio.BaseTransport | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._reading = reading

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, data: bytes) -> None:
        """Send; raises `ConnectionEnded` on a line that is gone."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise ConnectionEnded(f"the line is gone: {error}") from error

    async def receive(self) -> bytes:
        """Wait for bytes; raises `ConnectionEnded` on a line that is gone."""
        try:
            data = await self._reader.read(_READ_SIZE)
        except OSError as error:
            raise ConnectionEnded(f"the line is gone: {error}") from error
        if not data:
            raise ConnectionEnded("the other end closed the line")
        return data

    async def discard(self) -> None:
        """Drop what has arrived already: noise, or an answer that came too late."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                while True:
                    await self.receive()

    async def close(self) -> None:
        """Close the line."""
        if self._reading is not None:
            self._reading.close()
        self._writer.close()
        with contextlib.suppress(OSError):  # it was gone before
            await self._writer.wait_closed()


async def open_tcp(host: str, port: int) -> Link:
    """Connect to a meter, or to a converter with meters behind it; raises `OSError`."""
    return Link(*await asyncio.open_connection(host, port))


async def open_serial(device: str, *, rate: int = 2400, parity: str = serial.PARITY_EVEN) -> Link:
    """Open a serial line for this process alone; raises `OSError`."""
    port = serial.Serial(device, baudrate=rate, parity=parity, timeout=0, exclusive=True)
    return await link_of_files(port, os.fdopen(os.dup(port.fileno()), "wb", 0))


async def link_of_files(read_from: BinaryIO, write_to: BinaryIO) -> Link:
    """Make a line of two open files (a terminal, pipes); closing it closes them."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    reading, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), read_from
    )
    writing, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), write_to
    )
    return Link(reader, asyncio.StreamWriter(writing, protocol, reader, loop), reading)


class Master:
    """The master of one line. Tasks may share it: one request is under way at a time."""

    def __init__(self, link: Link, timing: Timing = Timing()) -> None:
        self._link = link
        self._timing = timing
        self._conversation = Conversation()
        self._turn = asyncio.Lock()
        self._free_at = 0.0

    async def ask(
        self, address: str, request: Request, *, allow_change: bool = False
    ) -> Answer | None:
        """Send a request and return its answer; `None` for one to `BROADCAST`.

        Anything but reading needs `allow_change`, see `Conversation.request`. Raises `MeterSilent`,
        `MeterRefused`, `UnsupportedMeter`, `MalformedData`, `ConnectionEnded`.
        """
        async with self._turn:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._free_at - loop.time()))
            await self._link.discard()
            to_send = self._conversation.request(address, request, allow_change=allow_change)
            try:
                await self._link.send(to_send)
                return None if address == BROADCAST else await self._answer(address)
            finally:
                self._free_at = loop.time() + self._timing.pause

    async def find(self) -> MeterAddress:
        """Return the address of the one meter on the line."""
        answer = await self._asked(ANYONE, Request.read_address())
        return answer.meter

    async def read_data(self, address: str, code: int) -> bytes:
        """Return the data of an identifier or a block as they are."""
        return (await self._asked(address, Request.read(code))).data

    async def read(self, address: str, code: int) -> tuple[Value, ...]:
        """Return the values of an identifier."""
        return decode_item(code, await self.read_data(address, code))

    async def read_block(self, address: str, code: int) -> dict[int, tuple[Value, ...]]:
        """Return the values of a block by identifier."""
        return decode_block(code, await self.read_data(address, code))

    async def read_load_record(
        self, address: str, code: int, count: int, since: datetime | None = None
    ) -> bytes:
        """Return load records as they are; `load_record.decode_records` reads them."""
        return (await self._asked(address, Request.read_load_record(code, count, since))).data

    async def read_quantities(
        self, address: str, codes: Iterable[int]
    ) -> dict[Quantity, int | None]:
        """Read blocks (or items) and return their quantities in steps of each one's resolution.

        What the meter does not have is `None`. A meter that falls silent costs one time-out and no
        more: what was read before is returned, the quantities of the other blocks are not in it.
        Raises `MeterSilent` where nothing was read, and the errors of `ask`.
        """
        values: dict[Quantity, int | None] = {}
        for code in codes:
            try:
                values |= decode_quantities(code, await self.read_data(address, code))
            except MeterRefused:
                values |= dict.fromkeys(quantities_of(code).values())
            except MeterSilent:
                if not values:
                    raise
                break
        return values

    async def _asked(self, address: str, request: Request) -> Answer:
        answer = await self.ask(address, request)
        if answer is None:
            raise MeterSilent("nobody answers what is sent to all")
        return answer

    async def _answer(self, address: str) -> Answer:
        answer = None
        while answer is None:
            try:
                async with asyncio.timeout(self._timing.frame):
                    answer = await self._frame()
            except TimeoutError as error:
                raise MeterSilent(f"meter {address} did not answer") from error
        return answer

    async def _frame(self) -> Answer | None:
        """Wait for the awaited frame; `None` where a following one has been asked for."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timing.answer
        while True:
            data = await self._receive(until)
            if data:
                answer = self._conversation.receive_data(data)
            else:
                answer = self._conversation.end_of_gap()
            to_send = self._conversation.data_to_send()
            if to_send:
                await self._link.send(to_send)
            if answer is not None or to_send:
                return answer
            if not data:
                raise TimeoutError
            until = max(until, loop.time() + self._timing.gap)

    async def _receive(self, until: float) -> bytes:
        try:
            async with asyncio.timeout_at(until):
                return await self._link.receive()
        except TimeoutError:
            return b""


async def serve_link(link: Link, meters: Iterable[Slave]) -> None:
    """Answer for meters on a line until it is closed."""
    line = SlaveLine(meters)
    while True:
        try:
            async with asyncio.timeout(_GAP if line.is_waiting else None):
                data = await link.receive()
        except TimeoutError:
            answers = line.end_of_gap()
        except ConnectionEnded:
            return
        else:
            answers = line.receive_data(data)
        if answers:
            await link.send(answers)


@contextlib.asynccontextmanager
async def serve_tcp(
    meters: Iterable[Slave], host: str, port: int, *, most: int = 64
) -> AsyncIterator[asyncio.Server]:
    """Listen for masters, `most` of them at a time; each reaches every meter by its address.

    One more is hung up on at once. A master may be silent as long as it likes. Leaving hangs up on
    all.
    """
    known = tuple(meters)
    connected: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connected) >= most:
            writer.close()
            return
        task = asyncio.ensure_future(_serve_connection(Link(reader, writer), known))
        connected.add(task)
        task.add_done_callback(connected.discard)

    server = await asyncio.start_server(serve, host, port)
    try:
        yield server
    finally:
        server.close()
        for task in connected:
            task.cancel()
        await asyncio.gather(*connected, return_exceptions=True)


async def _serve_connection(link: Link, meters: Iterable[Slave]) -> None:
    async with link:
        with contextlib.suppress(ConnectionEnded):
            await serve_link(link, meters)

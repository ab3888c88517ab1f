"""Meters at work: steps in real or hastened time, and lines on which they answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from meterseal.collection.dlt645 import Slave
from meterseal.collection.dlt645.link import open_serial, serve_link, serve_tcp
from meterseal.collection.meter.door import Door
from meterseal.collection.meter.meter import Meter, MeterConfig
from meterseal.collection.meter.store import MeterStore
from meterseal.errors import ConnectionEnded, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meterseal.collection.dlt645.link import Link
    from meterseal.collection.meter.sources import Source
    from meterseal.collection.model import MeterAddress
    from meterseal.collection.sealing import Sealer

__all__ = [
    "Clock",
    "MeterGroup",
    "MeterSetup",
    "RunConfig",
    "SerialLine",
    "SystemClock",
    "TcpLine",
    "run",
]

_log: Final = logging.getLogger("meterseal.meter")
_SECOND: Final = 1000
_REOPEN_SECONDS: Final = 5
_SHORTEST, _LONGEST = 200, 120_000


class Clock(Protocol):
    """Time from outside, in ms."""

    def wall(self) -> int:
        """Return UTC since 1970."""

    def steady(self) -> int:
        """Return a time that never runs back and cannot be set."""

    async def sleep(self, ms: int) -> None:
        """Wait."""


class SystemClock:
    """The computer's clocks; `speed` hastens both from the moment the object is made."""

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise UsageError("a clock runs forward: its speed is above 0")
        self._speed = speed
        self._wall, self._born = time.time(), self._boot_time()

    @staticmethod
    def _boot_time() -> float:
        """Return seconds that go on while the computer sleeps, where it can tell."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def wall(self) -> int:
        """Return UTC since 1970."""
        return round(1000 * self._wall) + self.steady()

    def steady(self) -> int:
        """Return ms since the object was made."""
        return round(1000 * self._speed * (self._boot_time() - self._born))

    async def sleep(self, ms: int) -> None:
        """Wait for so many ms of this clock."""
        await asyncio.sleep(max(ms, 0) / 1000 / self._speed)


@dataclass(frozen=True, slots=True)
class MeterSetup:
    """One meter: what it measures, and with what it seals."""

    address: MeterAddress
    source: Source
    sealer: Sealer | None = None


@dataclass(frozen=True, slots=True)
class TcpLine:
    """A TCP port on which meters answer; all of them unless named."""

    host: str = "127.0.0.1"
    port: int = 0
    meters: Sequence[MeterAddress] | None = None


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A serial device on which meters answer; all of them unless named."""

    device: str
    rate: int = 2400
    parity: str = "E"
    meters: Sequence[MeterAddress] | None = None


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Meters of one kind in one process, with one state file in `folder`.

    `interval` is between steps of one meter in ms: 200 measures without a gap, 120,000 is the most.
    """

    folder: Path
    meters: Sequence[MeterSetup]
    kind: MeterConfig
    lines: Sequence[TcpLine | SerialLine] = field(default_factory=lambda: (TcpLine(),))
    interval: int = 200

    def __post_init__(self) -> None:
        if not _SHORTEST <= self.interval <= _LONGEST:
            raise UsageError(f"steps of a meter are {_SHORTEST} to {_LONGEST} ms apart")


class MeterGroup:
    """Meters that share a store and take their steps in turns.

    Where `interval` is a second or more, each second is for its share of the meters.
    """

    def __init__(self, config: RunConfig, clock: Clock) -> None:
        config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clock = clock
        self.store = MeterStore(config.folder / "meters.sqlite", clock.wall() // _SECOND)
        self.meters: dict[MeterAddress, Meter] = {}
        for setup in config.meters:
            if setup.address in self.meters:
                raise UsageError(f"there are two meters {setup.address}")
            self.meters[setup.address] = Meter(
                setup.address, setup.source, config.kind, self.store, setup.sealer
            )
        self._pause = min(config.interval, _SECOND)
        shares = max(1, config.interval // _SECOND)
        everyone = list(self.meters.values())
        self._shares = [everyone[share::shares] for share in range(shares)]

    def step(self, meters: Sequence[Meter]) -> None:
        """Let meters measure, bring it to the disk, show it; a full disk leaves all as it was."""
        changes = [meter.advance(self.clock.wall(), self.clock.steady()) for meter in meters]
        try:
            self.store.commit(changes)
        except sqlite3.Error as error:
            _log.error("nothing is shown that cannot be kept: %s", error)
            return
        for meter in meters:
            meter.publish()

    async def run(self) -> None:
        """Take steps until cancelled; after a delay the next step covers its time.

        Where steps take long (a slow disk, a busy machine) as much time is left between them: a
        meter that measures without pause and answers nobody is of no use.
        """
        self.step(list(self.meters.values()))
        due = free = self.clock.steady()
        while True:
            for share in self._shares:
                due = max(due + self._pause, free)
                await self.clock.sleep(due - self.clock.steady())
                began = self.clock.steady()
                self.step(share)
                free = 2 * self.clock.steady() - began

    def slaves(self, chosen: Sequence[MeterAddress] | None) -> list[Slave]:
        """Return the meters of a line."""
        addresses = self.meters if chosen is None else chosen
        return [
            Slave(address, Door(self.meters[address], self.clock.steady)) for address in addresses
        ]


async def run(
    config: RunConfig,
    *,
    clock: Clock | None = None,
    started: Callable[[list[tuple[str, int]], MeterGroup], None] | None = None,
) -> None:
    """Run meters until cancelled.

    `started` is told the addresses of the TCP lines, and the group, once all lines are open.
    Raises `OSError` for a line that cannot be opened, `UsageError` for a state file in use.
    """
    group = MeterGroup(config, clock or SystemClock())
    try:
        async with contextlib.AsyncExitStack() as stack:
            bound: list[tuple[str, int]] = []
            for line in config.lines:
                slaves = group.slaves(line.meters)
                if isinstance(line, SerialLine):
                    link = await _open(line)
                    task = asyncio.create_task(_serve_serial(line, link, slaves))
                    stack.push_async_callback(_end, task)
                else:
                    serving = serve_tcp(slaves, line.host, line.port)
                    server = await stack.enter_async_context(serving)
                    bound.append(server.sockets[0].getsockname()[:2])
            _log.info("%d meters answer on %d lines", len(group.meters), len(config.lines))
            if started is not None:
                started(bound, group)
            await group.run()
    finally:
        group.store.close()


async def _open(line: SerialLine) -> Link:
    return await open_serial(line.device, rate=line.rate, parity=line.parity)


async def _serve_serial(line: SerialLine, link: Link, slaves: Sequence[Slave]) -> None:
    """Answer on a device, and open it again when it was gone (an adapter was unplugged)."""
    while True:
        async with link:
            await serve_link(link, slaves)
        _log.warning("the line %s is gone", line.device)
        while True:
            await asyncio.sleep(_REOPEN_SECONDS)
            with contextlib.suppress(OSError):
                link = await _open(line)
                break


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, ConnectionEnded):
        await task

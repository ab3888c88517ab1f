"""Seals what was read and keeps it: between the lines that poll and the outbox.

Samples that arrive together share one transaction and one batch of signatures. If the file cannot
be written (disk full), the keeper holds what it has and tries again; its queue fills, and the lines
stop asking meters until there is room: nothing that was read is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec, TypeVar

from meterseal.collection.model import MeterAddress, Quality, Reading, Statement, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meterseal.collection.collector.outbox import Outbox
    from meterseal.collection.sealing import Sealer

__all__ = ["Keeper", "Sample", "SealedByMeter"]

_log: Final = logging.getLogger("meterseal.collector")
_QUEUE: Final = 4096
_BATCH: Final = 512
_RETRY_SECONDS: Final = 1.0

Arguments = ParamSpec("Arguments")
ResultT = TypeVar("ResultT")


class Sample(NamedTuple):
    """What a meter answered, to be sealed by the collector; `sampled_at` in UTC ms.

    `error` says why there is nothing, where the meter did not answer.
    """

    meter: MeterAddress
    sampled_at: int
    values: Values
    quality: Quality = Quality.SOUND
    error: str | None = None


class SealedByMeter(NamedTuple):
    """Statements that the meter sealed itself, with their bytes; `sampled_at` in UTC ms."""

    meter: MeterAddress
    sampled_at: int
    statements: tuple[tuple[Statement, bytes], ...]
    error: str | None = None


class Keeper:
    """Takes samples from many lines and writes them in one thread.

    `fresh` is set whenever the outbox has something new.
    """

    def __init__(self, outbox: Outbox, sealer: Sealer) -> None:
        self._outbox = outbox
        self._sealer = sealer
        self._queue: asyncio.Queue[Sample | SealedByMeter] = asyncio.Queue(_QUEUE)
        self._thread = ThreadPoolExecutor(1, "outbox")
        self.fresh = asyncio.Event()
        self.kept = 0
        self._in_hand: list[Sample | SealedByMeter] = []
        self.trouble: str | None = None

    async def put(self, sample: Sample | SealedByMeter) -> None:
        """Hand over a sample; waits while there is no room."""
        await self._queue.put(sample)

    async def heard(self, meter: MeterAddress) -> tuple[int, int] | None:
        """Return epoch and sequence of what this meter sealed last, of what is kept."""
        return await self.call(self._outbox.heard, meter)

    async def call(
        self,
        function: Callable[Arguments, ResultT],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> ResultT:
        """Call a method of the outbox in its thread."""
        call = asyncio.get_running_loop().run_in_executor
        return await call(self._thread, lambda: function(*args, **kwargs))

    async def run(self) -> None:
        """Keep samples until cancelled; then `close` keeps what is left."""
        while True:
            await self._keep([await self._queue.get(), *self._take()])

    async def close(self) -> None:
        """Keep what still waits, if that can be done at once, and end the outbox's thread."""
        while left := self._in_hand or self._take():
            self._in_hand = []
            try:
                self.kept += await self.call(self._write, left)
            except sqlite3.Error as error:
                _log.error("%d samples could not be kept: %s", len(left), error)
        self._thread.shutdown()

    def _take(self) -> list[Sample | SealedByMeter]:
        count = min(self._queue.qsize(), _BATCH - 1)
        return [self._queue.get_nowait() for _ in range(count)]

    async def _keep(self, batch: list[Sample | SealedByMeter]) -> None:
        self._in_hand = batch
        while True:
            write = asyncio.ensure_future(self.call(self._write, batch))
            write.add_done_callback(self._written)
            try:
                await asyncio.shield(write)
            except asyncio.CancelledError:
                await asyncio.wait((write,))  # a thread cannot be stopped: it is waited for
                raise
            except sqlite3.Error as error:
                self.trouble = f"the outbox cannot be written: {error}"
                _log.error("%s; trying again", self.trouble)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.trouble = None
            return

    def _written(self, write: asyncio.Future[int]) -> None:
        if write.exception() is None:
            self.kept += write.result()
            self._in_hand = []
            self.fresh.set()

    def _write(self, batch: Sequence[Sample | SealedByMeter]) -> int:
        """Keep all of a batch or nothing: a batch that is tried again must not count twice."""
        samples = [each for each in batch if isinstance(each, Sample)]
        sealed = [
            statement
            for each in batch
            if isinstance(each, SealedByMeter)
            for statement in each.statements
        ]
        with self._outbox.transaction():
            kept = self._outbox.add(
                [sample.meter for sample in samples], lambda numbers: self._seal(samples, numbers)
            )
            kept += self._outbox.keep(sealed)
            self._outbox.count_polls([(each.meter, each.sampled_at, each.error) for each in batch])
        return kept

    def _seal(
        self, samples: Sequence[Sample], numbers: Sequence[int]
    ) -> list[tuple[Statement, bytes]]:
        readings = [
            Reading(
                meter=sample.meter,
                epoch=self._outbox.epoch,
                sequence=number,
                sampled_at=sample.sampled_at,
                quality=sample.quality,
                values=sample.values,
            )
            for sample, number in zip(samples, numbers, strict=True)
        ]
        return list(zip(readings, self._sealer.seal_many(readings), strict=True))

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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, ParamSpec, TypeAlias, TypeVar

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


@dataclass(frozen=True, slots=True)
class Sample:
    """What a meter answered, to be sealed by the collector; `sampled_at` in UTC ms.

    `error` says why there is nothing, where the meter did not answer.
    """

    meter: MeterAddress
    sampled_at: int
    values: Values
    quality: Quality = Quality.SOUND
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SealedByMeter:
    """Statements that the meter sealed itself, with their bytes; `sampled_at` in UTC ms."""

    meter: MeterAddress
    sampled_at: int
    statements: tuple[tuple[Statement, bytes], ...]
    error: str | None = None


_Item: TypeAlias = "tuple[Sample | SealedByMeter, asyncio.Future[None]]"


class Keeper:
    """Takes samples from many lines and writes them in one thread.

    `fresh` is set whenever the outbox has something new.
    """

    def __init__(self, outbox: Outbox, sealer: Sealer) -> None:
        self._outbox = outbox
        self._sealer = sealer
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(_QUEUE)
        self._thread = ThreadPoolExecutor(1, "outbox")
        self.fresh = asyncio.Event()
        self.kept = 0
        self.trouble: str | None = None

    async def put(self, sample: Sample | SealedByMeter) -> asyncio.Future[None]:
        """Hand over a sample; waits while there is no room. Returns what ends when it is kept."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put((sample, kept))
        return kept

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
        """Keep samples until cancelled; what is in hand then is still kept."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await asyncio.shield(self._keep(batch))

    async def _keep(self, batch: Sequence[_Item]) -> None:
        while True:
            try:
                self.kept += await self.call(self._write, [sample for sample, _ in batch])
            except sqlite3.Error as error:
                self.trouble = f"the outbox cannot be written: {error}"
                _log.error("%s; trying again", self.trouble)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.trouble = None
            self.fresh.set()
            for _, kept in batch:
                if not kept.done():
                    kept.set_result(None)
            return

    def _write(self, batch: Sequence[Sample | SealedByMeter]) -> int:
        samples = [each for each in batch if isinstance(each, Sample)]
        kept = 0
        if samples:
            kept += self._outbox.add(
                [sample.meter for sample in samples], lambda numbers: self._seal(samples, numbers)
            )
        sealed = [
            statement
            for each in batch
            if isinstance(each, SealedByMeter)
            for statement in each.statements
        ]
        if sealed:
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

"""One line of meters (an RS-485 bus, a TCP address): asks each in its turn, and none of the others.

Only one request is on a line at a time. A meter that is slow costs its line one time-out, then its
turns grow rare (`Plan`); other lines do not notice.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from meterseal.collection.collector.keeper import Keeper, Sample, SealedByMeter
from meterseal.collection.model import MeterAddress, Quality, Statement, Values
from meterseal.collection.sealing import open_sealed
from meterseal.errors import MalformedData, MeterSealError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.collection.collector.clock import WatchedClock
    from meterseal.collection.collector.plan import Plan

__all__ = ["Line", "MeterPort"]

_log: Final = logging.getLogger("meterseal.collector")
_LONGEST_SLEEP: Final = 1.0  # seconds: a clock that is set is noticed within


class MeterPort(Protocol):
    """How the meters of one line are read; an attempt must end within its own time-out.

    Both calls raise `TimeoutError`, `OSError` or `MeterSealError` where the meter gives nothing.
    """

    async def read(self, meter: MeterAddress) -> tuple[Values, Quality]:
        """Return what the meter measures now; `Quality.PARTIAL` if some of it did not come."""
        ...

    async def read_sealed(
        self, meter: MeterAddress, after: tuple[int, int] | None
    ) -> Sequence[bytes]:
        """Return some of what the meter sealed after this (epoch, sequence), the oldest first."""
        ...


class Line:
    """Polls the meters of one port by a plan; `self_sealing` ones hand out sealed statements."""

    def __init__(
        self,
        port: MeterPort,
        plan: Plan,
        keeper: Keeper,
        clock: WatchedClock,
        self_sealing: frozenset[MeterAddress] = frozenset(),
    ) -> None:
        self._port = port
        self._plan = plan
        self._keeper = keeper
        self._clock = clock
        self._self_sealing = self_sealing

    async def run(self) -> None:
        """Poll until cancelled."""
        earlier = self._clock.now()
        while True:
            now = self._clock.now()
            if now < earlier:
                self._plan.rewind(now)
            earlier = now
            meter = self._plan.take_due(now)
            if meter is None:
                due = self._plan.next_due()
                wait = _LONGEST_SLEEP if due is None else (due - now) / 1000
                await asyncio.sleep(min(wait, _LONGEST_SLEEP))
                continue
            await self._turn(meter)

    async def _turn(self, meter: MeterAddress) -> None:
        read = self._read_sealed if meter in self._self_sealing else self._read
        sample = await read(meter)
        if sample.error:
            _log.warning("meter %s: %s", meter, sample.error)
        self._plan.record(meter, self._clock.now(), answered=sample.error is None)
        await self._keeper.put(sample)

    async def _read(self, meter: MeterAddress) -> Sample:
        """Ask one meter. The time is that of the answer: never old values under a fresh time."""
        try:
            values, quality = await self._port.read(meter)
        except (OSError, MeterSealError) as error:  # TimeoutError is an OSError
            quality = Quality.FAILED | self._clock.quality
            return Sample(meter, self._clock.now(), {}, quality, _reason(error))
        now = self._clock.now()
        return Sample(meter, now, values, quality | self._clock.quality)

    async def _read_sealed(self, meter: MeterAddress) -> SealedByMeter:
        """Ask a meter that seals itself; what is not its own statement is refused here already."""
        try:
            after = await self._keeper.heard(meter)
            encodings = await self._port.read_sealed(meter, after)
            statements = [open_sealed(encoding).statement for encoding in encodings]
            if any(statement.meter != meter for statement in statements):
                raise MalformedData("it handed out a statement of another meter")
            _warn_of_overwritten(after, statements)
        except (OSError, MeterSealError) as error:
            return SealedByMeter(meter, self._clock.now(), (), _reason(error))
        pairs = tuple(zip(statements, encodings, strict=True))
        return SealedByMeter(meter, self._clock.now(), pairs)


def _warn_of_overwritten(after: tuple[int, int] | None, statements: Sequence[Statement]) -> None:
    """Say what a meter no longer holds: it was read too seldom, and the station shows a gap."""
    if after is None or not statements or statements[0].epoch != after[0]:
        return
    if missed := statements[0].sequence - after[1] - 1:
        _log.warning(
            "meter %s no longer holds %d statements from %d on: nobody read them in time",
            statements[0].meter, missed, after[1] + 1,
        )  # fmt: skip


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__

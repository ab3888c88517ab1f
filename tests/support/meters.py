"""Software meters for tests: their clocks stand still until they are told."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from meterseal.collection.meter.measurement import Measurement
from meterseal.collection.meter.meter import Meter, MeterConfig
from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.sources import Source
from meterseal.collection.meter.store import Change, MeterStore
from meterseal.collection.meter.waveform import OperatingPoint, Waveforms, measure_point, render
from meterseal.collection.model import MeterAddress
from meterseal.collection.sealing import Sealer
from meterseal.crypto.sm2 import PrivateKey
from meterseal.x509 import KeyUsage, Name, self_signed

ADDRESS = MeterAddress("202611230001")
MORNING = 1_795_392_000_000  # 2026-11-23 08:00 at UTC+8
RATINGS = Ratings()


@dataclass
class Supply:
    """A source whose operating point is set by hand."""

    point: OperatingPoint = field(default_factory=lambda: OperatingPoint.balanced(220.0, 5.0))
    ratings: Ratings = RATINGS

    def measure(self, moment: int) -> Measurement:
        del moment
        return measure_point(self.point)

    def waveforms(self, moment: int) -> Waveforms:
        return render(self.point, 6400.0, 2200, moment % 1000 / 1000)


class Bench:
    """One meter, its store, and a clock that is moved by hand."""

    def __init__(
        self,
        folder: Path,
        source: Source | None = None,
        *,
        wall: int = MORNING,
        config: MeterConfig | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self.wall, self.steady = wall, 0
        self.supply = Supply()
        self.store = MeterStore(folder / "meters.sqlite", wall // 1000)
        config = config or MeterConfig(RATINGS, snapshot_interval=0)
        self.meter = Meter(ADDRESS, source or self.supply, config, self.store, sealer)

    def step(self, ms: int = 1000) -> Change:
        self.wall += ms
        self.steady += ms
        change = self.meter.advance(self.wall, self.steady)
        self.store.commit([change])
        self.meter.publish()
        return change

    def run(self, seconds: int, step: int = 1000) -> None:
        for _ in range(seconds * 1000 // step):
            self.step(step)

    def close(self) -> None:
        self.store.close()


class HandClock:
    """A clock that runs only when it is told to."""

    def __init__(self, wall: int = MORNING) -> None:
        self._wall, self._steady = wall, 0
        self._moved = asyncio.Event()

    def wall(self) -> int:
        return self._wall + self._steady

    def steady(self) -> int:
        return self._steady

    async def sleep(self, ms: int) -> None:
        until = self._steady + ms
        while self._steady < until:
            await self._moved.wait()

    async def advance(self, ms: int, step: int = 1000) -> None:
        """Let time pass in steps, and those who wait for each of them do their work."""
        for _ in range(ms // step):
            self._steady += step
            self._moved.set()
            self._moved = asyncio.Event()
            for _ in range(5):
                await asyncio.sleep(0)


def sealer_for(address: MeterAddress) -> tuple[Sealer, PrivateKey]:
    """A key of a meter and what seals with it."""
    key = PrivateKey.generate()
    certificate = self_signed(
        key,
        Name.parse(f"/CN=meter-{address}"),
        not_before=datetime(2026, 11, 22, tzinfo=UTC),
        days=30,
        key_usage=KeyUsage.DIGITAL_SIGNATURE,
    )
    return Sealer(key, certificate), key

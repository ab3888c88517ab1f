"""Software meters for tests: their clocks stand still until they are told."""

from dataclasses import dataclass, field
from pathlib import Path

from meterseal.collection.meter.measurement import Measurement
from meterseal.collection.meter.meter import Meter, MeterConfig
from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.sources import Source
from meterseal.collection.meter.store import Change, MeterStore
from meterseal.collection.meter.waveform import OperatingPoint, Waveforms, measure_point, render
from meterseal.collection.model import MeterAddress
from meterseal.collection.sealing import Sealer

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
        config = config or MeterConfig(RATINGS)
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

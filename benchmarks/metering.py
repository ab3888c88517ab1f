"""Print the meter's errors over the table of class 0.2S, its speed, and memory of many meters.

Signals are synthetic, with harmonics of U (2 % of order 3, 3 % of 5) and I (5 % of 3, 6 % of 5, 1 %
of 40), at 49.5, 50 and 50.5 Hz and 5760, 6400 and 12800 samples per second; noise is 0.02 % of U
and 0.05 % of I. The error is the worst of the nine, against the values that the signal was made of.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from meterseal.collection.meter.analysis import analyse, samples_needed
from meterseal.collection.meter.meter import MeterConfig
from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.run import MeterGroup, MeterSetup, RunConfig
from meterseal.collection.meter.synthetic import synthetic_source
from meterseal.collection.meter.waveform import (
    OperatingPoint,
    measure_point,
    render,
    with_noise,
)
from meterseal.collection.model import MeterAddress

RATINGS = Ratings(voltage=220.0, current=1.5, maximum_current=6.0)
FREQUENCIES, RATES = (49.5, 50.0, 50.5), (5760.0, 6400.0, 12_800.0)
HARMONICS = {
    "voltage_harmonics": ((3, 0.02), (5, 0.03)),
    "current_harmonics": ((3, 0.05), (5, 0.06), (40, 0.01)),
}
TABLE = (  # current in In, degrees of lag, limit in percent
    *((i, 0.0, 0.4) for i in (0.01, 0.049)),
    *((i, 0.0, 0.2) for i in (0.05, 0.1, 1.0, 4.0)),
    *((i, lag, 0.5) for i in (0.02, 0.099) for lag in (60.0, -36.87)),
    *((i, lag, 0.3) for i in (0.1, 1.0, 4.0) for lag in (60.0, -36.87)),
)


class Clock:
    """Time that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0

    def wall(self) -> int:
        """Return UTC in ms."""
        return 1_795_392_000_000 + self.now

    def steady(self) -> int:
        """Return ms."""
        return self.now

    async def sleep(self, ms: int) -> None:
        """Let time pass."""
        self.now += ms


def error(current: float, lag: float, frequency: float, rate: float) -> tuple[float, float]:
    amperes = current * RATINGS.current
    balanced = OperatingPoint.balanced(RATINGS.voltage, amperes, lag)
    point = replace(balanced, frequency=frequency, **HARMONICS)
    quiet = render(point, rate, samples_needed(rate), start=0.0123)
    noisy = with_noise(quiet, 0.0002 * RATINGS.voltage, 0.0005 * amperes, seed=7)
    true = measure_point(point).active
    return tuple(100 * abs(analyse(waves).active / true - 1) for waves in (quiet, noisy))


def print_accuracy() -> None:
    print("active power: I/In, PF, limit of class 0.2S, worst error without noise, with noise")
    for current, lag, limit in TABLE:
        errors = [error(current, lag, *at) for at in itertools.product(FREQUENCIES, RATES)]
        quiet, noisy = (max(column) for column in zip(*errors, strict=True))
        factor = {0.0: "1", 60.0: "0.5 ind", -36.87: "0.8 cap"}[lag]
        print(f"{current:6} {factor:>8} {limit:5} % {quiet:9.5f} % {noisy:9.5f} %")


def print_speed() -> None:
    point = OperatingPoint.balanced(220.0, 5.0)
    waves = render(point, 6400.0, samples_needed(6400.0))
    for name, work in (
        ("window of 10 cycles, 6 channels", lambda: analyse(waves)),
        ("light measurement", lambda: measure_point(point)),
    ):
        begin, count = time.process_time(), 0
        while time.process_time() - begin < 0.5:
            work()
            count += 1
        print(f"{name}: {count / (time.process_time() - begin):,.0f} per second and core")


def print_memory(count: int) -> None:
    clock, before = Clock(), resident()
    with tempfile.TemporaryDirectory() as folder:
        setups = [
            MeterSetup(MeterAddress(f"{number:012}"), synthetic_source(number, light=True))
            for number in range(1, count + 1)
        ]
        config = RunConfig(Path(folder), setups, MeterConfig(Ratings()), interval=60_000)
        group = MeterGroup(config, clock)
        slaves = group.slaves(None)
        for _ in range(3):
            clock.now += 60_000
            begin = time.process_time()
            group.step(list(group.meters.values()))
            spent = time.process_time() - begin
        print(
            f"{len(slaves)} light meters, each stored once a minute: "
            f"{resident() - before:.0f} MiB, {100 * spent / 60:.1f} % of a core"
        )
        group.store.close()


def resident() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=10_000)
    arguments = parser.parse_args()
    print_accuracy()
    print_speed()
    print_memory(arguments.meters)


if __name__ == "__main__":
    main()

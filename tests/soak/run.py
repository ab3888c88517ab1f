"""The long forms of what the tests show in short, with a summary.

    make soak READINGS=100000 KILLS=500 SEEDS=10000 METERS=200 SOAK_SECONDS=1800

First every role is killed at random while so many readings are taken, then so many seeds are lived,
then a system of twice the meters that one machine is meant for by default (100, a reading a second
each) runs undisturbed: its memory and its descriptors must not grow, and both ends must agree.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from meterseal.collection.station.store import open_store
from support.whole_system import drained, judge, lay_out, running, stored_count, until

if TYPE_CHECKING:
    from meterseal.collection.config import Settings
    from meterseal.collection.processes import Child

ROOT = Path(__file__).parents[2]
CAMPAIGN = "tests/collection/test_kill_campaign.py::test_hundreds_of_kills_cost_no_reading"
LIVES = "tests/collection/attacks/test_simulated_lives.py::test_many_more_seeds"
MEMORY = 1.25
"""How much the greatest memory of the last third may exceed that of the first."""
DESCRIPTORS = 5


def main(readings: int, kills: int, seeds: int, meters: int, seconds: int) -> int:
    summary = []
    if readings:
        environment = {"METERSEAL_READINGS": str(readings), "METERSEAL_KILLS": str(kills)}
        summary.append(tested(CAMPAIGN, f"{kills} kills, {readings} readings", environment))
    if seeds:
        summary.append(tested(LIVES, f"{seeds} seeds", {"METERSEAL_SEEDS": str(seeds)}))
    if seconds:
        with tempfile.TemporaryDirectory() as folder:
            summary.append(asyncio.run(soak(Path(folder), meters, seconds)))
    print("\n".join(line for _, line in summary))  # noqa: T201
    return 0 if all(well for well, _ in summary) else 1


def tested(test: str, what: str, environment: dict[str, str]) -> tuple[bool, str]:
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", test]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False)
    took = time.monotonic() - began
    well = done.returncode == 0
    return well, f"{'passed' if well else 'FAILED'}: {what}, in {took:.0f} s"


@dataclass
class Watch:
    """Memory (KiB) and descriptors of one role over time."""

    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def look(self, child: Child) -> None:
        if child.process is None:
            return
        place = Path(f"/proc/{child.process.pid}")
        with contextlib.suppress(OSError, IndexError):  # it just ended: `starts` tells
            status = (place / "status").read_text().split("VmRSS:")[1]
            descriptors = len(list((place / "fd").iterdir()))
            self.memory.append(int(status.split()[0]))
            self.descriptors.append(descriptors)

    @property
    def grows(self) -> bool:
        third = len(self.memory) // 3
        more = max(self.memory[-third:]) > MEMORY * max(self.memory[third : 2 * third])
        open_now, open_then = self.descriptors[-third:], self.descriptors[third : 2 * third]
        return more or max(open_now) > max(open_then) + DESCRIPTORS

    def __str__(self) -> str:
        third = len(self.memory) // 3
        parts = self.memory[third : 2 * third], self.memory[-third:]
        then, now = (max(part) / 1024 for part in parts)
        least, most = min(self.descriptors[third:]), max(self.descriptors[third:])
        return f"{then:.1f} MiB, then {now:.1f} MiB; {least} to {most} descriptors"


async def soak(folder: Path, meters: int, seconds: int) -> tuple[bool, str]:
    config, settings = lay_out(folder, meters=meters, interval=1.0)
    async with running(config) as processes:
        await until(lambda: stored_count(settings) > meters)
        watches = {child.role: Watch() for child in processes.children}
        began, first = time.monotonic(), stored_count(settings)
        while time.monotonic() < began + seconds:
            for child in processes.children:
                watches[child.role].look(child)
            await asyncio.sleep(1)
        rate = (stored_count(settings) - first) / (time.monotonic() - began)
        await drained(settings)
        starts = {child.starts for child in processes.children}
    stored = judge(settings)
    well = starts == {1} and not any(watch.grows for watch in watches.values())
    lines = [f"  {role:10} {watch}" for role, watch in watches.items()]
    head = (
        f"{'passed' if well else 'FAILED'}: {seconds} s at {rate:.0f} readings a second,"
        f" {stored} stored, none lost or doubled, 99 % within {slowest(settings):.1f} s"
    )
    return well, "\n".join([head, *lines])


def slowest(settings: Settings) -> float:
    """Seconds from sampling to storing, of all but the slowest hundredth."""
    assert settings.station is not None
    assert settings.meter is not None
    store = open_store(settings.station.store)
    delays = sorted(
        each.received_at - each.sampled_at
        for meter in settings.meter.meters
        for each in store.statements(meter, 0, 1 << 60)
    )
    store.close()
    return delays[len(delays) * 99 // 100] / 1000


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

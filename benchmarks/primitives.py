"""Print how fast SM2, SM3 and SM4 are here, beside everybody else's, in one run on one core.

The contestants take turns, round by round, so that a slow moment of the machine hits all of them;
shown are medians, by CPU time, of the figures and of the ratios within a round. Those from
registries are built when they are first asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contestants.chart import draw
from contestants.libraries import libraries
from contestants.page import write
from contestants.programs import programs

from meterseal import _core

if TYPE_CHECKING:
    from collections.abc import Sequence


class Contestant(Protocol):
    """Does a work as often as it can."""

    name: str

    def rate(self, work: str, seconds: float) -> float | None:
        """Return calls in a second of CPU time; None for work it does not know."""

    def close(self) -> None:
        """End."""


@dataclass(frozen=True)
class Work:
    """What is measured: `name` as the contestants know it, and as people do."""

    name: str
    title: str

    @property
    def size(self) -> int:
        """Bytes a call."""
        return int(self.name.partition("/")[2] or 0)

    @property
    def unit(self) -> str:
        """Of what `figure` returns."""
        return "MB/s" if self.size else "1/s"

    def figure(self, rate: float) -> float:
        """The rate in the unit."""
        return rate * self.size / 1e6 if self.size else rate


WORKS = [
    Work("sm2-keygen", "SM2 key generation"),
    Work("sm2-keygen-batch", "SM2 key generation, 256 at once"),
    Work("sm2-sign", "SM2 sign"),
    Work("sm2-sign-batch", "SM2 sign, 256 at once"),
    Work("sm2-verify", "SM2 verify"),
    Work("sm2-verify-prepared", "SM2 verify, key prepared"),
    Work("sm2-verify-batch", "SM2 verify, 256 at once, one key"),
    Work("sm2-verify-batch-keys", "SM2 verify, 256 at once, a key each"),
    Work("sm2-ecdh", "SM2 ECDH"),
    Work("sm2-ecdh-batch", "SM2 ECDH, 256 at once"),
    Work("sm2-encrypt", "SM2 encrypt 32 B"),
    Work("sm2-decrypt", "SM2 decrypt 32 B"),
    *(Work(f"sm3/{size}", f"SM3, {size:,} B") for size in (64, 1024, 16384)),
    Work("sm3-many/1024", "SM3, 256 messages of 1,024 B at once"),
    *(Work(f"sm4-gcm/{size}", f"SM4-GCM seal, {size:,} B") for size in (64, 256, 1024, 16384)),
    Work("sm4-ctr/16384", "SM4-CTR, 16,384 B"),
    Work("sm4-cbc-decrypt/16384", "SM4-CBC decryption, 16,384 B"),
]


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="in each of which all have a turn")
    parser.add_argument("--seconds", type=float, default=0.1, help="for each measurement")
    parser.add_argument("--only", type=named, default=WORKS, metavar="TEXT", help="in their names")
    parser.add_argument("--backend", choices=_core.available_backends(), help="of meterseal")
    parser.add_argument("--json", type=Path, help="where the figures go too")
    parser.add_argument("--chart", type=Path, help="where a picture of them goes, SVG or PNG")
    parser.add_argument("--page", type=Path, help="where they go as a page of the documentation")
    arguments = parser.parse_args()
    backends = _core.available_backends()[::-1]
    if arguments.backend:
        _core.force_backend(arguments.backend)
        backends = [arguments.backend]
    others, missing = programs(backends)
    pin_to_one_core()
    contestants: list[Contestant] = [*libraries(), *others]
    works = arguments.only
    results = {
        work.name: measure(work, contestants, arguments.rounds, arguments.seconds) for work in works
    }
    for contestant in contestants:
        contestant.close()
    report = {
        "machine": machine(),
        "rounds": arguments.rounds,
        "missing": missing,
        "results": results,
    }
    show(works, report)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if arguments.chart:
        draw(works, report, arguments.chart)
    if arguments.page:
        write(works, report, arguments.page)


def named(text: str) -> list[Work]:
    """The works whose name or title holds this."""
    wish = text.casefold()
    works = [work for work in WORKS if wish in work.name or wish in work.title.casefold()]
    if not works:
        raise argparse.ArgumentTypeError(f"no work is called {text!r}")
    return works


def pin_to_one_core() -> None:
    """Stay on one core, and with us all that we start, so that nobody has two."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measure(
    work: Work, contestants: Sequence[Contestant], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """For each contestant that knows the work, ours first, what is told of it.

    That is median, least and greatest figure, and the median of ours to it within a round.
    """
    samples: dict[str, list[float]] = {}
    for _ in range(rounds):
        for contestant in contestants:
            rate = contestant.rate(work.name, seconds)
            if rate is not None:
                samples.setdefault(contestant.name, []).append(work.figure(rate))
    ours = next(iter(samples.values()))
    return {
        name: {
            "median": statistics.median(figures),
            "least": min(figures),
            "greatest": max(figures),
            "ours_to_it": statistics.median(map(truediv, ours, figures)),
        }
        for name, figures in samples.items()
    }


def machine() -> str:
    """The processor by its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def show(works: Sequence[Work], report: dict[str, object]) -> None:
    """Print a table for each work: figure, ratio of ours (from Python) to it."""
    print(f"{report['machine']}; one core; medians of {report['rounds']} rounds, in turns")
    for reason in report["missing"]:
        print(f"not here: {reason}")
    for work in works:
        figures = report["results"][work.name]
        print(f"\n{work.title}")
        for name, figure in sorted(figures.items(), key=lambda item: -item[1]["median"]):
            print(
                f"  {name:<46}{figure['median']:>12,.1f} {work.unit:<5}{figure['ours_to_it']:>8.2f}"
            )


if __name__ == "__main__":
    main()

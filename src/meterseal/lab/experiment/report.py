"""Runs the experiment and writes its page, its data and its packets into a folder."""

from __future__ import annotations

import csv
import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.backends.openssl import backend as openssl
from jinja2 import Environment, PackageLoader, StrictUndefined

from meterseal import __version__
from meterseal.crypto.backends import available_backends, backend
from meterseal.lab.experiment import charts, verdict
from meterseal.lab.experiment.compare import SIZE_NAMES, SIZES, Measured, compare
from meterseal.lab.experiment.handshakes import Handshake, handshakes
from meterseal.lab.experiment.hello import FIGURE_11, Hello, dissect
from meterseal.lab.experiment.ladder import (
    Analysis,
    Rung,
    analyse,
    draw,
    first_flight,
    opened_at,
    rungs,
)
from meterseal.lab.experiment.schemes import SCHEMES
from meterseal.lab.experiment.stage import PROTOCOLS, Stage, set_stage
from meterseal.lab.experiment.steps import Step, batches, bulk, signing, verifying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from meterseal.lab.experiment.timing import Spread

__all__ = ["Results", "run", "write"]

_OPERATIONS = ("sign", "verify", "authenticate", "agree")


@dataclass(frozen=True)
class Results:
    """All that a run found."""

    about: dict[str, str]
    rounds: int
    stage: Stage
    hello: Hello
    captured: str
    ladder: list[Rung]
    analysis: Analysis | None
    comparison: list[Measured]
    handshakes: list[Handshake]
    signing: list[Step]
    verifying: list[Step]
    batches: list[Step]
    bulk: dict[str, dict[str, Spread]]


def run(folder: Path, rounds: int, tell: Callable[[str], None]) -> Results:
    """Do everything once more; `tell` hears what is being done."""
    folder.mkdir(parents=True, exist_ok=True)
    about = _about()
    tell("keys, certificates and sessions (figures 5 to 10)")
    stage = set_stage(folder)
    capture = stage.sessions[0].capture
    tell("the hello and the packets (figures 11 and 12)")
    hello, ladder = dissect(first_flight(capture)), rungs(capture)
    analysis = analyse(capture)
    tell("the time comparison (figure 13)")
    comparison = compare(rounds)
    tell("handshakes on sockets")
    shaken = handshakes(stage.pki, folder, rounds)
    tell("the steps of the optimisation")
    return Results(
        *(about, rounds, stage, hello, f"{opened_at(capture):%Y-%m-%d %H:%M:%S} UTC"),
        *(ladder, analysis, comparison, shaken),
        *(signing(rounds), verifying(rounds), batches(rounds), bulk(rounds)),
    )


def _about() -> dict[str, str]:
    return {
        "version": __version__,
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "python": platform.python_version(),
        "machine": f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores",
        "backend": backend(),
        "openssl": openssl.openssl_version_text(),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def write(results: Results, folder: Path) -> Path:
    """Write report.html, data.json and the tables; returns the page."""
    page = folder / "report.html"
    page.write_text(_page(results), encoding="utf-8")
    facts = {key: value for key, value in asdict(results).items() if key != "stage"}
    (folder / "data.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False))
    _write_tables(results, folder)
    return page


def _page(results: Results) -> str:
    loader = PackageLoader("meterseal.lab.experiment", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    template = environment.get_template("report.html.j2")
    ours, reference = results.hello, FIGURE_11
    return template.render(
        vars(results),
        protocols=PROTOCOLS,
        reference=reference,
        hello_rows=[
            ("suites", ours.suites, reference.suites),
            ("groups", ours.groups, reference.groups),
            (
                "signature algorithms",
                ours.signature_algorithms,
                reference.signature_algorithms,
            ),
            ("extensions", ours.extensions, reference.extensions),
        ],
        ladder=draw(results.ladder),
        rung_count=len(results.ladder),
        capture=results.stage.sessions[0].capture.name,
        schemes=SCHEMES,
        operations=_OPERATIONS,
        sizes=SIZES,
        size_names=SIZE_NAMES,
        backends=available_backends(),
        time_of=_finder(results.comparison),
        wins=verdict.wins(results.comparison),
        losses=verdict.losses(results.comparison),
        undecided=verdict.undecided(results.comparison),
        slower_handshakes=verdict.slower_handshakes(results.handshakes),
        charts={
            "operations": charts.draw_operations(results.comparison),
            "protection": charts.draw_protection(results.comparison),
            "handshakes": charts.draw_handshakes(results.handshakes),
            "signing": charts.draw_steps(results.signing),
            "verifying": charts.draw_steps(results.verifying),
        },
    )


def _finder(measured: list[Measured]) -> Callable[[str, str, int | None], Spread | None]:
    times = {(one.scheme, one.operation, one.size): one.time for one in measured}
    return lambda scheme, operation, size: times.get((scheme, operation, size))


def _write_tables(results: Results, folder: Path) -> None:
    _write_csv(
        folder / "comparison.csv",
        ("scheme", "operation", "bytes"),
        (((one.scheme, one.operation, one.size), one.time) for one in results.comparison),
    )
    _write_csv(
        folder / "handshakes.csv",
        ("handshake", "clock"),
        (
            ((one.name, clock), time)
            for one in results.handshakes
            for clock, time in (("wall", one.wall), ("cpu", one.work))
        ),
    )
    steps = (("signature", results.signing), ("verification", results.verifying))
    _write_csv(
        folder / "steps.csv",
        ("work", "after"),
        (((work, step.name), step.time) for work, found in steps for step in found),
    )


def _write_csv(
    path: Path, names: tuple[str, ...], rows: Iterable[tuple[tuple[object, ...], Spread]]
) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "median_s", "quartile_1_s", "quartile_3_s", "samples"])
        for row, time in rows:
            writer.writerow([*row, time.median, time.low, time.high, time.samples])

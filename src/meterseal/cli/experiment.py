"""`meterseal lab experiment`: the design's experiment, repeated figure by figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterseal.lab import require_packages


def experiment(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the page, the data and the packets.")
    ] = Path("lab-out"),
    rounds: Annotated[
        int, typer.Option("--rounds", min=2, help="Samples of each time that is measured.")
    ] = 31,
) -> None:
    """Repeat the experiment of the design, and write a page with what came out.

    Measure on a quiet machine. The page holds the private keys of the run, as the design's does:
    they are made for it and stand for nothing else.
    """
    require_packages()
    from meterseal.lab import experiment as lab

    results = lab.run(out, rounds, lambda what: print(what, flush=True))
    print(f"written: {lab.write(results, out)}")

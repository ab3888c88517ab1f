"""`meterseal lab`: the experiment of the design repeated, randomness measured, attacks tried."""

from __future__ import annotations

import typer

from meterseal.cli.attack import attack
from meterseal.cli.experiment import experiment
from meterseal.cli.randomness import random

__all__ = ["app"]

app = typer.Typer(
    help="Repeat the experiment of the design, measure randomness, attack what was built.",
    no_args_is_help=True,
)
app.command()(attack)
app.command()(experiment)
app.command()(random)

"""`meterseal lab attack`: the attack range."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.lab.attack.notes import Attack, Outcome

_INTERRUPTED = 130


def attack(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Attacks or rooms; else all.")
    ] = None,
    *,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show what there is, and try nothing.")
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(min=0.1, help="For how long the timing lab measures each operation."),
    ] = 2.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write what happened to this file, too.")
    ] = None,
) -> None:
    """Try to break our own server, client, gateway and station on loopback.

    Exit code 0 only if every attack was tried and held, and every weakened victim fell.
    """
    from meterseal.errors import UsageError
    from meterseal.lab.attack import campaign, catalogue
    from meterseal.lab.attack.notes import Options

    try:
        chosen = catalogue.find(names or [])
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None
    if show_list:
        _print_list(chosen)
        return
    outcomes: list[Outcome] = []
    try:
        outcomes.extend(campaign.run(chosen, _say, Options(seconds)))
    except KeyboardInterrupt:
        _say(f"\ninterrupted after {len(outcomes)} of {len(chosen)} attacks")
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        if json_file is not None:
            facts = [campaign.facts(outcome) for outcome in outcomes]
            json_file.write_text(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    _say(campaign.summary(outcomes))
    if not campaign.all_held(outcomes):
        raise typer.Exit(1)


def _print_list(attacks: Iterable[Attack]) -> None:
    for each in attacks:
        _say(f"{each.name:<32}{each.tries}\n{'':<32}{each.reference}")


def _say(line: str) -> None:
    typer.echo(line)

"""`meterseal lab attack`: the attack range."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.inputs import Protocol
from meterseal.cli.options import PasswordFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meterseal.lab.attack.notes import Attack, Outcome
    from meterseal.lab.attack.target import Target

_INTERRUPTED = 130


def attack(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Attacks or rooms; else all.")
    ] = None,
    *,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show what there is, and try nothing.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write what happened to this file, too.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long the timing lab measures each operation.")
    ] = 2.0,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="HOST:PORT", help="Attack this server, not our own."),
    ] = None,
    protocol: Annotated[
        Protocol, typer.Option("--protocol", help="What the target speaks; not auto.")
    ] = Protocol.TLS13_SM,
    ca: Annotated[Path | None, typer.Option("--ca", help="The target's roots, PEM.")] = None,
    server_name: Annotated[
        str | None, typer.Option("--server-name", help="The target's name, if not HOST.")
    ] = None,
    cert: Annotated[Path | None, typer.Option("--cert", help="Our chain, if it asks.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Our private key.")] = None,
    enc_key: Annotated[
        Path | None, typer.Option("--enc-key", help="Private key of a TLCP pair's other half.")
    ] = None,
    floods: Annotated[
        bool, typer.Option("--floods", help="Hold many connections to the target, too.")
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """Try to break our own server, client, gateway and station on loopback.

    Exit code 0 only if every attack was tried and held, and every weakened victim fell. With
    --target another server is attacked with what applies: only do that to one you answer for.
    """
    from meterseal.errors import UsageError
    from meterseal.lab import require_packages
    from meterseal.lab.attack import catalogue, outside

    require_packages()
    if (cert is None) != (key is None):
        raise typer.BadParameter("--cert and --key go together")
    try:
        if target is None:
            chosen = catalogue.find(names or [])
        else:
            who = _target(target, protocol, ca, server_name, (cert, key, enc_key, password_file))
            known = {it.name: it for it in outside.attacks(replace(who, floods=floods))}
            chosen = catalogue.find(names or [], known, {})
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None
    if show_list:
        _print_list(chosen)
    else:
        _run(chosen, seconds, json_file)


def _target(
    address: str,
    protocol: Protocol,
    ca: Path | None,
    server_name: str | None,
    own: tuple[Path | None, Path | None, Path | None, Path | None],
) -> Target:
    """Read what is needed to speak with a server honestly."""
    from meterseal.cli.inputs import load_credential, load_trust, offered_suites
    from meterseal.cli.session import split_address
    from meterseal.lab.attack.ends import Protocol as Spoken
    from meterseal.lab.attack.target import Target
    from meterseal.transport import ClientConfig

    if protocol is Protocol.AUTO:
        raise typer.BadParameter("--target needs one protocol: tls13-sm, tls12-sm or tlcp")
    host, port = split_address(address)
    cert, key, enc_key, password_file = own
    credential = load_credential(cert, key, password_file, None, enc_key) if cert and key else None
    suites = offered_suites(protocol)
    config = ClientConfig(trust=load_trust(ca), suites=suites, credential=credential)
    spoken = Spoken(protocol.value, suites, has_pairs=protocol is Protocol.TLCP)
    return Target((host, port), server_name or host, spoken, config)


def _run(chosen: Sequence[Attack], seconds: float, json_file: Path | None) -> None:
    from meterseal.lab.attack import campaign
    from meterseal.lab.attack.notes import Options

    outcomes: list[Outcome] = []
    try:
        outcomes.extend(campaign.run(chosen, _say, Options(seconds)))
    except KeyboardInterrupt:
        _say(f"\ninterrupted after {len(outcomes)} of {len(chosen)} attacks")
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        if json_file is not None:
            facts = [campaign.facts(outcome) for outcome in outcomes]
            json_file.write_text(json.dumps(facts, ensure_ascii=False, indent=2) + "\n", "utf-8")
    _say(campaign.summary(outcomes))
    if not campaign.all_held(outcomes):
        raise typer.Exit(1)


def _print_list(attacks: Iterable[Attack]) -> None:
    for each in attacks:
        _say(f"{each.name:<32}{each.tries}\n{'':<32}{each.reference}")


def _say(line: str) -> None:
    typer.echo(line)

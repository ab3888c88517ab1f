"""`meterseal evidence`: check proof without any database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterseal.cli.files import read_file
from meterseal.cli.options import Crls, Json
from meterseal.cli.station import report_of

__all__ = ["app"]

app = typer.Typer(help="Check proof of readings and receipts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Make this a group, though it has one command so far."""


@app.command()
def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="As `station export` wrote it.")],
    ca: Annotated[Path, typer.Option("--ca", help="Root certificates that you trust, PEM.")],
    *,
    receipts: Annotated[
        list[Path] | None,
        typer.Option("--receipt", help="A collector's copy of a receipt; repeat it for more."),
    ] = None,
    crl: Crls = None,
    json: Json = False,
) -> None:
    """Check statements, receipts and certificates of a bundle against roots that you trust.

    With receipts kept by a collector, it is they that must cover the statements: what a station
    signed for then, whatever it says today. Lists of revocations that you give count beside those
    in the bundle, which its maker chose.
    """
    from dataclasses import replace

    from meterseal.cli.inputs import load_crls
    from meterseal.collection.station.evidence import check_bundle, read_bundle
    from meterseal.x509 import TrustStore, load_certificates

    evidence = read_bundle(bundle)
    if receipts:
        evidence = replace(evidence, receipts=[read_file(path) for path in receipts])
    lists = load_crls(crl)
    evidence = replace(evidence, crls=[*evidence.crls, *lists])
    trust = TrustStore(load_certificates(read_file(ca)))
    report_of(check_bundle(evidence, trust), json=json)

"""The `meterseal` command. Groups of commands are registered here, one line each.

A failure is one line on standard error and exit code 1; wrong usage is exit code 2.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from meterseal import __version__
from meterseal.cli import (
    cert,
    collector,
    crl,
    demo,
    evidence,
    gateway,
    key,
    lab,
    meter,
    pki,
    session,
    station,
    trace,
    up,
)
from meterseal.errors import InternalError, MeterSealError

__all__ = ["app", "main"]

_FAILURE = 1
_INTERRUPTED = 130

app = typer.Typer(
    name="meterseal",
    help="Seal electricity-metering data with the ciphers SM2, SM3 and SM4.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(key.app, name="key")
app.add_typer(cert.app, name="cert")
app.add_typer(crl.app, name="crl")
app.add_typer(pki.app, name="pki")
app.add_typer(station.app, name="station")
app.add_typer(evidence.app, name="evidence")
app.command()(session.server)
app.command()(session.client)
app.command()(trace.trace)
app.add_typer(collector.app, name="collector")
app.add_typer(gateway.app, name="gateway")
app.add_typer(up.config_app, name="config")
app.command()(up.run)
app.command()(up.up)
app.command()(demo.demo)
app.command()(meter.meter)
app.add_typer(lab.app, name="lab")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"meterseal {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    del version


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        app()
    except InternalError:
        raise
    except (MeterSealError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"meterseal: {_one_line(error)}\n")
        sys.exit(_FAILURE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    elif isinstance(error, UnicodeDecodeError):
        text = "a file that should be text is not UTF-8"
    return "".join(character if character.isprintable() else "?" for character in text)

"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import json as json_module
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.files import STANDARD_STREAM, read_file, read_password
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meterseal.crypto.sm2 import PrivateKey

PASSWORD_VARIABLE = "METERSEAL_PASSWORD"  # noqa: S105

Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write; - is standard output.")]
Crls = Annotated[
    list[Path] | None,
    typer.Option("--crl", help="Revocation list, PEM or DER; repeat it for more."),
]
RequireCrl = Annotated[
    bool,
    typer.Option("--require-crl", help="Refuse what no list of its issuer speaks for."),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help=f"File whose first line is the password; else ${PASSWORD_VARIABLE}, else a prompt.",
    ),
]


def new_password(path: Path | None) -> str:
    """Return a password to encrypt with; at a prompt it is asked for twice."""
    known = _given_password(path)
    if known is not None:
        return known
    return _ask("New password", twice=True)


def load_key(path: Path, password_file: Path | None) -> PrivateKey:
    """Load a private key from a file; a password is asked for only if the key is encrypted."""
    return unlock(read_file(path), password_file)


def unlock(data: bytes, password_file: Path | None) -> PrivateKey:
    """Load a private key from the contents of a file."""
    from meterseal.x509 import keys

    if keys.describe_key(data).encryption is None:
        return keys.load_private_key(data)
    password = _given_password(password_file)
    if password is None:
        password = _ask("Password")
    return keys.load_private_key(data, password)


def print_json(facts: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """Print facts for machines."""
    typer.echo(json_module.dumps(facts, ensure_ascii=False, indent=2))


def print_facts(facts: Mapping[str, object]) -> None:
    """Print facts for people: lines of `name: value`, without those that are not known."""
    for name, value in facts.items():
        if value is not None:
            typer.echo(f"{name.replace('_', ' ')}: {value}")


def _ask(text: str, *, twice: bool = False) -> str:
    if not sys.stdin.isatty():
        raise UsageError(f"a password is needed: give --password-file or ${PASSWORD_VARIABLE}")
    return str(typer.prompt(text, hide_input=True, confirmation_prompt=twice, err=True))


def _given_password(path: Path | None) -> str | None:
    if path == STANDARD_STREAM:
        raise UsageError("a password file cannot be standard input")
    return read_password(path) if path is not None else os.environ.get(PASSWORD_VARIABLE)

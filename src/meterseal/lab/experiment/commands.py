"""Runs commands of `meterseal` as anybody would, and keeps what they said."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import IO, TYPE_CHECKING, NamedTuple

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Dialogue", "Said", "run", "session"]

_LISTENING = "listening"


class Said(NamedTuple):
    """A command and what it printed."""

    command: str
    output: str


class Dialogue(NamedTuple):
    """Both ends of a session."""

    server: Said
    client: Said


def run(folder: Path, *arguments: object) -> Said:
    """Run one command in a folder. Raises UsageError if it fails, with what it said."""
    words = [str(argument) for argument in arguments]
    done = subprocess.run(  # noqa: S603
        _python(words), cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UsageError(f"meterseal {shlex.join(words)}: {done.stderr.strip()}")
    return Said("meterseal " + shlex.join(words), done.stdout)


def session(folder: Path, server: list[object], client: list[object]) -> Dialogue:
    """Start a server for one session, lead the client to it, and keep what both said."""
    words = ["server", *map(str, server), "--port", "0", "--sessions", "1"]
    with subprocess.Popen(  # noqa: S603
        _python(words), cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            heard, port = _until_it_listens(process.stdout)
            said = run(folder, "client", f"localhost:{port}", *client)
            heard += process.stdout.read() if process.stdout else ""
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise UsageError(f"meterseal {shlex.join(words)}: exit code {process.returncode}")
    return Dialogue(Said("meterseal " + shlex.join(words), heard), said)


def _until_it_listens(stream: IO[str] | None) -> tuple[str, int]:
    heard, port = "", 0
    for line in stream or ():
        heard += line
        if line.startswith("bound"):
            port = int(line.split()[-1])
        if line.startswith(_LISTENING):
            return heard, port
    raise UsageError(f"the server does not listen: {heard}")


def _python(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "meterseal", *words]

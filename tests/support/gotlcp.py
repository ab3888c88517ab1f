"""gotlcp, a TLCP stack in Go: the program under tests/peers/go, built and run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.identities import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[1] / "peers" / "go"
PATIENCE = 30
BUILT_BEFORE = "METERSEAL_GOTLCP"


class Unavailable(Exception):
    """Go or a module cannot be had here; the text says which and why."""


def build(folder: Path) -> Path:
    """Return the program, built in `folder` once for all test processes.

    The checksum database vouches for gotlcp itself, go.sum for what it needs. Raises `Unavailable`
    where something cannot be had; a program that does not compile is an error.
    """
    if built := os.environ.get(BUILT_BEFORE):
        return Path(built)
    if shutil.which("go") is None:
        raise Unavailable("no Go on this machine")
    program = folder / "gotlcp-peer"
    with (folder / "gotlcp.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            copy = shutil.copytree(SOURCE, folder / "gotlcp", dirs_exist_ok=True)
            download = _go(copy, "mod", "download")
            if download.returncode:
                raise Unavailable(download.stderr.strip().splitlines()[-1])
            _go(copy, "build", "-mod=mod", "-o", str(program), ".").check_returncode()
    return program


def _go(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    return subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@dataclass(frozen=True)
class GoTlcp:
    """The program with an identity of its own; `roots` is a PEM file."""

    program: Path
    roots: Path
    identity: Path | None = None

    def _run(self, role: str, **options: object) -> subprocess.Popen[str]:
        options = {"role": role, "roots": self.roots, "now": int(NOW.timestamp()), **options}
        if self.identity is not None:
            options["identity"] = self.identity
        flags = [f"-{name.replace('_', '-')}={_text(value)}" for name, value in options.items()]
        return subprocess.Popen([self.program, *flags], stdout=subprocess.PIPE, text=True)

    @contextmanager
    def server(self, **options: object) -> Iterator[Served]:
        """Run it as a server; what it reported is there after the block."""
        with self._run("server", **options) as process:
            assert process.stdout is not None
            served = Served(json.loads(process.stdout.readline())["port"], [])
            try:
                yield served
                output, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        served.reports.extend(_reports(output))

    def client(self, port: int, **options: object) -> list[dict[str, Any]]:
        """Run it as a client to its end; return what it reported of each connection."""
        with self._run("client", address=f"127.0.0.1:{port}", **options) as process:
            try:
                output, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        return _reports(output)


@dataclass(frozen=True)
class Served:
    """A running server and, once it has ended, what it said of its connections."""

    port: int
    reports: list[dict[str, Any]]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reports(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]

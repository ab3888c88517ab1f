"""gotlcp, a TLCP stack in Go: the program under tests/peers/go, built and run."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.peer_program import PeerProgram, Unavailable

SOURCE = Path(__file__).parents[1] / "peers" / "go"
BUILT_BEFORE = "METERSEAL_GOTLCP"


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
class GoTlcp(PeerProgram):
    """The program with an identity of its own, the folder of a pair."""

    def command(self, options: dict[str, object]) -> list[str]:
        return [str(self.program), *(f"-{name}={value}" for name, value in options.items())]

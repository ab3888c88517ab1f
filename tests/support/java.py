"""Peers in Java: the programs under tests/peers/java, compiled and run over the jars of a stack."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.peer_program import PeerProgram, Unavailable

SOURCE = Path(__file__).parents[1] / "peers" / "java"


def need(*tools: str) -> None:
    """Raise `Unavailable` unless each tool is on this machine."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise Unavailable(f"no {tool} on this machine")


def compile_peer(name: str, jars: Path, folder: Path) -> None:
    """Compile a program over the jars of a folder; one that does not compile is an error."""
    command = ["javac", "-Xlint:all", "-Werror", "-cp", f"{jars}/*", "-d", str(folder)]
    sources = [str(SOURCE / f"{each}.java") for each in ("Peer", name)]
    subprocess.run([*command, *sources], check=True, timeout=120)


@dataclass(frozen=True, kw_only=True)
class JavaPeer(PeerProgram):
    """A program with an identity of its own; `program` is the folder of its classes."""

    name: str
    jars: Path
    protocol: str

    def command(self, options: dict[str, object]) -> list[str]:
        flags = ["-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        path = f"{self.program}:{self.jars}/*"
        texts = (f"--{name}={value}" for name, value in options.items())
        return ["java", *flags, "-cp", path, self.name, f"--protocol={self.protocol}", *texts]

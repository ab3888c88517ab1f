"""Bouncy Castle, a TLS 1.3 stack in Java: the program under tests/peers/java, built and run."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.peer_program import PeerProgram, Unavailable

SOURCE = Path(__file__).parents[1] / "peers" / "java"


def build(folder: Path) -> Path:
    """Return the folder of classes and jars, made in `folder` once for all test processes.

    Raises `Unavailable` where something cannot be had; a program that does not compile is an error.
    """
    for tool in ("java", "javac", "mvn"):
        if shutil.which(tool) is None:
            raise Unavailable(f"no {tool} on this machine")
    built = folder / "bouncycastle"
    with (folder / "bouncycastle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (built / "Peer.class").exists():
            _fetch(built)
            command = ["javac", "-Xlint:all", "-Werror", "-cp", f"{built}/*", "-d", str(built)]
            subprocess.run([*command, SOURCE / "Peer.java"], check=True, timeout=120)
    return built


def _fetch(folder: Path) -> None:
    # Out of the source tree: Maven must leave nothing there.
    folder.mkdir(exist_ok=True)
    copy = shutil.copy(SOURCE / "pom.xml", folder)
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", copy]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if result.returncode:
        lines = [line for line in result.stdout.splitlines() if "[ERROR]" in line]
        raise Unavailable(lines[0] if lines else "Maven failed without a word")


@dataclass(frozen=True)
class BouncyCastle(PeerProgram):
    """The program with an identity of its own."""

    def command(self, options: dict[str, object]) -> list[str]:
        flags = [
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-cp",
            f"{self.program}:{self.program}/*",
        ]
        return ["java", *flags, "Peer", *(f"--{name}={value}" for name, value in options.items())]

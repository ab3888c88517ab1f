"""Bouncy Castle, a TLS 1.3 stack in Java: its jars are fetched, our program is built over them."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from typing import TYPE_CHECKING

from support.java import SOURCE, JavaPeer, compile_peer, need
from support.peer_program import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

NAME = "BouncyCastlePeer"


def build(folder: Path) -> Path:
    """Return the folder of classes and jars, made in `folder` once for all test processes.

    Raises `Unavailable` where something cannot be had.
    """
    need("java", "javac", "mvn")
    built = folder / "bouncycastle"
    with (folder / "bouncycastle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (built / f"{NAME}.class").exists():
            _fetch(built)
            compile_peer(NAME, built, built)
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


def peer(built: Path, files: Path, identity: str) -> JavaPeer:
    """The program as one of those whose files `agreement.write_files` wrote."""
    return JavaPeer(
        built, files / "ca.pem", files / identity, name=NAME, jars=built, protocol="TLSv1.3"
    )

"""Tencent Kona, a stack of TLCP and TLS 1.3 in Java: our program is built over its jars.

They come from no registry whole: METERSEAL_KONA names the folder of kona-crypto, kona-pkix,
kona-ssl and kona-provider.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from support.java import JavaPeer, compile_peer, need
from support.peer_program import Unavailable

NAME = "KonaPeer"
JARS = "METERSEAL_KONA"


def build(folder: Path) -> Path:
    """Return the folder of our classes, made in `folder` once for all test processes.

    Raises `Unavailable` where something cannot be had.
    """
    if JARS not in os.environ:
        raise Unavailable(f"{JARS} names no folder of its jars")
    need("java", "javac")
    built = folder / "kona"
    with (folder / "kona.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (built / f"{NAME}.class").exists():
            compile_peer(NAME, Path(os.environ[JARS]), built)
    return built


def peer(built: Path, files: Path, identity: str, protocol: str) -> JavaPeer:
    """The program as one of those whose files `agreement.write_files` wrote."""
    jars = Path(os.environ[JARS])
    return JavaPeer(
        built, files / "ca.pem", files / identity, name=NAME, jars=jars, protocol=protocol
    )

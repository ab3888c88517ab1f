"""Contestants that are programs of their own: built once, then asked over their standard input."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILT = ROOT / "build/contestants"
GMSSL3 = Path(os.environ.get("METERSEAL_GMSSL3_PREFIX") or Path.home() / ".gmssl_3.1.1_install")
_WARNINGS = ("-O3", "-Wall", "-Wextra")


class Program:
    """A running contestant; `rate` is None for work that it does not know."""

    def __init__(self, command: list[str | Path], backend: str | None = None) -> None:
        environment = os.environ | ({"METERSEAL_BACKEND": backend} if backend else {})
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )
        self.name = self._answer()

    def rate(self, work: str, seconds: float) -> float | None:
        """Return how often the work is done in a second of CPU time."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{work} {seconds}\n")
            self._process.stdin.flush()
        answer = self._answer()
        return None if answer == "-" else float(answer)

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=30)

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")
        return line.strip()


def programs(backends: Sequence[str]) -> tuple[list[Program], list[str]]:
    """Our core on each of the back-ends, others that can be built, and why some cannot."""
    running = [Program(core(), backend) for backend in backends]
    missing: list[str] = []
    for build in (gmsm, libgcrypt, openssl, gmssl3):
        try:
            running.append(Program(build()))
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            missing.append(f"{build.__name__}: {error}")
    return running, missing


def core() -> list[str | Path]:
    """Our core without Python."""
    return [_core(ROOT / "target")]


def core_under_valgrind() -> Path:
    """The same, with back-ends that Valgrind emulates but denies."""
    return _core(ROOT / "target/valgrind", "--features", "valgrind")


def _core(target: Path, *options: str) -> Path:
    cargo = ("cargo", "build", "--release", "--locked", "--quiet", "--package", "meterseal-core")
    place = ("--example", "contestant", "--target-dir", target)
    subprocess.run([*cargo, *place, *options], cwd=ROOT, check=True)
    return target / "release/examples/contestant"


def gmsm() -> list[str | Path]:
    """gmsm, by the Go module proxy."""
    if shutil.which("go") is None:
        raise RuntimeError("needs Go")
    subprocess.run(["go", "build", "-o", _place("gmsm"), "."], cwd=HERE / "gmsm", check=True)
    return [_place("gmsm")]


def libgcrypt() -> list[str | Path]:
    """The system's libgcrypt; its headers are Debian's libgcrypt20-dev."""
    if ctypes.util.find_library("gcrypt") is None:
        raise RuntimeError("needs libgcrypt")
    return _compiled("libgcrypt", "-lgcrypt")


def openssl() -> list[str | Path]:
    """The system's OpenSSL; its headers are Debian's libssl-dev."""
    return _compiled("openssl", "-lcrypto")


def gmssl3() -> list[str | Path]:
    """GmSSL 3.1.1, as `easy_gmssl` builds it, or the one installed in METERSEAL_GMSSL3_PREFIX."""
    if not (GMSSL3 / "include").is_dir():
        raise RuntimeError(f"needs GmSSL in {GMSSL3.name}")
    libraries = GMSSL3 / "lib"
    return _compiled(
        "gmssl3", f"-I{GMSSL3}/include", f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lgmssl"
    )


def _compiled(name: str, *options: str) -> list[str | Path]:
    subprocess.run(
        ["cc", *_WARNINGS, "-o", _place(name), HERE / f"{name}.c", *options],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return [_place(name)]


def _place(name: str) -> Path:
    BUILT.mkdir(parents=True, exist_ok=True)
    return BUILT / name

"""Where samples come from: our generator, the system's, a file, a command."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

from meterseal.crypto.random import random_bytes
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

__all__ = ["of_command", "of_file", "ours", "system"]


def ours(size: int) -> Iterator[bytes]:
    """Samples of our generator, without end."""
    while True:
        yield random_bytes(size)


def system(size: int) -> Iterator[bytes]:
    """Samples of the operating system's generator, without end."""
    while True:
        yield os.urandom(size)


def of_file(path: Path, size: int) -> Iterator[bytes]:
    """Samples of a file, one after the other, until one is not whole."""
    with path.open("rb") as file:
        yield from _whole(file, size)


def of_command(command: str, size: int) -> Iterator[bytes]:
    """Samples of what a command writes to its standard output; it ends when no more are taken.

    Raises UsageError if the command cannot be run.
    """
    try:
        process = subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE)  # noqa: S603
    except OSError as error:
        raise UsageError(f"cannot run {command!r}: {error.strerror}") from None
    with process:
        try:
            yield from _whole(process.stdout, size)
        finally:
            process.kill()


def _whole(file: IO[bytes] | None, size: int) -> Iterator[bytes]:
    while file is not None and len(sample := file.read(size)) == size:
        yield sample

"""Files of the command line: read within a limit, written whole or not at all.

A file appears under its name only when it is complete and on the disk. An existing one is replaced
only on request; without it even one that appears in the meantime is not touched. Files with
private keys are readable by their owner alone from the moment they exist.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["read_file", "read_password", "require_absent", "write_file"]

MAX_FILE_SIZE = 16 << 20
_MAX_PASSWORD_FILE = 4096
_PRIVATE, _PUBLIC = 0o600, 0o644
STANDARD_STREAM = Path("-")


def read_file(path: Path, limit: int = MAX_FILE_SIZE) -> bytes:
    """Read a file, or standard input for `-`. Raises UsageError if it is larger than the limit."""
    if path == STANDARD_STREAM:
        data = sys.stdin.buffer.read(limit + 1)
    else:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        raise UsageError(f"{path} is larger than {limit} bytes")
    return data


def read_password(path: Path) -> str:
    """Read a password: the first line of a file."""
    lines = read_file(path, _MAX_PASSWORD_FILE).decode("utf-8").splitlines()
    if not lines or not lines[0]:
        raise UsageError(f"the first line of {path} is empty; expected a password")
    return lines[0]


def require_absent(paths: Iterable[Path]) -> None:
    """Raise UsageError if one of these files exists."""
    for path in paths:
        if os.path.lexists(path):
            raise UsageError(f"{path} exists; use --force to replace it")


def write_file(path: Path, data: bytes, *, private: bool, force: bool = False) -> None:
    """Write a file atomically. Raises UsageError if it exists and `force` is not set.

    The name itself is written, never what a symbolic link there points to. `-` is standard output.
    """
    if path == STANDARD_STREAM:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if not force:
        require_absent([path])
    _refuse_special(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_new(temporary, data, _PRIVATE if private else _PUBLIC)
        _publish(temporary, path, force=force)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    _sync_directory(path.parent)


def _refuse_special(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            raise UsageError(f"{path} is not a regular file")


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Create a file that must not exist, with its mode from the start, and bring it to disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _publish(temporary: Path, path: Path, *, force: bool) -> None:
    """Give the complete file its name. A link fails where a rename would replace.

    On file systems without links the name is claimed by an empty file first.
    """
    try:
        if not force:
            try:
                os.link(temporary, path, follow_symlinks=False)
            except PermissionError:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE))
            else:
                return
    except FileExistsError:
        raise UsageError(f"{path} exists; use --force to replace it") from None
    temporary.replace(path)


def _sync_directory(directory: Path) -> None:
    """Bring the new name to disk too, where the system lets directories be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

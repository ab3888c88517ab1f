"""Files that a running role reads: whether they changed, and the certificates in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from meterseal.x509 import load_certificates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from meterseal.x509 import Certificate

__all__ = ["Stamp", "certificates_in", "stamp_of"]

Stamp: TypeAlias = tuple[tuple[int, int], ...]
"""Size and time of change (ns) of each file; zeros for one that is missing."""


def stamp_of(paths: Iterable[Path]) -> Stamp:
    """Return what changes when any of the files does."""
    return tuple(_size_and_time(path) for path in paths)


def certificates_in(path: Path) -> list[Certificate]:
    """Return the certificates of a file, or of all `.pem` files in a folder, each once."""
    files = sorted(path.glob("*.pem")) if path.is_dir() else [path]
    found = (each for file in files for each in load_certificates(file.read_bytes()))
    return list(dict.fromkeys(found))


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns

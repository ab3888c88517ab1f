"""Which code runs: chosen by the CPU, or forced."""

import os
import subprocess
import sys

import pytest

from meterseal import _core
from meterseal.errors import UsageError

ALL = ["portable", "x86-64-sse", "x86-64", "x86-64-avx512"]


def chosen_with(wish: str) -> subprocess.CompletedProcess[str]:
    """Ask a fresh interpreter, under METERSEAL_BACKEND, which back-end runs."""
    return subprocess.run(
        [sys.executable, "-c", "from meterseal import _core; print(_core.backend())"],
        env={**os.environ, "METERSEAL_BACKEND": wish},
        capture_output=True,
        text=True,
        check=False,
    )


def test_backends_are_named_from_the_plainest_up() -> None:
    available = _core.available_backends()
    assert available == [name for name in ALL if name in available]
    assert available[0] == "portable"


def test_a_forced_backend_is_the_one_in_use(backend: str) -> None:
    assert _core.backend() == backend


@pytest.mark.parametrize("name", [*ALL, "z80", ""])
def test_the_environment_gets_what_it_asks_for_or_an_error(name: str) -> None:
    done = chosen_with(name)
    if name in _core.available_backends():
        assert done.stdout.strip() == name
    else:
        assert done.returncode != 0
        assert "METERSEAL_BACKEND" in done.stderr


@pytest.mark.parametrize("name", ["z80", *sorted(set(ALL) - set(_core.available_backends()))])
def test_what_the_cpu_lacks_cannot_be_forced(name: str) -> None:
    with pytest.raises(UsageError, match="back-end"):
        _core.force_backend(name)

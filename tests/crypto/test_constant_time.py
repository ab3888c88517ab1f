"""Secrets decide no branch and no address: memcheck watches the compiled core."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the requests are written for x86-64")
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
def test_memcheck_sees_no_use_of_a_secret_and_sees_the_planted_one() -> None:
    # One thread: what is counted and what back-end runs are the whole program's.
    watch = ["valgrind", "--error-limit=no", "--quiet", str(built_tests())]
    done = subprocess.run(
        [*watch, "constant_time::", "--test-threads=1"], capture_output=True, text=True, check=False
    )
    assert "test result: ok. 4 passed" in done.stdout, done.stdout
    assert "a_planted_leak_is_seen" in done.stderr


def built_tests() -> Path:
    """Build the tests of the core as it is released (`make test` has) and return their program."""
    command = ["cargo", "test", "--profile=memcheck", "--locked", "-p", "meterseal-core", "--lib"]
    done = subprocess.run(
        [*command, "--no-run", "--message-format=json"], cwd=ROOT, capture_output=True, check=True
    )
    messages = map(json.loads, done.stdout.splitlines())
    programs = [message["executable"] for message in messages if message.get("executable")]
    assert len(programs) == 1
    return Path(programs[0])

"""Code in processes of its own: children of this one, and fresh ones."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PRELUDE = """
from meterseal.crypto import danger, random, sm2
from meterseal.errors import RandomnessFailure
from support.alone import answer_with_error
"""


def in_child(act: Callable[[], bytes]) -> bytes:
    """Return what `act` returns in a forked child: at most 64 bytes, and not none."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sending, act())
        os._exit(0)
    os.close(sending)
    output = os.read(receiving, 64)
    os.close(receiving)
    assert os.waitpid(child, 0)[1] == 0
    assert output
    return output


def run_alone(code: str) -> str:
    """Return what the code prints in a fresh process, which must end well."""
    tests = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": tests},
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer_with_error(system_call: int, errno: int) -> None:
    """From now on let that system call of Linux on x86-64 fail in this process, and no other."""
    # load the system call's number; that one returns the error, others go on
    allow, refuse = 0x7FFF0000, 0x50000 | errno
    rules = [(0x20, 0, 0, 0), (0x15, 0, 1, system_call), (6, 0, 0, refuse), (6, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0

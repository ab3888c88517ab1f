"""Command lines as text pages: `$ command` lines, each followed by the output it must give.

Output is standard output, then standard error, then `exit N` if the code is not 0. In the expected
text `...` stands for anything within a line, and a line of `...` for any number of lines.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = "import sys; from meterseal.cli.main import main; sys.argv[0] = 'meterseal'; main()"


def run(
    command: str | list[str], folder: Path, *, data: bytes = b"", **variables: str
) -> tuple[int, bytes, str]:
    """Run `meterseal ...` in a folder; returns exit code, standard output and standard error."""
    words = shlex.split(command) if isinstance(command, str) else command
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, *words[1:]],
        cwd=folder,
        input=data,
        capture_output=True,
        check=False,
        env=environment(**variables),
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def environment(**variables: str) -> dict[str, str]:
    """That of a terminal without colours, and none of our own settings but these."""
    inherited = {key: value for key, value in os.environ.items() if "METERSEAL" not in key}
    return inherited | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", **variables}


def check_page(page: str, folder: Path) -> None:
    """Run every command of a page in a folder and compare what it gives."""
    steps = re.split(r"^\$ ", page, flags=re.MULTILINE)[1:]
    assert steps, "the page has no commands"
    for step in steps:
        command, _, expected = step.partition("\n")
        code, out, err = run(command, folder)
        given = out.decode() + err + (f"exit {code}\n" if code else "")
        assert matches(expected, given), f"$ {command}\n{given}"


def matches(expected: str, given: str) -> bool:
    """Whether output is what a page says of it."""
    return re.fullmatch(_pattern(expected), given) is not None


def _pattern(expected: str) -> str:
    lines = [line for line in expected.splitlines() if line and not line.startswith("#")]
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, line.split("..."))) + r" *\n(?:\n)?")
    return "".join(parts)

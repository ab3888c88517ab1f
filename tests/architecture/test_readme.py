"""What the README says is true: its lines run, and it begins with the two commands."""

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_first_commands_are_demo_and_test() -> None:
    commands = re.findall(r"^    (.+)$", README, flags=re.MULTILINE)
    assert [command.split("#")[0].strip() for command in commands[:2]] == ["make demo", "make test"]


def test_the_lines_for_python_run() -> None:
    lines = README.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", lines], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("66c7f0f462eeedd9")
    assert done.stdout.splitlines()[2] == "b'reading'"

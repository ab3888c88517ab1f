"""`meterseal up`: alone in its folder, and ended in order however often it is asked."""

from __future__ import annotations

import fcntl
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.whole_system import lay_out

COMMAND = [sys.executable, "-m", "meterseal", "up"]


def test_a_system_that_runs_is_not_started_again(tmp_path: Path) -> None:
    config, _ = lay_out(tmp_path, meters=1, interval=1.0)
    with config.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [*COMMAND, "--config", str(config)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "is running already" in done.stderr
    assert not (tmp_path / "logs").exists()


def test_ctrl_c_twice_leaves_no_process_behind(tmp_path: Path) -> None:
    config, _ = lay_out(tmp_path, meters=1, interval=1.0)
    with subprocess.Popen(
        [*COMMAND, "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: len(roles(config)) == 5)
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert "ending in order" in process.stderr.readline()
        process.send_signal(signal.SIGINT)  # after the word: two signals at once may become one
        process.communicate(timeout=120)
    assert roles(config) == []


def roles(config: Path) -> list[str]:
    """The roles that run by these settings."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        folder = re.escape(str(config.parent))
        if re.search(rf"meterseal run .*{folder}|nats-server -c {folder}", line):
            found.append(line)
    return found


def until(condition) -> None:  # noqa: ANN001
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)

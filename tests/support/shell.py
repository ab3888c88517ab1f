"""A shell for the commands of one page, in a folder of its own.

Most commands run to their end. Those that serve are started, on ports of their own, waited for
until they say that they do, and ended with the page by Ctrl-C.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

from meterseal.net.ports import free_port
from support.pages import SCRIPT, environment, matches

if TYPE_CHECKING:
    from pathlib import Path

    from support.markdown import Command

_PATIENCE = 60.0
_PROGRAMS = {"meterseal": ("-c", SCRIPT), "python": ()}


class Serving(NamedTuple):
    """What a command says once it serves, and where its port stands or what gives it another."""

    word: str
    port: str = ""
    options: str = ""


_SERVING = {
    "meterseal server": Serving(r"bound .* port (\d+)", options=" --port 0"),
    "meterseal meter": Serving(r"answers on .*:(\d+)", options=" --listen 127.0.0.1:0"),
    "meterseal run gateway": Serving(r"listens on .*:(\d+)", port="8883"),
    "meterseal up": Serving("sign in .*"),
}
_SERVER = "localhost:7838"


@dataclass
class Shell:
    """What was given so far, and what of it still serves."""

    folder: Path
    serving: list[subprocess.Popen[str]] = field(default_factory=list)
    server: str = _SERVER

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind, whatever went wrong."""
        for process in self.serving:
            process.kill()
            process.communicate()

    def give(self, command: Command) -> None:
        """Give one command; fails if it does, or does not say what stands below it."""
        for beginning, serving in _SERVING.items():
            if beginning in command.line:
                self._serve(command, serving)
                return
        process = self._open(command, command.line.replace(_SERVER, self.server))
        said, errors = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 0, f"$ {command.line}\n{said}{errors}"
        _compare(command.shown, said)

    def end(self) -> None:
        """Ctrl-C for all that serves: it ends in order."""
        for process in self.serving:
            process.send_signal(signal.SIGINT)
        while self.serving:
            process = self.serving.pop()
            said, _ = process.communicate(timeout=_PATIENCE)
            assert process.returncode == 0, said

    def _serve(self, command: Command, serving: Serving) -> None:
        line = command.line + serving.options
        if serving.port:
            assert serving.port in line
            line = line.replace(serving.port, str(free_port()))
        process = self._open(command, line, errors=subprocess.STDOUT)
        self.serving.append(process)
        said = ""
        while (found := re.search(serving.word, said)) is None:
            assert process.stdout is not None
            more = process.stdout.readline()
            assert more, f"$ {line}\n{said}"
            said += more
        if "meterseal server" in line:
            self.server = f"localhost:{found[1]}"
        _compare(re.sub(r":\d+$", ":...", command.shown, flags=re.MULTILINE), said)

    def _open(
        self, command: Command, line: str, errors: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """As a shell would, but with the meterseal and the Python under test."""
        words = type(command)(line).words
        settings = [words.pop(0) for word in list(words) if re.match(r"\w+=", word)]
        return subprocess.Popen(
            [sys.executable, "-W", "error", *_PROGRAMS[words[0]], *words[1:]],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(**dict(setting.split("=", 1) for setting in settings)),
        )


def _compare(shown: str, said: str) -> None:
    """Every line that a page shows was said, in this order; more may stand between."""
    rest = iter(said.splitlines())
    for expected in shown.splitlines():
        if expected.strip() in {"", "..."}:
            continue
        assert any(matches(expected, line + "\n") for line in rest), f"{expected!r} in\n{said}"

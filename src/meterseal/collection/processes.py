"""The roles of one machine as child processes: started in order, started again when they die.

A role that is killed costs nothing but its absence: what it had promised is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.collection.supervision import end_process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Child", "Processes"]

_STOP_SECONDS: Final = 15.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_WELL_SECONDS: Final = 30.0
_TAIL: Final = 4096


@dataclass(slots=True)
class Child:
    """One role; `since` in seconds since 1970, `ended` its last exit code."""

    role: str
    log: Path
    process: asyncio.subprocess.Process | None = None
    since: float = 0.0
    starts: int = 0
    ended: int | None = None

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.returncode is None

    def last_line(self) -> str:
        """Return the last line of the role's log."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(self.log.stat().st_size - _TAIL, 0))
            lines = file.read().decode(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""


class Processes:
    """Runs `meterseal run ROLE --config FILE` for each role, until it is stopped."""

    def __init__(self, roles: Sequence[str], settings: Path, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self.children = [Child(role, logs / f"{role}.log") for role in roles]

    async def run(self) -> None:
        """Keep all roles running until cancelled, then end them, the last first."""
        tasks = []
        try:
            for child in self.children:
                tasks.append(asyncio.create_task(self._keep(child)))
                await asyncio.sleep(0)
            await asyncio.gather(*tasks)
        finally:
            for child in reversed(self.children):
                await end_process(child.process, _STOP_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, child: Child) -> None:
        pause = _FIRST_PAUSE
        while True:
            with child.log.open("ab") as log:
                child.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "meterseal", "run", child.role),
                    *("--config", str(self._settings)),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # A key typed at the terminal is for us alone: we end the roles in their order.
                    start_new_session=True,
                )
            child.since = time.time()
            child.starts += 1
            child.ended = await child.process.wait()
            if time.time() - child.since > _WELL_SECONDS:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

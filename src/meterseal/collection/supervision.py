"""Tasks that outlive their failures, and processes that end when they are told to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["end_process", "keep_running", "run_apart"]

_log: Final = logging.getLogger("meterseal.supervision")
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_WELL_SECONDS: Final = 300.0


async def run_apart(work: Awaitable[None]) -> None:
    """Run in a task of its own, which ends with this one.

    A task group drops the request to end when a task of its fails in the same moment (Python 3.11,
    3.12). Whoever goes on after failures therefore does not stand in the group's own task.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # told to nobody: we are ending
        raise
    task.result()


async def end_process(process: asyncio.subprocess.Process | None, patience: float) -> None:
    """Let a child process end, and end it if it has not after `patience` seconds."""
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), patience)
    except TimeoutError:
        process.kill()
        await process.wait()


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run until cancelled, again after every failure; the pauses grow while it keeps failing."""
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE
    while True:
        began = loop.time()
        try:
            await run_apart(run())
            _log.error("%s ended; it begins again in %g s", name, pause)
        except Exception:  # noqa: BLE001  (whatever it is, the others go on and so shall this)
            _log.exception("%s failed; it begins again in %g s", name, pause)
        if loop.time() - began > _WELL_SECONDS:
            pause = _FIRST_PAUSE
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)

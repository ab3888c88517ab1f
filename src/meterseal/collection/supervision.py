"""Tasks that outlive their failures: what fails is told, waited out, and begun again."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["end_if_cancelled", "keep_running"]

_log: Final = logging.getLogger("meterseal.supervision")
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_WELL_SECONDS: Final = 300.0


def end_if_cancelled() -> None:
    """Raise `CancelledError` if this task was asked to end.

    A task group whose task fails just as the group is cancelled raises the failure and drops the
    request to end (Python 3.11, 3.12): whoever goes on after failures asks here.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run until cancelled, again after every failure; the pauses grow while it keeps failing."""
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE
    while True:
        began = loop.time()
        try:
            await run()
            _log.error("%s ended; it begins again in %g s", name, pause)
        except Exception:  # noqa: BLE001  (whatever it is, the others go on and so shall this)
            _log.exception("%s failed; it begins again in %g s", name, pause)
        end_if_cancelled()
        if loop.time() - began > _WELL_SECONDS:
            pause = _FIRST_PAUSE
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)

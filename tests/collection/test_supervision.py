"""What is kept running ends when it is told to, whatever else goes wrong in that moment."""

from __future__ import annotations

import asyncio

import pytest

from meterseal.collection.supervision import keep_running


def test_what_fails_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meterseal.collection.supervision._FIRST_PAUSE", 0.0)
    starts = 0

    async def fail_twice() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise OSError("gone")
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(keep_running("it", fail_twice))
        async with asyncio.timeout(10):
            while starts < 3:
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_failure_in_the_moment_of_the_end_does_not_keep_it_running() -> None:
    """A task group drops the request to end when a task of its fails at the same time."""
    began = asyncio.Event()

    async def fail_at_the_end() -> None:
        async def child() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OSError("gone in the same moment") from None

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())
            began.set()

    async def main() -> None:
        task = asyncio.create_task(keep_running("it", fail_at_the_end))
        await began.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)

    asyncio.run(main())

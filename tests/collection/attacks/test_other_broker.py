"""Mosquitto in the broker's place, restarted under load: nothing here is made for one broker."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.roles import ROLES
from support.whole_system import drained, judge, lay_out, running, stored_count, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meterseal.collection.config import Settings

PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
CONFIG = """\
user root
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
"""


@contextlib.asynccontextmanager
async def mosquitto(folder: Path, port: int) -> AsyncIterator[None]:
    """The broker, until the block ends."""
    assert PROGRAM is not None
    config = folder / "mosquitto.conf"
    config.write_text(CONFIG.format(port=port, folder=folder))
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "-c", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed (a package of Debian)")
def test_mosquitto_carries_the_system_and_its_restart_costs_no_reading(tmp_path: Path) -> None:
    config, settings = lay_out(tmp_path, meters=4, interval=1.0)
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    asyncio.run(story(config, settings, folder))
    assert judge(settings) > 20


async def story(config: Path, settings: Settings, folder: Path) -> None:
    assert settings.broker is not None
    port = settings.broker.mqtt_port
    async with running(config, [role for role in ROLES if role != "broker"]):
        for _ in range(2):
            before = stored_count(settings)
            async with mosquitto(folder, port):
                await until(lambda before=before: stored_count(settings) > before + 10)  # type: ignore[misc]
        async with mosquitto(folder, port):
            await drained(settings)

"""The display on a real port: it tells where it is, answers, and stops cleanly."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest

from meterseal.collection.config import Identity, StationSettings, UplinkSettings
from meterseal.collection.display.service import serve, serve_on

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.collection.display.display import Display


def test_serves_until_cancelled(display: Display) -> None:
    async def go() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        running = asyncio.create_task(serve_on(listener, display))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/healthz")).json() == {"ok": True}
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            with pytest.raises(httpx.TransportError):
                await client.get("/healthz")
        listener.close()

    asyncio.run(go())


def settings(folder: Path, listen: str | None) -> StationSettings:
    identity = Identity(certificate=folder / "c", key=folder / "k", ca=folder / "ca")
    return StationSettings(
        identity=identity,
        registry=folder / "registry.toml",
        uplink=UplinkSettings(address="127.0.0.1:1"),
        listen=listen,
        state=folder / "new",
    )


def station_of(display: Display) -> SimpleNamespace:
    """What the display takes of a station."""
    return SimpleNamespace(
        views=display.views, store=display.store, config=SimpleNamespace(ca=None),
        metrics=SimpleNamespace(registry=display.metrics),
    )  # fmt: skip


def test_the_first_start_tells_a_one_time_password(
    display: Display, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def go() -> None:
        caplog.set_level(logging.INFO, "meterseal.display")
        running = asyncio.create_task(
            serve(station_of(display), settings(tmp_path, "127.0.0.1:0"))  # type: ignore[arg-type]
        )
        while "is at http://" not in caplog.text:
            assert not running.done()
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        password = (tmp_path / "new" / "first-password.txt").read_text().strip()
        assert f"one-time password {password}" in caplog.text

    asyncio.run(go())


def test_a_taken_address_is_an_error_and_no_exit(display: Display, tmp_path: Path) -> None:
    async def go() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(OSError, match="in use"):
                await serve(station_of(display), settings(tmp_path, address))  # type: ignore[arg-type]

    asyncio.run(go())


def test_without_an_address_there_is_no_display(display: Display, tmp_path: Path) -> None:
    async def go() -> None:
        await serve(station_of(display), settings(tmp_path, None))  # type: ignore[arg-type]
        assert not (tmp_path / "new").exists()

    asyncio.run(go())

"""The display on a real port: it tells where it is, answers, and stops cleanly."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import ValidationError

from meterseal.collection.config import (
    HttpsSettings,
    Identity,
    ServerIdentity,
    StationSettings,
    UplinkSettings,
)
from meterseal.collection.display import service
from meterseal.collection.display.service import serve, serve_on
from support.contexts import client_context, files
from support.display import PASSWORD
from support.international import write_international

if TYPE_CHECKING:
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


def test_https_serves_common_browsers_and_those_with_sm_suites_on_one_port(
    display: Display, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pem, pair = write_international(tmp_path), files().server_pair_pem
    https = HttpsSettings(
        international=ServerIdentity(certificate=pem, key=pem),
        sm=ServerIdentity(
            certificate=Path(pair), key=Path(files().server_sign_key),
            encryption_key=Path(files().server_enc_key),
        ),
    )  # fmt: skip
    clients = {
        "international": ssl.create_default_context(cafile=str(pem)),
        "TLCP": client_context("tlcp"),
        "TLS 1.3 with SM": client_context("tls13-sm"),
    }

    async def go() -> None:
        caplog.set_level(logging.INFO, "meterseal.display")
        its = settings(tmp_path, "127.0.0.1:0").model_copy(
            update={"https": https, "state": tmp_path / "state"}
        )
        running = asyncio.create_task(serve(station_of(display), its))  # type: ignore[arg-type]
        while (found := re.search(r"is at https://127.0.0.1:(\d+)", caplog.text)) is None:
            assert not running.done()
            await asyncio.sleep(0.01)
        address = f"https://localhost:{found[1]}"
        for name, context in clients.items():
            async with httpx.AsyncClient(base_url=address, verify=context) as client:
                form = {"name": "vera", "password": PASSWORD}
                answer = await client.post("/login", data=form, headers={"Origin": address})
                assert (name, answer.status_code) == (name, 303)
                assert "Secure" in answer.headers["set-cookie"]
                assert (await client.get("/api/meters")).status_code == 200
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(go())


def test_a_certificate_that_changes_is_shown_without_a_new_start(
    display: Display,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "_REFRESH", 0.02)
    pem, pair = write_international(tmp_path), Path(files().server_pair_pem)
    https = HttpsSettings(
        international=ServerIdentity(certificate=pem, key=pem),
        sm=ServerIdentity(certificate=pair, key=pair),
    )
    before = ssl.create_default_context(cafile=str(pem))

    async def told(pattern: str) -> re.Match[str]:
        async with asyncio.timeout(30):
            while (found := re.search(pattern, caplog.text)) is None:
                await asyncio.sleep(0.01)
        return found

    async def go() -> None:
        caplog.set_level(logging.INFO, "meterseal.display")
        its = settings(tmp_path, "127.0.0.1:0").model_copy(
            update={"https": https, "state": tmp_path / "state"}
        )
        running = asyncio.create_task(serve(station_of(display), its))  # type: ignore[arg-type]
        port = (await told(r"is at https://127.0.0.1:(\d+)"))[1]
        address = f"https://localhost:{port}"

        async def greets(context: ssl.SSLContext) -> bool:
            async with httpx.AsyncClient(base_url=address, verify=context) as client:
                return bool((await client.get("/healthz")).is_success)

        pem.write_text("half a cert", "utf-8")
        await told("goes on with its certificates of before")
        assert await greets(before)
        write_international(tmp_path)
        await told("shows new certificates")
        assert await greets(ssl.create_default_context(cafile=str(pem)))
        assert await greets(client_context("tls13-sm"))
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await greets(before)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(go())


@pytest.mark.parametrize(
    "wrong",
    ["", "international = {certificate = 'c', key = 'k', encryption_key = 'e'}"],
)
def test_https_that_seals_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        HttpsSettings.model_validate(tomllib.loads(wrong))


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

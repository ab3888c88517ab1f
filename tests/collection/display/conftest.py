"""A display over a store of its own, and a browser-like client of its application."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import httpx
import pytest

from meterseal.collection.display.app import make_app
from support.display import PASSWORD, Clock, make_display

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meterseal.collection.display.display import Display


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def display(tmp_path: Path, clock: Clock) -> Iterator[Display]:
    display = make_display(tmp_path, clock)
    yield display
    display.store.close()


@pytest.fixture
def client(display: Display) -> Iterator[Client]:
    with Client(display) as client:
        yield client


class Client:
    """Sends what a browser would, each request whole before the next."""

    def __init__(self, display: Display) -> None:
        self.display = display
        self._loop = asyncio.Runner()
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(make_app(display)), base_url="http://station"
        )
        self.cookies = self._http.cookies

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._http.aclose())
        self._loop.close()

    def get(self, path: str, **options) -> httpx.Response:  # noqa: ANN003
        return self._loop.run(self._http.get(path, **options))

    def post(
        self, path: str, origin: str | None = "http://station", **fields: str
    ) -> httpx.Response:
        headers = {"Origin": origin} if origin else {}
        return self._loop.run(self._http.post(path, data=fields, headers=headers))

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.post("/login", name=name, password=password)

    def csrf(self) -> str:
        token = self.cookies["meterseal_session"]
        session = self.display.sessions.find(token, self.display.clock())
        assert session is not None
        return session.csrf

"""Stores to test with: every test of the store runs on each database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.collection.station.store import Store, open_store
from support.postgresql import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "station.db")
        return
    with fresh_database() as database:
        yield database


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    store = open_store(address)
    yield store
    store.close()

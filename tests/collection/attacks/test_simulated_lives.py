"""Many short lives of the whole way, each from one seed: what must never be, never is.

METERSEAL_SEEDS says how many in the long form; METERSEAL_SEED lives one life again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.collection.station.store.ledger import Ledger, Ruling
from support.simulation import Client, Simulation, live, simulate

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 40
SEEDS = 200
IN_ONE = 25
MORE = int(os.environ.get("METERSEAL_SEEDS", "1000"))


def live_once(folder: Path, seed: int, events: int = EVENTS) -> int:
    async def story(simulation: Simulation) -> int:
        await live(simulation, events)
        await simulation.heal()
        return simulation.judge()

    folder.mkdir()
    try:
        return simulate(folder, story, seed)
    except BaseException as error:
        error.add_note(f"again: METERSEAL_SEED={seed} pytest -k one_life")
        raise


def live_many(folder: Path, seeds: range, events: int = EVENTS) -> int:
    return sum(live_once(folder / str(seed), seed, events) for seed in seeds)


@pytest.mark.parametrize("first", range(0, SEEDS, IN_ONE))
def test_no_seed_loses_doubles_or_invents_a_reading(tmp_path: Path, first: int) -> None:
    seeds = range(first, first + IN_ONE)
    stored = live_many(tmp_path, seeds)
    assert stored > IN_ONE * EVENTS // 2, "the lives were lived"


def test_one_life_again(tmp_path: Path) -> None:
    """The same seed gives the same life, which is what makes a failure replay."""
    seed = int(os.environ.get("METERSEAL_SEED", "1"))
    assert live_once(tmp_path / "one", seed) == live_once(tmp_path / "two", seed)


def test_a_collector_that_believed_the_broker_would_be_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: let go of what was published, and some life loses a reading."""
    honest = Client.publish

    async def believing(self: Client, topic: str, payload: bytes, **options: Any) -> None:  # noqa: ANN401
        await honest(self, topic, payload, **options)
        if topic.endswith("/up"):
            self.simulation.outbox._db.execute("DELETE FROM outgoing")

    monkeypatch.setattr(Client, "publish", believing)
    with pytest.raises(AssertionError):
        live_many(tmp_path, range(20))


def test_a_station_that_counted_twice_would_be_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other control: a ledger that believes everything is new."""
    monkeypatch.setattr(Ledger, "rule", lambda *_: Ruling.NEW)
    with pytest.raises((AssertionError, ExceptionGroup)):
        live_many(tmp_path, range(20))


@pytest.mark.slow
def test_many_more_seeds(tmp_path: Path) -> None:
    live_many(tmp_path, range(SEEDS, SEEDS + MORE), events=200)

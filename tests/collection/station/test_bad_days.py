"""Days on which the station is killed, or its disk is full: nothing receipted is ever lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from meterseal.collection.receipts import Verdict
from meterseal.collection.station.store import Store, StoreUnavailable, open_store
from support.station import DAY, NOW, PLAIN, checks, reading

PROGRAM = Path(__file__).parents[2] / "support" / "station_killed.py"


def stored(store: Store) -> list[int]:
    return [each.sequence for each in store.statements(PLAIN, 0, NOW + DAY)]


def run_until_killed(folder: Path, kill_at: int) -> tuple[int, list[int]]:
    """Commit batch after batch; die at that SQL statement. Returns exit code and receipts."""
    done = subprocess.run(
        [sys.executable, PROGRAM, folder / "station.db", folder / "batches", str(kill_at)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode, [int(word) for word in done.stdout.split()]


def test_a_kill_at_any_statement_of_a_commit_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """kill -9 at chosen SQL statements, then at random ones, in one growing store."""
    chance = random.Random(7)  # noqa: S311  (the same days each time)
    kills = [*range(1, 40, 5), *(chance.randrange(20, 80) for _ in range(5))]
    receipted: set[int] = set()
    killed = 0
    for kill_at in kills:
        code, receipts = run_until_killed(tmp_path, kill_at)
        killed += code != 0
        receipted |= set(receipts)
        store = open_store(tmp_path / "station.db")
        here = stored(store)
        assert receipted <= set(here), "receipted and lost"
        assert here == sorted(set(here)), "stored twice"
        store.close()
    assert killed > len(kills) // 2, "the harness did kill"
    code, receipts = run_until_killed(tmp_path, 0)
    assert code == 0
    store = open_store(tmp_path / "station.db")
    assert stored(store) == list(range(1, 31))
    assert receipted | set(receipts) == set(range(1, 31))
    store.fold()
    rows = store.database.read("SELECT sum(readings) FROM daily")
    assert rows == [(30,)], "each reading is in the aggregates once"
    assert store.database.read("SELECT count(*) FROM missing") == [(0,)]
    store.close()


def test_a_full_disk_stores_nothing_signs_nothing_and_heals(tmp_path: Path) -> None:
    """SQLite is told the size at which the disk ends, at many different places."""
    store = open_store(tmp_path / "station.db")
    batches = [
        checks(*(reading(n) for n in range(start, start + 10))) for start in range(1, 121, 10)
    ]
    store.commit(batches[0], [], NOW)
    writer = store.database._writer  # type: ignore[attr-defined]
    full = 0
    for batch in batches[1:]:
        before = stored(store)
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        for room in range(4):
            writer.execute(f"PRAGMA max_page_count={pages + room}")
            try:
                committed = store.commit(batch, [], NOW)
            except StoreUnavailable as error:
                full += "full" in str(error)
                assert stored(store) == before
            else:
                assert {e.verdict for e in committed.entries["collector-1"]} == {Verdict.STORED}
                break
        writer.execute("PRAGMA max_page_count=1000000")
        store.commit(batch, [], NOW)
        assert stored(store) == [*before, *(c.sealed.statement.sequence for c in batch)]
    assert full, "the harness did fill the disk"
    store.close()


def test_a_full_disk_makes_aggregates_lag_and_no_reader_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path / "station.db")
    day = store.day_of(NOW)
    store.commit(checks(*(reading(n) for n in range(1, 11))), [], NOW)
    assert store.readings_of(day) == {PLAIN: 10}
    store.commit(checks(*(reading(n) for n in range(11, 41))), [], NOW)
    writer = store.database._writer  # type: ignore[attr-defined]
    writer.execute("PRAGMA query_only=1")  # nothing can be written
    assert store.readings_of(day) == {PLAIN: 10}
    assert "not in the aggregates" in caplog.text
    writer.execute("PRAGMA query_only=0")
    assert store.readings_of(day) == {PLAIN: 40}
    store.close()


@pytest.mark.parametrize("sql", ["data = substr(data, 2)", "readings = 8", "codes = x'11'"])
def test_what_is_damaged_before_it_is_folded_is_told_and_keeps_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sql: str
) -> None:
    store = open_store(tmp_path / "station.db")
    store.commit(checks(*(reading(n) for n in range(1, 11))), [], NOW)
    with store.database.transaction() as session:
        session.run(f"UPDATE waiting SET {sql}")
    store.commit(checks(*(reading(n) for n in range(11, 14))), [], NOW)
    assert store.readings_of(store.day_of(NOW)) == {PLAIN: 3}
    assert "damaged" in caplog.text
    assert stored(store) == list(range(1, 14))
    store.close()


def test_a_damaged_aggregate_is_told_and_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path / "station.db")
    store.commit(checks(reading(1)), [], NOW)
    store.fold()
    with store.database.transaction() as session:
        session.run("UPDATE daily SET data = substr(data, 2)")
    store.commit(checks(reading(2)), [], NOW)
    assert store.readings_of(store.day_of(NOW)) == {PLAIN: 1}
    assert "damaged" in caplog.text
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_file_that_may_not_grow_is_no_receipt(tmp_path: Path) -> None:
    """RLIMIT_FSIZE in a child: the log cannot grow, the commit fails, what was there stays."""
    store = open_store(tmp_path / "station.db")
    store.commit(checks(reading(1)), [], NOW)
    store.close()
    done = subprocess.run(
        [sys.executable, PROGRAM, tmp_path / "station.db", tmp_path / "batches", "-1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 3, done.stderr
    receipted = [int(word) for word in done.stdout.split()]
    again = open_store(tmp_path / "station.db")
    assert set(receipted) <= set(stored(again))
    assert "cannot store" in done.stderr
    again.close()

"""The outbox loses nothing, uses no number twice, and lets go only for a receipt."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.model import MeterAddress, Quantity, Reading, Statement
from meterseal.collection.receipts import Entry, Receipt, Verdict, open_receipt
from meterseal.collection.sealing import open_sealed
from meterseal.errors import UsageError
from support.collecting import METER, NOW_MS, actors, receipt_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

OTHER = MeterAddress("202611230002")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite", born_at=1_795_435_200)
    yield box
    box.close()


def read(outbox: Outbox, meter: MeterAddress = METER, count: int = 1) -> list[bytes]:
    """Seal and keep `count` readings; returns them as they will be sent."""

    def seal(numbers: Sequence[int]) -> list[tuple[Statement, bytes]]:
        readings = [
            Reading(
                meter=meter,
                epoch=outbox.epoch,
                sequence=number,
                sampled_at=NOW_MS + number,
                values={Quantity.VOLTAGE_A: 23000 + number},
            )
            for number in numbers
        ]
        return list(zip(readings, actors().sealer.seal_many(readings), strict=True))

    outbox.add([meter] * count, seal)
    return waiting(outbox)[-count:]


def waiting(outbox: Outbox) -> list[bytes]:
    return [row.sealed for row in outbox.waiting(0, None, 10**6, 10**9)]


def settle(outbox: Outbox, encoding: bytes) -> tuple[int, int, int]:
    receipt, _ = open_receipt(encoding)
    settled = outbox.settle(receipt, encoding)
    return len(settled.stored), len(settled.refused), len(settled.kept)


def test_each_meter_counts_for_itself_from_one(outbox: Outbox) -> None:
    read(outbox, METER, 3)
    read(outbox, OTHER, 2)
    statements = [open_sealed(sealed).statement for sealed in waiting(outbox)]
    assert [(it.meter, it.sequence) for it in statements] == [
        *((METER, number) for number in (1, 2, 3)),
        *((OTHER, number) for number in (1, 2)),
    ]


def test_numbers_and_epoch_go_on_after_a_restart(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "box", born_at=100)
    read(first, count=2)
    first.close()
    second = Outbox(tmp_path / "box", born_at=999)
    read(second)
    assert second.epoch == 100
    assert [open_sealed(each).statement.sequence for each in waiting(second)] == [1, 2, 3]
    second.close()


def test_a_number_is_not_used_where_sealing_failed(outbox: Outbox) -> None:
    def fail(_: Sequence[int]) -> list[tuple[Statement, bytes]]:
        raise OSError("the security chip is gone")

    with pytest.raises(OSError, match="chip"):
        outbox.add([METER], fail)
    read(outbox)
    assert [open_sealed(each).statement.sequence for each in waiting(outbox)] == [1]


def test_only_a_receipt_for_these_bytes_lets_go(outbox: Outbox) -> None:
    one, two, three = read(outbox, count=3)
    assert settle(outbox, receipt_for([one])) == (1, 0, 0)
    assert waiting(outbox) == [two, three]
    receipt, _ = open_receipt(receipt_for([two]))
    entry = receipt.entries[0]._replace(digest=bytes(32))
    other = Receipt(station="s", collector="c", issued_at=1, entries=(entry,))
    assert outbox.settle(other, b"").stored == ()
    stranger = Entry(OTHER, outbox.epoch, 2, receipt.entries[0].digest, Verdict.STORED)
    assert outbox.settle(
        Receipt(station="s", collector="c", issued_at=1, entries=(stranger,)), b""
    ) == ((), (), ())
    assert waiting(outbox) == [two, three]


def test_a_receipt_twice_changes_nothing_more(outbox: Outbox) -> None:
    receipt = receipt_for(read(outbox, count=2))
    assert settle(outbox, receipt) == (2, 0, 0)
    assert settle(outbox, receipt) == (0, 0, 0)


def test_an_entry_twice_in_a_receipt_counts_once(outbox: Outbox) -> None:
    first, second, third = read(outbox, count=3)
    stored, refused = open_receipt(receipt_for([first, second]))[0].entries
    refused = refused._replace(verdict=Verdict.METER)
    twice = (stored, refused, stored, refused, stored._replace(verdict=Verdict.TIME))
    receipt = Receipt(station="s", collector="c", issued_at=1, entries=twice)
    assert outbox.settle(receipt, b"") == ((1,), (2,), ())
    assert waiting(outbox) == [third]
    assert len(outbox.refused()) == 1


def test_a_final_refusal_is_kept_apart_with_its_reason(outbox: Outbox) -> None:
    sealed = read(outbox)
    assert settle(outbox, receipt_for(sealed, Verdict.CONFLICT)) == (0, 1, 0)
    assert waiting(outbox) == []
    (refused,) = outbox.refused()
    assert (refused.meter, refused.sequence, refused.verdict) == (METER, 1, Verdict.CONFLICT)


def test_a_refusal_for_the_clock_stays(outbox: Outbox) -> None:
    sealed = read(outbox)
    assert settle(outbox, receipt_for(sealed, Verdict.TIME)) == (0, 0, 1)
    assert waiting(outbox) == sealed


def test_receipts_are_kept_as_evidence_and_dropped_in_their_time(outbox: Outbox) -> None:
    receipt = receipt_for(read(outbox), issued_at=5000)
    settle(outbox, receipt)
    assert list(outbox.receipts(5000, 5001)) == [receipt]
    assert list(outbox.receipts(0, 5000)) == []
    assert outbox.forget_receipts(5001) == 1
    assert list(outbox.receipts(0, 10**15)) == []


def test_what_is_taken_fits_the_size(outbox: Outbox) -> None:
    sealed = read(outbox, count=5)
    size = len(sealed[0])
    rows = outbox.waiting(0, None, 10, 2 * size + 1)
    assert [row.sealed for row in rows] == sealed[:2]
    assert len(outbox.waiting(0, None, 10, 1)) == 1
    assert [row.sealed for row in outbox.waiting(rows[-1].id, rows[-1].id + 1, 10, 10**6)] == [
        sealed[2]
    ]
    again = outbox.again([rows[1].id, 10**6], 10**6)
    assert [row.sealed for row in again] == [sealed[1]]


def test_what_a_meter_sealed_itself_is_kept_once(outbox: Outbox) -> None:
    reading = Reading(meter=METER, epoch=7, sequence=9, sampled_at=NOW_MS)
    pair = (reading, actors().sealer.seal(reading))
    assert outbox.keep([pair, pair]) == 1
    assert outbox.keep([pair]) == 0
    assert waiting(outbox) == [pair[1]]


def test_polls_are_counted_by_meter(outbox: Outbox) -> None:
    outbox.count_polls([(METER, 10, None), (METER, 20, "no answer"), (OTHER, 30, None)])
    first, second = outbox.health()
    assert (first.polls, first.failures, first.last_good) == (2, 1, 10)
    assert first.last_error == "no answer"
    assert first.success_rate == 0.5
    assert second.success_rate == 1
    outbox.count_polls([(METER, 40, None)])
    assert outbox.health()[0].last_error is None


def test_depth_names_the_oldest(outbox: Outbox) -> None:
    assert outbox.depth().oldest is None
    sealed = read(outbox, count=2)
    depth = outbox.depth()
    assert (depth.statements, depth.oldest) == (2, NOW_MS + 1)
    assert depth.size == sum(map(len, sealed))


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "box") as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(UsageError, match="version 99"):
        Outbox(tmp_path / "box", born_at=1)


def test_a_full_disk_keeps_what_was_committed_and_uses_no_number(outbox: Outbox) -> None:
    before = read(outbox)
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        read(outbox, count=200)
    assert waiting(outbox) == before
    outbox._db.execute("PRAGMA max_page_count=100000")
    read(outbox)
    assert [open_sealed(each).statement.sequence for each in waiting(outbox)] == [1, 2]


KILLED = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from collection.collector.test_outbox import Outbox, read
box = Outbox(Path({file!r}), born_at=1)
while True:
    read(box, count=3)
    print(len(box.waiting(0, None, 10**6, 10**9)), flush=True)
"""


def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    file = tmp_path / "box"
    code = KILLED.format(path=sys.path, file=str(file))
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _, line in zip(range(5), child.stdout, strict=False):
                acknowledged = int(line)
            os.kill(child.pid, signal.SIGKILL)
        box = Outbox(file, born_at=2)
        numbers = [open_sealed(each).statement.sequence for each in waiting(box)]
        assert len(numbers) >= acknowledged
        assert numbers == list(range(1, len(numbers) + 1))
        box.close()


def test_a_damaged_statement_is_told_and_holds_up_no_other(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = read(outbox, count=5)
    with outbox.transaction() as db:
        db.execute("UPDATE outgoing SET sealed = x'd2' WHERE id = 1")
        db.execute("UPDATE outgoing SET sealed = x'' WHERE id = 2")
        db.execute("UPDATE outgoing SET digest = x'00' WHERE id = 3")
    assert waiting(outbox) == sealed[3:]
    assert [row.id for row in outbox.waiting(0, None, 1, 10**9)] == [4]
    assert [row.id for row in outbox.again([1, 5], 10**9)] == [5]
    assert "statement 1 in the outbox is damaged" in caplog.text
    assert outbox.depth().statements == 5, "it is still there to be looked at"


def test_many_damaged_statements_hold_up_no_other(outbox: Outbox) -> None:
    sealed = read(outbox, count=150)
    with outbox.transaction() as db:
        db.execute("UPDATE outgoing SET sealed = x'' WHERE id <= 140")
    assert [row.sealed for row in outbox.waiting(0, None, 4, 10**9)] == sealed[140:144]

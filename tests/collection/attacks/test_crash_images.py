"""Power cuts and bit rot: files as a crash leaves them, and files with one bit turned.

A commit is synced before anybody hears of it. So a crash in the midst of the next commit leaves the
log as it was, and of what was appended any part, whole, cut or scrambled; one in the midst of a
checkpoint leaves any mixture of old and new pages beside the whole log.
"""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.collector.outbox import Outbox
from meterseal.collection.sealing import open_sealed
from meterseal.collection.station.check import Checker
from meterseal.collection.station.evidence import verify_stored
from meterseal.collection.station.store import StoreUnavailable, open_store
from meterseal.errors import MeterSealError
from support.station import (
    DAY,
    NOW,
    PLAIN,
    arrival,
    checks,
    directory,
    reading,
    registry,
    world,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from meterseal.collection.model import Statement
    from meterseal.collection.station.store import Store

PAGE = 4096
COMMITS = 16
FOLDED_EACH = 3
FLIPS = 300


@dataclass(frozen=True)
class Image:
    """A database and its write-ahead log, as they lie on the disk."""

    main: bytes
    log: bytes

    @classmethod
    def of(cls, path: Path) -> Image:
        log = path.with_name(path.name + "-wal")
        return cls(path.read_bytes(), log.read_bytes() if log.exists() else b"")

    def write(self, path: Path) -> Path:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(self.main)
        if self.log:
            path.with_name(path.name + "-wal").write_bytes(self.log)
        return path


def crashes(before: Image, after: Image, dice: random.Random) -> Iterator[Image]:
    """What a power cut may leave between two moments, of which the first was synced."""
    assert after.log.startswith(before.log), "the harness expects no checkpoint here"
    new = after.log[len(before.log) :]
    cuts = {0, len(new), dice.randrange(len(new)), dice.randrange(0, len(new), 512)}
    for cut in sorted(cuts):
        yield Image(before.main, before.log + new[:cut])
    torn = bytearray(new)  # blocks of the disk that did not arrive
    for start in range(0, len(torn), 512):
        if dice.random() < 0.3:
            size = len(torn[start : start + 512])
            torn[start : start + 512] = dice.choice([bytes(size), dice.randbytes(size)])
    yield Image(before.main, before.log + bytes(torn))


def half_checkpoints(before: Image, after: Image, dice: random.Random) -> Iterator[Image]:
    """What a power cut may leave of a checkpoint: the log whole, of the pages any."""
    size = max(len(before.main), len(after.main))
    for _ in range(8):
        pages = b"".join(
            dice.choice([before, after]).main[start : start + PAGE] or bytes(PAGE)
            for start in range(0, size, PAGE)
        )
        yield Image(pages, before.log)


def add(outbox: Outbox, number: int) -> None:
    def seal(numbers: Sequence[int]) -> list[tuple[Statement, bytes]]:
        (sequence,) = numbers
        statement = reading(sequence)
        return [(statement, world().collector.sealer.seal(statement))]

    assert outbox.add([PLAIN], seal) == 1
    assert outbox.last_id() == number


def kept(path: Path) -> list[int]:
    outbox = Outbox(path, born_at=2)
    try:
        rows = outbox.waiting(0, None, 1 << 20, 1 << 30)
        numbers = [open_sealed(row.sealed).statement.sequence for row in rows]
        assert outbox.epoch == 1, "it knows when it was born"
        add(outbox, numbers[-1] + 1)  # and counts on without using a number twice
    finally:
        outbox.close()
    return numbers


def stored(path: Path) -> list[int]:
    store = open_store(path)
    try:
        numbers = [each.sequence for each in store.statements(PLAIN, 0, NOW + DAY)]
        report = verify_stored(store, PLAIN, 0, NOW + DAY, world().trust)
        assert report.holds
        store.fold()
        assert store.database.read("SELECT sum(readings) FROM daily") == [(len(numbers),)]
    finally:
        store.close()
    return numbers


def commit(store: Store, number: int) -> None:
    store.commit(checks(reading(number)), [], NOW)
    if number % FOLDED_EACH == 0:
        store.fold()


@dataclass(frozen=True)
class Box:
    """Something that keeps readings: how to open it, put one in, and see what is there."""

    open: Callable[[Path], Outbox | Store]
    put: Callable[..., None]
    see: Callable[[Path], list[int]]


BOXES = {
    "outbox": Box(lambda path: Outbox(path, born_at=1), add, kept),
    "store": Box(open_store, commit, stored),
}


@pytest.mark.parametrize("kind", BOXES)
def test_no_power_cut_takes_what_was_committed(tmp_path: Path, kind: str) -> None:
    box, dice = BOXES[kind], random.Random(26)  # noqa: S311  (the same cuts each time)
    path, copy = tmp_path / "box", tmp_path / "copy"
    opened = box.open(path)
    box.put(opened, 1)
    before = Image.of(path)
    seen = set()
    for number in range(2, COMMITS):
        box.put(opened, number)
        after = Image.of(path)
        for image in crashes(before, after, dice):
            found = box.see(image.write(copy))
            assert found in (list(range(1, number)), list(range(1, number + 1)))
            seen.add(found[-1] == number)
        before = after
    assert seen == {True, False}, "some cuts came before the end of a commit, some after"
    opened.close()


@pytest.mark.parametrize("kind", BOXES)
def test_no_power_cut_within_a_checkpoint_takes_what_was_committed(
    tmp_path: Path, kind: str
) -> None:
    box, dice = BOXES[kind], random.Random(27)  # noqa: S311
    path, copy = tmp_path / "box", tmp_path / "copy"
    opened = box.open(path)
    for number in range(1, COMMITS):
        box.put(opened, number)
    before = Image.of(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(FULL)")
    db.close()
    after = Image.of(path)
    assert before.main != after.main, "the harness did make a checkpoint"
    for image in half_checkpoints(before, after, dice):
        assert box.see(image.write(copy)) == list(range(1, COMMITS))
    opened.close()


def flipped(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def whole(path: Path, box: Box) -> bytes:
    """The file of a box with readings in it, when it was closed in order."""
    opened = box.open(path)
    for number in range(1, COMMITS):
        box.put(opened, number)
    opened.close()
    return path.read_bytes()


def test_no_turned_bit_in_a_store_is_served_as_evidence(tmp_path: Path) -> None:
    """Each is an error, is found by `verify_stored`, or has changed nothing that counts."""
    dice = random.Random(28)  # noqa: S311
    data = whole(tmp_path / "store", BOXES["store"])
    store = open_store(tmp_path / "store")
    honest = [each.sealed for each in store.statements(PLAIN, 0, NOW + DAY)]
    store.close()
    detected = 0
    for _ in range(FLIPS):
        path = Image(flipped(data, dice), b"").write(tmp_path / "copy")
        try:
            store = open_store(path)
        except (MeterSealError, StoreUnavailable):
            detected += 1
            continue
        try:
            report = verify_stored(store, PLAIN, 0, NOW + DAY, world().trust)
            found = [each.sealed for each in store.statements(PLAIN, 0, NOW + DAY)]
        except (MeterSealError, StoreUnavailable):
            detected += 1
            continue
        finally:
            store.close()
        if not report.holds or report.missing:
            detected += 1
        else:
            assert found == honest
    assert detected, "the harness did hit something"


def test_no_turned_bit_in_an_outbox_is_accepted_by_a_station(tmp_path: Path) -> None:
    """What is sent is what was sealed; what is damaged stays, as a gap in the numbers."""
    dice = random.Random(29)  # noqa: S311
    data = whole(tmp_path / "outbox", BOXES["outbox"])
    outbox = Outbox(tmp_path / "outbox", born_at=1)
    honest = {row.sealed for row in outbox.waiting(0, None, 1 << 20, 1 << 30)}
    outbox.close()
    checker = Checker(directory(), registry())
    spoilt = 0
    for _ in range(FLIPS):
        path = Image(flipped(data, dice), b"").write(tmp_path / "copy")
        try:
            outbox = Outbox(path, born_at=1)
        except (sqlite3.Error, MeterSealError):
            spoilt += 1
            continue
        try:
            rows = outbox.waiting(0, None, 1 << 20, 1 << 30)
        except (sqlite3.Error, MeterSealError):
            spoilt += 1
            continue
        finally:
            outbox.close()
        accepted, refused = checker.check([arrival(row.sealed) for row in rows], NOW)
        assert {each.arrival.encoding for each in accepted} <= honest
        assert not refused, "what was damaged is not even sent"
        spoilt += len(rows) < len(honest)
    assert spoilt, "the harness did hit something"

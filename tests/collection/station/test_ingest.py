"""The order of verify, commit, receipt and acknowledgement, and what survives its interruption."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from meterseal.collection import topics
from meterseal.collection.receipts import Verdict, open_receipt
from meterseal.collection.station.check import Checker
from meterseal.collection.station.directory import Directory
from meterseal.collection.station.inbox import Message
from meterseal.collection.station.ingest import Ingest, ReceiptWriter
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.store import Store, StoreUnavailable, open_store
from support.station import DAY, NOW, PLAIN, directory, reading, registry, world

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.collection.receipts import Entry
    from meterseal.collection.station.store import Committed


class Killed(BaseException):
    """The process ends here; nothing of it runs on."""


@dataclass
class Broker:
    """Keeps every message until it is acknowledged; dies at the step named."""

    kept: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    published: list[tuple[str, bytes]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    dies_at: str = ""

    def add(self, topic: str, payload: bytes) -> None:
        self.kept[max(self.kept, default=0) + 1] = (topic, payload)

    def step(self, name: str) -> None:
        if name == self.dies_at:
            raise Killed
        self.steps.append(name)

    async def receive(self, most: int, patience: float) -> list[Message]:
        del patience
        self.step("receive")
        if not self.kept:
            await asyncio.Event().wait()
        return [self._message(number) for number in list(self.kept)[:most]]

    async def publish(self, topic: str, payload: bytes) -> None:
        self.step("publish")
        self.published.append((topic, payload))

    async def close(self) -> None:
        """Nothing to close."""

    def _message(self, number: int) -> Message:
        async def acknowledge() -> None:
            self.step("acknowledge")
            del self.kept[number]

        return Message(*self.kept[number], acknowledge)

    def entries(self) -> list[Entry]:
        found = []
        for topic, payload in self.published:
            receipt, envelope = open_receipt(payload)
            envelope.verify(world().station.certificate.public_key())
            assert topic == topics.down(receipt.collector)
            found += receipt.entries
        return found


class FaultyStore:
    """A store that dies, or fails so many times, before or after the commit."""

    def __init__(self, store: Store, *, broker: Broker, failures: int = 0) -> None:
        self._store = store
        self._broker = broker
        self.failures = failures

    def commit(self, *batch: object) -> Committed:
        self._broker.step("before commit")
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("database or disk is full")
        committed = self._store.commit(*batch)  # type: ignore[arg-type]
        self._broker.step("after commit")
        return committed

    def save_certificates(self, *arguments: object) -> None:
        self._store.save_certificates(*arguments)  # type: ignore[arg-type]

    def save_statuses(self, *arguments: object) -> None:
        self._store.save_statuses(*arguments)  # type: ignore[arg-type]


def ingest(
    broker: Broker, store: object, *, known: Directory | None = None, metrics: Metrics | None = None
) -> Ingest:
    return Ingest(
        broker,
        checker=Checker(directory() if known is None else known, registry()),
        store=store,  # type: ignore[arg-type]
        receipts=ReceiptWriter(world().receipts(), "station-1"),
        metrics=metrics or Metrics(CollectorRegistry()),
        clock=lambda: NOW,
        backoff=(0.001, 0.002),
    )


def bundle(*sequences: int) -> bytes:
    return topics.pack(world().collector.sealer.seal_many([reading(n) for n in sequences]))


async def run_until_idle(broker: Broker, station: Ingest) -> None:
    task = asyncio.create_task(station.run())
    while broker.kept and not task.done():
        await asyncio.sleep(0.001)
    if not task.done():
        task.cancel()
    with suppress(asyncio.CancelledError, Killed):
        await task


@pytest.fixture
def sqlite(tmp_path: Path) -> Store:
    return open_store(tmp_path / "station.db")


def stored(store: Store) -> list[int]:
    return [each.sequence for each in store.statements(PLAIN, 0, NOW + DAY)]


def test_commits_then_publishes_the_receipt_then_acknowledges(sqlite: Store) -> None:
    broker = Broker()
    broker.add(topics.up("collector-1"), bundle(1, 2))
    store = FaultyStore(sqlite, broker=broker)
    asyncio.run(run_until_idle(broker, ingest(broker, store)))
    assert broker.steps[:5] == [
        "receive", "before commit", "after commit", "publish", "acknowledge",
    ]  # fmt: skip
    assert [(e.sequence, e.verdict) for e in broker.entries()] == [
        (1, Verdict.STORED),
        (2, Verdict.STORED),
    ]
    assert stored(sqlite) == [1, 2]


@pytest.mark.parametrize(
    "step", ["receive", "before commit", "after commit", "publish", "acknowledge"]
)
def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(sqlite: Store, step: str) -> None:
    broker = Broker(dies_at=step)
    for start in (1, 4, 7):
        broker.add(topics.up("collector-1"), bundle(*range(start, start + 3)))
    asyncio.run(run_until_idle(broker, ingest(broker, FaultyStore(sqlite, broker=broker))))
    assert broker.kept, "the harness did kill"
    receipted = {entry.sequence for entry in broker.entries()}
    assert receipted <= set(stored(sqlite)), "signed for before it was stored"
    broker.dies_at = ""
    asyncio.run(run_until_idle(broker, ingest(broker, sqlite)))
    assert stored(sqlite) == list(range(1, 10))
    assert {entry.sequence for entry in broker.entries()} == set(range(1, 10))
    assert {entry.verdict for entry in broker.entries()} == {Verdict.STORED}


def test_a_store_that_is_unavailable_gets_no_receipt_and_resumes_by_itself(sqlite: Store) -> None:
    broker = Broker()
    broker.add(topics.up("collector-1"), bundle(1, 2, 3))
    registry_ = CollectorRegistry()
    store = FaultyStore(sqlite, broker=broker, failures=5)
    station = ingest(broker, store, metrics=Metrics(registry_))
    asyncio.run(run_until_idle(broker, station))
    before = broker.steps.index("after commit")
    assert broker.steps[:before] == ["receive", *["before commit"] * 6]
    assert stored(sqlite) == [1, 2, 3]
    assert registry_.get_sample_value("meterseal_station_store_unavailable_total") == 5


def test_verdicts_of_all_kinds_are_receipted_and_counted(sqlite: Store) -> None:
    w = world()
    good = w.collector.sealer.seal(reading(1))
    forged = good[:-1] + bytes([good[-1] ^ 1])
    wrong = w.collector_2.sealer.seal(reading(2))
    broker = Broker()
    broker.add(topics.up("collector-1"), topics.pack([good, forged, wrong, b"x", good]))
    broker.add(topics.up("collector-1"), b"no bundle")
    registry_ = CollectorRegistry()
    station = ingest(broker, sqlite, metrics=Metrics(registry_))
    asyncio.run(run_until_idle(broker, station))
    verdicts = sorted(entry.verdict for entry in broker.entries())
    expected = [Verdict.STORED] * 2 + [Verdict.FORMAT] * 2 + [Verdict.SIGNATURE, Verdict.METER]
    assert verdicts == sorted(expected)

    def counted(verdict: str) -> float | None:
        labels = {"verdict": verdict}
        return registry_.get_sample_value("meterseal_station_statements_total", labels)

    assert [counted(v) for v in ("STORED", "KNOWN", "FORMAT", "SIGNATURE", "METER")] == [
        1, 1, 2, 1, 1,
    ]  # fmt: skip


def test_an_announcement_lets_a_stranger_in(sqlite: Store) -> None:
    w = world()
    known = Directory(w.trust)
    known.add([w.ca.certificate])
    broker = Broker()
    broker.add(topics.up("collector-1"), bundle(1))
    asyncio.run(run_until_idle(broker, ingest(broker, sqlite, known=known)))
    assert [entry.verdict for entry in broker.entries()] == [Verdict.STRANGER]
    announcement = topics.pack([w.collector.certificate.encoding, b"garbage"])
    broker.add(topics.up("collector-1"), bundle(1))
    broker.add(topics.certificates("collector-1"), announcement)
    asyncio.run(run_until_idle(broker, ingest(broker, sqlite, known=known)))
    assert [entry.verdict for entry in broker.entries()][1:] == [Verdict.STORED]
    assert w.collector.certificate in sqlite.certificates()


def test_what_is_no_message_of_ours_is_passed_over(sqlite: Store) -> None:
    broker = Broker()
    broker.add("some/other/topic", b"x")
    broker.add(topics.certificates("collector-1"), b"\xff")
    broker.add(topics.status("collector-1"), b"\xff\xfe")
    broker.add(topics.status("collector-1"), b'{"online": true}')
    asyncio.run(run_until_idle(broker, ingest(broker, sqlite)))
    assert not broker.kept
    rows = sqlite.database.read("SELECT name, status FROM collectors")
    assert rows == [("collector-1", '{"online": true}')]


def test_many_entries_are_signed_in_several_receipts(sqlite: Store) -> None:
    broker = Broker()
    for start in range(1, 1200, 200):
        broker.add(topics.up("collector-1"), bundle(*range(start, start + 200)))
    asyncio.run(run_until_idle(broker, ingest(broker, sqlite)))
    assert len(broker.published) == 2
    assert len(broker.entries()) == 1200

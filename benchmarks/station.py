"""Print how fast a station verifies and stores, and how fast it draws a load curve of 30 days.

Readings are sealed beforehand, so that only the station's work is in the figures: take bundles
apart, decode, verify, store with aggregates in synced transactions, sign receipts. The second
line leaves signatures out (every one is taken for valid), as the yardstick of what they cost.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from prometheus_client import CollectorRegistry

from meterseal.collection import topics
from meterseal.collection.model import MeterAddress, Quantity
from meterseal.collection.roles import look_for_cycles_seldom
from meterseal.collection.station import check
from meterseal.collection.station.check import Checker
from meterseal.collection.station.inbox import Message
from meterseal.collection.station.ingest import MESSAGES, Ingest, ReceiptWriter
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.registry import Registration, Registry
from meterseal.collection.station.store import Store, open_store
from meterseal.collection.station.store.aggregates import LEVELS, bucket_all, by_codes, encode_all
from meterseal.collection.station.views import Views
from support.station import DAY, MINUTE, NOW, directory, reading, world

QUANTITIES = tuple(Quantity)[:40]
BUNDLE = 100


class Silence:
    """An inbox to which receipts go and from which nothing comes."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Nobody listens."""


async def acknowledged() -> None:
    """The broker may forget the message."""


def messages_of(meters: int, count: int) -> list[Message]:
    """Readings of all meters in turn, sealed, in bundles."""
    readings = [
        reading(
            1 + number // meters,
            meter=MeterAddress(f"{number % meters:012}"),
            sampled_at=NOW - DAY + number // meters * MINUTE,
            values=dict.fromkeys(QUANTITIES, 22000 + number % 97),
        )
        for number in range(count)
    ]
    sealed = world().collector.sealer.seal_many(readings)
    return [
        Message(topics.up("collector-1"), topics.pack(sealed[start : start + BUNDLE]), acknowledged)
        for start in range(0, count, BUNDLE)
    ]


def ingest(store: Store, meters: int, messages: list[Message]) -> tuple[float, float]:
    """Return readings a second that were verified, stored and signed for, and CPU us for each."""
    registration = Registration(frozenset({"collector-1"}))
    registry = Registry({MeterAddress(f"{n:012}"): registration for n in range(meters)})
    station = Ingest(
        Silence(),  # type: ignore[arg-type]
        checker=Checker(directory(), registry),
        store=store,
        receipts=ReceiptWriter(world().receipts(), "station-1"),
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: NOW,
    )

    async def take_all() -> None:
        for start in range(0, len(messages), MESSAGES):
            await station.take(messages[start : start + MESSAGES])
            store.fold()

    began, worked = time.perf_counter(), time.process_time()
    asyncio.run(take_all())
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    ((stored,),) = store.database.read("SELECT sum(stored) FROM collectors")
    assert stored == len(messages) * BUNDLE
    return float(stored) / seconds, cpu / float(stored) * 1e6


def draw(store: Store) -> None:
    """Fill the aggregates of one meter with 30 days of minutes, and query them."""
    meter = MeterAddress("999999999999")
    for day in range(30):
        readings = [
            reading(
                1,
                meter=meter,
                sampled_at=NOW - 30 * DAY + day * DAY + minute * MINUTE,
                values=dict.fromkeys(QUANTITIES, minute),
            )
            for minute in range(1440)
        ]
        tables = by_codes(readings)
        with store.database.transaction() as session:
            for level in LEVELS:
                buckets = bucket_all(tables, level.width, store.day_offset)
                session.run_many(
                    f"INSERT INTO {level.table} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",  # noqa: S608
                    encode_all(buckets),
                )
    views = Views(store, Registry({}))
    for name, step in (("15 min", 15 * MINUTE), ("1 h", 60 * MINUTE), ("1 min", MINUTE)):
        took = []
        for _ in range(5):
            began = time.perf_counter()
            curve = views.load_curve(meter, Quantity.ACTIVE_POWER, NOW - 30 * DAY, NOW, step)
            took.append(time.perf_counter() - began)
        points = len(curve.mean)
        print(
            f"load curve, 30 days in steps of {name:6} {points:6} points  {min(took) * 1e3:7.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=20_000)
    parser.add_argument("--meters", type=int, default=1000)
    parser.add_argument("--store", help="postgresql://... instead of a SQLite file")
    arguments = parser.parse_args()
    look_for_cycles_seldom()
    messages = messages_of(arguments.meters, arguments.readings)
    size = sum(len(message.payload) for message in messages) / arguments.readings
    print(f"{arguments.readings} readings of {arguments.meters} meters, {size:.0f} bytes each")
    honest = check.verify_all
    for name, verify in (("verified", honest), ("unverified", lambda items: [True] * len(items))):
        check.verify_all = verify
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(arguments.store or f"{folder}/station.db")
            rate, cpu = ingest(store, arguments.meters, messages)
            print(f"stored, {name:10} {rate:8.0f} readings/s, {cpu:5.0f} us of CPU each")
            if verify is honest:
                draw(store)
            store.close()
        if arguments.store:
            break
    check.verify_all = honest


if __name__ == "__main__":
    main()

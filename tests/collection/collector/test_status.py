"""What a collector says of itself stays short enough to be heard, however many its meters are."""

from __future__ import annotations

import json

from meterseal.collection.collector.outbox import MeterHealth
from meterseal.collection.collector.service import meters_told
from meterseal.collection.model import MeterAddress

HEARD = 65_536  # what a station takes as a status


def health(number: int, failures: int, error: str | None = None) -> MeterHealth:
    return MeterHealth(MeterAddress(f"{number:012d}"), 100, failures, 1_700_000_000_000, error)


def test_the_status_of_ten_thousand_meters_tells_of_the_worst() -> None:
    told = meters_told(
        [health(number, number % 7, "无应答" * 1000) for number in range(9_990)]
        + [health(number, 90) for number in range(9_990, 10_000)]
    )
    assert len(json.dumps(told)) < HEARD * 3 // 4  # there is more in a status
    assert told["meter_count"] == 10_000
    assert {f"{number:012d}" for number in range(9_990, 10_000)} <= set(told["meters"])


def test_few_meters_are_all_told() -> None:
    told = meters_told([health(2, 1, "silent"), health(1, 0)])
    assert told["meter_count"] == 2
    assert list(told["meters"]) == ["000000000001", "000000000002"]
    assert told["meters"]["000000000002"]["last_error"] == "silent"

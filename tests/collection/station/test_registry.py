"""The station's own list of who speaks for which meter."""

from __future__ import annotations

import pytest

from meterseal.collection.model import MeterAddress
from meterseal.collection.station.registry import load_registry
from meterseal.errors import UsageError

GOOD = """
[[meter]]
addresses = ["202611230001"]
collectors = ["collector-1"]
seals_itself = true
interval = 15

[[meter]]
addresses = ["000000000001-000000000100"]
collectors = ["collector-1", "collector-2"]
"""


def test_reads_meters_and_ranges_of_them() -> None:
    registry = load_registry(GOOD)
    assert len(registry.meters) == 101
    sealing = registry.find(MeterAddress("202611230001"))
    assert sealing is not None
    assert (sealing.seals_itself, sealing.interval) == (True, 15)
    plain = registry.find(MeterAddress("000000000100"))
    assert plain is not None
    assert plain.collectors == {"collector-1", "collector-2"}
    assert registry.find(MeterAddress("000000000101")) is None
    assert load_registry("").meters == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x =", "not TOML"),
        ("meters = 1", "not meters"),
        ("[meter]\naddresses = []", "twice"),
        ("meter = [1]", "twice"),
        ('[[meter]]\naddresses = "1"\ncollectors = ["c"]', "addresses is a list"),
        ("[[meter]]\naddresses = []\ncollectors = ['c']", "addresses is a list"),
        ("[[meter]]\naddresses = ['12']\ncollectors = ['c']", "twelve decimal digits"),
        ("[[meter]]\naddresses = ['000000000001']", "needs a collector"),
        ("[[meter]]\naddresses = ['000000000001']\ncollectors = 'c'", "list of names"),
        ("[[meter]]\naddresses = ['000000000001']\nseals_itself = 1", "true or false"),
        (GOOD.replace("15", "0"), "at least 1"),
        (GOOD.replace("15", "true"), "at least 1"),
        (GOOD + GOOD.replace("[[meter]]", "\n[[meter]]"), "registered twice"),
        (GOOD.replace("interval", "intervall"), "not intervall"),
        (GOOD.replace("0001-", "0200-"), "rising range"),
        (GOOD.replace("000000000100", "999999999999"), "rising range"),
    ],
)
def test_refuses_what_it_cannot_mean(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load_registry(text)

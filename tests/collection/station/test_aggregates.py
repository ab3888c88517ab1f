"""The aggregates that a store keeps are those that one would compute from its readings."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.collection.model import Quantity, Reading
from meterseal.collection.station.store import Store, open_store
from meterseal.collection.station.store.aggregates import LEVELS, MAX_STEPS, series
from meterseal.collection.station.views import Views
from support.station import DAY, MINUTE, NOW, OTHER, PLAIN, checks, reading, registry

if TYPE_CHECKING:
    from meterseal.collection.station.store.aggregates import RowOfMeter

QUANTITIES = (Quantity.VOLTAGE_A, Quantity.ACTIVE_POWER, Quantity.FORWARD_ENERGY)
SPAN = 2 * DAY

one_reading = st.tuples(
    st.sampled_from([PLAIN, OTHER]),
    st.one_of(st.integers(NOW - SPAN, NOW), st.integers(NOW - 3 * MINUTE, NOW)),
    st.dictionaries(
        st.sampled_from(QUANTITIES),
        st.one_of(
            st.none(), st.integers(-MAX_STEPS, MAX_STEPS), st.integers(-(2**63) + 1, 2**63 - 1)
        ),
    ),
)


@given(
    st.lists(one_reading, max_size=40, unique_by=lambda one: one[:2]),
    st.lists(st.integers(0, 40), max_size=4),
    st.sets(st.integers(0, 40)),
)
@settings(max_examples=30, deadline=None)
def test_aggregates_are_those_of_the_readings_however_they_arrive(
    drawn: list[tuple[str, int, dict[Quantity, int | None]]], cuts: list[int], folds: set[int]
) -> None:
    readings = [
        reading(number, meter=meter, sampled_at=at, values=values)
        for number, (meter, at, values) in enumerate(drawn, 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "station.db")
        edges = [0, *sorted(cuts), len(readings)]
        for begin, end in pairwise(edges):
            store.commit(checks(*readings[begin:end]), [], NOW)
            if begin in folds:
                store.fold()
        for meter in (PLAIN, OTHER):
            for quantity in QUANTITIES:
                for table, width in LEVELS:
                    rows = store.aggregates(table, meter, 0, NOW + DAY)
                    assert kept(rows, quantity) == computed(
                        store, readings, meter, quantity, width
                    ), (meter, quantity, table)
        store.close()


def kept(rows: list[RowOfMeter], quantity: Quantity) -> dict[int, tuple[int, ...]]:
    found = series(quantity.code, rows)
    columns = (found.counts, found.lows, found.highs, found.totals, found.lasts)
    lines = zip(found.starts.tolist(), *(each.tolist() for each in columns), strict=True)
    return {start: tuple(numbers) for start, *numbers in lines if numbers[0]}


def computed(
    store: Store, readings: list[Reading], meter: str, quantity: Quantity, width: int
) -> dict[int, tuple[int, ...]]:
    places: dict[int, list[tuple[int, int]]] = {}
    for each in readings:
        steps = each.values.get(quantity)
        if each.meter == meter and steps is not None and abs(steps) <= MAX_STEPS:
            start = (each.sampled_at + store.day_offset) // width * width - store.day_offset
            places.setdefault(start, []).append((each.sampled_at, steps))
    return {
        start: (len(v), min(s for _, s in v), max(s for _, s in v), sum(s for _, s in v), max(v)[1])
        for start, v in places.items()
    }


def test_a_day_of_seconds_has_the_mean_of_them_all(store: Store) -> None:
    begin = NOW - 30 * MINUTE
    power = Quantity.ACTIVE_POWER
    batch = [
        reading(n, sampled_at=begin + n * 1000, values={power: n * n % 977}) for n in range(1, 1501)
    ]
    for start in range(0, 1500, 400):
        store.commit(checks(*batch[start : start + 400]), [], NOW)
    curve = Views(store, registry()).load_curve(PLAIN, power, NOW - DAY // 2, NOW, DAY)
    assert curve.mean[0] is not None
    assert curve.mean[0] == fmean(n * n % 977 for n in range(1, 1501))

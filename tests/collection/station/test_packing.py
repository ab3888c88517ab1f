"""Rows of aggregates are short where numbers are small, and whole where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from meterseal.collection.station.store.packing import (
    is_whole,
    lines_of,
    pack_lines,
    pack_values,
    unpack_values,
)
from meterseal.errors import MalformedData

WIDTH = 43
CODES = bytes(range(1, WIDTH + 1))
LEAF = 1000
"""Bytes that SQLite keeps in the page of a clustered table before it takes another one."""


def lines(readings: int, value: int = 0, last_at: int = 7) -> list[list[int]]:
    values = range(value, value + WIDTH)
    return [
        [readings] * WIDTH,
        list(values),
        [each + 9 for each in values],
        [readings * each for each in values],
        [each + 1 for each in values],
        [last_at] * WIDTH,
    ]


def alone(value: int) -> list[list[int]]:
    """The lines of one reading."""
    values = list(range(value, value + WIDTH))
    return [[1] * WIDTH, *[values] * 4, [7] * WIDTH]


GAPPY = [[2, *[3] * (WIDTH - 1)], *lines(3)[1:]]
CASES = {
    "one": (1, alone(-5), 8 + 4 * WIDTH),
    "one with a long number": (1, alone(1 << 38), 8 + 8 * WIDTH),
    "many": (3, lines(3), 8 + 20 * WIDTH),
    "many with a long number": (3, lines(3, 1 << 31), 48 * WIDTH),
    "many, one missing": (3, GAPPY, 48 * WIDTH),
    "many, one later": (3, [*lines(3)[:5], [8, *[7] * (WIDTH - 1)]], 48 * WIDTH),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_packed_comes_back_in_a_row_of_the_size_said(case: str) -> None:
    readings, given, size = CASES[case]
    (data,) = pack_lines(np.array([readings]), np.array([given]))
    assert len(data) == size
    assert is_whole(CODES, readings, size)
    assert lines_of(CODES, [readings], [data])[0].tolist() == given
    assert lines_of(CODES, [readings], [data], 5)[0].tolist() == [line[5] for line in given]


def test_rows_of_all_forms_are_packed_together_in_their_order() -> None:
    readings, given, sizes = zip(*CASES.values(), strict=True)
    packed = pack_lines(np.array(readings), np.array(given))
    assert [len(data) for data in packed] == list(sizes)
    one_by_one = zip(readings, packed, strict=True)
    found = [lines_of(CODES, [count], [data])[0].tolist() for count, data in one_by_one]
    assert found == list(given)


def test_a_regular_row_of_a_three_phase_meter_fits_into_its_page() -> None:
    (data,) = pack_lines(np.array([900]), np.array([lines(900, 30_000)]))
    assert len(data) + len(CODES) + 32 < LEAF


@pytest.mark.parametrize("data", [b"", b"1", bytes(48 * WIDTH - 1), bytes(48 * WIDTH + 8)])
def test_a_row_of_no_form_is_refused(data: bytes) -> None:
    assert not is_whole(CODES, 1, len(data))
    with pytest.raises(MalformedData, match="43 quantities"):
        lines_of(CODES, [1], [data])


@pytest.mark.parametrize("numbers", [[1, -2, 2**31 - 1], [1, 2, 2**31], [-(2**31) - 1]])
def test_values_take_four_bytes_each_if_all_can(numbers: list[int]) -> None:
    data = pack_values(np.array(numbers))
    short = min(numbers) >= -(2**31) and max(numbers) < 2**31
    assert len(data) == (4 if short else 8) * len(numbers)
    assert unpack_values(data, len(numbers)).tolist() == numbers
    with pytest.raises(MalformedData):
        unpack_values(data[:-1], len(numbers))

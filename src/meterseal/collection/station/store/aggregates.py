"""Aggregates of readings by minute, quarter of an hour and day, many at once.

A row holds all quantities of one meter in one bucket: `codes` names them, `data`
holds numbers of 64 bits: while a bucket has one reading, its time and the values; later six lines
of one number for each quantity: count, lowest, highest, total, last, time of the last. Buckets of
a day begin at the midnight of the station's `day_offset`.

Values beyond `MAX_STEPS` are no measurements; they stay in the signed reading and out of here, so
that no total of a day can overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from meterseal.collection.model import Quantity, Reading

__all__ = [
    "LEVELS",
    "MAX_STEPS",
    "Bucket",
    "Level",
    "Series",
    "bucket_all",
    "by_codes",
    "merge",
    "series",
]

MAX_STEPS: Final = 1 << 39
_COUNT, _LOW, _HIGH, _TOTAL, _LAST, _LAST_AT = range(6)
_LINES: Final = 6
_FORMS: Final = 1024  # kinds of meters, by the quantities they measure
_WORD: Final = np.dtype("<i8")

if TYPE_CHECKING:
    Numbers: TypeAlias = NDArray[np.int64]
    Place: TypeAlias = tuple[int, int]  # meter, start of the bucket
    Tables: TypeAlias = dict[bytes, tuple[Numbers, Numbers, Numbers]]
    """By codes of quantities: meters, times, and a line of values for each."""


class Level(NamedTuple):
    """A table of aggregates and the width of its buckets in ms."""

    table: str
    width: int


LEVELS: Final = (Level("minutes", 60_000), Level("quarters", 900_000), Level("daily", 86_400_000))


@dataclass(slots=True)
class Bucket:
    """The aggregates of one meter in one bucket; `lines` has the shape (6, quantities)."""

    readings: int
    codes: bytes
    lines: Numbers

    def encode(self) -> bytes:
        """Return the numbers as they are stored."""
        if self.readings == 1 and self.codes:
            return bytes(self.lines[_LAST_AT, :1].tobytes() + self.lines[_LAST].tobytes())
        return bytes(self.lines.tobytes())

    @classmethod
    def decode(cls, readings: int, codes: bytes, data: bytes) -> Bucket:
        """Read a stored row."""
        lines = _lines(np.frombuffer(data, _WORD).reshape(1, -1), len(codes))
        return cls(readings, codes, lines[0])


def bucket_all(tables: Tables, width: int, offset: int) -> dict[Place, Bucket]:
    """Return the aggregates of readings, sorted by `by_codes`, by place."""
    buckets: dict[Place, Bucket] = {}
    for codes, columns in tables.items():
        order = np.lexsort(columns[1::-1])
        meters, times, values = (column[order] for column in columns)
        starts = (times + offset) // width * width - offset
        new = np.ones(len(order), bool)
        new[1:] = (meters[1:] != meters[:-1]) | (starts[1:] != starts[:-1])
        edges = np.flatnonzero(new)
        counts = np.diff(edges, append=len(order))
        ends = edges + counts - 1
        lines = np.empty((len(edges), _LINES, len(codes)), _WORD)
        lines[:, _COUNT] = counts[:, None]
        lines[:, _LOW] = np.minimum.reduceat(values, edges)
        lines[:, _HIGH] = np.maximum.reduceat(values, edges)
        lines[:, _TOTAL] = np.add.reduceat(values, edges)
        lines[:, _LAST] = values[ends]
        lines[:, _LAST_AT] = times[ends, None]
        places = zip(meters[edges].tolist(), starts[edges].tolist(), strict=True)
        for place, count, of_place in zip(places, counts.tolist(), lines, strict=True):
            bucket = Bucket(count, codes, of_place)
            before = buckets.get(place)
            buckets[place] = bucket if before is None else _joined(before, bucket)
    return buckets


def merge(new: dict[Place, Bucket], stored: Mapping[Place, Bucket]) -> None:
    """Add what is stored to the new buckets, in place; those with the same codes all at once."""
    by_codes: dict[bytes, list[Place]] = {}
    for place, before in stored.items():
        if before.codes == new[place].codes:
            by_codes.setdefault(before.codes, []).append(place)
        else:
            new[place] = _joined(before, new[place])
    for places in by_codes.values():
        ours = np.stack([new[place].lines for place in places])
        theirs = np.stack([stored[place].lines for place in places])
        for place, lines in zip(places, _sum_of(theirs, ours), strict=True):
            new[place].lines = lines
            new[place].readings += stored[place].readings


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity over time; buckets without a value are absent. `total` is in steps."""

    starts: Numbers
    counts: Numbers
    lows: Numbers
    highs: Numbers
    totals: Numbers
    lasts: Numbers

    def in_steps_of(self, width: int, offset: int) -> Series:
        """Return the series with wider buckets, of which the present ones are parts."""
        starts = (self.starts + offset) // width * width - offset
        if not len(starts):
            return self
        edges = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
        ends = np.append(edges[1:], len(starts)) - 1
        return Series(
            starts[edges],
            np.add.reduceat(self.counts, edges),
            np.minimum.reduceat(self.lows, edges),
            np.maximum.reduceat(self.highs, edges),
            np.add.reduceat(self.totals, edges),
            self.lasts[ends],
        )


def series(code: int, rows: Sequence[tuple[int, bytes, bytes]]) -> Series:
    """Pick one quantity from rows (start, codes, data), which are in the order of time."""
    parts, starts = [], []
    wanted = bytes((code,))
    for codes, of_run in _runs(rows):
        index = codes.find(wanted)
        if index < 0:
            continue
        data = np.frombuffer(b"".join(row[2] for row in of_run), _WORD)
        parts.append(_lines(data.reshape(len(of_run), -1), len(codes), index))
        starts += [row[0] for row in of_run]
    joined = np.concatenate(parts) if parts else np.empty((0, _LINES), _WORD)
    counts, lows, highs, totals, lasts, _ = joined.T
    return Series(np.array(starts, _WORD), counts, lows, highs, totals, lasts)


def _runs(
    rows: Sequence[tuple[int, bytes, bytes]],
) -> Iterator[tuple[bytes, Sequence[tuple[int, bytes, bytes]]]]:
    """Cut rows where their form changes."""
    begin = 0
    for index in range(1, len(rows) + 1):
        _, codes, data = rows[begin]
        if index == len(rows) or rows[index][1] != codes or len(rows[index][2]) != len(data):
            yield codes, rows[begin:index]
            begin = index


def by_codes(readings: Iterable[Reading]) -> Tables:
    """Sort readings by the quantities they have; those without values are left out."""
    groups: dict[bytes, tuple[list[int], list[int], list[list[int]]]] = {}
    for reading in readings:
        quantities, steps = _measured(reading)
        meters, times, values = groups.setdefault(_codes_of(quantities), ([], [], []))
        meters.append(int(reading.meter))
        times.append(reading.sampled_at)
        values.append(steps)
    return {
        codes: (np.array(meters, _WORD), np.array(times, _WORD), np.array(values, _WORD))
        for codes, (meters, times, values) in groups.items()
        if codes
    }


def _measured(reading: Reading) -> tuple[tuple[Quantity, ...], list[int]]:
    """Return what has a value that can be one; mostly that is all, which is asked first."""
    steps = cast("list[int]", list(reading.values.values()))
    if None not in steps and steps and min(steps) >= -MAX_STEPS and max(steps) <= MAX_STEPS:
        return tuple(reading.values), steps
    present = {
        quantity: steps
        for quantity, steps in reading.values.items()
        if steps is not None and -MAX_STEPS <= steps <= MAX_STEPS
    }
    return tuple(present), list(present.values())


@lru_cache(_FORMS)
def _codes_of(quantities: tuple[Quantity, ...]) -> bytes:
    return bytes(quantity.code for quantity in quantities)


def _lines(data: Numbers, width: int, index: int | None = None) -> Numbers:
    """Return stored numbers, one row each, as six lines of all quantities or of one."""
    chosen = slice(None) if index is None else index
    if data.shape[1] == _LINES * width:
        return data.reshape(-1, _LINES, width)[:, :, chosen]
    values = data[:, 1:][:, chosen]
    times = np.broadcast_to(data[:, :1] if index is None else data[:, 0], values.shape)
    return np.stack((np.ones_like(values), values, values, values, values, times), axis=1)


def _sum_of(one: Numbers, other: Numbers) -> Numbers:
    """Add buckets of the same quantities; the first axis counts places."""
    later = one[:, _LAST_AT] > other[:, _LAST_AT]
    result = np.empty_like(other)
    result[:, _COUNT] = one[:, _COUNT] + other[:, _COUNT]
    result[:, _LOW] = np.minimum(one[:, _LOW], other[:, _LOW])
    result[:, _HIGH] = np.maximum(one[:, _HIGH], other[:, _HIGH])
    result[:, _TOTAL] = one[:, _TOTAL] + other[:, _TOTAL]
    result[:, _LAST] = np.where(later, one[:, _LAST], other[:, _LAST])
    result[:, _LAST_AT] = np.maximum(one[:, _LAST_AT], other[:, _LAST_AT])
    return result


def _joined(one: Bucket, other: Bucket) -> Bucket:
    """Add buckets of any quantities."""
    codes = bytes(sorted(set(one.codes) | set(other.codes)))
    lines = _sum_of(*(_widened(bucket, codes)[None] for bucket in (one, other)))[0]
    return Bucket(one.readings + other.readings, codes, lines)


def _widened(bucket: Bucket, codes: bytes) -> Numbers:
    """Return the lines with room for more quantities: those count 0 and change no sum."""
    lines = np.zeros((_LINES, len(codes)), _WORD)
    lines[_LOW] = np.iinfo(_WORD).max
    lines[_HIGH] = np.iinfo(_WORD).min
    lines[_LAST_AT] = -1
    lines[:, [codes.index(code) for code in bucket.codes]] = bucket.lines
    return lines

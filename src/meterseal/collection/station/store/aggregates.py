"""Aggregates of readings by minute, quarter of an hour and day, many at once.

A bucket has six lines of one number for each quantity: count, lowest, highest, total, last, time of
the last. Buckets of a day begin at the midnight of the station's `day_offset`.

Values beyond `MAX_STEPS` are no measurements; they stay in the signed reading and out of here, so
that no total of a day can overflow.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np

from meterseal.collection.columns import NOTHING, Line
from meterseal.collection.station.store.packing import (
    LINES,
    WORD,
    is_whole,
    lines_of,
    pack_lines,
    pack_values,
    unpack_values,
)
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from meterseal.collection.columns import Columns
    from meterseal.collection.model import Quantity, Reading

__all__ = [
    "LEVELS",
    "MAX_STEPS",
    "Bucket",
    "Level",
    "Row",
    "RowOfMeter",
    "Series",
    "bucket_all",
    "by_codes",
    "decode_all",
    "encode_all",
    "merge",
    "pack_table",
    "series",
    "unpack_tables",
]

_log: Final = logging.getLogger("meterseal.station")
MAX_STEPS: Final = 1 << 39
_COUNT, _LOW, _HIGH, _TOTAL, _LAST, _LAST_AT = range(LINES)

Row: TypeAlias = tuple[int, int, int, bytes, bytes]
"""What is stored of one bucket: meter, start, readings, codes, data (`packing`)."""
RowOfMeter: TypeAlias = tuple[int, int, bytes, bytes]
"""The same of a meter that is known."""
KindT = TypeVar("KindT")
ItemT = TypeVar("ItemT")

if TYPE_CHECKING:
    Numbers: TypeAlias = NDArray[np.int64]
    Place: TypeAlias = tuple[int, int]  # meter, start of the bucket
    Table: TypeAlias = tuple[Numbers, Numbers, Numbers]
    """Meters, times, and a line of values for each."""
    Tables: TypeAlias = dict[bytes, Table]
    """By codes of quantities, rising by meter and time."""


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


def encode_all(buckets: Mapping[Place, Bucket]) -> list[Row]:
    """Return the rows to be stored, in the order of their places."""
    rows: list[Row] = []
    for codes, places in _grouped((bucket.codes, place) for place, bucket in buckets.items()):
        readings = [buckets[place].readings for place in places]
        lines = np.stack([buckets[place].lines for place in places])
        texts = pack_lines(np.array(readings, WORD), lines)
        rows += [
            (*place, count, codes, text)
            for place, count, text in zip(places, readings, texts, strict=True)
        ]
    return sorted(rows)


def decode_all(rows: Iterable[Row]) -> dict[Place, Bucket]:
    """Read stored rows; those that are damaged are told and left out."""
    whole = []
    for row in rows:
        meter, _, readings, codes, data = row
        if is_whole(codes, readings, len(data)):
            whole.append(((codes, len(data)), row))
        else:
            _log.error("an aggregate of meter %012d is damaged and begun anew", meter)
    buckets: dict[Place, Bucket] = {}
    for (codes, _), alike in _grouped(whole):
        meters, starts, counts, _, texts = zip(*alike, strict=True)
        lines = lines_of(codes, counts, texts)
        for place, count, of_place in zip(zip(meters, starts), counts, lines, strict=True):  # noqa: B905
            buckets[place] = Bucket(count, codes, of_place)
    return buckets


def bucket_all(tables: Tables, width: int, offset: int) -> dict[Place, Bucket]:
    """Return the aggregates of readings, sorted by `by_codes`, by place."""
    buckets: dict[Place, Bucket] = {}
    for codes, (meters, times, values) in tables.items():
        starts = (times + offset) // width * width - offset
        new = np.ones(len(meters), bool)
        new[1:] = (meters[1:] != meters[:-1]) | (starts[1:] != starts[:-1])
        edges = np.flatnonzero(new)
        counts = np.diff(edges, append=len(meters))
        ends = edges + counts - 1
        lines = np.empty((len(edges), LINES, len(codes)), WORD)
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
    same = []
    for place, before in stored.items():
        if before.codes == new[place].codes:
            same.append((before.codes, place))
        else:
            new[place] = _joined(before, new[place])
    for _, places in _grouped(same):
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


def series(code: int, rows: Sequence[RowOfMeter]) -> Series:
    """Pick one quantity from rows of one meter, which are in the order of time."""
    parts: list[Numbers] = []
    kept: list[int] = []
    starts, readings, codes, data = zip(*rows, strict=True) if rows else ((),) * 4
    for begin, end in pairwise((0, *_changes(codes, list(map(len, data))), len(rows))):
        index = codes[begin].find(code) if begin < end else -1
        if index >= 0 and is_whole(codes[begin], readings[begin], len(data[begin])):
            some = slice(begin, end)
            parts.append(lines_of(codes[begin], readings[some], data[some], index))
            kept += starts[some]
    joined = np.concatenate(parts) if parts else np.empty((0, LINES), WORD)
    counts, lows, highs, totals, lasts, _ = joined.T
    return Series(np.array(kept, WORD), counts, lows, highs, totals, lasts)


def _changes(codes: Sequence[bytes], sizes: Sequence[int]) -> list[int]:
    """Return where the form of rows is another one than before; mostly it is one for all."""
    if len(set(codes)) <= 1 and len(set(sizes)) <= 1:
        return []
    forms = pairwise(zip(codes, sizes, strict=True))
    return [at for at, (form, following) in enumerate(forms, 1) if form != following]


def by_codes(readings: Iterable[Reading]) -> Tables:
    """Sort readings by the quantities they have, then by meter and time.

    Those without values are left out.
    """
    columns: dict[int, tuple[Columns, list[int]]] = {}
    others: list[Reading] = []
    for reading in readings:
        values = reading.values
        if isinstance(values, Line):  # its numbers stand in columns already
            columns.setdefault(id(values.columns), (values.columns, []))[1].append(values.line)
        else:
            others.append(reading)
    tables = [table for some in columns.values() for table in _tables_in(*some)]
    return _joined_tables([*tables, *_tables_of(others)])


def _tables_in(columns: Columns, lines: list[int]) -> Iterator[tuple[bytes, Table]]:
    """Yield one table for each choice of quantities that have values."""
    codes = np.array([each.code for each in columns.quantities], np.uint8)
    meters, _, _, times, _ = columns.header[lines].T
    values = columns.values[lines]
    present = values != NOTHING
    if present.all():
        yield codes.tobytes(), (meters, times, values)
        return
    choices, choice_of = np.unique(present, axis=0, return_inverse=True)
    for number, chosen in enumerate(choices):
        some = choice_of.ravel() == number
        yield codes[chosen].tobytes(), (meters[some], times[some], values[some][:, chosen])


def _tables_of(readings: Iterable[Reading]) -> Iterator[tuple[bytes, Table]]:
    groups: dict[tuple[Quantity, ...], tuple[list[int], list[int], list[list[int]]]] = {}
    for reading in readings:
        quantities, steps = _measured(reading)
        meters, times, values = groups.setdefault(quantities, ([], [], []))
        meters.append(int(reading.meter))
        times.append(reading.sampled_at)
        values.append(steps)
    for quantities, (meters, times, values) in groups.items():
        codes = bytes(each.code for each in quantities)
        yield codes, (np.array(meters, WORD), np.array(times, WORD), np.array(values, WORD))


def pack_table(table: Table) -> bytes:
    """Return columns of readings as they are kept until they are folded."""
    meters, times, values = table
    return b"".join((meters.tobytes(), times.tobytes(), pack_values(values)))


def unpack_tables(rows: Iterable[tuple[Any, ...]]) -> Tables:
    """Join what `pack_table` made: rows of how many readings, their codes, their columns."""
    tables = []
    for count, codes, data in rows:
        try:
            tables.append((codes, _unpack_table(count, len(codes), data)))
        except MalformedData as error:
            _log.error("%d readings are missing in the aggregates, damaged: %s", count, error)
    return _joined_tables(tables)


def _joined_tables(tables: Iterable[tuple[bytes, Table]]) -> Tables:
    return {
        codes: _in_order(*(np.concatenate(column) for column in zip(*some, strict=True)))
        for codes, some in _grouped(tables)
        if codes
    }


def _unpack_table(count: int, width: int, data: bytes) -> Table:
    begin = 2 * count * WORD.itemsize
    if not 0 < begin < len(data):
        raise MalformedData(f"{len(data)} bytes are not {count} readings")
    meters, times = np.frombuffer(data, WORD, 2 * count).reshape(2, count)
    values = unpack_values(data[begin:], count * width)
    return meters, times, values.reshape(count, width)


def _in_order(meters: Numbers, times: Numbers, values: Numbers) -> Table:
    """Sort by meter and time; what has the same time stays as it is."""
    order = np.lexsort((times, meters))
    return meters[order], times[order], values[order]


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


def _grouped(items: Iterable[tuple[KindT, ItemT]]) -> Iterable[tuple[KindT, list[ItemT]]]:
    """Put together what is of one kind."""
    groups: dict[KindT, list[ItemT]] = {}
    for kind, item in items:
        groups.setdefault(kind, []).append(item)
    return groups.items()


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
    lines = np.zeros((LINES, len(codes)), WORD)
    lines[_LOW] = np.iinfo(WORD).max
    lines[_HIGH] = np.iinfo(WORD).min
    lines[_LAST_AT] = -1
    lines[:, [codes.index(code) for code in bucket.codes]] = bucket.lines
    return lines

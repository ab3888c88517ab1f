"""Tables of readings for other programs, made as they are read: CSV and Parquet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from meterseal.collection.model import Quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meterseal.collection.model import Reading

__all__ = ["csv_lines", "parquet_chunks"]

_HEADER: Final = ("sampled_at", "meter", "epoch", "sequence", "quality")
_ROWS: Final = 5000
"""Rows of one group: what is held in memory at a time."""


def csv_lines(readings: Iterable[Reading]) -> Iterator[str]:
    """Yield a table with a column for each quantity, in its unit; empty where there is no value."""
    names = [f"{each.name} [{each.unit}]" if each.unit else each.name for each in Quantity]
    yield _line([*_HEADER, *names])
    for reading in readings:
        values = [_decimal(quantity, reading.values.get(quantity)) for quantity in Quantity]
        yield _line([_time(reading.sampled_at), *_head(reading), *values])


def parquet_chunks(readings: Iterable[Reading]) -> Iterator[bytes]:
    """Yield a Parquet file in pieces: values as floats in their unit, null where there is none."""
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  (heavy, and seldom wanted)
    from pyarrow import parquet  # noqa: PLC0415

    fields = [
        pa.field("sampled_at", pa.timestamp("ms", tz="UTC")),
        pa.field("meter", pa.string()),
        pa.field("epoch", pa.int64()),
        pa.field("sequence", pa.int64()),
        pa.field("quality", pa.int64()),
        *(pa.field(each.name, pa.float64(), metadata={"unit": each.unit}) for each in Quantity),
    ]
    schema = pa.schema(fields)
    sink = _Sink()
    rest = iter(readings)
    with parquet.ParquetWriter(sink, schema) as writer:
        while rows := list(islice(rest, _ROWS)):
            writer.write_table(pa.Table.from_pylist([_row(each) for each in rows], schema))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that is only ever written, and emptied in between."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, piece: Any) -> int:  # noqa: ANN401  (any buffer)
        data = bytes(piece)
        self._pieces.append(data)
        self._size += len(data)
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def _row(reading: Reading) -> dict[str, Any]:
    head = dict(zip(_HEADER, (reading.sampled_at, *_head(reading)), strict=True))
    return head | {
        quantity.name: float(quantity.amount(steps))
        for quantity, steps in reading.values.items()
        if steps is not None
    }


def _head(reading: Reading) -> tuple[str, int, int, int]:
    return str(reading.meter), reading.epoch, reading.sequence, int(reading.quality)


def _decimal(quantity: Quantity, steps: int | None) -> str:
    return "" if steps is None else f"{quantity.amount(steps):f}"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


def _line(cells: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()

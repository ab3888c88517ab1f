"""Load records of DL/T 645-2007, annex B: what a meter stored at one interval, self-describing.

    A0 A0  size  YYMMDDhhmm  class 1 AA  class 2 AA  class 3 AA  class 4 AA  class 5 AA  class 6
    CS E5

`size` counts from the time to the last byte before CS, CS sums all bytes before it. A class that
the meter does not record has no bytes. Records stand one behind the other; E0 E0 at the head says
that the meter knows the record to be spoilt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.collection.dlt645.identifiers import lookup
from meterseal.collection.dlt645.values import Moment
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from meterseal.collection.dlt645.values import Field

__all__ = ["LoadRecord", "decode_records", "encode_record"]

_SOUND: Final = b"\xa0\xa0"
_SPOILT: Final = b"\xe0\xe0"
_BETWEEN: Final = b"\xaa"
_END: Final = 0xE5
_HEAD: Final = 3
_MOMENT: Final = Moment(5)
_CLASSES: Final = (
    (0x02010100, 0x02010200, 0x02010300, 0x02020100, 0x02020200, 0x02020300, 0x02800002),
    (0x02030000, 0x02030100, 0x02030200, 0x02030300,
     0x02040000, 0x02040100, 0x02040200, 0x02040300),
    (0x02060000, 0x02060100, 0x02060200, 0x02060300),
    (0x00010000, 0x00020000, 0x00030000, 0x00040000),
    (0x00050000, 0x00060000, 0x00070000, 0x00080000),
    (0x02800004, 0x02800005),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """What was stored at one moment: numbers by identifier, in steps of each one's format."""

    stored_at: datetime
    values: Mapping[int, int | None]
    is_sound: bool = True


def encode_record(record: LoadRecord) -> bytes:
    """Return a record; a class goes in whole if any of its identifiers is there."""
    body = _MOMENT.encode(record.stored_at) + _BETWEEN.join(
        b"".join(_field(code).encode(record.values.get(code)) for code in codes)
        if not record.values.keys().isdisjoint(codes)
        else b""
        for codes in _CLASSES
    )
    data = (_SOUND if record.is_sound else _SPOILT) + bytes((len(body),)) + body
    return data + bytes((sum(data) & 0xFF, _END))


def decode_records(data: bytes) -> list[LoadRecord]:
    """Return the records in an answer's data; raises `MalformedData`."""
    records: list[LoadRecord] = []
    while data:
        size = _HEAD + (data[2] if len(data) >= _HEAD else 0)
        record, tail = data[:size], data[size : size + 2]
        if len(tail) < 2 or tail[1] != _END or sum(record) & 0xFF != tail[0]:  # noqa: PLR2004
            raise MalformedData(f"load record {len(records) + 1} does not end or add up as it says")
        records.append(_decode(record))
        data = data[size + 2 :]
    return records


def _decode(record: bytes) -> LoadRecord:
    head, rest = record[:2], record[_HEAD + _MOMENT.size :]
    stored_at = _MOMENT.decode(record[_HEAD : _HEAD + _MOMENT.size])
    if head not in {_SOUND, _SPOILT} or stored_at is None:
        raise MalformedData("a load record without its head or its time")
    values: dict[int, int | None] = {}
    for at, codes in enumerate(_CLASSES):
        if at and rest[:1] != _BETWEEN:
            raise MalformedData(f"a load record without the mark before class {at + 1}")
        rest = rest[1:] if at else rest
        rest = _take_class(codes, rest, values)
    if rest:
        raise MalformedData(f"{len(rest)} bytes behind the last class of a load record")
    return LoadRecord(stored_at, values, head == _SOUND)


def _take_class(codes: tuple[int, ...], rest: bytes, values: dict[int, int | None]) -> bytes:
    """Read one class into `values` unless it is empty; return what is behind it.

    Neither a digit pair nor an absent field's FF looks like the mark AA.
    """
    if rest[:1] in {_BETWEEN, b""}:
        return rest
    if len(rest) < sum(_field(code).size for code in codes):
        raise MalformedData(f"{len(rest)} bytes are too few for a class of a load record")
    for code in codes:
        field = _field(code)
        value = field.decode(rest[: field.size])
        values[code] = value if isinstance(value, int) else None
        rest = rest[field.size :]
    return rest


def _field(code: int) -> Field:
    known = lookup(code)
    if known is None:
        raise UsageError(f"the identifier {code:08X} is not in the tables")
    return known.family.fields[0]

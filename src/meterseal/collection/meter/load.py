"""Load records (DL/T 645-2007, annex B): what the meter showed at whole intervals of its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.collection.dlt645 import decode_item, encode_quantity
from meterseal.collection.dlt645.load_record import LoadRecord, encode_record

if TYPE_CHECKING:
    from datetime import datetime

    from meterseal.collection.model import Values

__all__ = ["load_record"]

_PHASES: Final = (0x100, 0x200, 0x300)
_TOTAL_AND_PHASES: Final = (0, *_PHASES)
_CODES: Final = (
    *(0x02010000 + phase for phase in _PHASES),
    *(0x02020000 + phase for phase in _PHASES),
    0x02800002,
    *(0x02030000 + place for place in _TOTAL_AND_PHASES),
    *(0x02040000 + place for place in _TOTAL_AND_PHASES),
    *(0x02060000 + place for place in _TOTAL_AND_PHASES),
    *(0x00010000, 0x00020000),
    *(0x00050000, 0x00060000, 0x00070000, 0x00080000),
    0x02800004,
)


def load_record(values: Values, stored_at: datetime) -> bytes:
    """Return the record of these values; `stored_at` is by the meter's clock, without a zone."""
    numbers: dict[int, int | None] = {}
    for code in _CODES:
        content = encode_quantity(code, values)
        (number,) = decode_item(code, content) if content is not None else (None,)
        numbers[code] = number if isinstance(number, int) else None
    return encode_record(LoadRecord(stored_at, numbers))

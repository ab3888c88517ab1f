"""The data of answers by the table of identifiers: values of one item, of a block, quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.collection.dlt645.identifiers import expand, lookup
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meterseal.collection.dlt645.identifiers import Family, Identifier
    from meterseal.collection.dlt645.values import Value
    from meterseal.collection.model import Quantity, Values

__all__ = [
    "decode_block",
    "decode_item",
    "decode_quantities",
    "encode_item",
    "encode_quantity",
    "quantities_of",
]


def decode_item(code: int, data: bytes) -> tuple[Value, ...]:
    """Return the values of one identifier's data; bytes as they are for one that is not known.

    Raises `MalformedData`.
    """
    known = lookup(code)
    if known is None:
        return (data,)
    family = known.family
    if family.repeats:
        return tuple(value for part in _parts(family, data) for value in _values(family, part))
    if len(data) != family.size:
        raise MalformedData(f"{family.name}: {family.size} bytes expected, {len(data)} received")
    return _values(family, data)


def encode_item(code: int, values: Sequence[Value]) -> bytes:
    """Return the data of one identifier; raises `UsageError` where values do not fit it."""
    known = lookup(code)
    if known is None:
        raise UsageError(f"the identifier {code:08X} is not in the tables")
    fields = known.family.fields
    if known.family.repeats:
        fields *= max(1, len(values) // len(fields))
    if len(values) != len(fields):
        raise UsageError(f"{known.family.name}: {len(fields)} values expected, not {len(values)}")
    return b"".join(field.encode(value) for field, value in zip(fields, values, strict=True))


def decode_block(code: int, data: bytes) -> dict[int, tuple[Value, ...]]:
    """Return the values of a block by identifier.

    A meter may have fewer items than the block has places (tariffs): those it has come first.
    Raises `MalformedData`, and `UsageError` for an identifier that the tables do not know.
    """
    items = expand(code)
    if not items:
        raise UsageError(f"the identifier {code:08X} is not in the tables")
    family = items[0].family
    if len(items) == 1:
        return {code: decode_item(code, data)}
    if family.repeats:
        raise UsageError(f"{family.name}: items of unknown length cannot be told apart")
    parts = _parts(family, data)
    if len(parts) > len(items):
        raise MalformedData(f"{family.name}: {len(parts)} items in a block of {len(items)}")
    return {item.code: _values(family, part) for item, part in zip(items, parts, strict=False)}


def quantities_of(code: int) -> dict[int, Quantity]:
    """Return the quantities that an item or a block holds, by identifier."""
    return {item.code: item.quantity for item in expand(code) if item.quantity}


def decode_quantities(code: int, data: bytes) -> dict[Quantity, int | None]:
    """Return the quantities of an item or a block in steps of each one's resolution.

    One that the answer does not hold, or holds as FF, is `None`.
    """
    block = decode_block(code, data)
    return {
        item.quantity: _to_steps(item, block[item.code][0]) if item.code in block else None
        for item in expand(code)
        if item.quantity
    }


def encode_quantity(code: int, values: Values) -> bytes | None:
    """Return the data of a one-field identifier from measured values; `None` where they lack it.

    A value that its register cannot hold (beyond its digits, or negative without a sign) reads as
    absent: a wrong number would be worse.
    """
    known = lookup(code)
    if known is None or known.quantity not in values or len(known.family.fields) > 1:
        return None
    number = known.number
    if number is None:
        return None
    try:
        return number.encode(_from_steps(known, values))
    except UsageError:
        return number.encode(None)


def _to_steps(item: Identifier, value: Value) -> int | None:
    number, quantity = item.number, item.quantity
    if number is None or quantity is None or not isinstance(value, int):
        return None
    return _rescale(value, quantity.decimals - number.decimals)


def _from_steps(item: Identifier, values: Mapping[Quantity, int | None]) -> int | None:
    number, quantity = item.number, item.quantity
    steps = values[quantity] if quantity else None
    if number is None or quantity is None or steps is None:
        return None
    is_counter = quantity.unit.endswith("h")
    return _rescale(steps, number.decimals - quantity.decimals, cut=is_counter)


def _rescale(steps: int, more_decimals: int, *, cut: bool = False) -> int:
    """Change the number of decimals; digits that fall away are rounded, or cut as counters do."""
    if more_decimals >= 0:
        return int(steps * 10**more_decimals)
    divisor = 10**-more_decimals
    size = (abs(steps) + (0 if cut else divisor // 2)) // divisor
    return int(size if steps >= 0 else -size)


def _parts(family: Family, data: bytes) -> list[bytes]:
    size = family.size
    if not data or len(data) % size:
        raise MalformedData(f"{family.name}: {len(data)} bytes are no items of {size}")
    return [data[at : at + size] for at in range(0, len(data), size)]


def _values(family: Family, data: bytes) -> tuple[Value, ...]:
    values: list[Value] = []
    for field in family.fields:
        values.append(field.decode(data[: field.size]))
        data = data[field.size :]
    return tuple(values)

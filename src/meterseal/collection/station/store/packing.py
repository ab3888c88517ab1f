"""How numbers of aggregates lie in the database: short, because bytes are what a batch writes.

A row holds all quantities of one meter in one bucket. `codes` names them, `data` has one of four
forms, told apart by its length:

    one reading   its time, 8 bytes; the values, 4 or 8 bytes each
    regular       time of the last, 8 bytes; totals, 8 bytes each; lowest, highest, last, 4 each
    any           the six lines of `aggregates`, 8 bytes each number

Regular is a bucket in which each quantity has a value of each reading. With the forty quantities of
a three-phase meter it takes less than a quarter of a page, and SQLite need not spill it to another.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers: TypeAlias = NDArray[np.int64]

__all__ = ["LINES", "WORD", "is_whole", "lines_of", "pack_lines", "pack_values", "unpack_values"]

LINES: Final = 6
"""Count, lowest, highest, total, last, time of the last."""
WORD: Final = np.dtype("<i8")
_COUNT, _LOW, _HIGH, _TOTAL, _LAST, _LAST_AT = range(LINES)
_SHORT: Final = np.dtype("<i4")
_LEAST, _MOST = np.iinfo(_SHORT).min, np.iinfo(_SHORT).max
_WIDTHS: Final = 256


class _Forms(NamedTuple):
    """What a row of so many quantities may look like."""

    one: np.dtype[Any]
    one_long: np.dtype[Any]
    regular: np.dtype[Any]
    any: np.dtype[Any]


@lru_cache(_WIDTHS)
def _forms(width: int) -> _Forms:
    at = ("at", WORD)
    columns = [(name, _SHORT, (width,)) for name in ("low", "high", "last")]
    return _Forms(
        np.dtype([at, ("values", _SHORT, (width,))]),
        np.dtype([at, ("values", WORD, (width,))]),
        np.dtype([at, ("total", WORD, (width,)), *columns]),
        np.dtype((WORD, (LINES, width))),
    )


def is_whole(codes: bytes, readings: int, size: int) -> bool:
    """Whether there are rows of this size: one may have been damaged on the disk."""
    return bool(codes) and readings > 0 and _form_of(len(codes), size) is not None


def lines_of(
    codes: bytes, readings: Sequence[int], data: Sequence[bytes], index: int | None = None
) -> Numbers:
    """Return what rows of one form hold: (rows, 6, quantities), or (rows, 6) of one quantity.

    Raises `MalformedData` if they have none of the forms.
    """
    width, size = len(codes), len(data[0])
    form = _form_of(width, size)
    if form is None:
        raise MalformedData(f"{size} bytes are no aggregate of {width} quantities")
    numbers = np.frombuffer(b"".join(data), form.base)
    chosen = slice(None) if index is None else index
    if form.names is None:
        return numbers.reshape(-1, LINES, width)[:, :, chosen]
    lines = np.empty((len(data), LINES, width if index is None else 1), WORD)
    lines[:, _COUNT] = np.array(readings, WORD)[:, None]
    lines[:, _LAST_AT] = numbers["at"][:, None]
    single = "values" in form.names
    names = ("values",) * 4 if single else ("low", "high", "total", "last")
    for line, name in zip((_LOW, _HIGH, _TOTAL, _LAST), names, strict=True):
        column = numbers[name][:, chosen]
        lines[:, line] = column if index is None else column[:, None]
    return lines if index is None else lines[:, :, 0]


def _form_of(width: int, size: int) -> np.dtype[Any] | None:
    return next((form for form in _forms(width) if form.itemsize == size), None)


def pack_lines(readings: Numbers, lines: Numbers) -> list[bytes]:
    """Return the data of many rows of the same quantities, each in its shortest form."""
    forms = _forms(lines.shape[2])
    fits = _fits(lines[:, (_LOW, _HIGH, _LAST)]).all(axis=(1, 2))
    whole = (lines[:, _COUNT] == readings[:, None]).all(axis=1)
    whole &= (lines[:, _LAST_AT] == lines[:, _LAST_AT, :1]).all(axis=1)
    texts: list[bytes] = [b""] * len(lines)
    for form, chosen in (
        (forms.one, whole & fits & (readings == 1)),
        (forms.one_long, whole & ~fits & (readings == 1)),
        (forms.regular, whole & fits & (readings > 1)),
        (forms.any, ~whole | (~fits & (readings > 1))),
    ):
        places = np.flatnonzero(chosen)
        data = _filled(form, lines[places])
        size = form.itemsize
        for number, place in enumerate(places.tolist()):
            texts[place] = data[number * size : (number + 1) * size]
    return texts


def _filled(form: np.dtype[Any], lines: Numbers) -> bytes:
    if form.names is None:
        return lines.tobytes()
    data = np.empty(len(lines), form)
    data["at"] = lines[:, _LAST_AT, 0]
    if "values" in form.names:
        data["values"] = lines[:, _LAST]
    else:
        for name, line in (("total", _TOTAL), ("low", _LOW), ("high", _HIGH), ("last", _LAST)):
            data[name] = lines[:, line]
    return data.tobytes()


def pack_values(values: Numbers) -> bytes:
    """Return numbers in 4 bytes each if all of them fit, else in 8."""
    return values.astype(_SHORT if _fits(values).all() else WORD).tobytes()


def unpack_values(data: bytes, count: int) -> Numbers:
    """Return so many numbers. Raises `MalformedData` if the data does not hold as many."""
    if len(data) not in {count * _SHORT.itemsize, count * WORD.itemsize}:
        raise MalformedData(f"{len(data)} bytes are not {count} numbers")
    form = _SHORT if len(data) == count * _SHORT.itemsize else WORD
    return np.frombuffer(data, form).astype(WORD)


def _fits(numbers: Numbers) -> NDArray[np.bool_]:
    return (numbers >= _LEAST) & (numbers <= _MOST)

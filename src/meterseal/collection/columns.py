"""Payloads of many readings taken apart together: a column for each number, not a map for each one.

Meters of one kind measure the same quantities, and deterministic CBOR (RFC 8949, 4.2.1) gives
their readings one form: the same keys in the same order, and numbers between them. Of readings in
this form each number is read side by side with those of the others. Whatever is odd (an event, a
number of more than 32 bits, anything malformed) is left out, and goes the strict way of `sealing`,
which alone refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from meterseal.collection.envelope import decode, encode
from meterseal.collection.model import Quantity
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Words = NDArray[np.uint64]

__all__ = ["NOTHING", "Columns", "Line", "read_columns"]

_FEWEST: Final = 48
"""Readings of one form that are worth columns."""
_KINDS: Final = 4
"""Forms that are looked for among readings with as many values."""
_FORMS: Final = 1024
_MOST_VALUES: Final = 255
_HEADER: Final = (
    (b"\xa7\x00\x01\x01", 0, 10**12 - 1),  # a map of seven; 0: a reading; 1: its meter
    (b"\x02", 1, 2**63 - 1),  # epoch
    (b"\x03", 1, 2**63 - 1),  # sequence
    (b"\x04", 0, 2**63 - 1),  # sampled at
    (b"\x05", 0, 63),  # quality
)
"""What stands before each number of the header, and the least and the greatest that it can be."""
_BODY: Final = b"\x06"
_MAP, _SHORT_MAP, _LONG_MAP = 0xA0, 24, 0xB8
NOTHING: Final = -(2**63)
"""Stands in columns where a reading has no value; no value is so low."""
_NULL: Final = 0xF6
_WORD: Final = 8
_EIGHT_FOLLOW: Final = 0x1B
_LONG: Final = np.uint64(1 << 32)
"""The least number that is written in eight bytes."""
_BEYOND: Final = 4096
"""Zeros behind the last payload, where columns of what is malformed end."""


class _Heads(NamedTuple):
    """What the first byte of a number says (RFC 8949, 3), by its 256 values.

    If the eight bytes that begin with it are a word, the number is `(word >> shift & mask) ^ sign`,
    and null is `NOTHING`.
    """

    size: NDArray[np.int64]
    shift: Words
    mask: Words
    least: Words
    sign: Numbers


def _heads() -> _Heads:
    none = (0, 0, 0, 2**64 - 1, 0)  # nothing is as great as the least of what is no number
    rows = [none] * 256
    for major, sign in ((0x00, 0), (0x20, -1)):
        for value in range(24):
            rows[major + value] = (1, 56, 0x1F, 0, sign)
        for first, width, least in ((24, 1, 24), (25, 2, 1 << 8), (26, 4, 1 << 16)):
            rows[major + first] = (1 + width, 56 - 8 * width, (1 << 8 * width) - 1, least, sign)
    rows[_NULL] = (1, 0, 0, 0, NOTHING)
    sizes, shifts, masks, leasts, signs = zip(*rows, strict=True)
    return _Heads(
        np.array(sizes, np.int64),
        np.array(shifts, np.uint64),
        np.array(masks, np.uint64),
        np.array(leasts, np.uint64),
        np.array(signs, np.int64),
    )


_HEADS: Final = _heads()


class Columns(NamedTuple):
    """Readings of the same quantities; `header` and `values` have a line for each.

    `places` says which of the payloads they are. The header is meter, epoch, sequence, sampled at,
    quality.
    """

    places: Numbers
    quantities: tuple[Quantity, ...]
    header: Numbers
    values: Numbers


class Line(Mapping[Quantity, int | None]):
    """The values of one reading, where they lie in columns."""

    __slots__ = ("columns", "line")

    def __init__(self, columns: Columns, line: int) -> None:
        self.columns = columns
        self.line = line

    def __getitem__(self, quantity: Quantity) -> int | None:
        place = _places(self.columns.quantities)[quantity]
        steps = int(self.columns.values[self.line, place])
        return None if steps == NOTHING else steps

    def __iter__(self) -> Iterator[Quantity]:
        return iter(self.columns.quantities)

    def __len__(self) -> int:
        return len(self.columns.quantities)

    def __repr__(self) -> str:
        return repr(dict(self))


def read_columns(payloads: Sequence[bytes]) -> Iterator[Columns]:
    """Yield columns of what has the same form; what is in none of them is odd, or one of few."""
    if len(payloads) < _FEWEST:
        return
    text = _Text(payloads)
    at, ends = text.starts, text.ends
    whole = np.ones(len(payloads), bool)
    numbers = []
    for before, least, most in _HEADER:
        at = text.literal(at, before, whole)
        number, at = text.number(at, whole)
        whole &= (number >= least) & (number <= most)
        numbers.append(number.astype(np.int64))
    at = text.literal(at, _BODY, whole)
    counts, at = text.count(at, whole)
    header = np.stack(numbers, axis=1)
    for count in np.unique(counts[whole]).tolist():
        alike = np.flatnonzero(whole & (counts == count))
        for _ in range(_KINDS):
            if len(alike) < _FEWEST:
                break
            quantities = _quantities_of(payloads[alike[0]])
            if len(quantities) != count:  # it is malformed
                alike = alike[1:]
                continue
            values, fits = text.values(at[alike], ends[alike], quantities)
            found = alike[fits]
            yield Columns(found, quantities, header[found], values[fits])
            alike = alike[1:][~fits[1:]]  # the first is in these columns, or odd


class _Text:
    """Payloads one behind the other; what is asked of many places at once is in arrays.

    `whole` loses those where something else stands.
    """

    def __init__(self, payloads: Sequence[bytes]) -> None:
        joined = b"".join((*payloads, bytes(_BEYOND)))
        self.ends = np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)))
        self.starts = np.concatenate(([0], self.ends[:-1]))
        self._bytes = np.frombuffer(joined, np.uint8)
        # The eight bytes from each place on, as a number.
        self._words = np.ndarray((len(joined) - _WORD + 1,), ">u8", joined, strides=(1,))

    def literal(self, at: Numbers, expected: bytes, whole: NDArray[np.bool_]) -> Numbers:
        """Pass over what must stand there; returns the places behind."""
        first = self._words[at].astype(np.uint64) >> np.uint64(64 - 8 * len(expected))
        whole &= first == int.from_bytes(expected, "big")
        return at + len(expected)

    def number(self, at: Numbers, whole: NDArray[np.bool_]) -> tuple[Words, Numbers]:
        """Read whole numbers of up to 64 bits in their shortest form; returns the places behind."""
        first = self._bytes[at]
        long = first == _EIGHT_FOLLOW
        short = self._words[at].astype(np.uint64)
        value = (short >> _HEADS.shift[first]) & _HEADS.mask[first]
        value = np.where(long, self._words[at + 1], value)
        least = np.where(long, _LONG, _HEADS.least[first])
        whole &= (value >= least) & (_HEADS.sign[first] == 0)
        return value, at + np.where(long, 1 + _WORD, _HEADS.size[first])

    def count(self, at: Numbers, whole: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
        """Read how many values a map has, up to 255; returns the places behind."""
        first, second = self._bytes[at], self._bytes[at + 1]
        long = first == _LONG_MAP
        count = np.where(long, second, first.astype(np.int64) - _MAP)
        least, most = np.where(long, _SHORT_MAP, 0), np.where(long, _MOST_VALUES, _SHORT_MAP - 1)
        whole &= (count >= least) & (count <= most)
        return count, at + np.where(long, 2, 1)

    def values(
        self, at: Numbers, ends: Numbers, quantities: tuple[Quantity, ...]
    ) -> tuple[Numbers, NDArray[np.bool_]]:
        """Read the values of these quantities; says too which of the payloads have just these."""
        values = np.empty((len(quantities), len(at)), np.int64)
        fits = np.ones(len(at), bool)
        for line, quantity in zip(values, quantities, strict=True):
            key = encode(quantity.code)  # one byte or two: a word holds it and the value
            word = self._words[at].astype(np.uint64)
            fits &= word >> np.uint64(64 - 8 * len(key)) == int.from_bytes(key, "big")
            word <<= np.uint64(8 * len(key))
            first = word >> np.uint64(56)
            word = (word >> _HEADS.shift[first]) & _HEADS.mask[first]
            fits &= word >= _HEADS.least[first]
            np.bitwise_xor(word.view(np.int64), _HEADS.sign[first], out=line)
            at = at + len(key) + _HEADS.size[first]
        fits &= at == ends
        return np.ascontiguousarray(values.T), fits


def _quantities_of(payload: bytes) -> tuple[Quantity, ...]:
    """Return what a reading holds, read the strict way; nothing if it is malformed."""
    try:
        return Quantity.of_codes(tuple(decode(payload)[6]))
    except (MalformedData, UsageError):
        return ()


@lru_cache(_FORMS)
def _places(quantities: tuple[Quantity, ...]) -> dict[Quantity, int]:
    return {quantity: place for place, quantity in enumerate(quantities)}

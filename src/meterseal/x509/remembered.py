"""What was found good once: so much of it, by all that it depends on, and nothing else.

Verification is a function of its inputs. Its good results may therefore be kept under the inputs
themselves; a digest of them would do less. Bad ones are found again each time, so that nobody can
fill the memory without a certificate of a CA that we trust.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["Remembered"]

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Remembered(Generic[KeyT, ValueT]):
    """A bounded memory: what was kept first goes first, and is then found out again."""

    __slots__ = ("_capacity", "_values")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[KeyT, ValueT] = OrderedDict()

    def find(self, key: KeyT) -> ValueT | None:
        """Return what is kept under `key`."""
        return self._values.get(key)

    def keep(self, key: KeyT, value: ValueT) -> None:
        """Keep `value` under `key`, and no more than the capacity allows."""
        self._values[key] = value
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)

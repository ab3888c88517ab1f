"""Which keys a station prepares: those that sign often, as many as memory shall bear.

A meter that seals for itself signs one reading of a batch, so that no table of multiples of its key
would be worth the batch. It is worth a day: the same meters sign all the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FrequentKeys"]

_OFTEN: Final = 64
"""Signatures after which it is likely that more will come than a table costs."""
_MOST: Final = 16_384
"""Keys that are prepared at most: 128 MiB."""


class _Key(Protocol):
    def prepare(self) -> None:
        """Make the table, unless it is there."""


class FrequentKeys:
    """Counts signatures by key id, and prepares the keys of those who sign often."""

    def __init__(self, often: int = _OFTEN, most: int = _MOST) -> None:
        self._often = often
        self._most = most
        self._seen: dict[bytes, int] = {}
        self._prepared: set[bytes] = set()

    def see(self, signatures: Iterable[tuple[bytes, _Key]]) -> None:
        """Note who signed; only ids of certificates that are trusted, or there would be no end."""
        keys = {}
        for key_id, key in signatures:
            if key_id not in self._prepared:
                self._seen[key_id] = self._seen.get(key_id, 0) + 1
            keys[key_id] = key
        for key_id, key in keys.items():
            if self._is_frequent(key_id):
                key.prepare()  # a certificate that was read anew has a key without a table

    def _is_frequent(self, key_id: bytes) -> bool:
        if key_id in self._prepared:
            return True
        if self._seen[key_id] < self._often or len(self._prepared) >= self._most:
            return False
        self._prepared.add(key_id)
        del self._seen[key_id]
        return True

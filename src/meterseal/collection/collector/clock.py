"""The collector's clock, and whether to believe it.

Time of day can be set, by hand or by an attacker; the time since start cannot. A step of one
against the other puts the clock in doubt, and so does a station whose signed receipts tell another
time. Readings taken meanwhile say so (`Quality.CLOCK_IN_DOUBT`); they are neither lost nor mended.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from meterseal.collection.model import Quality

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TOLERANCE", "WatchedClock"]

TOLERANCE: Final = 60_000
"""Milliseconds between two clocks that still agree."""
_STEP: Final = 2_000


class WatchedClock:
    """UTC in ms since 1970, watched by a clock that cannot be set.

    `wall` and `steady` return milliseconds; tests give their own.
    """

    def __init__(
        self,
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        steady: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self.in_doubt = False

    def now(self) -> int:
        """Return the time of day; a step since the last call puts the clock in doubt."""
        now = self._wall()
        offset = now - self._steady()
        if abs(offset - self._offset) > _STEP:
            self.in_doubt = True
        # Small drift is the work of time synchronisation, and is followed.
        self._offset = offset
        return now

    def compare(self, other: int) -> None:
        """Hear another's time, told by signature: it ends the doubt or begins it."""
        self.in_doubt = abs(self.now() - other) > TOLERANCE

    @property
    def quality(self) -> Quality:
        """What a reading taken now must say of its time."""
        return Quality.CLOCK_IN_DOUBT if self.in_doubt else Quality.SOUND

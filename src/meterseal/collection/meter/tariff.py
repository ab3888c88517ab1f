"""Which tariff is in force at a time of the day, and the meter's calendar."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import pairwise
from typing import Final

from meterseal.errors import UsageError

__all__ = ["DEFAULT_SCHEDULE", "MINUTE", "Calendar", "Tariff", "TariffSchedule"]

MINUTE: Final = 60_000  # ms
_MINUTES_OF_DAY: Final = 24 * 60
_MAX_SWITCHES: Final = 14  # day periods of one table (DL/T 645-2007, A.4)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Tariff(IntEnum):
    """The four tariffs (尖峰平谷), numbered as in identifiers of DL/T 645."""

    SHARP = 1
    PEAK = 2
    FLAT = 3
    VALLEY = 4


@dataclass(frozen=True, slots=True)
class TariffSchedule:
    """Switches as (minute of the day, tariff), ascending; the last one holds over midnight."""

    switches: tuple[tuple[int, Tariff], ...]

    def __post_init__(self) -> None:
        minutes = [minute for minute, _ in self.switches]
        if not 1 <= len(minutes) <= _MAX_SWITCHES:
            raise UsageError(f"a tariff schedule has 1 to {_MAX_SWITCHES} switches")
        if any(a >= b for a, b in pairwise(minutes)):
            raise UsageError("the switches of a tariff schedule must ascend")
        if minutes[0] < 0 or minutes[-1] >= _MINUTES_OF_DAY:
            raise UsageError("a tariff switches at a minute from 0 to 1439")

    def at(self, minute: int) -> Tariff:
        """Return the tariff of this minute of the day."""
        return self.switches[bisect_right(self.switches, minute, key=lambda s: s[0]) - 1][1]


DEFAULT_SCHEDULE: Final = TariffSchedule(
    (
        (0, Tariff.VALLEY),
        (8 * 60, Tariff.FLAT),
        (10 * 60, Tariff.PEAK),
        (12 * 60, Tariff.FLAT),
        (18 * 60, Tariff.PEAK),
        (19 * 60, Tariff.SHARP),
        (21 * 60, Tariff.FLAT),
        (23 * 60, Tariff.VALLEY),
    )
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Local time of a meter: a fixed offset in minutes east of UTC, and when bills are cut.

    Settlement is on `settlement_day` (1 to 28) at `settlement_hour`, local time.
    """

    offset: int = 480
    settlement_day: int = 1
    settlement_hour: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.settlement_day <= 28 or not 0 <= self.settlement_hour <= 23:  # noqa: PLR2004
            raise UsageError("a settlement is on day 1 to 28 at hour 0 to 23")

    def local(self, moment: int) -> datetime:
        """Return UTC ms since 1970 as local time without a zone."""
        return _EPOCH + timedelta(milliseconds=moment, minutes=self.offset)

    def moment(self, local: datetime) -> int:
        """Return local time without a zone as UTC ms since 1970."""
        return (local - _EPOCH) // timedelta(milliseconds=1) - self.offset * MINUTE

    def minute_of_day(self, moment: int) -> int:
        """Return 0 to 1439."""
        return (moment // MINUTE + self.offset) % _MINUTES_OF_DAY

    def is_midnight(self, moment: int) -> bool:
        """Whether a day begins in this minute."""
        return self.minute_of_day(moment) == 0

    def is_settlement(self, moment: int) -> bool:
        """Whether bills are cut in this minute."""
        if self.minute_of_day(moment) != self.settlement_hour * 60:
            return False
        return self.local(moment).day == self.settlement_day

    def settlements_between(self, after: int, until: int) -> list[int]:
        """Return the moments of settlement in (after, until], the last 12 at most."""
        found: list[int] = []
        local = self.local(until)
        month = local.year * 12 + local.month - 1
        while len(found) < 12:  # noqa: PLR2004
            day = datetime(month // 12, month % 12 + 1, self.settlement_day)  # noqa: DTZ001
            moment = self.moment(day + timedelta(hours=self.settlement_hour))
            if moment <= after:
                break
            if moment <= until:
                found.append(moment)
            month -= 1
        return found[::-1]

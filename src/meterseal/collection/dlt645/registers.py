"""The door to the meter behind the protocol: closed unless opened.

Whoever derives from `Registers` opens what the meter can do; all else is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.collection.dlt645.messages import ErrorFlag
from meterseal.errors import MeterRefused

if TYPE_CHECKING:
    from datetime import datetime

    from meterseal.collection.dlt645.messages import Authority
    from meterseal.collection.dlt645.values import Value
    from meterseal.collection.model import MeterAddress

__all__ = ["Refused", "Registers"]


class Refused(MeterRefused):
    """What registers raise to refuse a request, with the reason that the master is told."""

    def __init__(self, reason: ErrorFlag = ErrorFlag.OTHER) -> None:
        super().__init__(f"refused: {reason!r}", int(reason))


class Registers:
    """What a meter holds and does. Derive from it; what is not overridden is refused.

    Every password is compared by the derived class (`hmac.compare_digest`): it knows the levels.
    A method raises `Refused` to say no.
    """

    def read(self, code: int) -> bytes | tuple[Value, ...] | None:
        """Return the item: its bytes or its values; `None` where the meter does not have it.

        Blocks are put together from their items, unless this returns one itself.
        """

    def read_load_record(self, code: int, count: int, since: datetime | None) -> bytes:
        """Return at most `count` load records, from the first at or after `since`."""
        raise Refused(ErrorFlag.NO_SUCH_DATA)

    def write(self, code: int, data: bytes, authority: Authority) -> None:
        """Write an item."""
        raise Refused(ErrorFlag.NOT_AUTHORISED)

    def set_time(self, moment: datetime) -> None:
        """Set the clock by broadcast; the standard allows it once a day, by 5 min at most."""

    def freeze(self, when: str) -> None:
        """Freeze at MMDDhhmm, 99 for "every"; 99999999 is now."""
        raise Refused

    def write_address(self, address: MeterAddress) -> None:
        """Take another address."""
        raise Refused(ErrorFlag.NOT_AUTHORISED)

    def change_rate(self, bits_per_second: int) -> None:
        """Change the rate after the answer."""
        raise Refused(ErrorFlag.RATE_CANNOT_CHANGE)

    def change_password(self, code: int, old: bytes, new: bytes) -> None:
        """Change the password of a level; both as PA P0 P1 P2."""
        raise Refused(ErrorFlag.NOT_AUTHORISED)

    def clear_demand(self, authority: Authority) -> None:
        """Clear the maximum demands."""
        raise Refused(ErrorFlag.NOT_AUTHORISED)

    def clear_meter(self, authority: Authority) -> None:
        """Clear the meter."""
        raise Refused(ErrorFlag.NOT_AUTHORISED)

    def clear_events(self, code: int, authority: Authority) -> None:
        """Clear one kind of events, or all of them (`ALL_EVENTS`)."""
        raise Refused(ErrorFlag.NOT_AUTHORISED)

    def control(self, command: int, until: datetime | None, authority: Authority) -> None:
        """Trip, permit closing, alarm or keep power."""
        raise Refused(ErrorFlag.NOT_AUTHORISED)

    def output(self, signal: int) -> None:
        """Choose the signal of the multi-function output."""
        raise Refused

    def authenticate(self, code: int, operator: str, data: bytes) -> bytes:
        """Answer an identity authentication of the fee-control extension."""
        raise Refused

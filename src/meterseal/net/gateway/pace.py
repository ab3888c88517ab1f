"""How many handshakes may begin: an SM2 handshake is work, and nobody gets it without limit.

Each address has its own pace, and all together have one, so a flood from one place costs the others
nothing. The clock is given from outside.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

__all__ = ["Pace", "Paces"]


@dataclass(slots=True)
class Pace:
    """A token bucket: `rate` a second, `burst` at once."""

    rate: float
    burst: float
    tokens: float
    seen: float

    def take(self, now: float) -> bool:
        """Take one if there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.seen) * self.rate)
        self.seen = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def give_back(self) -> None:
        """Return one that was not used."""
        self.tokens += 1


class Paces:
    """One pace for all, one for each address; at most `addresses` of them are remembered."""

    def __init__(
        self, rate: float, rate_of_one: float, now: float, addresses: int = 10_000
    ) -> None:
        self._all = Pace(rate, rate, rate, now)
        self._rate_of_one = rate_of_one
        self._addresses = addresses
        self._each: OrderedDict[str, Pace] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Whether a handshake with this address may begin now."""
        rate = self._rate_of_one
        pace = self._each.setdefault(address, Pace(rate, rate, rate, now))
        self._each.move_to_end(address)
        while len(self._each) > self._addresses:
            self._each.popitem(last=False)
        if not pace.take(now):
            return False
        if self._all.take(now):
            return True
        pace.give_back()
        return False

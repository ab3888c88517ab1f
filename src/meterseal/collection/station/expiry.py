"""Which certificates end soon and have no successor: decided over given values.

A certificate that was renewed is nobody's trouble, and one that ended long ago belongs to a device
that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.collection.station.directory import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.x509 import Certificate

__all__ = ["Ending", "endings"]

_DAY: Final = 86_400_000
_SOON: Final = 30 * _DAY
_LONG_AGO: Final = 30 * _DAY


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate and when it ends, UTC ms."""

    subject: str
    serial_number: str
    not_after: int

    @classmethod
    def of(cls, certificate: Certificate) -> Ending:
        """Return the end of a certificate."""
        return cls(
            str(certificate.subject),
            f"{certificate.serial_number:X}",
            int(certificate.not_after.timestamp() * 1000),
        )

    def describe(self) -> str:
        """Say what ends, and when."""
        end = f"{moment(self.not_after):%Y-%m-%d %H:%M} UTC"
        return f"{self.subject}, serial number {self.serial_number}: valid until {end}"


def endings(known: Iterable[Ending], now: int) -> tuple[list[Ending], set[str]]:
    """Return the certificates that end soon or just ended, and the subjects that are well.

    Of the certificates of one subject the one that lasts longest counts.
    """
    last: dict[str, Ending] = {}
    for each in known:
        if each.subject not in last or last[each.subject].not_after < each.not_after:
            last[each.subject] = each
    soon = [each for each in last.values() if -_LONG_AGO <= each.not_after - now < _SOON]
    return soon, last.keys() - {each.subject for each in soon}

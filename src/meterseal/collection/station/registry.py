"""Who may speak for which meter: the station's own list, which no message can change.

    [[meter]]
    addresses = ["202611230001", "202611240000-202611249999"]
    collectors = ["collector-1"]
    seals_itself = true
    interval = 60

A meter that seals itself is believed under its own certificate only (common name
`meter-<twelve digits>`): its collectors carry its readings and cannot invent any. Any other meter
is believed under the certificate of one of its collectors.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from meterseal.collection.model import MeterAddress
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Registration", "Registry", "load_registry", "meter_name"]

_KEYS: Final = {"addresses", "collectors", "seals_itself", "interval"}
_MINUTE: Final = 60
_MAX_RANGE: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Registration:
    """What is agreed about a meter: who carries, or speaks for it; seconds between readings."""

    collectors: frozenset[str]
    seals_itself: bool = False
    interval: int = _MINUTE

    def may_carry(self, meter: MeterAddress, sender: str) -> bool:
        """Whether statements of this meter may come under the sender's name."""
        return sender in self.collectors or (self.seals_itself and sender == meter_name(meter))

    def may_sign(self, meter: MeterAddress, signer: str, sender: str) -> bool:
        """Whether this name signs for the meter, when its statements come from this sender."""
        if self.seals_itself:
            return signer == meter_name(meter)
        return signer == sender and signer in self.collectors


class Registry:
    """The registrations of all meters."""

    def __init__(self, meters: Mapping[MeterAddress, Registration]) -> None:
        self.meters = dict(meters)

    def find(self, meter: MeterAddress) -> Registration | None:
        """Return what is agreed about a meter, or None if it is not ours."""
        return self.meters.get(meter)

    @classmethod
    def of_tables(cls, tables: Iterable[Mapping[str, Any]]) -> Registry:
        """Make a registry of `[[meter]]` tables. Raises `UsageError` for what they cannot say."""
        meters: dict[MeterAddress, Registration] = {}
        for table in tables:
            registration = _registration(table)
            for meter in _addresses(table):
                if meter in meters:
                    raise UsageError(f"meter {meter} is registered twice")
                meters[meter] = registration
        return cls(meters)


def load_registry(text: str) -> Registry:
    """Read a registry from TOML. Raises `UsageError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the registry is not TOML: {error}") from None
    unknown = set(document) - {"meter"}
    if unknown:
        raise UsageError(f"the registry has [[meter]] tables, not {', '.join(sorted(unknown))}")
    tables = document.get("meter", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError("the registry has [[meter]] tables: write the brackets twice")
    return Registry.of_tables(tables)


def meter_name(meter: MeterAddress) -> str:
    """Return the common name in a meter's own certificate."""
    return f"meter-{meter}"


def _registration(table: Mapping[str, Any]) -> Registration:
    unknown = set(table) - _KEYS
    if unknown:
        raise UsageError(f"a meter has {', '.join(sorted(_KEYS))}; not {', '.join(unknown)}")
    collectors = table.get("collectors", [])
    seals_itself, interval = table.get("seals_itself", False), table.get("interval", _MINUTE)
    if not isinstance(collectors, list) or not all(isinstance(name, str) for name in collectors):
        raise UsageError("collectors is a list of names")
    if not isinstance(seals_itself, bool):
        raise UsageError("seals_itself is true or false")
    if type(interval) is not int or interval < 1:
        raise UsageError("interval is a number of seconds, at least 1")
    if not collectors and not seals_itself:
        raise UsageError("a meter that does not seal itself needs a collector")
    return Registration(frozenset(collectors), seals_itself, interval)


def _addresses(table: Mapping[str, Any]) -> Iterator[MeterAddress]:
    texts = table.get("addresses", [])
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise UsageError("addresses is a list of meter addresses, or of ranges of them")
    for text in texts:
        first, _, last = text.partition("-")
        begin, end = MeterAddress(first), MeterAddress(last or first)
        if not 0 <= int(end) - int(begin) < _MAX_RANGE:
            raise UsageError(f"{text} is not a rising range of at most {_MAX_RANGE} meters")
        for number in range(int(begin), int(end) + 1):
            yield MeterAddress(f"{number:012}")

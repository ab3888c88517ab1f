"""MQTT topics of the collection system, and the bundles that travel under them.

    meterseal/v1/{collector}/certificates  bundles of certificates, before the statements they sign
    meterseal/v1/{collector}/up            bundles of sealed statements, collector to station
    meterseal/v1/{collector}/down          signed receipts, station to collector
    meterseal/v1/{collector}/status        what the collector says of itself, in JSON, retained;
                                           `{"online": false}` by the broker when it is gone

A bundle is a CBOR array of byte strings. A client's own topics are those below its own name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from meterseal.collection.envelope import decode, encode
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ALL_CERTIFICATES",
    "ALL_STATUS",
    "ALL_UP",
    "MAX_BUNDLE",
    "MAX_BUNDLE_SIZE",
    "PREFIX",
    "certificates",
    "collector_of",
    "down",
    "pack",
    "status",
    "unpack",
    "up",
]

PREFIX: Final = "meterseal/v1"
ALL_UP: Final = f"{PREFIX}/+/up"
ALL_CERTIFICATES: Final = f"{PREFIX}/+/certificates"
ALL_STATUS: Final = f"{PREFIX}/+/status"
MAX_BUNDLE: Final = 256
"""Items in one bundle at most."""
MAX_BUNDLE_SIZE: Final = 262_144
"""Bytes of one bundle at most."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOPIC: Final = re.compile(rf"{PREFIX}/([A-Za-z0-9_-]{{1,64}})/(?:certificates|up|down|status)")


def up(collector: str) -> str:
    """Return the topic of a collector's statements."""
    return f"{PREFIX}/{_checked(collector)}/up"


def down(collector: str) -> str:
    """Return the topic of the receipts for a collector."""
    return f"{PREFIX}/{_checked(collector)}/down"


def certificates(collector: str) -> str:
    """Return the topic of the certificates that a collector announces."""
    return f"{PREFIX}/{_checked(collector)}/certificates"


def status(collector: str) -> str:
    """Return the topic that says whether a collector is there."""
    return f"{PREFIX}/{_checked(collector)}/status"


def collector_of(topic: str) -> str:
    """Return whose topic this is. Raises `MalformedData` for topics that are nobody's."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise MalformedData(f"{topic!r} is no topic of a collector")
    return match[1]


def pack(items: Sequence[bytes]) -> bytes:
    """Return sealed statements, or certificates in DER, as one bundle."""
    return encode(list(items))


def unpack(bundle: bytes) -> list[bytes]:
    """Return the items of a bundle. Raises `MalformedData`."""
    if len(bundle) > MAX_BUNDLE_SIZE:
        raise MalformedData(f"a bundle of {len(bundle)} bytes; {MAX_BUNDLE_SIZE} are allowed")
    items = decode(bundle)
    if not isinstance(items, list) or not all(isinstance(item, bytes) for item in items):
        raise MalformedData("a bundle is an array of byte strings")
    if len(items) > MAX_BUNDLE:
        raise MalformedData(f"a bundle of {len(items)} items; {MAX_BUNDLE} are allowed")
    return items


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"a name has 1 to 64 letters, digits, - or _; {name!r} has not")
    return name

"""What the pages and the API work with: one station's views, users and sessions, and the clock."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meterseal.collection.display.sessions import Sessions, Throttle
from meterseal.collection.station.ingest import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

    from meterseal.collection.display.harmonics import Spectrum
    from meterseal.collection.display.users import Users
    from meterseal.collection.model import MeterAddress
    from meterseal.collection.station.store import Store
    from meterseal.collection.station.views import Views
    from meterseal.x509 import TrustStore

__all__ = ["Display"]


@dataclass(slots=True, kw_only=True)
class Display:
    """A display of one station; `clock` tells UTC in ms, `trust` the roots of today."""

    name: str
    views: Views
    store: Store
    users: Users
    trust: Callable[[], TrustStore]
    metrics: CollectorRegistry
    clock: Callable[[], int] = utc_now
    sessions: Sessions = field(default_factory=Sessions)
    throttle: Throttle = field(default_factory=Throttle)
    spectra: dict[tuple[MeterAddress, int, int], Mapping[str, Spectrum]] = field(
        default_factory=dict
    )
    """Of the last snapshots, by meter, epoch and sequence: fitting one takes a moment."""
    checking: threading.Lock = field(default_factory=threading.Lock)
    """Held while evidence is checked: one at a time, it takes a core."""

"""Each role by its settings: what `meterseal run ROLE` and `meterseal up` start."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING, Final

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from meterseal.collection.config import (
        BrokerSettings,
        CollectorSettings,
        GatewaySettings,
        MeterSettings,
        Settings,
        StationSettings,
    )

__all__ = ["ROLES", "look_for_cycles_seldom", "run_role"]

_NEW_OBJECTS: Final = 50_000
_log: Final = logging.getLogger("meterseal.roles")


async def run_role(role: str, settings: Settings) -> None:
    """Run a role until cancelled. Raises `UsageError` if the settings have no table for it."""
    table = getattr(settings, role, None)
    if role not in ROLES or table is None:
        raise UsageError(f"the settings have no table [{role}]")
    look_for_cycles_seldom()
    await ROLES[role](table)


def look_for_cycles_seldom() -> None:
    """Spare a process of its own most of what Python spends on finding cycles.

    Batches make some ten thousand objects at a time, which go with the batch and have no cycles;
    looking through them each time there are 700 more takes a tenth of the time of a station.
    """
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


async def _broker(settings: BrokerSettings) -> None:
    from meterseal.collection.broker import become_broker

    become_broker(settings.state, settings.mqtt_port, settings.nats_port)


async def _gateway(settings: GatewaySettings) -> None:
    from meterseal.collection.gateway import run_gateway

    await run_gateway(settings)


async def _meter(settings: MeterSettings) -> None:
    from meterseal.collection.meter.service import run_meters

    await run_meters(settings)


async def _collector(settings: CollectorSettings) -> None:
    from meterseal.collection.collector.service import run_collector

    await run_collector(settings)


async def _station(settings: StationSettings) -> None:
    from meterseal.collection.display.service import serve
    from meterseal.collection.station.service import run_station

    await run_station(settings, serve)


ROLES: Final[Mapping[str, Callable[..., Awaitable[None]]]] = {
    "broker": _broker,
    "gateway": _gateway,
    "meter": _meter,
    "collector": _collector,
    "station": _station,
}
"""The roles, in the order in which they are best started."""

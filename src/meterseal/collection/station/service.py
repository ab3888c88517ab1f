"""A station by its settings: its files, and the links that gateways report."""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from meterseal.collection.config import split_address
from meterseal.collection.credentials import link_context, signing_identity
from meterseal.collection.station.ingest import utc_now
from meterseal.collection.station.mqtt import Broker
from meterseal.collection.station.run import Nats, Station, StationConfig
from meterseal.collection.station.store import StoreUnavailable
from meterseal.collection.station.store.records import LinkRecord, TurnedAway
from meterseal.collection.supervision import keep_running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meterseal.collection.config import StationSettings

__all__ = ["run_station", "station_config"]

_log: Final = logging.getLogger("meterseal.station")
_LINKS_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 3.0
_MAX_ANSWER: Final = 16 << 20


def station_config(settings: StationSettings) -> StationConfig:
    """Return what a station is told. Raises `OSError` or `MeterSealError` for wrong files."""
    key, chain = signing_identity(settings.identity)
    return StationConfig(
        name=settings.name,
        key=key,
        certificate=chain[0],
        ca=settings.identity.ca,
        crls=settings.identity.crls,
        registry=settings.registry,
        certificates=settings.certificates,
        store=settings.store,
        source=_source(settings),
        keep_days=settings.keep_days,
    )


async def run_station(
    settings: StationSettings,
    beside: Callable[[Station, StationSettings], Awaitable[None]] | None = None,
) -> None:
    """Run a station until cancelled, and beside it whatever shows it."""
    settings.state.mkdir(parents=True, exist_ok=True)
    station = Station(station_config(settings))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("ingest", station.run))
            if beside is not None and settings.listen is not None:
                show = beside
                tasks.create_task(keep_running("display", lambda: show(station, settings)))
            if settings.gateways:
                tasks.create_task(keep_running("links", lambda: _watch_links(station, settings)))
    finally:
        station.close()


def _source(settings: StationSettings) -> Broker | Nats:
    if settings.uplink is None:
        return Nats(settings.nats, settings.replicas)
    host, port = split_address(settings.uplink.address)
    context = link_context(settings.identity, settings.uplink.protocol)
    return Broker(host, port, settings.name, context, share=settings.share)


async def _watch_links(station: Station, settings: StationSettings) -> None:
    """Ask gateways for their links, for the page that shows how each is protected."""
    while True:
        for gateway in settings.gateways:
            try:
                await asyncio.to_thread(_keep_report, station, gateway)
            except (OSError, ValueError, KeyError, TypeError, StoreUnavailable) as error:
                _log.warning("no links of the gateway at %s: %s", gateway, error)
        await asyncio.sleep(_LINKS_SECONDS)


def _keep_report(station: Station, gateway: str) -> None:
    """Ask a gateway, and keep what it says; clients without a certificate have no link to show."""
    answer = _ask(gateway)
    known = [each for each in answer["links"] if "subject" in each]
    station.store.save_links([_link(gateway, each) for each in known])
    refused = [_turned_away(gateway, each) for each in answer["latest_refusals"]]
    station.store.save_turned_away(gateway, refused)


def _ask(gateway: str) -> Any:  # noqa: ANN401  (JSON)
    url = f"http://{gateway}/links"
    with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:
        return json.loads(answer.read(_MAX_ANSWER))


def _link(gateway: str, link: dict[str, Any]) -> LinkRecord:
    return LinkRecord(
        name=str(link["name"]),
        gateway=gateway,
        address=str(link["address"]),
        subject=str(link["subject"]),
        issuer=str(link["issuer"]),
        serial_number=str(link["serial"]),
        not_before=_milliseconds(link["not_before"]),
        not_after=_milliseconds(link["not_after"]),
        protocol=str(link["protocol"]),
        suite=str(link["suite"]),
        key_share=str(link["key_share"]),
        since=int(link["since"] * 1000),
        last_seen=utc_now(),
        messages=int(link["published"]),
        received=int(link["received"]),
        sent=int(link["sent"]),
    )


def _turned_away(gateway: str, refusal: dict[str, Any]) -> TurnedAway:
    return TurnedAway(
        gateway=gateway,
        at=int(refusal["at"] * 1000),
        address=str(refusal["address"]),
        name=None if refusal["name"] is None else str(refusal["name"]),
        kind=str(refusal["kind"]),
        reason=str(refusal["reason"]),
    )


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)

"""A collector that runs: its lines, its keeper and its uplink, each kept running."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from meterseal.collection import modbus
from meterseal.collection.alink import Device
from meterseal.collection.collector.clock import WatchedClock
from meterseal.collection.collector.keeper import Keeper
from meterseal.collection.collector.line import Line
from meterseal.collection.collector.outbox import MeterHealth, Outbox
from meterseal.collection.collector.plan import Plan
from meterseal.collection.collector.ports import Dlt645Port, ModbusPort
from meterseal.collection.collector.profiles import Alink, OwnTopics, Profile
from meterseal.collection.collector.uplink import Broker, Uplink
from meterseal.collection.config import split_address
from meterseal.collection.credentials import (
    link_context,
    signing_identity,
    station_keys,
)
from meterseal.collection.dlt645.link import Timing, open_serial, open_tcp
from meterseal.collection.files import certificates_in
from meterseal.collection.modbus import SDM630, load_map
from meterseal.collection.model import MeterAddress
from meterseal.collection.sealing import Sealer
from meterseal.collection.supervision import keep_running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pymodbus.client.base import ModbusBaseClient

    from meterseal.collection.config import CollectorSettings, LineSettings
    from meterseal.collection.dlt645.link import Link

__all__ = ["OUTBOX", "Collector", "meters_told", "run_collector"]

_log: Final = logging.getLogger("meterseal.collector")
OUTBOX: Final = "outbox.sqlite"
_MOST_TOLD: Final = 50
_LONGEST_ERROR: Final = 100
_OVER_TLS, _OPEN = 2, 3  # securemode of the platform


class Collector:
    """All parts of a collector, made from its settings.

    Raises `OSError`, `MeterSealError` or `ssl.SSLError` where a file is missing or wrong.
    """

    def __init__(
        self,
        settings: CollectorSettings,
        clock: WatchedClock | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or WatchedClock()
        key, chain = signing_identity(settings.identity)
        meters = certificates_in(settings.certificates) if settings.certificates else []
        shown = [*chain, *meters]
        settings.state.mkdir(parents=True, exist_ok=True)
        self.outbox = Outbox(settings.state / OUTBOX, born_at=int(time.time()))
        self.keeper = Keeper(self.outbox, Sealer(key, chain[0]))
        self._ports = [_port(line) for line in settings.line]
        self._lines = [
            self._line(line, port) for line, port in zip(settings.line, self._ports, strict=True)
        ]
        self.uplink = Uplink(
            self._broker(),
            self.outbox,
            self.keeper,
            self.clock,
            stations=station_keys(settings.stations),
            certificates=[each.encoding for each in dict.fromkeys(shown)],
            patience=settings.uplink.patience,
            describe=self.describe,
        )

    async def run(self) -> None:
        """Collect until cancelled; what was read is in the outbox then."""
        parts = {f"line {number}": line.run for number, line in enumerate(self._lines, 1)}
        parts |= {"keeper": self.keeper.run, "uplink": self.uplink.run}
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, run in parts.items():
                    tasks.create_task(keep_running(f"{self.settings.name}: {name}", run))
        finally:
            await self._close()

    async def describe(self) -> dict[str, object]:
        """Say how the collector is, as its status topic and `collector status` show it."""
        depth = await self.keeper.call(self.outbox.depth)
        health = await self.keeper.call(self.outbox.health)
        return {
            "depth": depth.statements,
            "size": depth.size,
            "oldest": depth.oldest,
            "trouble": self.keeper.trouble,
            "clock_in_doubt": self.clock.in_doubt,
            "uplink": asdict(self.uplink.status),
            **meters_told(health),
        }

    async def _close(self) -> None:
        await self.keeper.close()
        for port in self._ports:
            with suppress(OSError):
                await port.close()
        self.outbox.close()

    def _line(self, line: LineSettings, port: Dlt645Port | ModbusPort) -> Line:
        meters = [MeterAddress(meter) for meter in line.meters]
        interval = int(line.interval * 1000)
        plan = Plan(
            [(meter, interval) for meter in meters],
            spread=int(self.settings.spread * 1000),
            now=self.clock.now(),
        )
        sealing = frozenset(meters if line.seals_itself else ())
        return Line(port, plan, self.keeper, self.clock, sealing)

    def _broker(self) -> Broker:
        uplink = self.settings.uplink
        host, port = split_address(uplink.address)
        context = link_context(self.settings.identity, uplink.protocol)
        return Broker(host, port, self.settings.name, context, self._profile())

    def _profile(self) -> Callable[[], Profile]:
        alink = self.settings.uplink.alink
        if alink is None:
            return lambda: OwnTopics(self.settings.name)
        secret = alink.secret.read_text("utf-8").strip()
        device = Device(alink.product_key, alink.device_name, secret)
        mode = _OPEN if self.settings.uplink.protocol == "plain" else _OVER_TLS
        return lambda: Alink(device, self.clock.now, mode)


async def run_collector(settings: CollectorSettings) -> None:
    """Run a collector until cancelled."""
    await Collector(settings).run()


def _port(line: LineSettings) -> Dlt645Port | ModbusPort:
    if line.protocol == "modbus":
        layout = SDM630 if line.register_map is None else load_map(line.register_map.read_text())
        units = {MeterAddress(meter): unit for unit, meter in enumerate(line.meters, 1)}

        async def open_client() -> ModbusBaseClient:
            if line.address is not None:
                return await modbus.open_tcp(*split_address(line.address), answer=line.answer)
            return await modbus.open_serial(str(line.device), rate=line.rate, answer=line.answer)

        return ModbusPort(open_client, layout, units)

    def open_link() -> Awaitable[Link]:
        if line.address is not None:
            return open_tcp(*split_address(line.address))
        return open_serial(str(line.device), rate=line.rate)

    return Dlt645Port(open_link, Timing(answer=line.answer, pause=line.pause))


def meters_told(health: Sequence[MeterHealth]) -> dict[str, object]:
    """Say how the meters answer: of many those that answer worst, so that a status stays short."""
    worst = sorted(health, key=lambda each: (each.success_rate, each.meter))[:_MOST_TOLD]
    return {
        "meter_count": len(health),
        "meters": {each.meter: _health(each) for each in sorted(worst, key=lambda it: it.meter)},
    }


def _health(health: MeterHealth) -> dict[str, object]:
    return {
        "polls": health.polls,
        "failures": health.failures,
        "success_rate": round(health.success_rate, 4),
        "last_good": health.last_good,
        "last_error": health.last_error and health.last_error[:_LONGEST_ERROR],
    }

"""The station as it runs: its files, its store, its inbox, and the housekeeping."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meterseal.collection.files import certificates_in, stamp_of
from meterseal.collection.receipts import ReceiptSigner
from meterseal.collection.station.check import Checker, TimeWindow
from meterseal.collection.station.directory import Directory
from meterseal.collection.station.expiry import Ending, endings
from meterseal.collection.station.ingest import Ingest, ReceiptWriter, utc_now
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.registry import load_registry
from meterseal.collection.station.store import StoreUnavailable, open_store
from meterseal.collection.station.views import Views
from meterseal.errors import MeterSealError
from meterseal.x509 import RevocationPolicy, TrustStore, load_certificates, load_crls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from meterseal.collection.station.inbox import Inbox
    from meterseal.collection.station.mqtt import Broker
    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate

__all__ = ["Nats", "Station", "StationConfig", "run"]

_log = logging.getLogger("meterseal.station")
_REFRESH: Final = 10.0
"""Seconds between looks at the files that may change."""
_FORGET: Final = 3600.0
_CERTIFICATES: Final = 600.0
_FOLD: Final = 5.0
"""Seconds between foldings: whoever reads aggregates folds before, so nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Nats:
    """Servers of a NATS cluster, and on how many of them each message lies."""

    servers: tuple[str, ...]
    replicas: int = 1
    context: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationConfig:
    """What a station is told.

    `ca`, `crls` and `registry` are looked at again when they change; `certificates` is a file or
    folder of signers' certificates that are known from the start. `store` is a path or
    `postgresql://...`. Days of statements and of minute aggregates are kept as said.
    """

    name: str
    key: sm2.PrivateKey
    certificate: Certificate
    ca: Path
    registry: Path
    store: str | Path
    source: Broker | Nats
    crls: tuple[Path, ...] = ()
    require_crls: bool = False
    certificates: Path | None = None
    window: TimeWindow = field(default_factory=TimeWindow)
    keep_days: int = 400
    keep_minutes: int = 90


class Station:
    """A station; its `views` answer displays in the same process.

    Raises `MeterSealError` or `OSError` if its files or its store are not right.
    """

    def __init__(
        self,
        config: StationConfig,
        *,
        metrics: Metrics | None = None,
        clock: Callable[[], int] = utc_now,
    ) -> None:
        self.config = config
        self.metrics = metrics or Metrics()
        self._clock = clock
        self._seen = stamp_of(_files(config))
        self.store = open_store(config.store)
        self.directory = Directory(TrustStore())
        self.checker = Checker(
            self.directory, load_registry(config.registry.read_text("utf-8")), config.window
        )
        self.views = Views(self.store, self.checker.registry)
        self.reload()
        self.directory.add(self.store.certificates())
        if config.certificates is not None:
            self.directory.add(certificates_in(config.certificates))
        self.metrics.certificates.set(len(self.directory))

    def reload(self) -> None:
        """Read trust anchors, revocation lists and registry anew; all of them or none."""
        config = self.config
        registry = load_registry(config.registry.read_text("utf-8"))
        trust = TrustStore(load_certificates(config.ca.read_bytes()))
        crls = [crl for path in config.crls for crl in load_crls(path.read_bytes())]
        policy = RevocationPolicy.IF_AVAILABLE
        if config.require_crls:
            policy = RevocationPolicy.REQUIRED
        self.store.save_crls(crls, self._clock())
        self.checker.registry = self.views.registry = registry
        self.directory.reload(trust, crls, policy)
        _log.info("%d meters, %d anchors, %d lists", len(registry.meters), len(trust), len(crls))

    async def run(self, inbox: Inbox | None = None) -> None:
        """Take messages until cancelled; the inbox is closed then, the store is not."""
        source = inbox or await self._open_inbox()
        writer = ReceiptWriter(
            ReceiptSigner(self.config.key, self.config.certificate), self.config.name
        )
        ingest = Ingest(
            source,
            checker=self.checker,
            store=self.store,
            receipts=writer,
            metrics=self.metrics,
            clock=self._clock,
        )
        _log.info("station %s takes statements", self.config.name)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ingest.run())
                tasks.create_task(self._refresh())
                tasks.create_task(self._fold())
                tasks.create_task(self._forget())
                tasks.create_task(self._watch_certificates())
        finally:
            await source.close()

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    async def _open_inbox(self) -> Inbox:
        source = self.config.source
        if isinstance(source, Nats):
            from meterseal.collection.station.jetstream import JetStreamInbox  # noqa: PLC0415

            return await JetStreamInbox.open(
                source.servers, self.config.name, replicas=source.replicas, context=source.context
            )
        from meterseal.collection.station.mqtt import MqttInbox  # noqa: PLC0415

        return MqttInbox(source)

    async def _refresh(self) -> None:
        """Read files again that changed; what cannot be read leaves everything as it is."""
        while True:
            await asyncio.sleep(_REFRESH)
            stamps = await asyncio.to_thread(stamp_of, _files(self.config))
            if stamps != self._seen:
                self._seen = stamps
                await self.try_reload()

    async def try_reload(self) -> None:
        """Reload, or say in the log why not."""
        try:
            await asyncio.to_thread(self.reload)
        except (MeterSealError, OSError, UnicodeDecodeError) as error:
            _log.error("goes on with the files of before: %s", error)

    async def _fold(self) -> None:
        while True:
            await asyncio.sleep(_FOLD)
            try:
                await asyncio.to_thread(self.store.fold)
            except StoreUnavailable as error:
                _log.error("cannot fold: %s", error)

    async def _forget(self) -> None:
        while True:
            try:
                days = await asyncio.to_thread(
                    self.store.forget,
                    statements=self.config.keep_days,
                    minutes=self.config.keep_minutes,
                    now=self._clock(),
                )
                if days:
                    _log.info("forgot %d days", len(days))
            except StoreUnavailable as error:
                _log.error("cannot forget: %s", error)
            await asyncio.sleep(_FORGET)

    async def _watch_certificates(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.look_at_certificates)
            except (MeterSealError, OSError) as error:
                _log.error("cannot tell which certificates end: %s", error)
            await asyncio.sleep(_CERTIFICATES)

    def look_at_certificates(self) -> None:
        """Raise an alarm for each certificate that ends soon: our own, CAs', signers', links'."""
        trust = load_certificates(self.config.ca.read_bytes())
        certificates = (self.config.certificate, *trust, *self.directory.certificates())
        known = {Ending.of(each) for each in certificates}
        for link in self.views.links():
            if link.session is not None:
                session = link.session
                known.add(Ending(session.subject, session.serial_number, session.not_after))
        now = self._clock()
        self.store.note_certificates(*endings(known, now), now)


async def run(config: StationConfig) -> None:
    """Run a station until cancelled; SIGHUP makes it read its files again."""
    station = Station(config)
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(station.try_reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        await station.run()
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        station.close()


def _files(config: StationConfig) -> tuple[Path, ...]:
    """The files that may change while the station runs."""
    return (config.ca, config.registry, *config.crls)

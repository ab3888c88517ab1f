"""From message to receipt: verify a batch, commit it, and only then answer and acknowledge.

Whatever ends the station between two steps, nothing is lost and nothing counted twice: before the
commit the broker has the messages, and after it the store knows the statements when they come
again. If the store is unavailable the batch is held and tried until it succeeds; nothing more is
read meanwhile, so that the broker keeps the rest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from meterseal.collection import topics
from meterseal.collection.receipts import MAX_ENTRIES, Receipt, Verdict
from meterseal.collection.station.check import take_apart
from meterseal.collection.station.store import StoreUnavailable
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meterseal.collection.receipts import ReceiptSigner
    from meterseal.collection.station.check import Checker
    from meterseal.collection.station.inbox import Inbox, Message
    from meterseal.collection.station.metrics import Metrics
    from meterseal.collection.station.store import Arrival, Committed, Refusal, Store

__all__ = ["Ingest", "ReceiptWriter", "utc_now"]

_log = logging.getLogger("meterseal.station")
MESSAGES: Final = 64
"""Messages in one batch at most: 16,384 statements, 16 MiB."""
PATIENCE: Final = 0.05
"""Seconds that the first message of a batch waits for company."""
_BACKOFF: Final = (0.5, 30.0)
_MAX_STATUS: Final = 65_536


def utc_now() -> int:
    """Return the time in UTC ms."""
    return time.time_ns() // 1_000_000


class ReceiptWriter:
    """Signs receipts; what it signs for comes with the proof that it is committed."""

    def __init__(self, signer: ReceiptSigner, station: str) -> None:
        self._signer = signer
        self._station = station

    def write(self, committed: Committed) -> Iterator[tuple[str, bytes]]:
        """Yield receipts, each with the collector that it is for."""
        for collector, entries in committed.entries.items():
            for start in range(0, len(entries), MAX_ENTRIES):
                receipt = Receipt(
                    station=self._station,
                    collector=collector,
                    issued_at=committed.committed_at,
                    entries=tuple(entries[start : start + MAX_ENTRIES]),
                )
                yield collector, self._signer.sign(receipt)


class Ingest:
    """Takes messages from an inbox until it is cancelled. The clock gives UTC ms."""

    def __init__(  # noqa: PLR0913
        self,
        inbox: Inbox,
        *,
        checker: Checker,
        store: Store,
        receipts: ReceiptWriter,
        metrics: Metrics,
        clock: Callable[[], int] = utc_now,
        backoff: tuple[float, float] = _BACKOFF,
    ) -> None:
        self._inbox = inbox
        self._checker = checker
        self._store = store
        self._receipts = receipts
        self._metrics = metrics
        self._clock = clock
        self._backoff = backoff

    async def run(self) -> None:
        """Take batch after batch."""
        while True:
            await self.take(await self._inbox.receive(MESSAGES, PATIENCE))

    async def take(self, messages: Sequence[Message]) -> None:
        """Store what the messages say, answer, and acknowledge them: in this order."""
        self._metrics.messages.inc(len(messages))
        committed = await self._store_until_done(messages)
        for collector, receipt in committed:
            await self._inbox.publish(topics.down(collector), receipt)
            self._metrics.receipts.inc()
        for message in messages:
            await message.acknowledge()

    async def _store_until_done(self, messages: Sequence[Message]) -> list[tuple[str, bytes]]:
        """Store a batch, however long it takes; returns the receipts."""
        delay, longest = self._backoff
        while True:
            try:
                return await asyncio.to_thread(self._store_batch, messages)
            except StoreUnavailable as error:
                self._metrics.unavailable.inc()
                _log.error("cannot store, trying again in %g s: %s", delay, error)
            await asyncio.sleep(delay)
            delay = min(2 * delay, longest)

    def _store_batch(self, messages: Sequence[Message]) -> list[tuple[str, bytes]]:
        began, now = time.monotonic(), self._clock()
        arrivals, refused = self._sort(messages, now)
        checks, refusals = self._checker.check(arrivals, now)
        refused += refusals
        if not checks and not refused:
            return []
        committed = self._store.commit(checks, refused, now)
        self._metrics.batch.observe(time.monotonic() - began)
        if checks:
            oldest = min(check.sealed.statement.sampled_at for check in checks)
            self._metrics.delay.observe(max(0, now - oldest) / 1000)
        self._count(committed)
        return list(self._receipts.write(committed))

    def _sort(self, messages: Sequence[Message], now: int) -> tuple[list[Arrival], list[Refusal]]:
        """Heed announcements and states, and take bundles apart."""
        arrivals: list[Arrival] = []
        refused: list[Refusal] = []
        bundles = []
        statuses: dict[str, str] = {}
        for message in messages:
            try:
                sender = topics.collector_of(message.topic)
            except MalformedData as error:
                _log.warning("passed over: %s", error)
                continue
            kind = message.topic.rpartition("/")[2]
            if kind == "up":
                bundles.append((sender, message.payload))
            elif kind == "certificates":
                self._learn(sender, message.payload, now)
            elif kind == "status":
                statuses |= _status_of(sender, message.payload)
        if statuses:
            self._store.save_statuses(statuses, now)
        for sender, payload in bundles:  # after all announcements of the batch
            some, bad = take_apart(sender, payload, now)
            arrivals += some
            refused += bad
        return arrivals, refused

    def _learn(self, sender: str, payload: bytes, now: int) -> None:
        try:
            learnt = self._checker.directory.learn(topics.unpack(payload), now)
        except MalformedData as error:
            _log.warning("%s announced no certificates: %s", sender, error)
            return
        if learnt:
            self._store.save_certificates(learnt, now)
            self._metrics.certificates.set(len(self._checker.directory))
            _log.info("learnt %d certificates from %s", len(learnt), sender)

    def _count(self, committed: Committed) -> None:
        statements = self._metrics.statements
        statements.labels(Verdict.STORED.name).inc(committed.stored)
        statements.labels("KNOWN").inc(committed.known)
        for verdict, count in committed.refused.items():
            statements.labels(verdict.name).inc(count)
            _log.warning("refused %d statements: %s", count, verdict.name.lower())


def _status_of(sender: str, payload: bytes) -> dict[str, str]:
    """Return the sender's state by its name; nothing if it is no text, or too long."""
    try:
        status = payload.decode()
    except UnicodeDecodeError:
        return {}
    return {sender: status} if len(payload) <= _MAX_STATUS and "\0" not in status else {}

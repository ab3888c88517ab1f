"""The store: batches in, one transaction each; certificates, links and acknowledgements beside."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from meterseal.collection.station.store.alarms import AlarmWriter
from meterseal.collection.station.store.batch import BatchWriter
from meterseal.collection.station.store.database import StoreUnavailable
from meterseal.collection.station.store.folding import fold_some
from meterseal.collection.station.store.records import LinkRecord, Stored, TurnedAway, address
from meterseal.collection.station.store.retention import forget_day
from meterseal.collection.station.store.schema import SCHEMA, VERSION
from meterseal.crypto.sm3 import sm3
from meterseal.errors import UsageError
from meterseal.x509 import Certificate, CertificateRevocationList

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meterseal.collection.model import MeterAddress
    from meterseal.collection.station.expiry import Ending
    from meterseal.collection.station.store.aggregates import RowOfMeter
    from meterseal.collection.station.store.database import Database
    from meterseal.collection.station.store.records import Check, Committed, Refusal

__all__ = ["BEIJING", "DAY", "Store"]

_log: Final = logging.getLogger("meterseal.station")
_FROM_VERSION_1: Final = "UPDATE meta SET value = ? WHERE name = 'version' AND value = 1"
"""What was added since is made where it is missing; what was there is still read."""
DAY: Final = 86_400_000
_TURNED_AWAY_KEPT: Final = 1000
"""Of each gateway."""
BEIJING: Final = 8 * 3_600_000
"""UTC+8: one time zone without summer time for the whole country."""


class Store:
    """All that a station knows; made by `open_store`.

    Every method may be called from any thread and blocks. All raise `StoreUnavailable` when the
    database cannot do it; what was asked for has then not happened.
    """

    def __init__(self, database: Database, *, day_offset: int = BEIJING) -> None:
        self.database = database
        try:
            self.day_offset = self._prepare(day_offset)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def day_of(self, at: int) -> int:
        """Return the number of the station's day in which a time (UTC ms) lies."""
        return (at + self.day_offset) // DAY

    def start_of(self, day: int) -> int:
        """Return when a day begins, UTC ms."""
        return day * DAY - self.day_offset

    # --- what the ingest writes ---

    def commit(self, checks: Sequence[Check], refusals: Sequence[Refusal], now: int) -> Committed:
        """Store a batch, exactly once, and return the proof, when all of it is on the disk."""
        with self.database.transaction() as session:
            writer = BatchWriter(session, self.database, self.day_offset, now)
            committed = writer.write(checks, refusals)
        return committed  # noqa: RET504  (not before the transaction is over)

    def fold(self) -> None:
        """Bring the aggregates up to what is stored."""
        more = bool(self.database.read("SELECT 1 FROM waiting LIMIT 1"))
        while more:
            with self.database.transaction() as session:
                more = fold_some(session, self.day_offset)

    def save_certificates(self, certificates: Iterable[Certificate], now: int) -> None:
        """Keep certificates as evidence; those that are known stay as they are."""
        rows = [(each.fingerprint(), each.encoding, now) for each in certificates]
        sql = (
            "INSERT INTO certificates (fingerprint, encoding, first_seen) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING"
        )
        with self.database.transaction() as session:
            session.run_many(sql, rows)

    def save_crls(self, crls: Iterable[CertificateRevocationList], now: int) -> None:
        """Keep revocation lists as evidence of what was known when."""
        rows = [(sm3(each.encoding).digest(), each.encoding, now) for each in crls]
        with self.database.transaction() as session:
            session.run_many("INSERT INTO crls VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)

    def save_statuses(self, statuses: Mapping[str, str], now: int) -> None:
        """Keep what collectors say of themselves (JSON), by name."""
        sql = (
            "INSERT INTO collectors VALUES (?, ?, 0, 0, 0, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET status = excluded.status, status_at = excluded.status_at"
        )
        with self.database.transaction() as session:
            rows = [(name, now, status, now) for name, status in sorted(statuses.items())]
            session.run_many(sql, rows)

    def save_links(self, links: Iterable[LinkRecord]) -> None:
        """Keep the newest session of each client, as its gateway reports it."""
        columns = tuple(LinkRecord.__dataclass_fields__)
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
        sql = (
            f"INSERT INTO sessions VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
            f" ON CONFLICT (name) DO UPDATE SET {updates}"
        )
        with self.database.transaction() as session:
            session.run_many(sql, [_fields(link) for link in links])

    def save_turned_away(self, gateway: str, refusals: Iterable[TurnedAway]) -> None:
        """Keep the newest clients that a gateway turned away; those that are known stay."""
        columns = ", ".join("?" * len(TurnedAway.__dataclass_fields__))
        newest = "SELECT coalesce(max(at), 0) FROM turned_away WHERE gateway = ?"
        oldest = "SELECT at FROM turned_away WHERE gateway = ? ORDER BY at DESC LIMIT 1 OFFSET ?"
        with self.database.transaction() as session:
            ((known,),) = session.query(newest, (gateway,))
            rows = [_fields(each) for each in refusals if each.at >= known]
            sql = f"INSERT INTO turned_away VALUES ({columns}) ON CONFLICT DO NOTHING"  # noqa: S608
            session.run_many(sql, rows)
            for (at,) in session.query(oldest, (gateway, _TURNED_AWAY_KEPT)):
                session.run("DELETE FROM turned_away WHERE gateway = ? AND at <= ?", (gateway, at))

    def note_certificates(self, ending: Iterable[Ending], well: set[str], now: int) -> None:
        """Raise an alarm for each certificate that ends soon; close those of subjects now well."""
        with self.database.transaction() as session:
            AlarmWriter(session, now).report_certificates(ending, well)

    def acknowledge(self, alarm: int, who: str, now: int) -> bool:
        """Note who has seen an alarm; False if there is none, or somebody was first."""
        sql = (
            "UPDATE alarms SET acknowledged_by = ?, acknowledged_at = ?"
            " WHERE id = ? AND acknowledged_by IS NULL"
        )
        with self.database.transaction() as session:
            return session.run(sql, (who, now, alarm)) == 1

    def forget(self, *, statements: int, minutes: int, now: int) -> list[int]:
        """Drop days of statements older than so many, and what was refused then; returns which.

        Alarms go too once they are over and somebody has seen them. Aggregates of quarters and days
        stay for good, those of minutes for as many days as said.

        Counted back from the newest day with statements, or from today if that is earlier: neither
        a clock that leapt ahead nor silence makes a station forget.
        """
        days = self.days()
        if not days:
            return []
        today = min(days[-1], self.day_of(now))
        old = [day for day in days if day <= today - statements]
        for day in old:
            with self.database.transaction() as session:
                forget_day(session, day)
        with self.database.transaction() as session:
            oldest = self.start_of(today - minutes + 1)
            session.run("DELETE FROM minutes WHERE start < ?", (oldest,))
            session.run("DELETE FROM activity WHERE start < ?", (now - 2 * DAY,))
            kept = self.start_of(today - statements + 1)
            session.run("DELETE FROM refused WHERE last_at < ?", (kept,))
            session.run("DELETE FROM refusals WHERE day <= ?", (today - statements,))
            session.run(
                "DELETE FROM alarms WHERE ended_at < ? AND acknowledged_by IS NOT NULL", (kept,)
            )
        return old

    # --- what evidence and views read ---

    def days(self) -> list[int]:
        """Return the days of which there are statements, rising."""
        return [day for (day,) in self.database.read("SELECT day FROM days ORDER BY day")]

    def counts(self) -> dict[MeterAddress, int]:
        """Return how many statements of each meter are kept."""
        counts: Counter[MeterAddress] = Counter()
        for day in self.days():
            sql = f"SELECT meter, count(*) FROM statements_{day} GROUP BY meter"  # noqa: S608
            counts.update({address(meter): int(count) for meter, count in self.database.read(sql)})
        return counts

    def statements(self, meter: str, start: int, end: int) -> Iterator[Stored]:
        """Yield a meter's statements sampled from `start` to before `end`, in that order."""
        for day in self.days():
            if self.start_of(day) >= end or self.start_of(day + 1) <= start:
                continue
            sql = (
                "SELECT meter, epoch, sequence, sampled_at, received_at, collector, fingerprint,"  # noqa: S608
                f" sealed FROM statements_{day} JOIN certificates ON signer = certificates.id"
                " WHERE meter = ? AND sampled_at >= ? AND sampled_at < ?"
                " ORDER BY sampled_at, epoch, sequence"
            )
            for number, *rest in self.database.read(sql, (int(meter), start, end)):
                yield Stored(address(number), *rest)

    def certificates(self) -> list[Certificate]:
        """Return all certificates that were ever relied on."""
        rows = self.database.read("SELECT encoding FROM certificates ORDER BY id")
        return [Certificate.decode(encoding) for (encoding,) in rows]

    def crls(self) -> list[CertificateRevocationList]:
        """Return all revocation lists that were ever relied on, oldest first."""
        rows = self.database.read("SELECT encoding FROM crls ORDER BY first_seen")
        return [CertificateRevocationList.decode(encoding) for (encoding,) in rows]

    def aggregates(self, table: str, meter: str, start: int, end: int) -> list[RowOfMeter]:
        """Return the rows of a level from `start` to before `end`, in that order."""
        self._catch_up()
        sql = (
            f"SELECT start, readings, codes, data FROM {table}"  # noqa: S608
            " WHERE meter = ? AND start >= ? AND start < ? ORDER BY start"
        )
        return self.database.read(sql, (int(meter), start, end))

    def readings_of(self, day: int) -> dict[MeterAddress, int]:
        """Return how many readings with values there are of each meter on a day."""
        self._catch_up()
        sql = "SELECT meter, readings FROM daily WHERE start = ?"
        rows = self.database.read(sql, (self.start_of(day),))
        return {address(meter): int(count) for meter, count in rows}

    def _catch_up(self) -> None:
        """Fold for a reader; if nothing can be written now, aggregates lag behind statements."""
        try:
            self.fold()
        except StoreUnavailable as error:
            _log.warning("the newest readings are not in the aggregates: %s", error)

    def _prepare(self, day_offset: int) -> int:
        """Make the tables of a new store; returns the offset that holds."""
        with self.database.transaction() as session:
            self.database.create(session, SCHEMA)
            row = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING"
            session.run_many(row, [("version", VERSION), ("day_offset", day_offset), ("folds", 0)])
            session.run(_FROM_VERSION_1, (VERSION,))
            meta: dict[str, int] = dict(session.query("SELECT name, value FROM meta"))
        if meta["version"] != VERSION:
            raise UsageError(f"a store of version {meta['version']}, not {VERSION}")
        return meta["day_offset"]


def _fields(record: LinkRecord | TurnedAway) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in type(record).__dataclass_fields__)

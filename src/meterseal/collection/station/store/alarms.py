"""What people must hear of: events of meters, and what the station itself finds suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.collection.model import EventRecord
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.store.records import address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meterseal.collection.station.expiry import Ending
    from meterseal.collection.station.store.database import Session
    from meterseal.collection.station.store.ledger import Ledger
    from meterseal.collection.station.store.records import Check, Refusal

__all__ = ["CERTIFICATE", "CLOCK", "CLONE", "CONFLICT", "GAP", "METER", "STATION", "AlarmWriter"]

METER: Final = "meter"
STATION: Final = "station"
GAP: Final = "SEQUENCE_GAP"
CLONE: Final = "CLONE_SUSPECTED"
CONFLICT: Final = "CONFLICTING_STATEMENTS"
CLOCK: Final = "CLOCK_SUSPECTED"
CERTIFICATE: Final = "CERTIFICATE_ENDS"
_MANY: Final = 10
_CLOCKS: Final = frozenset({Verdict.TIME, Verdict.VALIDITY})
_INSERT: Final = (
    "INSERT INTO alarms (name, origin, kind, meter, collector, phase, began_at, ended_at, detail)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO"
)


class AlarmWriter:
    """Raises and closes alarms within a transaction; an alarm's name makes it one and the same."""

    def __init__(self, session: Session, now: int) -> None:
        self._session = session
        self._now = now

    def report_events(self, checks: Iterable[Check]) -> None:
        """Raise an alarm for each event; the record of its end closes it, in whatever order."""
        rows = []
        for check in checks:
            event = check.sealed.statement
            if isinstance(event, EventRecord):
                name = f"event/{event.meter}/{event.code.name}/{event.phase}/{event.began_at}"
                rows.append(
                    (name, METER, event.code.name, int(event.meter), check.arrival.collector,
                     event.phase, event.began_at, event.ended_at, f"no. {event.number}")
                )  # fmt: skip
        update = " UPDATE SET ended_at = coalesce(excluded.ended_at, alarms.ended_at)"
        self._session.run_many(_INSERT + update, rows)

    def report_ledger(self, ledger: Ledger) -> None:
        """Raise alarms for gaps and clones, and close those of gaps that were filled."""
        for gap in ledger.gaps:
            name = f"gap/{address(gap.meter)}/{gap.epoch}/{gap.origin}"
            if gap.last is None:
                self._session.run(
                    "UPDATE alarms SET ended_at = ? WHERE name = ?", (self._now, name)
                )
            else:
                detail = f"sequences {gap.origin} to {gap.last} of epoch {gap.epoch} are missing"
                row = (name, STATION, GAP, gap.meter, None, 0, self._now, None, detail)
                self._session.run(_INSERT + " NOTHING", row)
        for meter, epoch, other in sorted(ledger.overlaps):
            name = f"clone/{address(meter)}/{epoch}/{other}"
            detail = f"epochs {epoch} and {other} were sampled in the same time"
            self._note(name, CLONE, meter, None, detail)

    def report_conflicts(self, refused: Sequence[Refusal]) -> None:
        """Raise an alarm for each statement whose sequence is stored with other bytes."""
        for refusal in refused:
            if refusal.verdict is not Verdict.CONFLICT or refusal.sealed is None:
                continue
            statement = refusal.sealed.statement
            key = f"{statement.epoch}/{statement.sequence}"
            detail = f"sequence {statement.sequence} of epoch {statement.epoch} was signed twice"
            self._note(
                f"conflict/{statement.meter}/{key}",
                CONFLICT, int(statement.meter), refusal.arrival.collector, detail,
            )  # fmt: skip

    def report_clocks(self, refused: Sequence[Refusal], statements: int, day: int) -> None:
        """Raise one alarm a day if most of a batch is out of its time: one clock is to blame."""
        late = sum(refusal.verdict in _CLOCKS for refusal in refused)
        if late >= _MANY and 2 * late > statements:
            detail = (
                f"{late} of {statements} statements at once are out of their time: look at the"
                " station's clock, and at the validity of CA certificates and revocation lists"
            )
            self._note(f"clock/{day}", CLOCK, None, None, detail)

    def report_certificates(self, ending: Iterable[Ending], well: set[str]) -> None:
        """Raise an alarm for each certificate that ends soon; close those of subjects now well."""
        rows = [
            (f"certificate/{each.subject}/{each.serial_number}", STATION, CERTIFICATE, None, None,
             0, self._now, None, each.describe())
            for each in ending
        ]  # fmt: skip
        self._session.run_many(_INSERT + " NOTHING", rows)
        still_on = "SELECT name FROM alarms WHERE kind = ? AND ended_at IS NULL"
        for (name,) in self._session.query(still_on, (CERTIFICATE,)):
            if name.removeprefix("certificate/").rpartition("/")[0] in well:
                self._session.run(
                    "UPDATE alarms SET ended_at = ? WHERE name = ?", (self._now, name)
                )

    def _note(
        self, name: str, kind: str, meter: int | None, collector: str | None, detail: str
    ) -> None:
        """Raise an alarm for what has no duration: it stands until somebody has seen it."""
        row = (name, STATION, kind, meter, collector, 0, self._now, self._now, detail)
        self._session.run(_INSERT + " UPDATE SET ended_at = excluded.ended_at", row)

"""The page that checks evidence: stored statements are verified again from what was kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request

from meterseal.collection.display.access import Busy, Visiting, display_of, require
from meterseal.collection.display.pages import of_meter, registered
from meterseal.collection.display.showing import clock_time, show
from meterseal.collection.display.users import Role
from meterseal.collection.model import MeterAddress
from meterseal.collection.sealing import digest_of, open_sealed
from meterseal.collection.station.evidence import verify_stored
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from fastapi.responses import Response

    from meterseal.collection.display.display import Display
    from meterseal.collection.station.evidence import Report
    from meterseal.collection.station.store import Stored
    from meterseal.x509 import Certificate

__all__ = ["router"]

_HOUR, _DAY = 3_600_000, 86_400_000
_LONGEST: Final = _DAY
_SHOWN: Final = 20

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stored statement as evidence: what was signed, by whom, and what it says."""

    sampled_at: int
    received_at: int
    epoch: int
    sequence: int
    kind: str
    digest: str
    signer: str
    signature: str
    sealed: str


@router.get("/evidence")
def evidence(  # noqa: PLR0913, PLR0917  (parameters of a request)
    request: Request,
    found: Visiting,
    meter: str = "",
    begin: str = "",
    end: str = "",
    check: str = "",
) -> Response:
    """Show the statements of a time; operators have them verified."""
    display = display_of(request)
    meters = display.views.registry.meters
    address = (
        registered(display, meter)[0] if meter else min(meters, default=MeterAddress("0" * 12))
    )
    first, last = _period(display, begin, end)
    report = None
    if check:
        require(found, Role.OPERATOR)
        report = _check(display, address, first, last)
    pieces = [
        _piece(each) for each in islice(display.store.statements(address, first, last), _SHOWN)
    ]
    offset = display.store.day_offset
    return show(
        request,
        "evidence.html",
        **of_meter(display, address),
        report=report,
        pieces=pieces,
        begin=clock_time(offset, first).replace(" ", "T"),
        end=clock_time(offset, last).replace(" ", "T"),
        subjects={
            each.fingerprint().hex(): str(each.subject) for each in _signers(display, pieces)
        },
    )


def _check(display: Display, address: MeterAddress, first: int, last: int) -> Report:
    if not display.checking.acquire(blocking=False):
        raise Busy
    try:
        return verify_stored(display.store, address, first, last, display.trust())
    finally:
        display.checking.release()


def _period(display: Display, begin: str, end: str) -> tuple[int, int]:
    """Return the time asked for, UTC ms: the last hour if none was."""
    offset = display.store.day_offset
    last = _time(end, offset) if end else display.clock() + 1000
    first = _time(begin, offset) if begin else last - _HOUR
    if not 0 <= last - first <= _LONGEST:
        raise UsageError("evidence is checked for up to a day at a time")
    return first, last


def _time(text: str, offset: int) -> int:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"{text[:30]!r} is no date and time") from None
    return int(moment.timestamp() * 1000) - offset


def _signers(display: Display, pieces: list[_Piece]) -> list[Certificate]:
    wanted = {each.signer for each in pieces}
    return [each for each in display.store.certificates() if each.fingerprint().hex() in wanted]


def _piece(row: Stored) -> _Piece:
    try:
        opened = open_sealed(row.sealed)
        kind, signature = type(opened.statement).__name__, opened.envelope.signature.hex()
    except MalformedData:
        kind, signature = "unreadable", ""
    return _Piece(
        row.sampled_at, row.received_at, row.epoch, row.sequence, kind,
        digest_of(row.sealed).hex(), row.signer.hex(), signature, row.sealed.hex(),
    )  # fmt: skip

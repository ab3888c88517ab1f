"""The pages that show something: each asks the views and hands the answers to its template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from meterseal.collection.display.access import Visiting, display_of
from meterseal.collection.display.drawing import spark_path
from meterseal.collection.display.phasor import PHASES, hints, phasors
from meterseal.collection.display.showing import show
from meterseal.collection.model import MeterAddress, Quantity

if TYPE_CHECKING:
    from meterseal.collection.display.display import Display
    from meterseal.collection.station.registry import Registration
    from meterseal.collection.station.views import MeterRow

__all__ = ["router"]

STALE: Final = 2.5
"""Intervals after which values are shown as old; the views call their meter late then."""
PHASE_ROWS: Final = (
    ("VOLTAGE", False), ("CURRENT", False), ("ACTIVE_POWER", True), ("REACTIVE_POWER", True),
    ("APPARENT_POWER", True), ("POWER_FACTOR", True), ("PHASE_ANGLE", False),
    ("VOLTAGE_THD", False), ("CURRENT_THD", False),
)  # fmt: skip
SINGLE_ROWS: Final = (
    "FREQUENCY", "CURRENT_NEUTRAL", "VOLTAGE_UNBALANCE", "CURRENT_UNBALANCE", "TEMPERATURE",
    "FORWARD_DEMAND",
)  # fmt: skip
_MOST_ROWS: Final = 50
"""Meters that the overview lists: each is a question to the store."""
_MOST_CHOICES: Final = 200
_SPARK: Final = 6 * 3_600_000
_SPARK_STEP: Final = 15 * 60_000
_STATES: Final = ("silent", "late", "online")
_REFUSED_SHOWN: Final = 100
_ALARMS_SHOWN: Final = 300

router = APIRouter(include_in_schema=False)


@router.get("/")
def begin(_: Visiting) -> Response:
    """Send whoever comes to the overview."""
    return RedirectResponse("/overview", 303)


@router.get("/overview")
def overview(request: Request, _: Visiting) -> Response:
    """Show the whole system."""
    display = display_of(request)
    now = display.clock()
    rows = display.views.meters(now)
    shown = rows if len(rows) <= _MOST_ROWS else _worst(rows)[:_MOST_ROWS]
    powers = {row.meter: display.views.latest(row.meter, now) for row in shown}
    return show(
        request,
        "overview.html",
        overview=display.views.overview(now),
        rows=shown,
        more=len(rows) - len(shown),
        powers=powers,
        sparks={row.meter: _spark(display, row, now) for row in shown},
    )


def _spark(display: Display, row: MeterRow, now: int) -> str:
    """Draw the power of the last hours, small; no line before a meter has values."""
    if row.sampled_at is None or row.sampled_at < now - _SPARK:
        return ""
    start = now - _SPARK
    curve = display.views.load_curve(row.meter, Quantity.ACTIVE_POWER, start, now, _SPARK_STEP)
    return spark_path(curve.mean)


def _worst(rows: list[MeterRow]) -> list[MeterRow]:
    return sorted(rows, key=lambda row: (_STATES.index(row.state), row.meter))


@router.get("/meters")
def any_meter(request: Request, _: Visiting) -> Response:
    """Go to the meter that was chosen, or to the first."""
    display = display_of(request)
    chosen = request.query_params.get("meter")
    page = request.query_params.get("page", "")
    if chosen is None:
        chosen = min(display.views.registry.meters, default=MeterAddress("0" * 12))
    registered(display, chosen)
    suffix = f"/{page}" if page in {"waveform", "load", "energy"} else ""
    return RedirectResponse(f"/meters/{chosen}{suffix}", 303)


@router.get("/meters/{address}")
def meter(request: Request, _: Visiting, address: str) -> Response:
    """Show what a meter measures now, each value with its age."""
    display = display_of(request)
    found, registration = registered(display, address)
    latest = display.views.latest(found, display.clock())
    values = latest.reading.values if latest else {}
    return show(
        request,
        "meter.html",
        **of_meter(display, found),
        latest=latest,
        values=values,
        stale=latest is not None and latest.age > STALE * 1000 * registration.interval,
        phases=PHASES,
        phase_rows=PHASE_ROWS,
        single_rows=SINGLE_ROWS,
        quantities=Quantity.__members__,
        arrows=_arrows(values),
        hints=hints(values) if latest else [],
    )


@router.get("/alarms")
def alarms(
    request: Request, _: Visiting, only: Annotated[str, Query(pattern="^(|all)$")] = ""
) -> Response:
    """Show what happened at meters, and what the station found."""
    display = display_of(request)
    found = display.views.alarms(display.clock(), active=only != "all", limit=_ALARMS_SHOWN)
    return show(request, "alarms.html", alarms=found, all_alarms=only == "all")


@router.get("/security")
def security(request: Request, _: Visiting) -> Response:
    """Show how each link is protected, and what was refused."""
    views = display_of(request).views
    return show(
        request,
        "security.html",
        links=views.links(),
        refused=views.refused(limit=_REFUSED_SHOWN),
        turned_away=views.turned_away(_REFUSED_SHOWN),
    )


@router.get("/collectors")
def collectors(request: Request, _: Visiting) -> Response:
    """Show what collectors say of themselves."""
    found = [(each, status_of(each.status)) for each in display_of(request).views.collectors()]
    return show(request, "collectors.html", collectors=found)


def registered(display: Display, address: str) -> tuple[MeterAddress, Registration]:
    """Return a registered meter. Raises `UsageError` for no address, `LookupError` for no meter."""
    found = MeterAddress(address)
    registration = display.views.registry.find(found)
    if registration is None:
        raise LookupError(f"meter {found} is not registered")
    return found, registration


def of_meter(display: Display, address: MeterAddress) -> dict[str, Any]:
    """Return what every page of a meter needs."""
    meters = display.views.registry.meters
    return {"address": address, "addresses": sorted(meters) if len(meters) <= _MOST_CHOICES else []}


def status_of(text: str) -> dict[str, Any]:
    """Read what a collector says of itself, of which nothing is certain."""
    try:
        status = json.loads(text) if text else {}
    except ValueError:
        status = {}
    if not isinstance(status, dict):
        return {}
    meters = status.get("meters")
    good = isinstance(meters, dict) and all(isinstance(each, dict) for each in meters.values())
    return status | {"meters": meters if good else {}}


def _arrows(values: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Scale the arrows: the longest of its kind reaches its circle."""
    found = phasors(values)
    reach = {"U": 150.0, "I": 105.0}
    arrows = []
    for each in found:
        most = max(other.magnitude for other in found if other.kind == each.kind)
        length = reach[each.kind] * each.magnitude / most
        x, y = each.tip(length)
        label_x, label_y = each.tip(length + 16)
        arrows.append({
            "kind": each.kind, "phase": each.phase, "assumed": each.assumed,
            "x": round(x, 1), "y": round(y, 1),
            "label_x": round(label_x, 1), "label_y": round(label_y, 1),
        })  # fmt: skip
    return arrows

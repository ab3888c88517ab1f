"""The JSON API: what the pages show, for programs. Reading only; sessions or HTTP Basic."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from meterseal.collection.display.access import Visitor, display_of, program
from meterseal.collection.display.export import csv_lines, parquet_chunks
from meterseal.collection.display.pages import registered, status_of
from meterseal.collection.model import Quality, Quantity, Reading
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["router"]

_DAY: Final = 86_400_000
_MOST_READINGS: Final = 10_000
_MOST_ROWS: Final = 1000
Program = Annotated[Visitor, Depends(program)]
At = Annotated[int, Query(ge=0, le=253_402_300_799_000, description="UTC, ms since 1970")]
QuantityName = Annotated[str, Query(json_schema_extra={"enum": [each.name for each in Quantity]})]

router = APIRouter(tags=["station"])


@router.get("/healthz")
def healthz() -> dict[str, bool]:
    """Say that the display answers."""
    return {"ok": True}


@router.get("/metrics")
def metrics(request: Request, _: Program) -> Response:
    """Return the station's counters for Prometheus."""
    body = generate_latest(display_of(request).metrics)
    return Response(body, media_type=CONTENT_TYPE_LATEST)


@router.get("/api/overview")
def overview(request: Request, _: Program) -> dict[str, Any]:
    """Return the state of the whole system."""
    display = display_of(request)
    return _object(display.views.overview(display.clock()))


@router.get("/api/meters")
def meters(request: Request, _: Program) -> list[dict[str, Any]]:
    """Return all registered meters."""
    display = display_of(request)
    return [_object(row) for row in display.views.meters(display.clock())]


@router.get("/api/meters/{address}/latest")
def latest(request: Request, _: Program, address: str) -> dict[str, Any]:
    """Return the newest values of a meter, each with unit, and their age in ms."""
    display = display_of(request)
    meter, _registration = registered(display, address)
    found = display.views.latest(meter, display.clock())
    if found is None:
        raise LookupError(f"meter {meter} has sent no values yet")
    return _reading(found.reading) | {
        "age": found.age,
        "tried_at": found.tried_at,
        "last_quality": _flags(found.quality),
        "received_at": found.received_at,
    }


@router.get("/api/meters/{address}/readings")
def readings(  # noqa: PLR0913, PLR0917  (parameters of a request)
    request: Request,
    _: Program,
    address: str,
    start: At,
    end: At,
    step: Annotated[int, Query(ge=0, description="ms; 0: the readings themselves")] = 0,
    quantity: QuantityName = "ACTIVE_POWER",
) -> dict[str, Any]:
    """Return readings from `start` to before `end`; with a step, a quantity on a regular grid.

    Where a grid has no data there is null. At most 10,000 readings are returned: ask again from
    `next` if it is not null.
    """
    display = display_of(request)
    meter, _registration = registered(display, address)
    if step:
        curve = display.views.load_curve(meter, _quantity(quantity), start, end, step)
        return _object(curve) | {"unit": curve.quantity.unit, "decimals": curve.quantity.decimals}
    found: list[dict[str, Any]] = []
    following = None
    for reading in display.views.readings(meter, start, end):
        if len(found) >= _MOST_READINGS and reading.sampled_at > found[-1]["sampled_at"]:
            following = reading.sampled_at
            break
        found.append(_reading(reading))
    return {"meter": meter, "readings": found, "next": following}


@router.get("/api/links")
def links(request: Request, _: Program) -> list[dict[str, Any]]:
    """Return the link of each client: its session at the gateway, its traffic and refusals."""
    return [_object(link) for link in display_of(request).views.links()]


@router.get("/api/turned-away")
def turned_away(request: Request, _: Program) -> list[dict[str, Any]]:
    """Return whom gateways turned away, the newest first, alike ones together, at most 1000."""
    return [_object(each) for each in display_of(request).views.turned_away(_MOST_ROWS)]


@router.get("/api/alarms")
def alarms(
    request: Request, _: Program, *, active: bool = False, meter: str | None = None
) -> list[dict[str, Any]]:
    """Return alarms, the newest first, at most 1000."""
    display = display_of(request)
    address = registered(display, meter)[0] if meter is not None else None
    found = display.views.alarms(display.clock(), meter=address, active=active, limit=_MOST_ROWS)
    return [_object(alarm) for alarm in found]


@router.get("/api/rejected")
def rejected(
    request: Request, _: Program, after: Annotated[int, Query(ge=0, lt=1 << 63)] = 0
) -> list[dict[str, Any]]:
    """Return refused statements with an id above `after`, the newest first, at most 1000."""
    return [
        _object(row) for row in display_of(request).views.refused(after=after, limit=_MOST_ROWS)
    ]


@router.get("/api/collectors")
def collectors(request: Request, _: Program) -> list[dict[str, Any]]:
    """Return what collectors sent, and say of themselves."""
    found = display_of(request).views.collectors()
    return [_object(each) | {"status": status_of(each.status)} for each in found]


@router.get("/api/export.{form}", response_class=StreamingResponse)
def export(
    request: Request,
    _: Program,
    form: Literal["csv", "parquet"],
    meter: Annotated[str, Query(description="twelve digits")],
    start: At,
    end: At,
) -> StreamingResponse:
    """Return all readings of a meter as a table, row by row as they come from the store."""
    display = display_of(request)
    address, _registration = registered(display, meter)
    if end < start:
        raise UsageError("the end lies before the start")
    found = display.views.readings(address, start, end)
    media = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}[form]
    name = f'attachment; filename="{address}-{start}-{end}.{form}"'
    return StreamingResponse(
        csv_lines(found) if form == "csv" else parquet_chunks(found),
        media_type=media,
        headers={"Content-Disposition": name},
    )


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "meter": reading.meter,
        "epoch": reading.epoch,
        "sequence": reading.sequence,
        "sampled_at": reading.sampled_at,
        "quality": _flags(reading.quality),
        "values": {
            quantity.name: {
                "value": None if steps is None else float(quantity.amount(steps)),
                "unit": quantity.unit,
            }
            for quantity, steps in reading.values.items()
        },
    }


def _quantity(name: str) -> Quantity:
    if name not in Quantity.__members__:
        raise UsageError(f"{name[:40]!r} is no quantity")
    return Quantity[name]


def _flags(quality: Quality) -> list[str]:
    return [str(flag.name) for flag in quality]


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401
    found: dict[str, Any] = _plain(value)
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401, PLR0911
    """Return a dataclass as JSON knows it: bytes in hex, enumerations by name."""
    match value:
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _plain(asdict(value))
        case Quality():
            return _flags(value)
        case Enum():
            return value.name
        case bytes():
            return value.hex()
        case dict():
            return _plain_keys(value)
        case list() | tuple():
            return [_plain(each) for each in value]
    return value


def _plain_keys(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(_plain(key)): _plain(each) for key, each in values.items()}

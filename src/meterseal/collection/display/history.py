"""The pages of one meter's past: load curve, waveforms of the last snapshot, energy by tariff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from meterseal.collection.display.access import Visiting, display_of
from meterseal.collection.display.drawing import bars, curve_chart, stacks, wave_path
from meterseal.collection.display.harmonics import spectra
from meterseal.collection.display.pages import of_meter, registered
from meterseal.collection.display.phasor import PHASES
from meterseal.collection.display.showing import show
from meterseal.collection.model import Quantity
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi.responses import Response

    from meterseal.collection.display.display import Display
    from meterseal.collection.display.harmonics import Spectrum
    from meterseal.collection.model import Snapshot
    from meterseal.collection.station.views import DayEnergy

__all__ = ["router"]

_MINUTE: Final = 60_000
_DAY: Final = 1440 * _MINUTE
RANGES: Final = {
    "hour": 60 * _MINUTE, "6_hours": 360 * _MINUTE, "day": _DAY, "week": 7 * _DAY,
    "month": 30 * _DAY,
}  # fmt: skip
_STEPS: Final = [each * _MINUTE for each in (1, 5, 15, 30, 60, 120, 240, 480, 1440)]
_MOST_STEPS: Final = 720
_LONGEST: Final = 400 * _DAY
CURVES: Final = tuple(
    quantity.name
    for quantity in Quantity
    if "ANGLE" not in quantity.name and "ENERGY" not in quantity.name
)
TARIFFS: Final = ("SHARP", "PEAK", "FLAT", "VALLEY")
_ENERGY_DAYS: Final = 14
_CYCLES: Final = 2
_MOST_SPECTRA: Final = 100
THD_LIMIT: Final = 5.0
"""% of the fundamental voltage at 380 V (GB/T 14549-1993, table 1)."""
_LEAST_AXIS: Final = {"U": 5.0, "I": 10.0}

router = APIRouter(include_in_schema=False)
Time = Annotated[int | None, Query(ge=0, le=253_402_300_799_000)]


@router.get("/meters/{address}/load")
def load(  # noqa: PLR0913, PLR0917  (parameters of a request)
    request: Request,
    _: Visiting,
    address: str,
    quantity: str = "ACTIVE_POWER",
    span: str = "day",
    start: Time = None,
    end: Time = None,
) -> Response:
    """Show a quantity over a time that was chosen, or up to now."""
    display = display_of(request)
    meter, registration = registered(display, address)
    if quantity not in CURVES or span not in RANGES:
        raise UsageError("there is no such curve")
    if start is None or end is None:
        end = display.clock()
        start = end - RANGES[span]
        span_shown = span
    else:
        span_shown = ""
    if not _MINUTE <= end - start <= _LONGEST:
        raise UsageError("a load curve is of one minute to 400 days")
    step = step_of(end - start, registration.interval * 1000)
    curve = display.views.load_curve(meter, Quantity[quantity], start, end, step)
    return show(
        request,
        "load.html",
        **of_meter(display, meter),
        chart=curve_chart(curve, display.store.day_offset),
        curve=curve,
        start=start,
        end=end,
        span=span_shown,
        ranges=RANGES,
        curves=CURVES,
        quantity=Quantity[quantity],
        coverage=sum(map(bool, curve.count)) / max(len(curve.count), 1),
    )


def step_of(length: int, interval: int) -> int:
    """Return the finest step that neither crowds the drawing nor makes gaps between readings."""
    fitting = [each for each in _STEPS if each >= interval and length / each <= _MOST_STEPS]
    return fitting[0] if fitting else _STEPS[-1]


@router.get("/meters/{address}/waveform")
def waveform(request: Request, _: Visiting, address: str) -> Response:
    """Show two cycles of the last snapshot, and its harmonics."""
    display = display_of(request)
    meter, registration = registered(display, address)
    snapshot = display.views.snapshot(meter)
    found = _spectra(display, snapshot) if snapshot is not None else {}
    sides = [_side(kind, snapshot, found) for kind in "UI"] if snapshot is not None else []
    return show(
        request,
        "waveform.html",
        **of_meter(display, meter),
        snapshot=snapshot,
        seals_itself=registration.seals_itself,
        spectra=found,
        sides=sides,
        limit=THD_LIMIT,
    )


def _spectra(display: Display, snapshot: Snapshot) -> Mapping[str, Spectrum]:
    """Fit a snapshot once, however often its page is renewed."""
    name = (snapshot.meter, snapshot.epoch, snapshot.sequence)
    found = display.spectra.get(name)
    if found is None:
        found = spectra(snapshot)
        if len(display.spectra) >= _MOST_SPECTRA:
            display.spectra.clear()
        display.spectra[name] = found
    return found


@dataclass(frozen=True, slots=True)
class _Side:
    """Voltages or currents: two cycles as paths by phase, the value at their edge, and bars."""

    kind: str
    waves: dict[str, str]
    edge: float
    bars: Any
    labels: list[tuple[str, int, float]]


def _side(kind: str, snapshot: Snapshot, found: Any) -> _Side:  # noqa: ANN401
    channels = {
        phase: snapshot.channels[f"{kind}_{phase}"]
        for phase in PHASES
        if f"{kind}_{phase}" in snapshot.channels
    }
    shown: dict[str, Spectrum] = {
        phase: found[f"{kind}_{phase}"] for phase in PHASES if f"{kind}_{phase}" in found
    }
    frequency = next((each.frequency for each in shown.values()), 50.0)
    count = round(_CYCLES * snapshot.rate / frequency)
    most = max((abs(value) for each in channels.values() for value in each[:count]), default=1)
    scale = snapshot.voltage_scale if kind == "U" else snapshot.current_scale
    orders = max((len(each.shares) for each in shown.values()), default=0)
    labels = [
        (phase, order + 2, each.shares[order] if order < len(each.shares) else 0.0)
        for order in range(orders)
        for phase, each in shown.items()
    ]
    return _Side(
        kind,
        {phase: wave_path(each[:count], 1.05 * most) for phase, each in channels.items()},
        float(scale) * most,
        bars([share for _, _, share in labels], _LEAST_AXIS[kind]),
        labels,
    )


@router.get("/meters/{address}/energy")
def energy(request: Request, _: Visiting, address: str) -> Response:
    """Show the registers, and what they gained day by day."""
    display = display_of(request)
    meter, _registration = registered(display, address)
    now = display.clock()
    latest = display.views.latest(meter, now)
    days = _since_known(display.views.energy(meter, now - (_ENERGY_DAYS - 1) * _DAY, now))
    registers = [
        (quantity, quantity.amount(steps))
        for quantity, steps in (latest.reading.values.items() if latest else ())
        if steps is not None and ("ENERGY" in quantity.name or "DEMAND" in quantity.name)
    ]
    return show(
        request,
        "energy.html",
        **of_meter(display, meter),
        latest=latest,
        registers=sorted(registers, key=lambda each: each[0].code),
        days=days,
        tariffs=TARIFFS,
        chart=stacks([_parts(day) for day in days]),
        start=days[0].start,
        quantities=Quantity.__members__,
    )


def _since_known(days: list[DayEnergy]) -> list[DayEnergy]:
    """Leave out days before the first that is known; today stays."""
    known = (n for n, day in enumerate(days) if any(v is not None for v in day.register.values()))
    return days[next(known, len(days) - 1) :]


def _parts(day: DayEnergy) -> list[float]:
    """What a day's bar is made of, in kWh: its tariffs, and what no tariff accounts for."""

    def gained(name: str) -> float:
        steps = day.gained[Quantity[name]]
        return 0.0 if steps is None else float(Quantity[name].amount(steps))

    tariffs = [gained(f"FORWARD_ENERGY_{tariff}") for tariff in TARIFFS]
    return [*tariffs, max(gained("FORWARD_ENERGY") - sum(tariffs), 0.0)]

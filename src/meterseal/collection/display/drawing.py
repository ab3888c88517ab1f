"""Geometry of the drawings: values become points, paths and ticks. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.collection.station.views import LoadCurve

__all__ = [
    "Bars",
    "Chart",
    "Stacks",
    "Tick",
    "bars",
    "curve_chart",
    "spark_path",
    "stacks",
    "wave_path",
]

LEFT, RIGHT, TOP, BOTTOM = 64, 930, 12, 296
"""Edges of a drawing that is 960 wide and 330 high."""
_MOST_TICKS: Final = 6
_MINUTE: Final = 60_000
_TIME_STEPS: Final = [
    each * _MINUTE for each in (5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 14400)
]
_DAY: Final = 1440 * _MINUTE
_TIME_TICKS: Final = 9


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what stands there."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A load curve: `bands` and `lines` are paths, `points` lone steps, `data` for the script."""

    bands: list[str]
    lines: list[str]
    points: list[tuple[float, float]]
    across: list[Tick]
    up: list[Tick]
    data: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars as (x, y, width, height), ticks of the upward axis, and the height of `least`."""

    bars: list[tuple[float, float, float, float]]
    up: list[Tick]
    line: float


@dataclass(frozen=True, slots=True)
class Stacks:
    """Pieces as (part, x, y, width, height), the middle of each column, and ticks upward."""

    pieces: list[tuple[int, float, float, float, float]]
    middles: list[float]
    up: list[Tick]


def curve_chart(curve: LoadCurve, offset: int) -> Chart:
    """Draw a load curve; what is not there stays a gap. `offset` is that of the station's zone."""
    decimals = curve.quantity.decimals

    def number(steps: float | None) -> float | None:
        return None if steps is None else round(steps / 10**decimals, decimals + 1)

    mean = [number(each) for each in curve.mean]
    low, high = [number(each) for each in curve.low], [number(each) for each in curve.high]
    up, (bottom, top) = _scale([each for each in (*low, *high) if each is not None])
    width = (RIGHT - LEFT) / max(len(mean), 1)

    def point(index: int, value: float | None) -> tuple[float, float]:
        share = ((value or 0) - bottom) / (top - bottom)
        return round(LEFT + (index + 0.5) * width, 1), round(BOTTOM - share * (BOTTOM - TOP), 1)

    runs = _runs(mean)
    bands = [
        _path([
            *(point(each, high[each]) for each in run),
            *(point(each, low[each]) for each in reversed(run)),
        ]) + "Z"
        for run in runs
        if len(run) > 1
    ]  # fmt: skip
    lines = [_path([point(each, mean[each]) for each in run]) for run in runs if len(run) > 1]
    points = [point(run[0], mean[run[0]]) for run in runs if len(run) == 1]
    across = _times(curve.start, curve.start + len(mean) * curve.step, offset)
    data = {
        "start": curve.start, "step": curve.step, "offset": offset, "left": LEFT, "right": RIGHT,
        "unit": curve.quantity.unit, "mean": mean, "low": low, "high": high,
    }  # fmt: skip
    return Chart(bands, lines, points, across, up, json.dumps(data))


def bars(values: Sequence[float], least: float = 0.0) -> Bars:
    """Draw values from 0 as bars side by side; the axis reaches to `least` at least."""
    up, (_, top) = _scale([0.0, least, *values])
    width = (RIGHT - LEFT) / max(len(values), 1)
    found = []
    for index, value in enumerate(values):
        height = (BOTTOM - TOP) * max(value, 0) / top
        left = LEFT + (index + 0.15) * width
        found.append((round(left, 1), round(BOTTOM - height, 1), round(0.7 * width, 1),
                      round(height, 1)))  # fmt: skip
    return Bars(found, up, round(BOTTOM - (BOTTOM - TOP) * least / top, 1))


def stacks(columns: Sequence[Sequence[float]]) -> Stacks:
    """Draw columns of values that stand on each other; those that are 0 leave no trace."""
    up, (_, top) = _scale([0.0, *(sum(column) for column in columns)])
    width = (RIGHT - LEFT) / max(len(columns), 1)
    found: list[tuple[int, float, float, float, float]] = []
    for index, column in enumerate(columns):
        edge = float(BOTTOM)
        for part, value in enumerate(column):
            height = (BOTTOM - TOP) * value / top
            edge -= height
            if value > 0:
                left = LEFT + (index + 0.15) * width
                found.append((part, round(left, 1), round(edge, 1), round(0.7 * width, 1),
                              round(height, 1)))  # fmt: skip
    middles = [round(LEFT + (index + 0.5) * width, 1) for index in range(len(columns))]
    return Stacks(found, middles, up)


def wave_path(samples: Sequence[int], most: float) -> str:
    """Draw samples around the middle of a drawing; `most` reaches its edge."""
    middle, reach = (TOP + BOTTOM) / 2, (BOTTOM - TOP) / 2
    width = (RIGHT - LEFT) / max(len(samples) - 1, 1)
    return _path([
        (round(LEFT + index * width, 1), round(middle - reach * value / (most or 1), 1))
        for index, value in enumerate(samples)
    ])  # fmt: skip


def spark_path(values: Sequence[float | None]) -> str:
    """Draw a small line, 120 by 24, from 0 (or the lowest below it) up; gaps stay open."""
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    reach, width = high - low or 1, 120 / max(len(values) - 1, 1)
    return "".join(
        _path([
            (round(width * index, 1), round(24 - 24 * ((values[index] or 0.0) - low) / reach, 1))
            for index in run
        ])
        for run in _runs(values)
    )  # fmt: skip


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _runs(values: Sequence[float | None]) -> list[list[int]]:
    """Return the stretches without a gap."""
    runs: list[list[int]] = []
    for index, value in enumerate(values):
        if value is None:
            continue
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _scale(values: Sequence[float]) -> tuple[list[Tick], tuple[float, float]]:
    """Return ticks at round numbers, and the ends of an axis that holds all values."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9 * max(abs(high), 1.0):
        low, high = low - (abs(low) * 0.05 or 0.5), high + (abs(high) * 0.05 or 0.5)
    rough = (high - low) / (_MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    span = (last - first) * step
    ticks = [
        Tick(
            round(BOTTOM - (BOTTOM - TOP) * (number - first) * step / span, 1),
            f"{round(number * step, 9):.10g}",
        )
        for number in range(first, last + 1)
    ]
    return ticks, (first * step, last * step)


def _times(start: int, end: int, offset: int) -> list[Tick]:
    """Return ticks at round times of the station's zone."""
    length = end - start
    if length <= 0:
        return []
    step = next((each for each in _TIME_STEPS if length / each <= _TIME_TICKS), _TIME_STEPS[-1])
    first = -(-(start + offset) // step) * step - offset
    return [
        Tick(
            round(LEFT + (RIGHT - LEFT) * (at - start) / length, 1),
            datetime.fromtimestamp((at + offset) / 1000, UTC).strftime(
                "%m-%d" if (at + offset) % _DAY == 0 else "%H:%M"
            ),
        )
        for at in range(first, end + 1, step)
    ]

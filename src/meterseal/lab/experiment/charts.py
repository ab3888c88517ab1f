"""The pictures of the time comparison, as SVG without anything from outside."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from meterseal.lab.experiment.compare import SIZE_NAMES, SIZES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from meterseal.lab.experiment.compare import Measured
    from meterseal.lab.experiment.handshakes import Handshake
    from meterseal.lab.experiment.steps import Step
    from meterseal.lab.experiment.timing import Spread

__all__ = ["draw_handshakes", "draw_operations", "draw_protection", "draw_steps"]

_COLOURS = ("#0b6e4f", "#c8793a", "#d9b38c", "#7a5195", "#4a7fb0")
_BETTER, _WORSE, _LEFT = "#0b6e4f", "#b23a48", "#9aa5a8"
_OPERATIONS = ("sign", "verify", "authenticate", "agree")
_MICRO, _MILLI = 1e6, 1e3
_ROOM = 0.06  # of the height: what a figure below a bar needs
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
}


def draw_operations(measured: Sequence[Measured]) -> str:
    """Bars for each operation and scheme, on a logarithmic scale, with quartiles."""
    schemes = _schemes(measured)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 5.2))
        axes = figure.subplots()
        height = 0.8 / len(schemes)
        for place, scheme in enumerate(schemes):
            times = [_time(measured, scheme, operation, None) for operation in _OPERATIONS]
            rows = [row + place * height for row in range(len(_OPERATIONS))]
            _bars(axes, rows, times, _Bar(0.92 * height, _COLOURS[place], scheme, _MICRO))
        axes.set_yticks([row + 0.4 - height / 2 for row in range(len(_OPERATIONS))], _OPERATIONS)
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlabel("microseconds of CPU, median; whiskers: quartiles; logarithmic")
        axes.grid(axis="x", alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return _svg(figure)


def draw_protection(measured: Sequence[Measured]) -> str:
    """Time against size, both logarithmic, a line for each scheme."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 4.6))
        axes = figure.subplots()
        for place, scheme in enumerate(_schemes(measured)):
            points = [one for one in measured if one.scheme == scheme and one.size is not None]
            axes.errorbar(
                [one.size or 0 for one in points],
                [one.time.median * _MICRO for one in points],
                yerr=_whiskers([one.time for one in points], _MICRO),
                color=_COLOURS[place],
                marker="o",
                markersize=4,
                capsize=2,
                label=scheme,
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(SIZES, [SIZE_NAMES[size] for size in SIZES])
        axes.set_xlabel("data that is sealed by one end and opened by the other")
        axes.set_ylabel("microseconds of CPU, median")
        axes.grid(alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return _svg(figure)


def draw_handshakes(measured: Sequence[Handshake]) -> str:
    """Bars for each kind of handshake: time on the wall, and CPU of both ends."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 5.4))
        groups = [[one for one in measured if one.is_protocol == kind] for kind in (False, True)]
        upper, lower = figure.subplots(2, height_ratios=[len(group) for group in groups])
        for axes, group, title in (
            (upper, groups[0], "the schemes in one plain protocol"),
            (lower, groups[1], "protocols as they are used"),
        ):
            rows = list(range(len(group)))
            wall = _Bar(0.38, _COLOURS[0], "clock on the wall", _MILLI)
            work = _Bar(0.38, _COLOURS[4], "CPU of both ends", _MILLI)
            _bars(axes, [row - 0.2 for row in rows], [one.wall for one in group], wall)
            _bars(axes, [row + 0.2 for row in rows], [one.work for one in group], work)
            axes.set_yticks(rows, [one.name for one in group])
            axes.invert_yaxis()
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
            axes.grid(axis="x", alpha=0.3)
        lower.set_xlabel("milliseconds, median; whiskers: quartiles; logarithmic")
        handles, labels = upper.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
        return _svg(figure)


def draw_steps(steps: Sequence[Step]) -> str:
    """A waterfall: what is left after each step, in figures, and what the step took or cost."""
    times = [step.time.median * _MICRO for step in steps]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 3.9))
        axes = figure.subplots()
        for place, now in enumerate(times):
            before = times[place - 1] if place else 0.0
            colour = _LEFT if not place else _BETTER if now < before else _WORSE
            axes.bar(place, abs(now - before), bottom=min(now, before), color=colour, width=0.6)
            below = place and _ROOM * max(times) < now < before  # beside the level it reached
            axes.annotate(
                f"{now:.1f} µs",
                (place, now if below else max(now, before)),
                (0, -3 if below else 3),
                textcoords="offset points",
                ha="center",
                va="top" if below else "bottom",
            )
            if place + 1 < len(times):
                axes.plot([place - 0.3, place + 1.3], [now, now], color="#555555", linewidth=0.7)
        axes.set_xticks(range(len(steps)), [_broken(step.name) for step in steps])
        axes.set_ylim(0, max(times) * 1.15)
        axes.set_ylabel("microseconds of CPU, median")
        axes.grid(axis="y", alpha=0.3)
        return _svg(figure)


class _Bar(NamedTuple):
    """What the bars of one colour have in common."""

    height: float
    colour: str
    label: str
    unit: float


def _bars(axes: Axes, rows: list[float], times: Sequence[Spread], bar: _Bar) -> None:
    axes.barh(
        rows,
        [time.median * bar.unit for time in times],
        height=bar.height,
        xerr=_whiskers(times, bar.unit),
        color=bar.colour,
        label=bar.label,
        ecolor="#333333",
    )
    for row, time in zip(rows, times, strict=True):
        edge, median = time.high * bar.unit * 1.06, time.median * bar.unit
        axes.text(edge, row, f"{median:.1f}", va="center", fontsize=7)


def _whiskers(times: Sequence[Spread], unit: float) -> list[list[float]]:
    return [
        [(time.median - time.low) * unit for time in times],
        [(time.high - time.median) * unit for time in times],
    ]


def _schemes(measured: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(one.scheme for one in measured))


def _time(measured: Sequence[Measured], scheme: str, operation: str, size: int | None) -> Spread:
    wanted = (scheme, operation, size)
    return next(one.time for one in measured if (one.scheme, one.operation, one.size) == wanted)


def _broken(name: str) -> str:
    """Two lines for a long name."""
    words = name.replace("+ ", "+\N{NO-BREAK SPACE}").split(" ")
    half = (len(words) + 1) // 2
    return " ".join(words[:half]) + "\n" + " ".join(words[half:])


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :]

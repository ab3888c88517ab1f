"""Write what connections.py and pipeline.py measured as a page of the documentation, with a chart.

Whatever stands in their JSON is shown: rows and figures that are new there need nothing here.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from contestants.chart import OTHERS, OURS
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

    Row = dict[str, Any]

HEAD = """# Connections and the way of a reading

Written by `make bench`: `benchmarks/page.py` makes this page of what `benchmarks/connections.py`
and `benchmarks/pipeline.py` measured. Absolute times are those of one machine and of what else it
did; ratios of one run hold better. What they mean stands in [performance](performance.md).

![Microseconds of CPU of both ends for a handshake, by stack](../img/connections.svg)
"""
PIPELINE = """## The way of a reading

Collector, gateway, broker and station as processes of their own; *open* and *neither* are the same
without sealed links and without signatures as well.
"""
UNITS = {
    "client_us": "client, µs",
    "server_us": "server, µs",
    "ours_client": "ours to it, client",
    "ours_server": "server",
    "ours": "ours to it",
    "seal_of_gcm": "seal, of bare GCM",
    "open_of_gcm": "open, of bare GCM",
    "seal_mb_s": "seal, MB/s",
    "open_mb_s": "open, MB/s",
    "send_mb_s": "send, MB/s",
    "receive_mb_s": "receive, MB/s",
    "kibibytes": "KiB",
    "rate": "readings/s",
    "p50": "p50, ms",
    "p99": "p99, ms",
}
"""Headings of columns; a figure that is not named here stands under its own name."""
_NAMES = ("what", "row", "stack")
_WHOLE = 100  # from here on without decimals


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], texts: int) -> str:
    """A table whose first columns are texts and whose others are figures."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * texts + "---:|" * (len(heads) - texts)]
    lines += [f"| {' | '.join(map(shown, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    return f"{number:,.0f}" if abs(number) >= _WHOLE else f"{number:.2f}"


# --- connections -----------------------------------------------------------------------------


def connections(report: dict[str, Any]) -> str:
    parts = [about(report["machine"])]
    for what, rows in grouped(report["results"]).items():
        figures = list(dict.fromkeys(name for row in rows for name in row if name not in _NAMES))
        heads = ["", "stack", *(UNITS.get(name, name.replace("_", " ")) for name in figures)]
        body = [[row["row"], row["stack"], *map(row.get, figures)] for row in rows]
        parts.append(f"## {what[:1].upper()}{what[1:]}\n\n{table(heads, body, texts=2)}")
    return "\n".join(parts)


def about(machine: dict[str, Any]) -> str:
    parts = [f"{name} {value}" for name, value in machine.items()]
    return f"This run: {', '.join(parts)}; load {os.getloadavg()[1]:.0f} at its end.\n"


def grouped(results: Iterable[Row]) -> dict[str, list[Row]]:
    """What was measured, in the order in which it was."""
    groups: dict[str, list[Row]] = {}
    for row in results:
        groups.setdefault(row["what"], []).append(row)
    return groups


# --- the way of a reading --------------------------------------------------------------------


def pipeline(report: dict[str, Any]) -> str:
    parts = [PIPELINE]
    if runs := report.get("flow"):
        figures = ("rate", "p50", "p99")
        roles = list(dict.fromkeys(role for run in runs.values() for role in run["cpu"]))
        heads = ["", *(UNITS[name] for name in figures), *(f"{role}, µs" for role in roles)]
        body = [
            [way, *(run[name] for name in figures), *map(run["cpu"].get, roles)]
            for way, run in runs.items()
        ]
        parts.append(table(heads, body, texts=1))
    if run := report.get("steady"):
        asked, half, most = report["arguments"]["steady"], run["p50"], run["p99"]
        parts.append(f"At {asked:g} readings/s p50 is {half:.0f} ms, p99 {most:.0f} ms.\n")
    if rate := report.get("drain"):
        parts.append(f"A backlog drains at {rate:,.0f} readings a second.\n")
    if run := report.get("crowd"):
        meters = report["arguments"]["crowd"]
        parts.append(f"{meters:,} meters, each asked once a minute, {run['rate']:.0f} a second:\n")
        body = [[role, memory, run["cpu"].get(role)] for role, memory in run["memory"].items()]
        parts.append(table(["process", "MiB", "% of a core"], body, texts=1))
    return "\n".join(parts)


# --- the chart -------------------------------------------------------------------------------


def draw(results: Iterable[Row], path: Path) -> None:
    """For each kind of handshake, bars of the CPU that both ends took."""
    mpl.use("Agg")
    mpl.rcParams |= {"svg.hashsalt": "meterseal", "svg.fonttype": "none"}
    kinds = {what: rows for what, rows in grouped(results).items() if "client_us" in rows[0]}
    longest = max(map(len, kinds.values()))
    figure, places = plt.subplots(
        1, len(kinds), figsize=(12, 1 + 0.22 * longest), squeeze=False, sharey=False
    )
    for (what, rows), place in zip(kinds.items(), places.flat, strict=True):
        bars(place, what, rows[::-1])
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def bars(place: Axes, what: str, rows: Sequence[Row]) -> None:
    both = [row["client_us"] + row["server_us"] for row in rows]
    colours = [OURS if row["stack"].startswith("meterseal") else OTHERS for row in rows]
    at = range(len(rows))
    place.barh(at, both, color=colours)
    place.set_yticks(at, [f"{row['row']}: {row['stack']}" for row in rows], fontsize=6)
    for y, value in zip(at, both, strict=True):
        place.text(value, y, f" {value:,.0f}", va="center", fontsize=6)
    place.set_title(f"{what}, µs of CPU of both ends", fontsize=9, loc="left")
    place.set_xlim(0, max(both) * 1.15)
    place.tick_params(axis="x", labelsize=7)
    place.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("connections", type=Path, help="what connections.py --json wrote")
    parser.add_argument("pipeline", type=Path, help="what pipeline.py --json wrote")
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--chart", type=Path, required=True)
    arguments = parser.parse_args()
    measured = json.loads(arguments.connections.read_text(encoding="utf-8"))
    way = json.loads(arguments.pipeline.read_text(encoding="utf-8"))
    page = "\n".join((HEAD, connections(measured), pipeline(way)))
    arguments.page.write_text(page, encoding="utf-8")
    draw(measured["results"], arguments.chart)


if __name__ == "__main__":
    main()

"""The figures as a page of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from primitives import Work

HEAD = """# SM2, SM3 and SM4 beside others

Written by `python benchmarks/primitives.py --rounds {rounds} --page PATH --chart PATH`, which
`make bench` runs too. Figures move from machine to machine, their ratios in one run hold. This run:
{machine}; one core, medians of {rounds} rounds in which all took turns, by CPU time. *meterseal* is
called from Python, *meterseal core* from Rust on each back-end that the processor has; the last
column is the speed of *meterseal* divided by that of the line, the median of such ratios within a
round. GmSSL is the one that the package `easy_gmssl` builds; newer ones are much faster at SM2.

![bars for each work](../img/speed.svg)
"""


def write(works: Sequence[Work], report: dict[str, Any], path: Path) -> None:
    """Write the page."""
    parts = [HEAD.format(**report)]
    if report["missing"]:
        parts.append("Not here: " + "; ".join(report["missing"]) + ".\n")
    for work in works:
        figures = report["results"][work.name]
        parts.append(_table(work, figures))
    path.write_text("\n".join(parts), encoding="utf-8")


def _table(work: Work, figures: dict[str, dict[str, float]]) -> str:
    lines = [f"## {work.title}\n", f"| | {work.unit} | ours to it |", "|---|---:|---:|"]
    for name, figure in sorted(figures.items(), key=lambda item: -item[1]["median"]):
        lines.append(f"| {name} | {figure['median']:,.0f} | {figure['ours_to_it']:.2f} |")
    return "\n".join(lines) + "\n"

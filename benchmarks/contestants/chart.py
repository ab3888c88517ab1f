"""A picture of the figures: for each work a bar for each contestant, longest first.

What nobody else does is not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from primitives import Work

OURS, OTHERS, WESTERN = "#00796b", "#b0bec5", "#d7ccc8"


def draw(works: Sequence[Work], report: dict[str, Any], path: Path) -> None:
    """Write the picture; the suffix of `path` says in which form."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "meterseal"
    mpl.rcParams["svg.fonttype"] = "none"
    results = report["results"]
    works = [work for work in works if any(not _is_ours(name) for name in results[work.name])]
    columns = 2
    rows = -(-len(works) // columns)
    figure, places = plt.subplots(rows, columns, figsize=(12, 1.9 * rows), squeeze=False)
    for place in places.flat:
        place.axis("off")
    for work, place in zip(works, places.flat, strict=False):
        place.axis("on")
        _bars(place, work, results[work.name])
    figure.suptitle(f"{report['machine'].partition(', load')[0]}; one core", fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _bars(place: Any, work: Work, figures: dict[str, dict[str, float]]) -> None:  # noqa: ANN401  (matplotlib's Axes)
    ranked = sorted(figures.items(), key=lambda item: item[1]["median"])
    names = [name.partition(" in cryptography")[0] for name, _ in ranked]
    medians = [figure["median"] for _, figure in ranked]
    place.barh(names, medians, color=[_colour(name) for name in names])
    for at, median in enumerate(medians):
        place.text(median, at, f" {median:,.0f}", va="center", fontsize=7)
    place.set_title(f"{work.title}, {work.unit}", fontsize=9, loc="left")
    place.tick_params(labelsize=7)
    place.set_xlim(0, max(medians) * 1.15)
    place.spines[["top", "right"]].set_visible(False)


def _is_ours(name: str) -> bool:
    return name.startswith("meterseal")


def _colour(name: str) -> str:
    if _is_ours(name):
        return OURS
    return WESTERN if name.startswith("P-256") else OTHERS

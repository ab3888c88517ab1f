"""Vectors of C2SP/wycheproof that lie beside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLACES = [ROOT / "../shared/vectors", ROOT / "../../shared/vectors"]


def load_wycheproof(name: str) -> list[Any]:
    """Cases of a file as test parameters; one skipped case where the file is absent."""
    for place in PLACES:
        if (place / name).is_file():
            groups = json.loads((place / name).read_text())["testGroups"]
            return [
                pytest.param(group, case, id=str(case["tcId"]))
                for group in groups
                for case in group["tests"]
            ]
    reason = f"{name} of C2SP/wycheproof is not in ../shared/vectors"
    return [pytest.param({}, {}, marks=pytest.mark.skip(reason=reason), id="absent")]

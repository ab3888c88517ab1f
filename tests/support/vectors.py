"""The vector files in tests/vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent.parent / "vectors"


def load_vectors(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((VECTORS / name).read_text())

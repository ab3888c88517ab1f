"""The page of connections and pipeline shows whatever was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HANDSHAKE = {"what": "full handshake", "row": "a suite", "client_us": 100.0, "server_us": 234.5}
CONNECTIONS = {
    "machine": {"cpu": "a machine"},
    "results": [
        HANDSHAKE | {"stack": "meterseal"},
        HANDSHAKE | {"stack": "another", "ours": 0.5},
        {"what": "something new", "row": "a suite", "stack": "meterseal", "new_figure": 7.25},
    ],
}
FLOW = {"rate": 1234.5, "p50": 12.0, "p99": 99.0, "cpu": {"station": 150.0}}
PIPELINE = {"arguments": {"steady": 500}, "flow": {"signed, sealed": FLOW}, "steady": FLOW}


def test_the_page_shows_what_was_measured_and_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(CONNECTIONS))
    (tmp_path / "p.json").write_text(json.dumps(PIPELINE))
    files = [tmp_path / name for name in ("c.json", "p.json")]
    page, chart = tmp_path / "page.md", tmp_path / "chart.svg"
    subprocess.run(
        [sys.executable, ROOT / "benchmarks/page.py", *files, "--page", page, "--chart", chart],
        check=True,
        cwd=tmp_path,
    )
    text = page.read_text()
    assert "| a suite | meterseal | 100 | 234 |  |" in text
    assert "| a suite | another | 100 | 234 | 0.50 |" in text
    assert "| a suite | meterseal | 7.25 |" in text
    assert "| signed, sealed | 1,234 | 12.00 | 99.00 | 150 |" in text
    assert "At 500 readings/s p50 is 12 ms" in text
    assert "<svg" in chart.read_text()

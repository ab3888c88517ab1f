"""BoringSSL's test runner judges our engine, through the families for tests.

The runner is at hand where METERSEAL_BOGO_RUNNER names the folder `ssl/test/runner` of a checkout,
with the runner built in it (docs/guide/outside-suites.md). `bogo/config.json` has the cases that we
do not run, each pattern with its reason, and which of our errors answers which of BoringSSL's. A
case that sets a flag we do not follow counts as unimplemented; `bogo/options.py` has the reasons.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BOGO = Path(__file__).parent / "bogo"
LEAST_CASES = 2000
MOST_PATTERNS = 150
MOST_SECONDS = 3600
WORKERS = "8"  # they mostly wait for each other


def runner_folder() -> Path:
    """Where the runner was built; skips with the reason if it is not at hand."""
    named = os.environ.get("METERSEAL_BOGO_RUNNER")
    if not named:
        pytest.skip("METERSEAL_BOGO_RUNNER does not name the folder of BoringSSL's test runner")
    if not (Path(named) / "runner.test").exists():
        pytest.skip(f"{named} holds no runner.test: run `go test -c` there")
    return Path(named)


@contextmanager
def running_zygote(folder: Path) -> Iterator[Path]:
    """The process that serves the cases; gives the program that the runner is to start."""
    path, log = folder / "zygote", folder / "unimplemented"
    command = [sys.executable, BOGO / "zygote.py", path, log]
    shim = folder / "shim"
    python = Path(sys.executable).resolve()
    shim.write_text(f'#!/bin/sh\nexec {python} -I -S {BOGO / "launcher.py"} {path} "$@"\n')
    shim.chmod(0o755)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as zygote:
        try:
            assert zygote.stdout is not None
            assert zygote.stdout.readline() == "ready\n"
            yield shim
        finally:
            zygote.terminate()


@pytest.mark.slow
def test_every_case_that_is_not_excluded_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runner_folder()
    results, told = tmp_path / "results.json", tmp_path / "told"
    with running_zygote(tmp_path) as shim, told.open("w") as output:
        subprocess.run(
            [
                folder / "runner.test", "-pipe", "-allow-unimplemented", "-num-workers", WORKERS,
                "-shim-path", shim, "-shim-config", BOGO / "config.json", "-json-output", results,
            ],
            cwd=folder, stdout=output, stderr=subprocess.STDOUT, timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
    outcomes = Counter(case["actual"] for case in json.loads(results.read_text())["tests"].values())
    reasons = Counter((tmp_path / "unimplemented").read_text().splitlines())
    with capsys.disabled():
        lines = [f"{count:5} {reason}" for reason, count in reasons.most_common()]
        lines.insert(0, f"\nBoGo: {outcomes['PASS']} passed, {outcomes['FAIL']} failed")
        sys.stdout.write("\n".join(lines) + "\n")
    assert not outcomes["FAIL"], told.read_text()
    assert outcomes["PASS"] >= LEAST_CASES


def test_every_exclusion_has_its_reason_and_there_are_not_too_many() -> None:
    excluded = json.loads((BOGO / "config.json").read_text())["DisabledTests"]
    assert len(excluded) <= MOST_PATTERNS
    assert all(len(reason.split()) > 2 for reason in excluded.values())

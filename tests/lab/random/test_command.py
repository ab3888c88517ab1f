"""`meterseal lab random`."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

import meterseal.lab
from meterseal.errors import UsageError
from support.pages import run

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "meterseal lab random --bits 20000 --samples 5 --workers 1 "


def test_measures_a_file(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(5 * 2500))
    code, out, err = run(COMMAND + "--file zeros", tmp_path)
    assert (code, err) == (1, "")
    assert "BAD" in out.decode()
    assert "0/12 tests passed" in out.decode()


def test_measures_a_command(tmp_path: Path) -> None:
    writes = f"{sys.executable} -c \"import os; os.write(1, b'ab' * 9999)\""
    code, out, err = run(COMMAND + f"--json --command {shlex.quote(writes)}", tmp_path)
    assert code == 1, err
    report = json.loads(out)
    assert report["samples"] == 5
    assert "poker" in report["failed"]


def test_takes_one_source(tmp_path: Path) -> None:
    code, _, err = run(COMMAND + "--file zeros --generator ours", tmp_path)
    assert code == 2
    assert "give one of" in err


def test_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meterseal.lab, "find_spec", lambda name: None if name == "scipy" else name)
    with pytest.raises(UsageError, match=r"not installed: scipy; pip install 'meterseal\[lab\]'"):
        meterseal.lab.require_packages()

"""Scripts of tlsfuzzer, which come as clients, judge our server through the families for tests.

They are at hand where METERSEAL_TLSFUZZER names a checkout and METERSEAL_TLSFUZZER_PYTHON a Python
that has its requirements (docs/guide/outside-suites.md). `tlsfuzzer/scripts.json` names the scripts
and the conversations that may go otherwise, by a pattern of their name with the reason.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from peers.tlsfuzzer.server import configuration, serving

SCRIPTS = json.loads((Path(__file__).parent / "tlsfuzzer" / "scripts.json").read_text())
ARGUMENTS = {
    "TLS 1.3": [],
    "TLS 1.2": ["-C", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
    "TLS 1.2, CBC": ["-C", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"],
    "TLS 1.2, -d": ["-d"],
    "TLS 1.2, --extra-exts": ["--extra-exts"],
    "TLS 1.2, -d --tls-1.3": ["-d", "--tls-1.3"],
    "TLS 1.2, no option": [],
}
MOST_CONVERSATIONS = "40"
MOST_SECONDS = 900
COUNT = re.compile(r"^(TOTAL|PASS|FAIL): (\d+)$", re.MULTILINE)
FAILED = re.compile(r"^\t['\"](.*)['\"]$", re.MULTILINE)


@cache
def checkout() -> Path:
    named = os.environ.get("METERSEAL_TLSFUZZER")
    if not named:
        pytest.skip("METERSEAL_TLSFUZZER does not name a checkout of tlsfuzzer")
    return Path(named)


def run(script: str, arguments: list[str], port: int) -> str:
    """What a script says of its conversations with our server."""
    python = os.environ.get("METERSEAL_TLSFUZZER_PYTHON", sys.executable)
    command = [python, checkout() / "scripts" / f"{script}.py", "-p", str(port)]
    done = subprocess.run(
        [*command, "-n", MOST_CONVERSATIONS, *arguments],
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "script"), [(version, script) for version in SCRIPTS for script in SCRIPTS[version]]
)
def test_every_conversation_that_is_not_excluded_ends_as_it_should(
    version: str, script: str
) -> None:
    checkout()
    with serving(configuration()) as port:
        told = run(script, ARGUMENTS[version], port)
    counts = {name: int(number) for name, number in COUNT.findall(told)}
    assert counts.get("PASS"), told
    excluded = SCRIPTS[version][script]
    failed = FAILED.findall(told)
    assert bool(failed) == bool(counts["FAIL"]), told
    wrong = [name for name in failed if not any(re.search(part, name) for part in excluded)]
    assert not wrong, told


def test_there_are_enough_scripts_and_every_exclusion_has_its_reason() -> None:
    assert len(SCRIPTS["TLS 1.3"]) >= 28
    assert sum(len(SCRIPTS[kind]) for kind in SCRIPTS if kind.startswith("TLS 1.2")) >= 52
    for scripts in SCRIPTS.values():
        for excluded in scripts.values():
            assert all(len(reason.split()) > 2 for reason in excluded.values())

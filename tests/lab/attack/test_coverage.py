"""No threat without an attack: the issue's list, the known attacks and the threat model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meterseal.lab.attack import catalogue

GUIDE = Path(__file__).parents[3] / "docs" / "guide"
KNOWN = (GUIDE / "known-attacks.md").read_text()
THREATS = (GUIDE / "threat-model.md").read_text()
RANGE = (GUIDE / "attack-range.md").read_text()
WANTED = {
    "man in the middle with another CA": "middle-another-ca",
    "with a swapped ephemeral key": "middle-ephemeral-key",
    "with a swapped encryption certificate": "middle-encryption-certificate",
    "replay of a record": "replay-record",
    "replay of a handshake": "replay-handshake",
    "replay of a session ticket": "replay-ticket",
    "replay of a reading": "replay-reading",
    "replay of a receipt": "replay-receipt",
    "each field of a handshake": "tamper-handshake",
    "each bit of a record": "tamper-record",
    "each bit of a reading": "tamper-reading",
    "downgrade of the version": "downgrade-version",
    "downgrade of the suite": "downgrade-suite",
    "downgrade of the group": "downgrade-group",
    "strip of extensions": "downgrade-extensions",
    "forged readings by a registered meter and by the collector": "readings-forged",
    "forged readings by a thief of MQTT credentials": "readings-thief",
    "truncation": "truncation",
    "renegotiation": "renegotiation",
    "padding oracle": "oracle-padding",
    "decryption oracle": "oracle-premaster",
    "invalid-curve and small-order points": "curve-points",
    "malleable and degenerate signatures": "curve-signatures",
    "wrong identifier": "curve-identifier",
    "certificates: expired, wrong usage, wrong name, path, extension, revoked": (
        "certificates-of-servers"
    ),
    "certificates of clients": "certificates-of-clients",
    "a pair of two owners": "certificates-of-pairs",
    "flood of handshakes": "flood-handshakes",
    "flood of garbage": "flood-garbage",
    "slow flood": "flood-slow",
    "half-open flood": "flood-half-open",
    "stolen meter key: revoke, others unaffected": "stolen-key-station",
    "the same at the gateway": "stolen-key-gateway",
    "old traffic still confidential": "stolen-key-traffic",
    "timing of signing": "timing-signing",
    "timing of decryption": "timing-decryption",
    "timing of ECDH": "timing-ecdh",
    "timing of CBC opening": "timing-cbc",
    "bit flips while signing": "fault-signing",
    "verify after sign": "fault-verified",
}


def rows(page: str) -> list[tuple[str, str, str]]:
    """Section, title and whole line of each row of the page's tables."""
    section, found = "", []
    for line in page.splitlines():
        if line.startswith(("## ", "Bad days")):
            section = line.removeprefix("## ").rstrip(":")
        if line.startswith("| ") and not re.match(r"\| (attack|\| |what happens)", line):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            is_number = re.fullmatch(r"[A-Z]\d+", cells[0].strip())
            found.append((section, cells[1 if is_number else 0].strip("| "), line))
    return [row for row in found if row[1]]


def names_in(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9-]+)`", text))


@pytest.mark.parametrize("wanted", WANTED)
def test_what_was_asked_for_is_in_the_range(wanted: str) -> None:
    assert WANTED[wanted] in catalogue.ALL


def test_the_range_holds_nothing_that_is_not_accounted_for() -> None:
    assert set(catalogue.ALL) - set(WANTED.values()) == {"downgrade-dance"}


@pytest.mark.parametrize(("section", "title", "line"), rows(KNOWN), ids=lambda value: value[:40])
def test_a_known_attack_names_its_program_or_why_there_is_none(
    section: str, title: str, line: str
) -> None:
    left = RANGE.partition("## What the range leaves to the tests")[2]
    if "range: " in line:
        named = names_in(line.partition("range: ")[2].partition(";")[0])
        assert named
        assert named <= set(catalogue.ALL)
    else:
        assert title in left or section in left


def test_the_rows_were_found() -> None:
    assert len(rows(KNOWN)) > 80


def test_the_threat_model_names_attacks_that_exist() -> None:
    table = THREATS.partition("| attack in the range |")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(lines) > 18
    for line in lines:
        last = line.strip("| ").split(" | ")[-1]
        named = names_in(last)
        assert named <= set(catalogue.ALL), line
        assert named or last in {"`meterseal lab random`", "`make soak`", "tests alone"}, line


def test_the_guide_lists_every_room() -> None:
    for room in catalogue.ROOMS:
        assert f"| `{room}` |" in RANGE

"""The range itself: what it lists, how it judges, how it ends; and the attacks that are quick."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from meterseal.cli.main import app
from meterseal.crypto.backends import available_backends
from meterseal.errors import UsageError
from meterseal.lab.attack import campaign, catalogue
from meterseal.lab.attack.notes import Attack, Notes, Options, Skipped, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG = {
    "flood-half-open", "flood-handshakes", "flood-slow", "oracle-padding", "oracle-premaster",
    "tamper-handshake", "tamper-record",
}  # fmt: skip
"""Those that try thousands of things, or have to wait."""


def quiet(_line: str) -> None:
    """Nobody reads it."""


def outcome_of(run: Callable[[Notes], None]) -> campaign.Outcome:
    return next(campaign.run([Attack("a", "tries", "clause", run)], quiet))


TIMED = [attack.name for attack in catalogue.ROOMS["timing"]]
NAMES = [name for name in catalogue.ALL if name not in TIMED]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in NAMES]
)
def test_the_attack_is_tried_and_we_hold(name: str) -> None:
    shown: list[str] = []
    (outcome,) = campaign.run([catalogue.ALL[name]], shown.append)
    assert outcome.verdict is Verdict.HELD, "\n".join(shown)
    assert outcome.notes.controls, "nothing shows that the attack can win"


@pytest.mark.parametrize("name", TIMED)
def test_the_timing_lab_measures_every_back_end_and_looks_for_a_planted_leak(name: str) -> None:
    """What it found is not judged here: a busy machine proves nothing either way."""
    (outcome,) = campaign.run([catalogue.ALL[name]], quiet, Options(seconds=0.2))
    measured = outcome.notes.measured
    assert len(outcome.notes.trials) == len(available_backends())
    for backend_name in (*available_backends(), "planted"):
        lines = [line for line in measured if line.startswith(f"{backend_name} ")]
        assert len(lines) > 6
        assert sum("Welch" in line for line in lines) == 3
        assert sum("finds" in line or "too few" in line for line in lines) == 1
    assert len(outcome.notes.controls) == 1


# --- how it judges -------------------------------------------------------------------------


def test_a_trial_that_succeeds_is_a_fall() -> None:
    def run(notes: Notes) -> None:
        notes.tried("one thing", "refused", held=True)
        notes.tried("another", "believed", held=False)

    assert outcome_of(run).verdict is Verdict.FELL


def test_a_control_that_does_not_fall_proves_nothing() -> None:
    def run(notes: Notes) -> None:
        notes.tried("one thing", "refused", held=True)
        notes.control("a victim that should fall", "refused", fell=False)

    assert outcome_of(run).verdict is Verdict.PROVES_NOTHING


def test_who_tries_nothing_proves_nothing() -> None:
    assert outcome_of(lambda _: None).verdict is Verdict.PROVES_NOTHING


def test_what_is_skipped_or_broken_did_not_hold() -> None:
    def skip(_: Notes) -> None:
        raise Skipped("no broker here")

    def fail(notes: Notes) -> None:
        notes.tried("one thing", "refused", held=True)
        raise ZeroDivisionError("oh")

    skipped, broken = outcome_of(skip), outcome_of(fail)
    assert (skipped.verdict, skipped.reason) == (Verdict.SKIPPED, "no broker here")
    assert (broken.verdict, broken.reason) == (Verdict.BROKEN, "ZeroDivisionError: oh")
    assert not campaign.all_held([skipped])
    assert not campaign.all_held([broken])
    assert campaign.summary([skipped, broken]).splitlines() == [
        "1 skipped, 1 broken", "  skipped: a", "  broken: a",
    ]  # fmt: skip


# --- the command ---------------------------------------------------------------------------


def test_the_list_shows_each_attack_what_it_tries_and_the_clause() -> None:
    shown = CliRunner().invoke(app, ["lab", "attack", "--list"])
    assert shown.exit_code == 0
    for attack in catalogue.ALL.values():
        assert attack.name in shown.output
        assert attack.tries in shown.output
        assert attack.reference in shown.output


def test_a_wrong_name_is_wrong_usage_and_the_near_ones_are_told() -> None:
    result = CliRunner().invoke(app, ["lab", "attack", "reply-record"])
    assert result.exit_code == 2
    with pytest.raises(UsageError, match="did you mean replay-record"):
        catalogue.find(["reply-record"])


def test_a_room_stands_for_its_attacks_and_each_is_tried_once() -> None:
    names = [it.name for it in catalogue.find(["replay-ticket", "replay"])]
    assert sorted(names) == sorted(it.name for it in catalogue.ROOMS["replay"])
    assert catalogue.find([]) == list(catalogue.ALL.values())


def test_the_exit_code_and_the_file_tell_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(notes: Notes) -> None:
        notes.tried("one thing", "believed", held=False)

    good = CliRunner().invoke(
        app, ["lab", "attack", "renegotiation", "--json", str(tmp_path / "good.json")]
    )
    assert good.exit_code == 0, good.output
    (facts,) = json.loads((tmp_path / "good.json").read_text())
    assert facts["verdict"] == "held"
    assert len(facts["trials"]) == 10
    monkeypatch.setitem(catalogue.ALL, "renegotiation", Attack("fall", "x", "y", fall))
    bad = CliRunner().invoke(app, ["lab", "attack", "renegotiation"])
    assert bad.exit_code == 1
    assert bad.output.endswith("1 fell\n  fell: fall\n")


def test_an_interrupt_ends_it_and_keeps_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Notes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(catalogue.ALL, "truncation", Attack("stop", "x", "y", interrupt))
    file = tmp_path / "part.json"
    result = CliRunner().invoke(
        app, ["lab", "attack", "renegotiation", "truncation", "--json", str(file)]
    )
    assert result.exit_code == 130
    assert "interrupted after 1 of 2 attacks" in result.output
    assert len(json.loads(file.read_text())) == 1


def test_names_are_plain_and_each_attack_names_its_clause() -> None:
    assert len(catalogue.ALL) == sum(len(room) for room in catalogue.ROOMS.values())
    for name, attack in catalogue.ALL.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert re.search(r"RFC \d|GB/T|GM/T|CVE-|docs/|doi:|dudect", attack.reference), name

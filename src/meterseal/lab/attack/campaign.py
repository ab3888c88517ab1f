"""Runs attacks one after the other and says how each ended."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from meterseal.lab.attack.notes import Attack, Notes, Options, Outcome, Skipped, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["all_held", "facts", "run", "summary"]


def run(
    attacks: Iterable[Attack], show: Callable[[str], None], options: Options | None = None
) -> Iterator[Outcome]:
    """Run attacks, showing each line as it comes; yields how each ended."""
    logging.getLogger("meterseal").addHandler(logging.NullHandler())  # victims' logs are quoted
    for attack in attacks:
        show(f"{attack.name}: {attack.tries} [{attack.reference}]")
        notes = Notes(lambda line: show(f"  {line}"), options or Options())
        outcome = _run_one(attack, notes)
        reason = f": {outcome.reason}" if outcome.reason else ""
        show(f"  => {outcome.verdict.value}{reason} ({_count(notes)}, {outcome.seconds:.1f} s)\n")
        yield outcome


def _run_one(attack: Attack, notes: Notes) -> Outcome:
    start = time.monotonic()
    verdict, reason = None, ""
    try:
        attack.run(notes)
    except Skipped as skipped:
        verdict, reason = Verdict.SKIPPED, str(skipped)
    except Exception as error:  # noqa: BLE001  (the others are still to be tried; this one is lost)
        verdict, reason = Verdict.BROKEN, f"{type(error).__name__}: {error}"
    return Outcome(attack, verdict or notes.verdict, time.monotonic() - start, notes, reason)


def _count(notes: Notes) -> str:
    trials = sum(trial.count for trial in notes.trials)
    return f"{trials} trials, {len(notes.controls)} controls"


def all_held(outcomes: Iterable[Outcome]) -> bool:
    """Whether every attack was tried, and held."""
    return all(outcome.verdict is Verdict.HELD for outcome in outcomes)


def summary(outcomes: list[Outcome]) -> str:
    """Say in one line how many ended how, and in further ones which did not hold."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    first = ", ".join(
        f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]
    )
    rest = [
        f"  {outcome.verdict.value}: {outcome.attack.name}"
        for outcome in outcomes
        if outcome.verdict is not Verdict.HELD
    ]
    return "\n".join([first or "nothing was tried", *rest])


def facts(outcome: Outcome) -> dict[str, object]:
    """Return an outcome for machines."""
    notes = outcome.notes
    return {
        "attack": outcome.attack.name,
        "tries": outcome.attack.tries,
        "reference": outcome.attack.reference,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "seconds": round(outcome.seconds, 3),
        "trials": [
            {"tried": it.tried, "victim": it.victim, "held": it.held, "count": it.count}
            for it in notes.trials
        ],
        "controls": [
            {"weakened": it.weakened, "victim": it.victim, "fell": it.fell} for it in notes.controls
        ],
        "measured": notes.measured,
    }

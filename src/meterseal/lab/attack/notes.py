"""What an attack is, and what it writes down: trials, controls, measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Attack", "Control", "Notes", "Options", "Outcome", "Skipped", "Trial", "Verdict"]


class Skipped(Exception):
    """The attack cannot be tried here; the text says why."""


class Verdict(Enum):
    """How an attack ended. Only the first is good."""

    HELD = "held"
    FELL = "fell"
    PROVES_NOTHING = "proves nothing"  # the control did not fall, or nothing was tried
    SKIPPED = "skipped"
    BROKEN = "broken"  # the attack's own program failed


@dataclass(frozen=True, slots=True)
class Options:
    """What the range is told: for how many `seconds` the timing lab measures each operation."""

    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing tried against the victim `count` times, and what the victim said or logged."""

    tried: str
    victim: str
    held: bool
    count: int = 1


@dataclass(frozen=True, slots=True)
class Control:
    """The same attack against a victim that was weakened on purpose: it has to fall."""

    weakened: str
    victim: str
    fell: bool


@dataclass(slots=True)
class Notes:
    """What one attack writes down; `show` is told each line as it is written."""

    show: Callable[[str], None] = lambda _line: None
    options: Options = field(default_factory=Options)
    trials: list[Trial] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)

    def tried(self, what: str, victim: str, *, held: bool, count: int = 1) -> None:
        """Write down a trial: what was tried, what the victim said, whether it held."""
        self.trials.append(Trial(what, victim, held, count))
        times = f" ({count} times)" if count > 1 else ""
        self.show(f"tried    {what}{times}")
        self.show(f"victim   {victim}")
        if not held:
            self.show("FELL")

    def control(self, weakened: str, victim: str, *, fell: bool) -> None:
        """Write down how a weakened victim fared."""
        self.controls.append(Control(weakened, victim, fell))
        self.show(f"control  {weakened}: {'fell' if fell else 'DID NOT FALL'}; {victim}")

    def measure(self, text: str) -> None:
        """Write down a measurement, whatever it says."""
        self.measured.append(text)
        self.show(f"measured {text}")

    @property
    def verdict(self) -> Verdict:
        """What follows from all that was written down."""
        if not all(trial.held for trial in self.trials):
            return Verdict.FELL
        if not self.trials or not all(control.fell for control in self.controls):
            return Verdict.PROVES_NOTHING
        return Verdict.HELD


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack by its name: what it tries in one sentence, and the clause or case behind it."""

    name: str
    tries: str
    reference: str
    run: Callable[[Notes], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attack that was run."""

    attack: Attack
    verdict: Verdict
    seconds: float
    notes: Notes
    reason: str = ""

"""Which generators are measured side by side, and what must come out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from meterseal.errors import UsageError
from meterseal.lab.random import bad, sources
from meterseal.lab.random.measure import Source, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.lab.random.judge import Report

__all__ = ["Trial", "by_name", "trials"]

_BAD: dict[str, Source] = {
    "constant": bad.constant,
    "counter": bad.counter,
    "biased": bad.biased,
    "rand-seeded-by-time": bad.rand_seeded_by_time,
}
_KNOWN: dict[str, Source] = {
    "ours": sources.ours,
    "system": sources.system,
    "twister-seeded-by-time": bad.twister_seeded_by_time,
    **_BAD,
}
_ENOUGH_FOR_BAD = 50


@dataclass(frozen=True)
class Trial:
    """A generator's report beside what must come out.

    The tests refuse one good group of samples in ten: a generator that must pass and does not is
    measured once more, on fresh samples.
    """

    report: Report
    must_pass: bool
    is_second: bool = False

    @property
    def is_as_expected(self) -> bool:
        """Whether a good generator passed, or a bad one was caught."""
        return self.report.is_good == self.must_pass


def trials(*, samples: int, length: int, workers: int = 0) -> Iterator[Trial]:
    """Measure ours, then those that must fail.

    The twister passes too: statistics do not see that it can be foretold.
    """
    look = partial(measure, length=length, workers=workers)
    for name in ("ours", "twister-seeded-by-time"):
        trial = Trial(look(name, _KNOWN[name], samples=samples), must_pass=True)
        if not trial.is_as_expected:
            again = look(name, _KNOWN[name], samples=samples)
            trial = Trial(again, must_pass=True, is_second=True)
        yield trial
    for name, source in _BAD.items():
        yield Trial(look(name, source, samples=min(samples, _ENOUGH_FOR_BAD)), must_pass=False)


def by_name(name: str) -> Source:
    """Return a generator. Raises UsageError for a name that is none."""
    if name not in _KNOWN:
        raise UsageError(f"expected a generator of {', '.join(_KNOWN)}, got {name}")
    return _KNOWN[name]

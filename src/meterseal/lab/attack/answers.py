"""What a victim answers, by what was wrong with the question: the kinds of it, and how soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.lab.attack.statistics import SUSPICIOUS, worst_welch

if TYPE_CHECKING:
    from meterseal.lab.attack.notes import Notes

__all__ = ["kinds", "tell_medians", "tell_times", "total"]


def kinds(answers: dict[str, set[str]]) -> str:
    """Say how many classes met each kind of answer."""
    each = " | ".join(f"{len(names)} x client {answer}" for answer, names in answers.items())
    return f"{len(answers)} kinds of answer: {each}"


def total(times: dict[str, list[int]]) -> int:
    """How many times were measured."""
    return sum(map(len, times.values()))


def tell_medians(notes: Notes, times: dict[str, list[int]]) -> None:
    """Note the median of each class."""
    for name, column in times.items():
        middle = sorted(column)[len(column) // 2] / 1000
        notes.measure(f"{name:42} median {middle:8.0f} us of {len(column)} times")


def tell_times(notes: Notes, times: dict[str, list[int]]) -> None:
    """Note the medians, and whether the classes differ."""
    tell_medians(notes, times)
    worst = worst_welch(times)
    above = f"above {SUSPICIOUS}" if abs(worst.t) > SUSPICIOUS else f"below {SUSPICIOUS}"
    notes.measure(f"Welch's test over a socket, the worst of all crops: {worst}; {above}")

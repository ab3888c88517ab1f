"""Which topics a name may publish to and subscribe to: pure decisions, everything else is refused.

Filters are those of MQTT 3.1.1, 4.7. `{name}` in a rule stands for the client's own name.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Access", "AccessRule", "covers", "is_filter", "is_topic"]

_MAX_LENGTH = 1024
_PLACE = "{name}"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What clients whose name fits `name` (a pattern as of shells) may do.

    Raises `UsageError` for filters that MQTT does not know.
    """

    name: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for each in (*self.publish, *self.subscribe):
            if not is_filter(each.replace(_PLACE, "name")):
                raise UsageError(f"{each!r} is no MQTT topic filter")


class Access:
    """The rules of a gateway; the rules of all patterns that a name fits add up."""

    def __init__(self, rules: Iterable[AccessRule]) -> None:
        self._rules = tuple(rules)

    def may_publish(self, name: str, topic: str) -> bool:
        """Whether the client of this name may publish to this topic."""
        return is_topic(topic) and any(
            covers(each, topic) for rule in self._of(name) for each in _own(rule.publish, name)
        )

    def may_subscribe(self, name: str, topic_filter: str) -> bool:
        """Whether all that the filter matches may be read by the client of this name.

        A share (`$share/group/filter`) may be joined by whoever may subscribe to its filter.
        """
        if topic_filter.startswith("$share/"):
            _, _, topic_filter = topic_filter.removeprefix("$share/").partition("/")
        return is_filter(topic_filter) and any(
            covers(each, topic_filter)
            for rule in self._of(name)
            for each in _own(rule.subscribe, name)
        )

    def knows(self, name: str) -> bool:
        """Whether any rule is for this name."""
        return any(True for _ in self._of(name))

    def _of(self, name: str) -> Iterable[AccessRule]:
        return (rule for rule in self._rules if fnmatch.fnmatchcase(name, rule.name))


def is_topic(text: str) -> bool:
    """Whether a message may be published to this topic: no wildcard, no null character."""
    return 0 < len(text.encode()) <= _MAX_LENGTH and not set("+#\0") & set(text)


def is_filter(text: str) -> bool:
    """Whether this is a topic filter: wildcards fill whole levels, # is the last of them."""
    levels = text.split("/")
    return (
        0 < len(text.encode()) <= _MAX_LENGTH
        and "\0" not in text
        and "#" not in levels[:-1]
        and all(level in {"+", "#"} or not set("+#") & set(level) for level in levels)
    )


def covers(allowed: str, asked: str) -> bool:
    """Whether every topic that `asked` (a topic or filter) matches is matched by `allowed`.

    Wildcards at the first level do not match topics that begin with $ (MQTT 3.1.1, 4.7.2).
    """
    if asked.startswith("$") != allowed.startswith("$"):
        return False
    ours, theirs = allowed.split("/"), asked.split("/")
    for position, level in enumerate(ours):
        if level == "#":
            return True
        if position >= len(theirs) or theirs[position] == "#":
            return False
        if level not in {"+", theirs[position]}:
            return False
    return len(ours) == len(theirs)


def _own(filters: tuple[str, ...], name: str) -> Iterable[str]:
    # A name that is no single level of a topic would reach into those of others.
    plain = bool(name) and not set("+#/\0") & set(name)
    return (each.replace(_PLACE, name) for each in filters if plain or _PLACE not in each)

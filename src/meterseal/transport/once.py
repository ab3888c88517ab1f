"""What follows from a configuration alone is worked out once, not in each handshake.

A configuration never changes once it is made; this is what lets it remember.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Memory = dict[object, Any]


class Remembering(Protocol):
    """A value with room for what follows from it, by the functions that made it."""

    @property
    def memory(self) -> Memory:
        """Empty at first."""
        ...


ConfigT = TypeVar("ConfigT", bound=Remembering)
T = TypeVar("T")


def once(config: ConfigT, make: Callable[[ConfigT], T]) -> T:
    """Return what `make`, a pure function, makes of `config`."""
    memory: dict[object, T] = config.memory
    try:
        return memory[make]
    except KeyError:
        return memory.setdefault(make, make(config))

"""Who is signed in, and how often somebody may guess. Times in UTC ms come from the caller."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from meterseal.collection.display.users import User

__all__ = ["Session", "Sessions", "Throttle"]

LIFETIME: Final = 12 * 3_600_000
"""After so long one signs in again: a shift and its handover."""
_MOST_SESSIONS: Final = 1000
_WINDOW: Final = 15 * 60_000
_OF_BOTH, _OF_ADDRESS, _OF_NAME = 5, 30, 100
_MOST_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in; `csrf` must come with every form, `token` is the cookie."""

    name: str
    version: int
    began_at: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Sessions:
    """Sessions in memory: a restart ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, user: User, now: int) -> Session:
        """Begin a session; of too many, the oldest ends."""
        session = Session(user.name, user.version, now)
        with self._lock:
            while len(self._sessions) >= _MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[session.token] = session
        return session

    def find(self, token: str, now: int) -> Session | None:
        """Return the session of a cookie, unless it is over."""
        with self._lock:
            session = self._sessions.get(token)
            if session is not None and not 0 <= now - session.began_at < LIFETIME:
                del self._sessions[token]
                return None
            return session

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(token, None)


class Throttle:
    """Counts wrong passwords: of a name from an address, of an address, of a name.

    The first limit is low, so that an attacker elsewhere does not lock anybody out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, ...], deque[int]] = {}

    def admit(self, name: str, address: str, now: int) -> int:
        """Return for how many ms no attempt is taken; 0 takes one, and counts it as a failure.

        Counted before the password is looked at: many attempts at once are still many.
        """
        with self._lock:
            keys = _keys(name, address)
            wait = max(self._wait(key, limit, now) for key, limit in keys)
            if not wait:
                for key, limit in keys:
                    while key not in self._failures and len(self._failures) >= _MOST_KEYS:
                        del self._failures[next(iter(self._failures))]
                    self._failures.setdefault(key, deque(maxlen=limit)).append(now)
            return wait

    def succeed(self, name: str, address: str) -> None:
        """Take the attempt back that was admitted, and forget what this name failed from here."""
        with self._lock:
            for key, _ in _keys(name, address):
                if key[0] == "both":
                    self._failures.pop(key, None)
                elif self._failures.get(key):
                    self._failures[key].pop()

    def _wait(self, key: tuple[str, ...], limit: int, now: int) -> int:
        failures = self._failures.get(key)
        if failures is None or len(failures) < limit:
            return 0
        return max(failures[0] + _WINDOW - now, 0)


def _keys(name: str, address: str) -> list[tuple[tuple[str, ...], int]]:
    name = name[:64]
    return [
        (("both", name, address), _OF_BOTH),
        (("address", address), _OF_ADDRESS),
        (("name", name), _OF_NAME),
    ]

"""What bad nonces cost: the private key. And the same attacks on our signatures.

From one signature and its nonce follows the key: d = (k - s) / (r + s). Three attacks use it: a
search of the clock that seeded the nonce's generator, a lattice of nonces that are too short, and
the difference of two nonces that are equal or near each other. Each is shown on a victim that
falls, then tried on ours. That an attack fails proves nothing; that the same program takes the key
of the weak victim shows that the program works.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meterseal.crypto import sm2
from meterseal.errors import InvalidKey
from meterseal.lab.random import victims
from meterseal.lab.random.lattice import N, private_key_from
from meterseal.lab.random.victims import Signed, Victim, milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "Attempt",
    "attack_all",
    "lattice",
    "search_clock",
    "search_difference",
]

KNOWN_TO = 10_000
"""Milliseconds, before and after, to which the attacker knows when a message was signed."""
SIGNATURES = 40
DISTANCE = 1 << 11

_WORST = "ours, constant source, stopped clock"
_RESTORED = "ours, the same, restored from a snapshot"


@dataclass(frozen=True)
class Attempt:
    """One attack on one victim: whether the key was found, and whether it should be."""

    attack: str
    victim: str
    tried: int
    key_found: bool
    is_weak: bool
    seconds: float

    @property
    def is_as_expected(self) -> bool:
        """Whether the weak victim fell, or ours stood."""
        return self.key_found == self.is_weak


def attack_all() -> Iterator[Attempt]:
    """Run each attack on its weak victim and on ours, and give each attempt as it ends."""
    for attack, name, pairs in (
        (_by_clock, "clock, 1 signature", (("seeded by time", victims.seeded_by_time),)),
        (_by_lattice, f"lattice, {SIGNATURES} signatures", (("short nonces", victims.short),)),
        (
            _by_difference,
            "difference, 2 signatures",
            (("one nonce twice", victims.one_nonce), ("nonce and time added", victims.counted)),
        ),
    ):
        for victim, sign in pairs:
            yield _attempt(name, victim, attack, sign, is_weak=True)
        for victim, sign in (("ours", victims.ours), (_WORST, victims.ours_at_worst)):
            yield _attempt(name, victim, attack, sign, is_weak=False)
    name = "difference, 2 signatures"
    yield _attempt(name, _RESTORED, _by_difference, victims.ours_restored, is_weak=False)


def _attempt(
    name: str,
    victim: str,
    attack: Callable[[sm2.PrivateKey, Victim], tuple[int, int | None]],
    sign: Victim,
    *,
    is_weak: bool,
) -> Attempt:
    key = sm2.PrivateKey.generate()
    start = time.perf_counter()
    tried, found = attack(key, sign)
    seconds = time.perf_counter() - start
    is_found = found is not None and found.to_bytes(32) == key.to_bytes()
    return Attempt(name, victim, tried, is_found, is_weak, seconds)


# --- attacks: of the key they use nothing but its public half --------------------------------


def _by_clock(key: sm2.PrivateKey, sign: Victim) -> tuple[int, int | None]:
    (signed,) = sign(key, 1)
    told = milliseconds() // KNOWN_TO * KNOWN_TO  # what a time in the message tells
    return search_clock(key.public_key(), signed, told)


def search_clock(
    public: sm2.PublicKey, signed: Signed, around: int, known_to: int = KNOWN_TO
) -> tuple[int, int | None]:
    """Try the nonces of all milliseconds near that time, nearest first; count and key."""
    seeds = (around + way * step for step in range(known_to) for way in (-1, 1))
    nonces = (int.from_bytes(victims.twister_of(seed)) for seed in seeds)
    return _first_key(public, (key_of(signed, nonce) for nonce in nonces))


def key_of(signed: Signed, nonce: int) -> int:
    """Return d = (k - s) / (r + s) for that k."""
    return (nonce - signed.s) * pow(signed.r + signed.s, -1, N) % N


def _by_lattice(key: sm2.PrivateKey, sign: Victim) -> tuple[int, int | None]:
    return lattice(key.public_key(), sign(key, SIGNATURES))


def lattice(public: sm2.PublicKey, signed: list[Signed]) -> tuple[int, int | None]:
    """Suppose that the nonces begin with eight zero bits; how many signatures, and the key."""
    numbers = [(one.r, one.s) for one in signed]
    return len(numbers), private_key_from(numbers, victims.SHORT_BY, lambda d: _is_key(public, d))


def _by_difference(key: sm2.PrivateKey, sign: Victim) -> tuple[int, int | None]:
    first, second = sign(key, 2)
    return search_difference(key.public_key(), first, second)


def search_difference(
    public: sm2.PublicKey, first: Signed, second: Signed
) -> tuple[int, int | None]:
    """Suppose that the second nonce is the first and a little more or less; count and key.

    From k = s + (r + s) d for both follows d (r2 + s2 - r1 - s1) = k2 - k1 - s2 + s1.
    """
    inverse = pow(second.r + second.s - first.r - first.s, -1, N)
    differences = (way * step for step in range(DISTANCE) for way in (1, -1))
    return _first_key(public, ((apart - second.s + first.s) * inverse % N for apart in differences))


def _first_key(public: sm2.PublicKey, candidates: Iterable[int]) -> tuple[int, int | None]:
    tried = 0
    for tried, candidate in enumerate(candidates, 1):
        if _is_key(public, candidate):
            return tried, candidate
    return tried, None


def _is_key(public: sm2.PublicKey, d: int) -> bool:
    try:
        return sm2.PrivateKey.from_bytes(d.to_bytes(32)).public_key() == public
    except InvalidKey:
        return False

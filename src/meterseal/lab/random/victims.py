"""Signers: four whose nonces are bad, each in its way, and ours, in daily use and at its worst.

Each takes a private key and how many signatures are wanted, and gives what an attacker sees.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from meterseal.crypto import danger, sm2
from meterseal.crypto.random import Sm3Drbg, random_bytes

__all__ = [
    "SHORT_BY",
    "Signed",
    "Victim",
    "counted",
    "one_nonce",
    "ours",
    "ours_at_worst",
    "ours_restored",
    "seeded_by_time",
    "short",
    "twister_of",
]

SHORT_BY = 8
"""How many upper bits of a short nonce are zero."""
STOPPED = 1_600_000_000_000_000_000
"""UTC nanoseconds at which the stopped clock stands."""
_PATTERN = bytes(range(256))


class Signed(NamedTuple):
    """A signature as an attacker sees it: the digest e, and r and s."""

    e: int
    r: int
    s: int


Victim = Callable[[sm2.PrivateKey, int], list[Signed]]
"""Signs so many digests with a key."""


def seeded_by_time(key: sm2.PrivateKey, count: int) -> list[Signed]:
    """Nonces of the Mersenne Twister, seeded for each with the milliseconds of the clock."""
    return [_with_nonce(key, twister_of(milliseconds())) for _ in range(count)]


def twister_of(seed: int) -> bytes:
    """The nonce that follows from that seed."""
    return random.Random(seed).randbytes(32)  # noqa: S311  (that it can be foretold is the point)


def milliseconds() -> int:
    """UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def short(key: sm2.PrivateKey, count: int) -> list[Signed]:
    """Nonces that begin with eight zero bits, and are otherwise good."""
    zeros = bytes(SHORT_BY // 8)
    return [_with_nonce(key, zeros + random_bytes(32 - len(zeros))) for _ in range(count)]


def one_nonce(key: sm2.PrivateKey, count: int) -> list[Signed]:
    """One good nonce for every message: a machine restored from a snapshot, again and again."""
    nonce = _below_order()
    return [_with_nonce(key, nonce) for _ in range(count)]


def counted(key: sm2.PrivateKey, count: int) -> list[Signed]:
    """A good nonce, to which the time in seconds is added."""
    start = int.from_bytes(_below_order())
    return [_with_nonce(key, (start + 7 * number).to_bytes(32)) for number in range(count)]


def ours(key: sm2.PrivateKey, count: int) -> list[Signed]:
    """As in daily use."""
    return [_signed(digest, key.sign_digest(digest, "raw")) for digest in _digests(count)]


def ours_at_worst(key: sm2.PrivateKey, count: int) -> list[Signed]:
    """A source that gives the same bytes at every call, and a clock that stands still."""
    return [sign_at_worst(key, digest) for digest in _digests(count)]


def sign_at_worst(key: sm2.PrivateKey, digest: bytes) -> Signed:
    """Sign with a new generator over the constant source and the stopped clock."""
    generator = Sm3Drbg(constant_source, lambda: STOPPED)
    return _signed(digest, danger.sign_digest_with_generator(key, digest, generator, "raw"))


def constant_source(length: int) -> bytes:
    """The same bytes at every call: a broken source that health tests cannot notice."""
    return (_PATTERN * (length // len(_PATTERN) + 1))[:length]


def ours_restored(key: sm2.PrivateKey, count: int) -> list[Signed]:
    """The same, and each signature in a process of its own: the counter too is the same."""
    return [_in_new_process(key, digest) for digest in _digests(count)]


def _in_new_process(key: sm2.PrivateKey, digest: bytes) -> Signed:
    command = [sys.executable, "-m", __spec__.name]
    text = f"{key.to_bytes().hex()} {digest.hex()}"
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)  # noqa: S603
    return Signed(*(int(number) for number in done.stdout.split()))


def _digests(count: int) -> list[bytes]:
    return [random_bytes(32) for _ in range(count)]


def _below_order() -> bytes:
    """A nonce that stays below the order of the group, whatever small is added to it."""
    return b"\x7f" + random_bytes(31)


def _with_nonce(key: sm2.PrivateKey, nonce: bytes) -> Signed:
    digest = random_bytes(32)
    return _signed(digest, danger.sign_digest_with_nonce(key, digest, nonce, "raw"))


def _signed(digest: bytes, raw: bytes) -> Signed:
    return Signed(*(int.from_bytes(part) for part in (digest, raw[:32], raw[32:])))


def _main() -> None:
    """Sign one digest in this process; key and digest come by standard input."""
    key, digest = (bytes.fromhex(word) for word in sys.stdin.read().split())
    sys.stdout.write(" ".join(map(str, sign_at_worst(sm2.PrivateKey.from_bytes(key), digest))))


if __name__ == "__main__":
    _main()

"""What each step of the optimisation brings: the same work, from the standard's text to ours."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from meterseal.crypto import danger, plainly, sm2, sm3, sm4
from meterseal.crypto.backends import available_backends
from meterseal.lab.experiment.timing import Operation, Spread, measure, on_backend, spread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BATCH", "Step", "batches", "bulk", "signing", "verifying"]

BATCH = 64
_FRESH_KEYS = 32
_NONCE = b"\x5b" * 32
_MIB = 1 << 20


@dataclass(frozen=True)
class Step:
    """The time after a step has been taken."""

    name: str
    what: str
    time: Spread


def signing(rounds: int) -> list[Step]:
    """From the standard's steps to batches: seconds for one signature of a digest."""
    key, digest = sm2.PrivateKey.generate(), os.urandom(32)
    key.sign_digest(digest)
    best = available_backends()[-1]
    on_portable, on_best = partial(on_backend, "portable"), partial(on_backend, best)
    by_steps = partial(plainly.sign_digest_plainly, key, digest, _NONCE)
    with_nonce = partial(danger.sign_digest_with_nonce, key, digest, _NONCE)
    first = _Fresh(digest)
    timed = measure(
        [
            Operation("plain", by_steps, on_portable),
            Operation("instructions", by_steps, on_best),
            Operation("cached", with_nonce, on_best),
            Operation("hedged", partial(key.sign_digest, digest), on_best),
        ],
        rounds,
    )
    with on_best():
        fresh = spread([first.sample() for _ in range(rounds)])
    return [
        Step("the standard's steps", "portable code, [k]G bit by bit", timed["plain"]),
        Step("+ the CPU's instructions", f"the same steps on {best}", timed["instructions"]),
        Step("+ tables", "[k]G from a table of multiples, in constant time, checked", fresh),
        Step("+ cached inverse", "(1 + d)^-1 is kept with the key", timed["cached"]),
        Step(
            "+ hedged UTC nonce",
            "generator, time and HMAC-SM3: safety, which costs",
            timed["hedged"],
        ),
    ]


class _Fresh:
    """Signs once with each of many new keys, so that nothing is kept."""

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def sample(self) -> float:
        """Seconds of this thread's CPU for one signature."""
        keys = [sm2.PrivateKey.generate() for _ in range(_FRESH_KEYS)]
        start = time.thread_time_ns()
        for key in keys:
            danger.sign_digest_with_nonce(key, self._digest, _NONCE)
        return (time.thread_time_ns() - start) / 1e9 / _FRESH_KEYS


def verifying(rounds: int) -> list[Step]:
    """From the standard's steps to batches: seconds for one verification."""
    key, digest = sm2.PrivateKey.generate(), os.urandom(32)
    public, signature = key.public_key(), key.sign_digest(digest)
    best = available_backends()[-1]
    on_portable, on_best = partial(on_backend, "portable"), partial(on_backend, best)
    by_steps = partial(plainly.verify_digest_plainly, public, signature, digest)
    message = b"reading"
    batch = [(public, key.sign(message), message)] * BATCH
    timed = measure(
        [
            Operation("plain", by_steps, on_portable),
            Operation("instructions", by_steps, on_best),
            Operation("together", partial(public.verify_digest, signature, digest), on_best),
        ],
        rounds,
    )
    with on_best():
        many = spread([_work(partial(sm2.verify_batch, batch)) / BATCH for _ in range(rounds)])
    return [
        Step("the standard's steps", "portable code, [s]G and [t]P apart", timed["plain"]),
        Step("+ the CPU's instructions", f"the same steps on {best}", timed["instructions"]),
        Step("+ tables, both at once", "[s]G + [t]P with one run of doublings", timed["together"]),
        Step("+ batch", f"{BATCH} signatures of one key in one call", many),
    ]


def batches(rounds: int) -> list[Step]:
    """Seconds of the clock on the wall for one message, alone and in a batch on all cores."""
    key, message = sm2.PrivateKey.generate(), os.urandom(32)
    public, signature = key.public_key(), key.sign(message)
    to_sign, to_verify = [(key, message)] * BATCH, [(public, signature, message)] * BATCH
    work: list[tuple[str, str, Callable[[], object], int]] = [
        ("sign", "one at a time", partial(key.sign, message), 1),
        ("sign", f"{BATCH} in one call", partial(sm2.sign_batch, to_sign), BATCH),
        ("verify", "one at a time", partial(public.verify, signature, message), 1),
        ("verify", f"{BATCH} in one call", partial(sm2.verify_batch, to_verify), BATCH),
    ]
    return [
        Step(name, how, spread([_wall(call) / count for _ in range(rounds)]))
        for name, how, call, count in work
    ]


def bulk(rounds: int) -> dict[str, dict[str, Spread]]:
    """Seconds for 1 MiB by SM3 and by SM4-GCM, on each back-end: blocks in parallel."""
    data, cipher = os.urandom(_MIB), sm4.SM4GCM(bytes(16))
    found: dict[str, dict[str, Spread]] = {}
    work: dict[str, Callable[[], object]] = {
        "SM3": lambda: sm3.sm3(data).digest(),
        "SM4-GCM": partial(cipher.encrypt, bytes(12), data),
    }
    for name, call in work.items():
        on_each = [
            Operation(backend, call, partial(on_backend, backend))
            for backend in available_backends()
        ]
        found[name] = measure(on_each, rounds)
    return found


def _work(call: Callable[[], object]) -> float:
    """Seconds of all cores together: what a batch saves, not how soon it is done."""
    start = time.process_time_ns()
    call()
    return (time.process_time_ns() - start) / 1e9


def _wall(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start

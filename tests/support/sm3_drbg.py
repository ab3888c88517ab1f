"""The generator of the core as its description has it, and a process to compare it with.

The model gives an attacker everything but what is asked about: the state, the clock, the counter or
the entropy. As a program, this file draws from the core's generator in a fresh process, whose
counter is therefore known, and prints what went in and what came out:

    python sm3_drbg.py NANOSECONDS OUTPUTS fresh|fixed
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

SEED_SIZE = 55
MODULUS = 1 << 8 * SEED_SIZE
GENERAL = b"\1"


def sm3(*parts: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(b"".join(parts))
    return digest.finalize()


def derive(*parts: bytes) -> int:
    """Hash_df for 440 bits (SP 800-90A, 10.3.1)."""
    bits = (8 * SEED_SIZE).to_bytes(4, "big")
    return int.from_bytes(
        b"".join(sm3(bytes((i,)), bits, *parts) for i in (1, 2))[:SEED_SIZE], "big"
    )


def octets(number: int) -> bytes:
    return (number % MODULUS).to_bytes(SEED_SIZE, "big")


def stamp(nanoseconds: int, counter: int) -> bytes:
    return nanoseconds.to_bytes(8, "big") + counter.to_bytes(8, "big")


@dataclass
class Model:
    """V, C and the number of calls (GM/T 0105-2021, annex B)."""

    v: int
    c: int
    calls: int = 1

    @classmethod
    def seeded(cls, seed: bytes, first_stamp: bytes) -> Model:
        v = derive(seed, first_stamp)
        return cls(v, derive(b"\0", octets(v)))

    def generate(self, entropy: bytes, extra: bytes, call_stamp: bytes) -> bytes:
        """One call for at most 32 bytes."""
        additional = entropy + GENERAL + extra + call_stamp
        v = self.v + number(sm3(b"\2", octets(self.v), additional))
        output = sm3(octets(v))
        self.v = (v + number(sm3(b"\3", octets(v))) + self.c + self.calls) % MODULUS
        self.calls += 1
        return output


def number(digest: bytes) -> int:
    return int.from_bytes(digest, "big")


def main() -> None:
    from meterseal.crypto.random import Sm3Drbg

    now, count, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    given: list[bytes] = []

    def entropy(length: int) -> bytes:
        seeding = len(given) < 2
        fixed = bytes(i % 251 for i in range(length))
        given.append(fixed if seeding or kind == "fixed" else os.urandom(length))
        return given[-1]

    generator = Sm3Drbg(entropy, lambda: now)
    outputs = [generator.random_bytes(32) for _ in range(count)]
    shown = {"entropy": [e.hex() for e in given[1:]], "outputs": [o.hex() for o in outputs]}
    sys.stdout.write(json.dumps(shown))


if __name__ == "__main__":
    main()

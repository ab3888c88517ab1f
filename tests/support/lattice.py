"""The hidden number problem: a private key from nonces whose top bits are known to be zero.

From s and r follows k = s + (s + r) d mod n for each signature. One relation eliminates d, the rest
are a lattice in which the nonces, being too small, are an unusually short vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpylll import BKZ, LLL, IntegerMatrix

from support import sm2_reference as ref

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BLOCK_SIZES = (10, 20, 24)


def private_key_from(
    signatures: Sequence[tuple[int, int]], zero_bits: int, is_key: Callable[[int], bool]
) -> int | None:
    """Return the key if the nonces of these (r, s) begin with that many zero bits, else None."""
    half = 1 << 255 - zero_bits
    (r0, s0), *others = signatures
    inverse = pow(r0 + s0, -1, ref.N)
    count = len(others)
    basis = IntegerMatrix(count + 2, count + 2)
    for i, (r, s) in enumerate(others):
        factor = (r + s) * inverse % ref.N
        basis[i, i] = ref.N
        basis[count, i] = factor
        basis[count + 1, i] = (s - factor * s0 + factor * half - half) % ref.N
    basis[count, count] = 1
    basis[count + 1, count + 1] = half
    LLL.reduction(basis)
    for block_size in BLOCK_SIZES:
        how = BKZ.Param(block_size, flags=BKZ.MAX_LOOPS, max_loops=8)
        BKZ.reduction(basis, how)
        for row in basis:
            for sign in (1, -1):
                key = (sign * row[count] + half - s0) * inverse % ref.N
                if abs(row[count + 1]) == half and is_key(key):
                    return key
    return None

"""The hidden number problem: a private key from nonces whose top bits are known to be zero.

From s and r follows k = s + (s + r) d mod n for each signature. One relation eliminates d, the rest
are a lattice in which the nonces, being too small, are an unusually short vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["N", "private_key_from"]

N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""The order of the curve's group (GB/T 32918.5-2017)."""
_BLOCK_SIZES = (10, 20, 24)


def private_key_from(
    signatures: Sequence[tuple[int, int]], zero_bits: int, is_key: Callable[[int], bool]
) -> int | None:
    """Return the key if the nonces of these (r, s) begin with that many zero bits, else None."""
    # here and no sooner: it takes the handlers of signals
    from fpylll import BKZ, LLL, IntegerMatrix  # noqa: PLC0415

    half = 1 << 255 - zero_bits
    (r0, s0), *others = signatures
    inverse = pow(r0 + s0, -1, N)
    count = len(others)
    basis = IntegerMatrix(count + 2, count + 2)
    for i, (r, s) in enumerate(others):
        factor = (r + s) * inverse % N
        basis[i, i] = N
        basis[count, i] = factor
        basis[count + 1, i] = (s - factor * s0 + factor * half - half) % N
    basis[count, count] = 1
    basis[count + 1, count + 1] = half
    LLL.reduction(basis)
    for block_size in _BLOCK_SIZES:
        how = BKZ.Param(block_size, flags=BKZ.MAX_LOOPS, max_loops=8)
        BKZ.reduction(basis, how)
        for row in basis:
            for sign in (1, -1):
                key = int((sign * row[count] + half - s0) * inverse % N)
                if abs(row[count + 1]) == half and is_key(key):
                    return key
    return None

"""Whether numbers look as if drawn evenly, within bounds so wide that chance keeps to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BIT_DEVIATIONS = 6.5
CHI_SQUARE_DEVIATIONS = 8.0


def assert_even(values: Sequence[int], bits: int) -> None:
    """No number twice, each bit set half the time, the top and the lowest bits evenly spread."""
    assert len(set(values)) == len(values)
    for bit in range(bits):
        count = sum(value >> bit & 1 for value in values)
        deviation = abs(2 * count - len(values)) / len(values) ** 0.5
        assert deviation < BIT_DEVIATIONS, f"bit {bit} is set {count} times of {len(values)}"
    width = max(1, min(12, (len(values) // 16).bit_length() - 1))
    assert_spread([value >> bits - width for value in values], 1 << width)
    assert_spread([value % (1 << width) for value in values], 1 << width)


def assert_spread(values: Sequence[int], classes: int) -> None:
    """Chi-square over the classes, against its mean and standard deviation."""
    counts = [0] * classes
    for value in values:
        counts[value] += 1
    expected = len(values) / classes
    chi_square = sum((count - expected) ** 2 for count in counts) / expected
    freedom = classes - 1
    assert abs(chi_square - freedom) < CHI_SQUARE_DEVIATIONS * (2 * freedom) ** 0.5, chi_square


def assert_bytes_even(outputs: Sequence[bytes]) -> None:
    """`assert_even` for strings of one length."""
    assert_even([int.from_bytes(output, "big") for output in outputs], 8 * len(outputs[0]))

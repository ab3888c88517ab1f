"""The fifteen tests against the examples of the standard, and against slow ways to the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from meterseal.lab.random import counts, runs, structure
from meterseal.lab.random.bits import Bits, unpack
from support.vectors import load_vectors

VECTORS = load_vectors("gmt0005_2021.json")
TESTS = {
    "monobit": counts.monobit,
    "block_frequency": counts.block_frequency,
    "poker": counts.poker,
    "overlapping_1": lambda bits, m: counts.overlapping(bits, m)[0],
    "overlapping_2": lambda bits, m: counts.overlapping(bits, m)[1],
    "total_runs": runs.total_runs,
    "run_distribution": runs.run_distribution,
    "longest_run": runs.longest_run,
    "binary_derivative": runs.binary_derivative,
    "autocorrelation": runs.autocorrelation,
    "cumulative_sums": runs.cumulative_sums,
    "approximate_entropy": counts.approximate_entropy,
    "matrix_rank": structure.matrix_rank,
    "linear_complexity": structure.linear_complexity,
    "universal": structure.universal,
    "fourier": structure.fourier,
}


@cache
def sample(name: str) -> Bits:
    if name == "e":
        return digits_of_e(10**6)
    return np.array([int(bit) for bit in VECTORS["samples"][name]], np.uint8)


def digits_of_e(count: int) -> Bits:
    """e = 10.1011... in binary: the sum of 1/k!, as one fraction."""
    guard = 64
    above, below = fraction(0, count // 12)
    quotient = (above + below) * reciprocal(below, count + guard)
    return unpack((quotient >> below.bit_length() + guard + 2).to_bytes(count // 8))


def fraction(first: int, last: int) -> tuple[int, int]:
    """The sum of first!/k! for k of first + 1 to last, and its denominator last!/first!."""
    if last - first == 1:
        return 1, last
    middle = (first + last) // 2
    (p, q), (r, s) = fraction(first, middle), fraction(middle, last)
    return p * s + r, q * s


def reciprocal(number: int, bits: int) -> int:
    """2^(length of number + bits) / number, by Newton's way: division in Python is slow."""
    short = number >> max(0, number.bit_length() - bits - 8)
    if bits <= 128:
        return (1 << short.bit_length() + bits) // short
    half = bits // 2 + 4
    root = reciprocal(number, half)
    shift = short.bit_length() + 2 * half - bits
    return (root << bits - half + 1) - (short * root * root >> shift)


def name_of(case: dict[str, Any]) -> str:
    return f"{case['test']}-{case['sample']}"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_gives_what_the_standard_gives(case: dict[str, Any]) -> None:
    """covers: GM/T 0005-2021, annex C"""
    values = TESTS[case["test"]](sample(case["sample"]), **case["setting"])
    assert values.p == pytest.approx(case["p"], abs=1e-6)
    assert values.q == pytest.approx(case.get("q", case["p"]), abs=1e-6)


def test_every_test_has_a_known_answer() -> None:
    assert {case["test"] for case in VECTORS["cases"]} == set(TESTS)


def register_length(bits: list[int]) -> int:
    """Berlekamp and Massey's algorithm as textbooks have it."""
    current, past = [1], [1]
    length, since = 0, 1
    for step in range(len(bits)):
        wrong = bits[step]
        for place in range(1, length + 1):
            wrong ^= (current[place] if place < len(current) else 0) & bits[step - place]
        if wrong:
            before = current[:]
            moved = [0] * since + past
            width = max(len(current), len(moved))
            current = [
                (current[i] if i < len(current) else 0) ^ (moved[i] if i < len(moved) else 0)
                for i in range(width)
            ]
            if 2 * length <= step:
                length, past, since = step + 1 - length, before, 0
        since += 1
    return length


@pytest.mark.parametrize("m", [5, 63, 64, 65, 130])
def test_register_lengths_are_those_of_the_textbook(m: int) -> None:
    chance = np.random.default_rng(m)
    blocks = chance.integers(0, 2, (20, m), np.uint8)
    blocks[0] = 0
    blocks[1] = 0
    blocks[1, -1] = 1  # the longest register that there is
    blocks[2] = 1
    found = structure._register_lengths(blocks)
    assert found.tolist() == [register_length(block.tolist()) for block in blocks]


def rank(rows: list[int]) -> int:
    found = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            found += 1
            lowest = pivot & -pivot
            rows = [row ^ pivot if row & lowest else row for row in rows]
    return found


def test_ranks_are_those_of_plain_elimination() -> None:
    chance = np.random.default_rng(1)
    matrices = chance.integers(0, 2**32, (50, 32), np.uint32)
    matrices[0] = 0
    matrices[1, :5] = 0
    matrices[2, 1] = matrices[2, 0]
    wanted = [rank([int(row) for row in matrix]) for matrix in matrices]
    assert structure._ranks(matrices.copy()).tolist() == wanted


def test_the_longest_run_in_each_block_is_found_at_its_borders_too() -> None:
    blocks = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]]) == 1
    assert runs._longest_in_each(blocks).tolist() == [3, 2, 0, 4]

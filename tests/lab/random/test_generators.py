"""Ours passes, bad ones are caught, and what is measured is what the source gives."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import UsageError
from meterseal.lab.random import bad, by_name, measure, of_command, of_file, structure
from meterseal.lab.random.bits import unpack
from meterseal.lab.random.judge import required_passes, uniformity
from meterseal.lab.random.suite import examine, items

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHORT = 20_000
LONG = 1_000_000


def same_in_every_run(size: int) -> Iterator[bytes]:
    return bad.twister_seeded_by_time(size, lambda: 1_700_000_000)


def test_our_generator_passes_all_tests() -> None:
    report = measure("ours", by_name("ours"), samples=3, length=LONG, workers=1)
    assert report.tests == 15
    # Of three samples 78 values are judged, each of which chance alone puts below 0.01 once in a
    # hundred: three such rows come in every twentieth run, nine in none that anybody will see.
    assert sum(row.passed < 3 for row in report.rows) <= 8
    assert min(row.least_p for row in report.rows) > 1e-8


@pytest.mark.slow
def test_our_generator_passes_fifteen_of_fifteen_on_a_thousand_samples() -> None:
    """One good group in ten fails one value: the second must not fail that value again."""
    first, second = (measure("ours", by_name("ours"), samples=1000, length=LONG) for _ in range(2))
    assert first.tests == 15
    assert not set(first.failed) & set(second.failed)


def test_of_short_samples_twelve_tests_are_made() -> None:
    report = measure("twister", same_in_every_run, samples=20, length=SHORT, workers=1)
    assert report.tests == 12


@pytest.mark.parametrize("name", ["constant", "counter", "biased"])
def test_bad_generators_are_caught(name: str) -> None:
    report = measure(name, by_name(name), samples=2, length=LONG, workers=1)
    assert not report.is_good
    assert "poker" in report.failed


def test_rand_seeded_by_the_time_is_caught_by_the_spectrum() -> None:
    samples = islice(bad.rand_seeded_by_time(LONG // 8, lambda: 1_700_000_000), 50)
    spread = uniformity([structure.fourier(unpack(sample)).q for sample in samples])
    assert spread < 1e-6


def test_rand_is_that_of_the_c_standard() -> None:
    state, wanted = 5, []
    for _ in range(10):
        state = (state * 1103515245 + 12345) % 2**32
        wanted.append(state >> 16 & 255)
    assert list(next(bad.rand_seeded_by_time(10, lambda: 5.9))) == wanted


def test_a_generator_that_can_be_foretold_passes() -> None:
    values = examine(next(bad.twister_seeded_by_time(LONG // 8, lambda: 1_700_000_000)), LONG)
    assert min(value.p for value in values) > 1e-4


def test_a_thousand_samples_need_981() -> None:
    """covers: GM/T 0005-2021, 6.2"""
    assert required_passes(1000) == 981
    assert required_passes(1) == 1


def test_uniformity_sees_what_counting_does_not() -> None:
    assert uniformity([(n + 0.5) / 1000 for n in range(1000)]) == pytest.approx(1)
    assert uniformity([0.5] * 1000) < 1e-100
    assert uniformity([1.0, *((n + 0.5) / 999 for n in range(999))]) > 0.99


def test_a_file_is_cut_into_samples(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    file.write_bytes(bytes(range(10)))
    assert list(of_file(file, 4)) == [bytes(range(4)), bytes(range(4, 8))]
    with pytest.raises(UsageError, match="has 2 samples of 20000 bits, expected 3"):
        measure("file", lambda _: of_file(file, 4), samples=3, length=SHORT, workers=1)


def test_a_command_is_read_and_ended() -> None:
    endless = f"{sys.executable} -c \"while True: print('x' * 99, end='')\""
    assert list(islice(of_command(endless, 1000), 2)) == [b"x" * 1000] * 2
    with pytest.raises(UsageError, match="cannot run"):
        next(of_command("/nowhere/at/all", 1))


def test_refuses_other_lengths_and_other_names() -> None:
    with pytest.raises(UsageError, match="expected samples of"):
        items(12345)
    with pytest.raises(UsageError, match="expected a generator of ours, system"):
        by_name("dice")


def test_several_processes_find_what_one_finds() -> None:
    one, two = (
        measure("twister", same_in_every_run, samples=20, length=SHORT, workers=workers)
        for workers in (1, 2)
    )
    assert one == two

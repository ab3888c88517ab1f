"""What a snapshot's samples are made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterseal.collection.display.harmonics import spectra
from support.display import snapshot


@pytest.mark.parametrize(("rate", "cycles"), [(6400, 10.3), (6400, 2.7), (12800, 50), (5000, 10)])
def test_harmonics_are_found_without_whole_cycles(rate: int, cycles: float) -> None:
    found = spectra(snapshot(1, rate=rate, cycles=cycles))
    voltage, current = found["U_B"], found["I_C"]
    assert voltage.frequency == pytest.approx(50.02, abs=0.002)
    assert voltage.fundamental == pytest.approx(311 / 2**0.5, rel=1e-4)
    assert voltage.shares[5 - 2] == pytest.approx(3, abs=0.02)
    assert current.shares[3 - 2] == pytest.approx(12, abs=0.02)
    assert voltage.distortion == pytest.approx(3, abs=0.03)
    others = [share for order, share in enumerate(voltage.shares, 2) if order != 5]
    assert max(others) < 0.02
    assert len(voltage.shares) == 39


def test_orders_beyond_the_sampling_rate_are_left_out() -> None:
    assert len(spectra(snapshot(1, rate=1600, cycles=20))["U_A"].shares) == 14


def test_too_short_or_dead_snapshots_have_no_spectrum() -> None:
    assert spectra(snapshot(1, cycles=0.5)) == {}
    whole = snapshot(1)
    dead = {name: tuple(0 for _ in samples) for name, samples in whole.channels.items()}
    assert spectra(replace(whole, channels=dead)) == {}
    assert spectra(replace(whole, channels={})) == {}
    partly = {**whole.channels, "I_A": dead["I_A"]}
    assert "I_A" not in spectra(replace(whole, channels=partly))

"""Sources: what is played is what is measured."""

import itertools
import math
from datetime import date
from pathlib import Path

import pytest

from meterseal.collection.load_curve import load_curve
from meterseal.collection.meter.recordings import load_comtrade, load_power_csv, open_recording
from meterseal.collection.meter.sources import one_cycle
from meterseal.collection.meter.synthetic import synthetic_source
from meterseal.collection.model import Quantity
from meterseal.errors import MalformedData

NOON = 1_795_406_400_000  # 2026-11-23 12:00 at UTC+8
HEADER = "time;active_power_kW;reactive_power_kvar;voltage_V;current_A\n"


def test_a_synthetic_supply_depends_on_seed_and_moment_alone() -> None:
    first, again, other = (synthetic_source(seed, light=True) for seed in (1, 1, 2))
    assert first.measure(NOON).values() == again.measure(NOON).values()
    assert first.measure(NOON).values() != other.measure(NOON).values()
    assert first.measure(NOON).values() != first.measure(NOON + 1000).values()


def test_waveforms_and_the_light_profile_tell_the_same() -> None:
    waves, light = synthetic_source(3), synthetic_source(3, light=True)
    found, true = waves.measure(NOON), light.measure(NOON)
    assert found.active == pytest.approx(true.active, rel=1e-4)
    assert found.frequency == pytest.approx(true.frequency, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_synthetic_day_stays_within_the_limits_of_supply(seed: int) -> None:
    source = synthetic_source(seed, light=True)
    for hour in range(24):
        values = source.measure(NOON + hour * 3_600_000).values()
        for phase in "ABC":
            assert 20_900 < (values[Quantity[f"VOLTAGE_{phase}"]] or 0) < 23_540
            assert 0 < (values[Quantity[f"ACTIVE_POWER_{phase}"]] or 0) < 60_000
        assert 49_950 < (values[Quantity.FREQUENCY] or 0) < 50_050
        assert (values[Quantity.VOLTAGE_UNBALANCE] or 0) < 200


def test_a_plant_on_the_roof_sends_power_back_at_noon() -> None:
    source = synthetic_source(1, light=True, solar=6.0)
    assert source.measure(NOON).active < 0
    assert source.measure(NOON + 12 * 3_600_000).active > 0


def test_a_generated_load_curve_is_played_by_the_time_of_day(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    lines = list(load_curve(date(2026, 11, 23)))
    path.write_text("".join(lines))
    source = open_recording(path, light=True)
    kilowatts, kvar, volts = (float(text) for text in lines[1 + 12 * 60].split(";")[1:4])
    for measurement in (source.measure(NOON), open_recording(path).measure(NOON)):
        assert measurement.active == pytest.approx(1000 * kilowatts, rel=1e-4, abs=0.1)
        assert measurement.reactive == pytest.approx(1000 * kvar, rel=1e-3, abs=0.1)
        assert measurement.phases[0] is not None
        assert measurement.phases[0].voltage == pytest.approx(volts, rel=1e-4)
        assert measurement.phases[1:] == (None, None)
    assert source.measure(NOON).values() == source.measure(NOON + 86_400_000).values()


def test_a_missing_field_is_a_missing_phase(tmp_path: Path) -> None:
    path = tmp_path / "gap.csv"
    path.write_text(
        "Date;Time;Global_active_power;Global_reactive_power;Voltage\n"
        "1/2/2007;00:00:00;0.3;0.1;243\n1/2/2007;00:01:00;?;?;?\n"
    )
    source = load_power_csv(path, light=True)
    powers = [source.measure(NOON + minute * 60_000).phases[0] for minute in range(2)]
    assert [phase is None for phase in powers] == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header"),
        ("a;b;c\n", "no header"),
        (HEADER + "2026-11-23T00:00:00;1;1;230;4\n", "2 to"),
        (HEADER + "yesterday;1;1;230;4\n", "line 2"),
        (HEADER + "2026-11-23T00:00:00;inf;1;230;4\n", "line 2"),
        (HEADER + "2026-11-23T00:00:00;1\n", "line 2"),
        (HEADER + "2026-11-23T00:00:00;1;1;230;4\n" * 2, "ascend"),
    ],
)
def test_files_that_are_no_recording_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(MalformedData, match=message):
        load_power_csv(path)


def write_comtrade(folder: Path, *, phases: str = "ABC", samples: int = 3000) -> Path:
    """An ASCII recording of 220 V and 5 A, lagging by 30 degrees, through transformers of 10:1."""
    names = [(f"I{p}", p, "A", 50, 5) for p in phases]
    names += [(f"V{p}", p, "kV", 2.2, 0.22) for p in phases]
    rows = [f"station,device,1999\n{len(names)},{len(names)}A,0D\n"]
    for number, (name, phase, unit, primary, secondary) in enumerate(names, 1):
        scale = 0.01 if unit == "A" else 0.001
        rows.append(
            f"{number},{name},{phase},line,{unit},{scale},0,0,-32768,32767,{primary},{secondary},P\n"
        )
    rows.append(f"50\n1\n6400,{samples}\n" + "01/01/2026,00:00:00.000000\n" * 2 + "ASCII\n1\n")
    path = folder / "wave.cfg"
    path.write_text("".join(rows))
    lines = []
    for sample in range(samples):
        turn = 2 * math.pi * 50 * sample / 6400
        angles = [turn - 2 * math.pi / 3 * "ABC".index(p) for p in phases]
        amperes = [50 * math.sqrt(2) * math.cos(a - math.pi / 6) / 0.01 for a in angles]
        kilovolts = [2.2 * math.sqrt(2) * math.cos(a) / 0.001 for a in angles]
        values = [round(value) for value in itertools.chain(amperes, kilovolts)]
        lines.append(f"{sample + 1},{round(sample * 156.25)}," + ",".join(map(str, values)) + "\n")
    path.with_suffix(".dat").write_text("".join(lines))
    return path


def test_a_comtrade_recording_is_played_behind_its_transformers(tmp_path: Path) -> None:
    source = open_recording(write_comtrade(tmp_path))
    for moment in (NOON, NOON + 77, NOON + 999_999):
        found = source.measure(moment)
        assert found.active == pytest.approx(3 * 220 * 5 * math.cos(math.pi / 6), rel=1e-3)
        assert found.frequency == pytest.approx(50.0, abs=1e-3)


def test_a_recording_without_a_phase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedData, match="voltage of phase C"):
        load_comtrade(write_comtrade(tmp_path, phases="AB"))


def test_a_recording_shorter_than_a_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedData, match="shorter"):
        load_comtrade(write_comtrade(tmp_path, samples=500))


def test_garbage_is_no_comtrade(tmp_path: Path) -> None:
    path = tmp_path / "bad.cfg"
    path.write_text("what,is,this\n")
    path.with_suffix(".dat").write_bytes(b"\0" * 100)
    with pytest.raises(MalformedData, match="no COMTRADE"):
        load_comtrade(path)


def test_a_snapshot_is_one_cycle_of_at_most_128_samples() -> None:
    cycle = one_cycle(synthetic_source(1).waveforms(NOON))
    assert cycle.voltages.shape == cycle.currents.shape == (3, 128)
    assert cycle.rate == 6400

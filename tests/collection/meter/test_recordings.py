"""Our mathematics against pqopen's, on a recording of a generator; and a household's two days."""

import itertools

import comtrade
import numpy as np
import pytest
from daqopen.channelbuffer import AcqBuffer
from pqopen.powersystem import PowerSystem

from meterseal.collection.meter.analysis import analyse, samples_needed
from meterseal.collection.meter.recordings import load_comtrade, open_recording
from meterseal.collection.meter.registers import Billing, Power, Registers
from meterseal.collection.meter.waveform import Waveforms
from meterseal.collection.model import Quantity
from support.shared import shared

RECORDING = shared("data/comtrade-three-phase.cfg")
HOUSEHOLD = shared("data/uci-household-2007-02-01.csv")
RATE = 5760.0
LEAD = 120  # samples by which our band-pass must see a window coming

needs_recording = pytest.mark.skipif(not RECORDING.exists(), reason=f"{RECORDING} is not there")
needs_household = pytest.mark.skipif(not HOUSEHOLD.exists(), reason=f"{HOUSEHOLD} is not there")


@pytest.fixture(scope="module")
def primary() -> Waveforms:
    record = comtrade.load(str(RECORDING), str(RECORDING.with_suffix(".dat")))
    columns = np.asarray(record.analog, dtype=np.float64)
    return Waveforms(RATE, columns[3:] * 1000, columns[:3])


def pqopen(waves: Waveforms) -> dict[str, tuple[list[float], list[int]]]:
    voltages, currents = ([AcqBuffer(size=40_000) for _ in range(3)] for _ in range(2))
    system = PowerSystem(zcd_channel=voltages[0], input_samplerate=RATE, zcd_threshold=100.0)
    for index in range(3):
        name = str(index + 1)
        system.add_phase(u_channel=voltages[index], i_channel=currents[index], name=name)
    system.enable_harmonic_calculation(40)
    for index in range(3):
        voltages[index].put_data(waves.voltages[index])
        currents[index].put_data(waves.currents[index])
    system.process()
    return {
        name: tuple(column.tolist() for column in channel.read_data_by_acq_sidx(0, 30_000))
        for name, channel in system.output_channels.items()
        if channel._data.ndim == 1
    }


@needs_recording
def test_agrees_with_pqopen_on_a_generator_recording(primary: Waveforms) -> None:
    theirs = pqopen(primary)
    ends = theirs["P"][1]
    compared = 0
    for number, end in enumerate(ends[1:-1], 1):
        begin = ends[number - 1]
        window = slice(begin - LEAD, begin - LEAD + samples_needed(RATE))
        ours = analyse(Waveforms(RATE, primary.voltages[:, window], primary.currents[:, window]))
        if abs(end - begin - 1152) > 2 or _has_step(primary.voltages[:, begin : end + 400]):
            continue
        compared += 1
        assert ours.active == pytest.approx(theirs["P"][0][number], rel=2e-3)
        for index, phase in enumerate(ours.phases, 1):
            assert phase is not None
            assert phase.voltage == pytest.approx(theirs[f"U{index}_rms"][0][number], rel=1e-3)
            assert phase.current == pytest.approx(theirs[f"I{index}_rms"][0][number], rel=1e-3)
            assert phase.active == pytest.approx(theirs[f"P{index}"][0][number], rel=2e-3)
            reactive = theirs[f"Q{index}_H1"][0][number]
            assert phase.reactive == pytest.approx(reactive, rel=2e-2)
            assert phase.voltage_thd == pytest.approx(theirs[f"U{index}_THD"][0][number], abs=0.03)
            assert phase.current_thd == pytest.approx(theirs[f"I{index}_THD"][0][number], abs=0.05)
    assert compared >= 10


def _has_step(voltages: np.ndarray) -> bool:
    """Whether the generator's voltage swells to 1.5 times, or back, in these samples."""
    cycles = [np.abs(part).max() for part in np.array_split(voltages, 10, axis=1)]
    return max(cycles) > 1.1 * min(cycles)


@needs_recording
def test_finds_what_is_known_of_the_recording(primary: Waveforms) -> None:
    starts = range(0, primary.voltages.shape[1] - samples_needed(RATE), 1152)
    windows = [slice(start, start + samples_needed(RATE)) for start in starts]
    found = [
        analyse(Waveforms(RATE, primary.voltages[:, window], primary.currents[:, window]))
        for window in windows
    ]
    first = found[0].phases[0]
    assert first is not None
    assert first.voltage == pytest.approx(3480, rel=3e-3)
    assert first.current == pytest.approx(1360, rel=2e-2)
    assert first.active == pytest.approx(4.46e6, rel=3e-3)
    assert first.voltage_thd == pytest.approx(0.45, abs=0.05)
    assert first.current_thd == pytest.approx(1.0, abs=0.1)
    assert all(49.96 <= (each.frequency or 0) <= 50.01 for each in found)
    swell = max(each.phases[0].voltage for each in found if each.phases[0])
    assert swell / first.voltage == pytest.approx(1.5, rel=1e-2)


@needs_recording
def test_plays_the_recording_behind_its_transformers() -> None:
    source = load_comtrade(RECORDING)
    values = source.measure(0).values()
    assert values[Quantity.VOLTAGE_A] == pytest.approx(100 * 3484 / 60, rel=2e-3)
    assert values[Quantity.CURRENT_A] == pytest.approx(1000 * 1347.7 / 500, rel=2e-3)


@needs_household
def test_a_household_day_comes_to_the_energy_in_its_file() -> None:
    source, billing = open_recording(HOUSEHOLD, light=True), Billing()
    with HOUSEHOLD.open() as file:
        rows = [line.split(";") for line in itertools.islice(file, 1, None) if ";" in line]
    expected = sum(float(row[2]) for row in rows if row[2] != "?") / 60
    registers, begin = Registers(), -billing.calendar.offset * 60_000
    for minute in range(len(rows)):
        now = begin + minute * 60_000
        power = Power.of(source.measure(now), source.ratings.starting_current)
        registers = registers.advanced(power, now, 60_000, billing)
    assert sum(registers.energy.forward) / billing.constant == pytest.approx(
        expected, abs=1.01 / 6400
    )

"""Recordings of others as sources: COMTRADE waveforms, and CSV files of measured power.

Files are read whole, within limits, and checked where they are read. Times of a CSV file say how
far apart its rows are; it is played by the time of day, over and over.
"""

from __future__ import annotations

import csv
import itertools
import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from meterseal.collection.meter.analysis import samples_needed
from meterseal.collection.meter.rules import Ratings
from meterseal.collection.meter.sources import PointSource, RecordedSource
from meterseal.collection.meter.waveform import OperatingPoint, PhasePoint, Waveforms
from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from meterseal.collection.meter.sources import Source

__all__ = ["load_comtrade", "load_power_csv", "open_recording"]

_MAX_FILE: Final = 64 << 20
_MAX_ROWS: Final = 1_000_000
_COMTRADE: Final = {".cfg", ".cff"}
_BEHIND_TRANSFORMERS: Final = Ratings(voltage=100 / math.sqrt(3), current=1.5, maximum_current=6.0)
_SCALES: Final = {"V": 1.0, "KV": 1e3, "MV": 1e6, "A": 1.0, "KA": 1e3}


def open_recording(path: Path, *, light: bool = False) -> Source:
    """Return the source in a file: COMTRADE by its `.cfg` or `.cff`, else CSV.

    `light` does without waveforms where the file has none. Raises `MalformedData`, `OSError`.
    """
    if path.suffix.lower() in _COMTRADE:
        return load_comtrade(path)
    return load_power_csv(path, light=light)


def load_comtrade(path: Path) -> RecordedSource:
    """Return the three voltages and currents of a recording as a meter behind transformers has it.

    Channels are found by unit and phase letter. Values of the primary side are divided by the
    transformers' ratios. Raises `MalformedData`.
    """
    import comtrade  # type: ignore[import-untyped]  # noqa: PLC0415  (only who plays one needs it)

    files = [path] if path.suffix.lower() == ".cff" else [path, path.with_suffix(".dat")]
    for file in files:
        _check_size(file)
    try:
        record = comtrade.Comtrade(ignore_warnings=True)
        record.load(*(str(file) for file in files))
        rates = record.cfg.sample_rates
        channels = record.cfg.analog_channels
        columns = [np.asarray(column, dtype=np.float64) for column in record.analog]
    except (comtrade.ComtradeError, ValueError, IndexError, KeyError, TypeError) as error:
        raise MalformedData(f"{path.name} is no COMTRADE recording: {error}") from error
    if len(rates) != 1:
        raise MalformedData(f"{path.name}: one sampling rate expected, {len(rates)} found")
    found: dict[str, NDArray[np.float64]] = {}
    for channel, column in zip(channels, columns, strict=True):
        found.setdefault(_place(channel.uu, channel.ph), column * _to_secondary(channel))
    waveforms = Waveforms(float(rates[0][0]), _three(found, "U", path), _three(found, "I", path))
    if waveforms.voltages.shape[1] < samples_needed(waveforms.rate):
        raise MalformedData(f"{path.name} is shorter than a window of 10 cycles")
    return RecordedSource(waveforms, _BEHIND_TRANSFORMERS)


def _place(unit: str, phase: str) -> str:
    kind = {"V": "U", "A": "I"}.get(unit.upper()[-1:], "?")
    return kind + phase.strip().upper()[:1]


def _to_secondary(channel: object) -> float:
    """Return the factor from a channel's unit to V or A on the meter's side of a transformer."""
    unit = getattr(channel, "uu", "").upper()
    scale = _SCALES.get(unit, 1.0)
    primary, secondary = getattr(channel, "primary", 1), getattr(channel, "secondary", 1)
    if getattr(channel, "pors", "S").upper() != "P" or not (primary > 0 and secondary > 0):
        return scale
    return float(scale * secondary / primary)


def _three(found: Mapping[str, NDArray[np.float64]], kind: str, path: Path) -> NDArray[np.float64]:
    missing = [phase for phase in "ABC" if kind + phase not in found]
    if missing:
        name = "voltage" if kind == "U" else "current"
        raise MalformedData(f"{path.name} has no {name} of phase {', '.join(missing)}")
    return np.stack([found[kind + phase] for phase in "ABC"])


@dataclass(frozen=True, slots=True)
class _Row:
    """kW, kvar, V; an empty field of the file is NaN."""

    active: float
    reactive: float
    voltage: float

    def point(self) -> OperatingPoint:
        """The row on phase A; B and C are absent, and so is A where a field is missing."""
        if not self.voltage > 0 or math.isnan(self.active + self.reactive):
            return OperatingPoint((None, None, None))
        current = 1000 * math.hypot(self.active, self.reactive) / self.voltage
        lag = math.degrees(math.atan2(self.reactive, self.active))
        return OperatingPoint((PhasePoint(self.voltage, current, lag), None, None))


@dataclass(frozen=True, slots=True)
class _Playback:
    """Rows `interval` ms apart, the first at `begin` in ms of local time since 1970."""

    rows: tuple[_Row, ...]
    begin: int
    interval: int
    offset: int = 480

    def __call__(self, moment: int) -> OperatingPoint:
        local = moment + self.offset * 60_000
        day = self.begin // 86_400_000 * 86_400_000
        return self.rows[(local - (self.begin - day)) // self.interval % len(self.rows)].point()


def load_power_csv(path: Path, *, light: bool = False) -> PointSource:
    """Return a household's recording: `time;active_power_kW;reactive_power_kvar;voltage_V;...`.

    That of the UCI archive (`Date;Time;Global_active_power;...`) is known too. It is measured on
    one phase: A; the others are absent. Raises `MalformedData`.
    """
    _check_size(path)
    with path.open(encoding="ascii", errors="replace", newline="") as file:
        lines = csv.reader(file, delimiter=";")
        read = _reader_of([name.strip().lower() for name in next(lines, [])], path)
        rows, times = [], []
        for number, fields in enumerate(itertools.islice(lines, _MAX_ROWS + 1), 2):
            if not fields:  # a blank line
                continue
            try:
                moment, row = read(fields)
            except (ValueError, IndexError, TypeError) as error:
                raise MalformedData(f"{path.name}, line {number}: {error}") from error
            rows.append(row)
            times.append(moment)
    if not 2 <= len(rows) <= _MAX_ROWS:  # noqa: PLR2004
        raise MalformedData(f"{path.name}: 2 to {_MAX_ROWS} rows expected")
    begin = datetime(1970, 1, 1)  # noqa: DTZ001
    interval = round((times[1] - times[0]).total_seconds() * 1000)
    if interval <= 0:
        raise MalformedData(f"{path.name}: the times of the rows do not ascend")
    first = round((times[0] - begin).total_seconds() * 1000)
    return PointSource(_Playback(tuple(rows), first, interval), light=light)


def _reader_of(header: list[str], path: Path) -> Callable[[list[str]], tuple[datetime, _Row]]:
    if header[:4] == ["time", "active_power_kw", "reactive_power_kvar", "voltage_v"]:
        return lambda f: (datetime.fromisoformat(f[0]), _Row(*_numbers(f[1:4])))
    if header[:5] == ["date", "time", "global_active_power", "global_reactive_power", "voltage"]:
        return (
            lambda f: (
                datetime.strptime(f"{f[0]} {f[1]}", "%d/%m/%Y %H:%M:%S"),  # noqa: DTZ007
                _Row(*_numbers(f[2:5])),
            )
        )
    raise MalformedData(f"{path.name} has no header that is known: {';'.join(header)[:80]}")


def _numbers(fields: list[str]) -> Iterator[float]:
    for text in fields:
        number = math.nan if text.strip() in {"", "?"} else float(text)
        if math.isinf(number):
            raise ValueError(f"{text} is no number")
        yield number


def _check_size(path: Path) -> None:
    if path.stat().st_size > _MAX_FILE:
        raise MalformedData(f"{path.name} is larger than {_MAX_FILE >> 20} MiB")

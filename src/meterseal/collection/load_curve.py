"""A household's load curve for one day, for those who have no meter file at hand.

The figures hang together physically: current follows from apparent power and voltage, and voltage
sags a little under load. The same seed gives the same curve.
"""

from __future__ import annotations

import math
import random
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

__all__ = ["load_curve"]

_MINUTES: Final = 24 * 60
_HEADER: Final = "time;active_power_kW;reactive_power_kvar;voltage_V;current_A"
_PEAKS: Final = ((7.5, 1.2, 1.4), (12.5, 0.9, 1.0), (19.5, 1.8, 2.6))  # hour, width in hours, kW


def load_curve(day: date, seed: int = 1) -> Iterator[str]:
    """Yield a header and 1,440 lines, one a minute, each with its newline."""
    noise = random.Random(seed)  # noqa: S311  (a load curve is no secret)
    appliance = 0.0
    yield _HEADER + "\n"
    for minute in range(_MINUTES):
        appliance = _switch_appliance(appliance, noise)
        active = _daily_shape(minute / 60) + appliance + abs(noise.gauss(0, 0.03))
        yield _row(datetime.combine(day, time.min) + timedelta(minutes=minute), active, noise)


def _daily_shape(hour: float) -> float:
    base = 0.22
    return base + sum(
        height * math.exp(-(((hour - centre) / width) ** 2)) for centre, width, height in _PEAKS
    )


def _switch_appliance(running: float, noise: random.Random) -> float:
    if running and noise.random() < 1 / 20:
        return 0.0
    if not running and noise.random() < 1 / 150:
        return noise.choice((0.8, 1.5, 2.0))
    return running


def _row(moment: datetime, active: float, noise: random.Random) -> str:
    reactive = active * math.tan(math.acos(0.95)) + abs(noise.gauss(0, 0.01))
    voltage = 230.0 - 0.9 * active + noise.gauss(0, 0.6)
    current = 1000 * math.hypot(active, reactive) / voltage
    return f"{moment:%Y-%m-%dT%H:%M:%S};{active:.3f};{reactive:.3f};{voltage:.2f};{current:.2f}\n"

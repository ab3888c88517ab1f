"""The fields of event records (DL/T 645-2007, table A.4): when it was, what was counted meanwhile.

Counted are forward and reverse active energy and the combined reactive energies 1 and 2.
"""

from __future__ import annotations

from typing import Final

from meterseal.collection.dlt645.values import Bcd, Moment

__all__ = [
    "ALL_LOSS",
    "COVER",
    "DEMAND",
    "ENERGY_COUNTED",
    "TIMES",
    "UNBALANCE",
    "WITH_AMPERE_HOURS",
    "WITH_STATE",
]

_ENERGY: Final = Bcd(4, 2)
_CURRENT: Final = Bcd(3, 3, signed=True)
_POWER: Final = Bcd(3, 4, signed=True)
_COUNTED: Final = (_ENERGY,) * 4
_STATE: Final = (Bcd(2, 1), _CURRENT, _POWER, _POWER, Bcd(2, 3, signed=True))

TIMES: Final = (Moment(6), Moment(6))
ENERGY_COUNTED: Final = (*TIMES, *_COUNTED * 4)
"""Of the whole meter, then of the phases."""
WITH_STATE: Final = (*TIMES, *_COUNTED, *(*_COUNTED, *_STATE) * 3)
"""Of the whole meter; of each phase also voltage, current, active, reactive power, power factor."""
WITH_AMPERE_HOURS: Final = (*WITH_STATE, *(_ENERGY,) * 4)
UNBALANCE: Final = (*TIMES, Bcd(2, 2), *_COUNTED * 4)
ALL_LOSS: Final = (Moment(6), Bcd(3, 3), Moment(6))
DEMAND: Final = (*TIMES, Bcd(3, 4), Moment(5))
COVER: Final = (*TIMES, *(_ENERGY,) * 12)
"""Forward, reverse, quadrants I to IV: before it was opened, then after it was closed."""

"""All attacks, by room and by name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from meterseal.errors import UsageError
from meterseal.lab.attack import (
    certificates,
    curve,
    downgrade,
    endings,
    fault,
    flood,
    middle,
    oracle,
    readings,
    receipts,
    replay,
    signatures,
    stolen,
    tamper,
    thieves,
    timing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meterseal.lab.attack.notes import Attack

__all__ = ["ALL", "ROOMS", "find"]

ROOMS: Final = {
    "middle": middle.ATTACKS,
    "replay": replay.ATTACKS,
    "tamper": tamper.ATTACKS,
    "downgrade": downgrade.ATTACKS,
    "endings": endings.ATTACKS,
    "readings": readings.ATTACKS + thieves.ATTACKS + receipts.ATTACKS,
    "oracle": oracle.ATTACKS,
    "curve": curve.ATTACKS + signatures.ATTACKS,
    "certificates": certificates.ATTACKS,
    "flood": flood.ATTACKS,
    "stolen": stolen.ATTACKS,
    "timing": timing.ATTACKS,
    "fault": fault.ATTACKS,
}
ALL: Final[dict[str, Attack]] = {it.name: it for room in ROOMS.values() for it in room}


def find(
    names: Sequence[str],
    known: Mapping[str, Attack] = ALL,
    rooms: Mapping[str, Sequence[Attack]] = ROOMS,
) -> list[Attack]:
    """Return the attacks of these names, or of these rooms; all of them if no name is given.

    Raises UsageError for a name that is neither.
    """
    if not names:
        return list(known.values())
    found: dict[str, Attack] = {}
    for name in names:
        attacks = rooms.get(name) or ([known[name]] if name in known else None)
        if attacks is None:
            near = difflib.get_close_matches(name, [*known, *rooms], 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(f"no attack and no room is called {name!r}{hint} (--list shows all)")
        found.update({it.name: it for it in attacks})
    return list(found.values())

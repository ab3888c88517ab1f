"""What a meter says under its own signature: readings, events, snapshots.

A number of the sequence is taken, and its statement signed, in the step that also brings both to
the disk. What a crash swallows was never heard by anybody, so its number may be used again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_UP, Decimal
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from meterseal.collection.model import EventRecord, Quality, Reading, Snapshot, Statement
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from meterseal.collection.meter.events import Event
    from meterseal.collection.meter.state import MeterState
    from meterseal.collection.meter.waveform import Waveforms
    from meterseal.collection.model import MeterAddress, Values
    from meterseal.collection.sealing import Sealer

__all__ = ["Body", "Speaker", "event_body", "reading_body", "snapshot_body"]

Body: TypeAlias = Callable[..., Statement]
"""A statement that lacks its header."""

_MOST: Final = 32_000  # of 16 bits
_MICRO: Final = Decimal("0.000001")


class Speaker:
    """Numbers and signs the statements of one meter.

    Raises `UsageError` for a certificate that is not issued to `meter-` and its address.
    """

    __slots__ = ("_address", "_epoch", "_sealer")

    def __init__(self, address: MeterAddress, epoch: int, sealer: Sealer) -> None:
        name = sealer.certificate.subject.common_name
        if name != f"meter-{address}":
            raise UsageError(f"the certificate is that of {name}, not of meter-{address}")
        self._address = address
        self._epoch = epoch
        self._sealer = sealer

    def say(
        self, state: MeterState, bodies: Sequence[Body]
    ) -> tuple[MeterState, tuple[tuple[int, bytes], ...]]:
        """Return the state with its numbers taken, and the statements as (number, sealed)."""
        doubt = Quality.CLOCK_IN_DOUBT if state.clock_in_doubt else Quality.SOUND
        statements = [
            body(
                meter=self._address,
                epoch=self._epoch,
                sequence=number,
                sampled_at=state.now,
                quality=Quality.SIMULATED | doubt,
            )
            for number, body in enumerate(bodies, state.sequence + 1)
        ]
        sealed = self._sealer.seal_many(statements) if statements else []
        numbers = (statement.sequence for statement in statements)
        taken = replace(state, sequence=state.sequence + len(statements))
        return taken, tuple(zip(numbers, sealed, strict=True))


def reading_body(values: Values) -> Body:
    """Return what was measured and counted."""
    return partial(Reading, values=values)


def event_body(event: Event) -> Body:
    """Return an event that has begun or is over."""
    return partial(
        EventRecord,
        code=event.code,
        number=event.number,
        phase=event.phase,
        began_at=event.began_at,
        ended_at=event.ended_at,
        values=event.values,
    )


def snapshot_body(cycle: Waveforms) -> Body:
    """Return waveforms as 16-bit samples; a channel of an absent phase is left out."""
    voltage_scale, voltages = _scaled(cycle.voltages)
    current_scale, currents = _scaled(cycle.currents)
    names = [f"{kind}_{phase}" for kind in "UI" for phase in "ABC"]
    channels = dict(zip(names, (*voltages, *currents), strict=True))
    return partial(
        Snapshot,
        rate=round(cycle.rate),
        voltage_scale=voltage_scale,
        current_scale=current_scale,
        channels={name: samples for name, samples in channels.items() if samples is not None},
    )


def _scaled(rows: NDArray[np.float64]) -> tuple[Decimal, list[tuple[int, ...] | None]]:
    largest = float(np.nanmax(np.abs(rows), initial=0.0))
    scale = max(Decimal(largest / _MOST).quantize(_MICRO, ROUND_UP), _MICRO)
    steps = np.rint(np.nan_to_num(rows) / float(scale)).astype(np.int64)
    present = ~np.isnan(rows[:, 0])
    return scale, [
        tuple(row.tolist()) if there else None for row, there in zip(steps, present, strict=True)
    ]

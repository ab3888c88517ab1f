"""A display over a store that tests fill: readings, events, refusals, links."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry, Counter

from meterseal.collection.display.display import Display
from meterseal.collection.display.users import Role, Users
from meterseal.collection.model import Quality, Quantity, Reading, Snapshot
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.store import LinkRecord, Refusal, Store, TurnedAway, open_store
from meterseal.collection.station.views import Views
from support.station import (
    DAY,
    EPOCH,
    MINUTE,
    NOW,
    OTHER,
    PLAIN,
    SEALING,
    arrival,
    checks,
    event,
    registry,
    world,
)

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "a good password 1"
NAMES = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "sofia": Role.SECURITY_OFFICER}
GATEWAY = "127.0.0.1:9883"
_WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Clock:
    """Stands still until it is told to go on."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


def make_display(folder: Path, clock: Clock) -> Display:
    """A display of an empty store with one user of each role."""
    store = open_store(str(folder / "station.db"))
    metrics = CollectorRegistry()
    Counter("meterseal_test_messages", "Messages", registry=metrics).inc(3)
    users = Users(folder / "state", hasher=_WEAK)
    for name, role in NAMES.items():
        users.add(name, role, PASSWORD)
    return Display(
        name="station-1",
        views=Views(store, registry()),
        store=store,
        users=users,
        trust=lambda: world().trust,
        metrics=metrics,
        clock=clock,
    )


def three_phase(sequence: int, *, seconds: int, **changes: int | None) -> Reading:
    """A sound three-phase load that breathes with time; `changes` by the quantity's name."""
    breath = 1 + 0.3 * math.sin(seconds / 1800) + 0.03 * math.sin(seconds / 37)
    values: dict[Quantity, int | None] = {}
    total = {"ACTIVE_POWER": 0, "REACTIVE_POWER": 0, "APPARENT_POWER": 0}
    for number, phase in enumerate("ABC"):
        current = (4 + number * 0.3) * breath
        voltage, lag = 220.0 + number + breath, math.radians(25)
        powers = {
            "ACTIVE_POWER": voltage * current * math.cos(lag) / 1000,
            "REACTIVE_POWER": voltage * current * math.sin(lag) / 1000,
            "APPARENT_POWER": voltage * current / 1000,
        }
        measured = {
            "VOLTAGE": voltage, "CURRENT": current, "PHASE_ANGLE": 25.0, "VOLTAGE_THD": 1.8,
            "CURRENT_THD": 6.4, "POWER_FACTOR": math.cos(lag), **powers,
        }  # fmt: skip
        for stem, value in measured.items():
            quantity = Quantity[f"{stem}_{phase}"]
            values[quantity] = quantity.steps(value)
        for stem in total:
            total[stem] += values[Quantity[f"{stem}_{phase}"]] or 0
    values |= {Quantity[stem]: steps for stem, steps in total.items()}
    kilowatt_hours = 1200 + seconds / 900
    shares = {"": 1.0, "_SHARP": 0.1, "_PEAK": 0.3, "_FLAT": 0.4, "_VALLEY": 0.2}
    singles = {
        "VOLTAGE_ANGLE_B": 240.1, "VOLTAGE_ANGLE_C": 119.8, "FREQUENCY": 50.012,
        "POWER_FACTOR": 0.906, "VOLTAGE_UNBALANCE": 0.4, "CURRENT_UNBALANCE": 6.5,
        "TEMPERATURE": 24.5, "FORWARD_DEMAND": 2.4, "FORWARD_MAXIMUM_DEMAND": 3.6,
        "REVERSE_ENERGY": 3.25,
        **{f"FORWARD_ENERGY{name}": kilowatt_hours * share for name, share in shares.items()},
    }  # fmt: skip
    values |= {Quantity[name]: Quantity[name].steps(value) for name, value in singles.items()}
    values |= {Quantity[name]: steps for name, steps in changes.items()}
    return Reading(
        meter=SEALING,
        epoch=EPOCH,
        sequence=sequence,
        sampled_at=NOW + 1000 * seconds,
        quality=Quality.SIMULATED,
        values=values,
    )


def snapshot(sequence: int, *, rate: int = 6400, cycles: float = 10.3) -> Snapshot:
    """Waveforms of 50.02 Hz with 3 % of the fifth order in the voltage, 12 % of the third in I."""
    times = [number / rate for number in range(int(rate * cycles / 50))]

    def wave(amplitude: float, shift: float, order: int, share: float) -> tuple[int, ...]:
        turn = 2 * math.pi * 50.02
        return tuple(
            round(
                amplitude * math.sin(turn * t - shift)
                + amplitude * share * math.sin(order * (turn * t - shift))
            )
            for t in times
        )

    channels = {}
    for number, phase in enumerate("ABC"):
        shift = 2 * math.pi * number / 3
        channels[f"U_{phase}"] = wave(311 / 0.02, shift, 5, 0.03)
        channels[f"I_{phase}"] = wave(6 / 0.0005, shift + 0.4, 3, 0.12)
    return Snapshot(
        meter=SEALING, epoch=EPOCH, sequence=sequence, sampled_at=NOW - MINUTE, rate=rate,
        voltage_scale=Decimal("0.02"), current_scale=Decimal("0.0005"), channels=channels,
    )  # fmt: skip


def sealed(*statements: Reading | Snapshot):  # noqa: ANN201
    """What the check would pass on, sealed by the meter itself."""
    return checks(*statements, by=world().meter)


def fill(store: Store) -> None:
    """A day of a meter with a gap, an hour of another that fell silent, events and refusals."""
    minutes = [n for n in range(-1440, 1) if not -300 <= n < -240]
    readings = [three_phase(n, seconds=60 * m) for n, m in enumerate(minutes, 1)]
    store.commit(sealed(*readings, snapshot(len(readings) + 1)), [], NOW)
    quiet = [
        Reading(
            meter=PLAIN, epoch=EPOCH, sequence=n, sampled_at=NOW - DAY // 12 + n * MINUTE,
            values={Quantity.VOLTAGE_A: 22010, Quantity.ACTIVE_POWER: 8200 + n},
        )
        for n in range(1, 60)
    ]  # fmt: skip
    store.commit(
        checks(
            *quiet,
            event(60, began_at=NOW - 40 * MINUTE),
            event(61, phase=1, began_at=NOW - 20 * MINUTE, ended_at=NOW - MINUTE),
        ),
        [],
        NOW,
    )
    store.commit(checks(Reading(meter=OTHER, epoch=EPOCH, sequence=9, sampled_at=NOW - 4 * MINUTE,
                                values={Quantity.ACTIVE_POWER: 31000})), [], NOW)  # fmt: skip
    store.commit([], [refusal(Verdict.SIGNATURE, "the signature does not verify")], NOW)
    store.save_links([
        link("collector-1", days=512, key_share="curveSM2MLKEM768"),
        link("station-1", days=12, protocol="TLCP 1.1", suite="ECDHE_SM4_GCM_SM3"),
    ])  # fmt: skip
    turned_away = [
        TurnedAway(GATEWAY, NOW - 90_000, "10.2.0.7", None, "handshake", "no common suite"),
        TurnedAway(GATEWAY, NOW - 60_000, "10.2.0.9", "collector-9", "certificate: revoked",
                   "a certificate of the chain is revoked"),
        TurnedAway(GATEWAY, NOW - 50_000, "10.2.0.9", "collector-9", "certificate: revoked",
                   "a certificate of the chain is revoked"),
    ]  # fmt: skip
    store.save_turned_away(GATEWAY, turned_away)
    store.save_statuses({"collector-1": STATUS}, NOW - 4000)


def link(
    name: str,
    *,
    days: int = 1,
    protocol: str = "TLS 1.3",
    suite: str = "TLS_SM4_GCM_SM3",
    key_share: str = "",
) -> LinkRecord:
    """The session of a client whose certificate is valid for so many days from now."""
    return LinkRecord(
        name=name, gateway=GATEWAY, address="10.2.0.4", subject=f"C=CN, O=Grid, CN={name}",
        issuer="C=CN, O=Grid, CN=issuing CA", serial_number="5F3A90C2417E66D1",
        not_before=NOW - 200 * DAY, not_after=NOW + days * DAY, protocol=protocol, suite=suite,
        key_share=key_share, since=NOW - 5000 * 1000, last_seen=NOW - 2000, messages=3021,
        received=2_212_008, sent=48_113,
    )  # fmt: skip


STATUS = json.dumps(
    {
        "online": True,
        "depth": 3,
        "oldest": NOW - 9000,
        "trouble": None,
        "clock_in_doubt": False,
        "meters": {
            SEALING: {
                "polls": 2880, "failures": 3, "success_rate": 0.999, "last_good": NOW - 1000,
                "last_error": None,
            },
            PLAIN: {
                "polls": 2880, "failures": 410, "success_rate": 0.8576,
                "last_good": NOW - 60 * MINUTE, "last_error": "it did not answer in time",
            },
        },
    }
)  # fmt: skip


def refusal(verdict: Verdict, detail: str, sequence: int = 999) -> Refusal:
    """A statement of the sealing meter that its station did not accept."""
    (check,) = sealed(three_phase(sequence, seconds=0))
    return Refusal(arrival(check.arrival.encoding, at=NOW), verdict, detail, check.sealed)

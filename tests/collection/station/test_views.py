"""What displays are told, on each database."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meterseal.collection.model import Quality, Quantity, Reading, Snapshot
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.store import Refusal, Store, TurnedAway
from meterseal.collection.station.views import Views
from meterseal.errors import UsageError
from support.display import GATEWAY, link
from support.station import (
    DAY,
    EPOCH,
    MINUTE,
    NOW,
    OTHER,
    PLAIN,
    SEALING,
    checks,
    event,
    reading,
    registry,
    world,
)

HOUR = 60 * MINUTE
MIDNIGHT = NOW - 12 * HOUR


@pytest.fixture
def views(store: Store) -> Views:
    return Views(store, registry())


def test_the_overview_of_an_empty_station(views: Views) -> None:
    overview = views.overview(NOW)
    assert (overview.meters, overview.silent, overview.completeness) == (3, 3, 0.0)
    assert (overview.alarms, overview.incidents, overview.refused_today) == (0, 0, 0)
    assert views.overview(MIDNIGHT).completeness is None


def test_the_overview_counts_meters_by_the_age_of_their_values(store: Store, views: Views) -> None:
    store.commit(
        [
            *checks(reading(1, sampled_at=NOW - 30_000)),
            *checks(reading(1, meter=OTHER, sampled_at=NOW - 5 * MINUTE)),
            *checks(reading(1, meter=SEALING, sampled_at=NOW - HOUR), by=world().meter),
        ],
        [],
        NOW,
    )
    states = {row.meter: row.state for row in views.meters(NOW)}
    assert states == {PLAIN: "online", OTHER: "late", SEALING: "silent"}
    overview = views.overview(NOW)
    assert (overview.online, overview.late, overview.silent) == (1, 1, 1)


def test_the_overview_counts_what_happened(store: Store, views: Views) -> None:
    (bad,) = checks(reading(9))
    store.commit(
        checks(*(reading(n) for n in range(1, 31)), event(31), reading(35)),
        [Refusal(bad.arrival, Verdict.SIGNATURE, "it does not verify", bad.sealed)],
        NOW,
    )
    now = NOW + 61_000  # until then the gap may still be messages that overtook each other
    overview = views.overview(now)
    assert (overview.alarms, overview.incidents, overview.refused_today) == (1, 1, 1)
    assert views.overview(NOW + 71_000).readings_per_second == 0
    assert views.overview(NOW + 20_000).incidents == 0
    assert views.overview(NOW + 20_000).readings_per_second == pytest.approx(32 / 60)


def test_a_meter_is_complete_from_its_first_statement_on(store: Store, views: Views) -> None:
    old = [reading(n, sampled_at=NOW - DAY + n * MINUTE) for n in range(1, 1381)]
    new = [reading(n, meter=OTHER, sampled_at=NOW - (11 - n) * MINUTE) for n in range(1, 10)]
    store.commit(checks(*new), [], NOW)
    overview = views.overview(NOW)
    assert overview.complete_since == NOW - 10 * MINUTE
    assert overview.completeness == pytest.approx(9 / 30), "two were never heard since then"
    store.commit(checks(*old), [], NOW)
    overview = views.overview(NOW)
    assert overview.complete_since == MIDNIGHT
    assert overview.completeness == pytest.approx((661 + 9) / (720 + 10 + 720))
    assert views.overview(MIDNIGHT + DAY).completeness is None


def test_the_latest_values_have_their_age_and_a_failed_try_does_not_hide_them(
    store: Store, views: Views
) -> None:
    assert views.latest(PLAIN, NOW) is None
    good = reading(1)
    failed = reading(2, values={}, quality=Quality.FAILED)
    store.commit(checks(failed, good), [], NOW)
    latest = views.latest(PLAIN, NOW)
    assert latest is not None
    assert latest.reading == good
    assert latest.age == NOW - good.sampled_at
    assert (latest.tried_at, latest.quality) == (failed.sampled_at, Quality.FAILED)


def test_values_that_come_late_do_not_replace_newer_ones(store: Store, views: Views) -> None:
    store.commit(checks(reading(5)), [], NOW)
    store.commit(checks(reading(4)), [], NOW + 1)
    latest = views.latest(PLAIN, NOW)
    assert latest is not None
    assert latest.reading.sequence == 5
    assert latest.received_at == NOW


def test_the_last_snapshot(store: Store, views: Views) -> None:
    assert views.snapshot(PLAIN) is None
    snapshot = Snapshot(
        meter=PLAIN, epoch=EPOCH, sequence=1, sampled_at=NOW, rate=6400,
        voltage_scale=Decimal("0.02"), current_scale=Decimal("0.001"),
        channels={"U_A": (1, -2, 3)},
    )  # fmt: skip
    store.commit(checks(snapshot, reading(2)), [], NOW)
    assert views.snapshot(PLAIN) == snapshot


def test_a_load_curve_shows_its_gaps(store: Store, views: Views) -> None:
    store.commit(checks(*(reading(n) for n in (1, 2, 4))), [], NOW)
    start = reading(1).sampled_at
    curve = views.load_curve(PLAIN, Quantity.ACTIVE_POWER, start, start + 5 * MINUTE)
    assert curve.start == start
    assert curve.mean == [1000, 2000, None, 4000, None]
    assert curve.count == [1, 1, 0, 1, 0]
    nothing = views.load_curve(PLAIN, Quantity.FREQUENCY, start, start + 2 * MINUTE)
    assert nothing.last == [None, None]


@pytest.mark.parametrize("step", [5 * MINUTE, 15 * MINUTE, HOUR, DAY])
def test_a_load_curve_in_wider_steps_has_lowest_mean_and_highest(
    store: Store, views: Views, step: int
) -> None:
    store.commit(checks(*(reading(n) for n in range(1, 60))), [], NOW)
    begin = NOW - HOUR if step < DAY else MIDNIGHT
    curve = views.load_curve(PLAIN, Quantity.ACTIVE_POWER, begin, NOW, step)
    values = [1000 * n for n in range(1, 60)]
    assert (min(filter(None, curve.low)), max(filter(None, curve.high))) == (1000, 59000)
    assert sum(curve.count) == 59
    weighted = [m * n for m, n in zip(curve.mean, curve.count, strict=True) if m is not None]
    assert sum(weighted) == pytest.approx(sum(values))
    assert curve.last[-1] == 59000


def test_a_load_curve_is_limited(views: Views) -> None:
    with pytest.raises(UsageError, match="points"):
        views.load_curve(PLAIN, Quantity.ACTIVE_POWER, 0, NOW)
    for step in (1000, 90_000, 7 * MINUTE * 60, 2 * DAY, 0):
        with pytest.raises(UsageError, match="a step of"):
            views.load_curve(PLAIN, Quantity.ACTIVE_POWER, NOW - HOUR, NOW, step)


def test_energy_of_a_day_is_the_difference_of_registers(store: Store, views: Views) -> None:
    energy = Quantity.FORWARD_ENERGY
    registers = [(MIDNIGHT - 2 * HOUR, 100), (MIDNIGHT - HOUR, 110), (MIDNIGHT + 1, 115),
                 (MIDNIGHT + HOUR, 140), (MIDNIGHT + DAY, 7), (MIDNIGHT + 3 * DAY, 9)]  # fmt: skip
    store.commit(
        checks(
            *(
                reading(n, sampled_at=at, values={energy: steps})
                for n, (at, steps) in enumerate(registers, 1)
            )
        ),
        [],
        NOW,
    )
    days = views.energy(PLAIN, MIDNIGHT - DAY, MIDNIGHT + 4 * DAY)
    assert [day.gained[energy] for day in days] == [10, 30, None, None, 0]
    assert [day.register[energy] for day in days] == [110, 140, 7, None, 9]
    assert all(day.gained[Quantity.FORWARD_ENERGY_PEAK] is None for day in days)


def test_alarms_are_listed_until_they_are_over_and_seen(store: Store, views: Views) -> None:
    store.commit(checks(event(1, ended_at=NOW), reading(3)), [], NOW)
    now = NOW + 2 * MINUTE
    gap, loss = views.alarms(now)
    assert (gap.origin, gap.kind, gap.meter) == ("station", "SEQUENCE_GAP", PLAIN)
    assert (loss.origin, loss.kind, loss.phase) == ("meter", "VOLTAGE_LOSS", 2)
    assert loss.collector == "collector-1"
    store.acknowledge(loss.id, "li", now)
    assert [alarm.kind for alarm in views.alarms(now, active=True)] == ["SEQUENCE_GAP"]
    assert views.alarms(now, meter=OTHER) == []


def test_refused_statements_are_listed_with_header_and_reason(store: Store, views: Views) -> None:
    (bad,) = checks(reading(9))
    store.commit([], [Refusal(bad.arrival, Verdict.REVOKED, "on a list", bad.sealed)], NOW)
    (row,) = views.refused()
    assert (row.verdict, row.detail, row.meter) == (Verdict.REVOKED, "on a list", PLAIN)
    assert (row.sequence, row.signer) == (9, world().collector.certificate.fingerprint())
    assert views.refused(after=row.id) == []


def test_links_join_the_session_with_what_came_over_it(store: Store, views: Views) -> None:
    (bad,) = checks(reading(9))
    store.commit(checks(reading(1)), [Refusal(bad.arrival, Verdict.TIME, "", bad.sealed)], NOW)
    session = link("collector-1")
    store.save_links([session, link("station-1")])
    collector, station = views.links()
    assert (collector.messages, collector.refused) == (2, {Verdict.TIME: 1})
    assert collector.session == session
    assert (station.name, station.last_seen) == ("station-1", None)
    store.save_statuses({"collector-1": '{"online": true}'}, NOW)
    (status,) = views.collectors()
    assert (status.stored, status.refused, status.status) == (1, 1, '{"online": true}')


def test_whom_gateways_turned_away_for_one_reason_stands_in_one_line(
    store: Store, views: Views
) -> None:
    again = [TurnedAway(GATEWAY, at, "10.0.0.9", "x", "limit", "full") for at in (NOW, NOW + 5)]
    other = TurnedAway(GATEWAY, NOW + 1, "10.0.0.9", None, "handshake", "no common suite")
    store.save_turned_away(GATEWAY, [*again, other])
    limit, handshake = views.turned_away()
    assert (limit.last, limit.first_at, limit.times) == (again[1], NOW, 2)
    assert (handshake.last, handshake.times) == (other, 1)


def test_readings_are_exported_in_the_order_of_sampling(store: Store, views: Views) -> None:
    batch = [reading(2, sampled_at=NOW - 1), reading(1, sampled_at=NOW - 2 * DAY), event(3)]
    store.commit(checks(*batch), [], NOW)
    assert list(views.readings(PLAIN, 0, NOW)) == [batch[1], batch[0]]
    assert len(list(views.statements(PLAIN, 0, NOW))) == 3
    assert list(views.readings(PLAIN, NOW - 1, NOW)) == [batch[0]]
    assert all(isinstance(each, Reading) for each in views.readings(PLAIN, 0, NOW))

"""The store, on each database: what is committed is there once, whole, and to be found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterseal.collection.model import Quality
from meterseal.collection.receipts import Entry, Verdict
from meterseal.collection.station.expiry import Ending
from meterseal.collection.station.store import (
    Arrival,
    Committed,
    Refusal,
    Store,
    StoreUnavailable,
    TurnedAway,
    open_store,
)
from meterseal.collection.station.store import batch as batch_module
from meterseal.errors import InternalError, UsageError
from support.display import GATEWAY, link
from support.postgresql import fresh_database
from support.station import (
    DAY,
    EPOCH,
    NOW,
    OTHER,
    PLAIN,
    SEALING,
    checks,
    event,
    reading,
    world,
)


def stored(store: Store, meter: str = PLAIN) -> list[int]:
    return [each.sequence for each in store.statements(meter, 0, NOW + DAY)]


def verdicts(committed: Committed, sender: str = "collector-1") -> list[Verdict]:
    return [entry.verdict for entry in committed.entries[sender]]


def test_a_committed_statement_is_kept_with_the_bytes_that_were_signed(store: Store) -> None:
    (check,) = checks(reading(1))
    committed = store.commit([check], [], NOW)
    (kept,) = store.statements(PLAIN, 0, NOW)
    assert kept.sealed == check.arrival.encoding
    assert kept.signer == world().collector.certificate.fingerprint()
    assert (kept.epoch, kept.sequence, kept.collector) == (EPOCH, 1, "collector-1")
    assert committed.entries["collector-1"] == [
        Entry(PLAIN, EPOCH, 1, check.arrival.digest, Verdict.STORED)
    ]
    assert committed.stored == 1


def test_statements_are_counted_by_meter_over_all_days(store: Store) -> None:
    assert store.counts() == {}
    store.commit(checks(*(reading(number) for number in (1, 2, 3))), [], NOW)
    assert store.counts() == {PLAIN: len(stored(store))} == {PLAIN: 3}


def test_only_a_commit_makes_the_proof_of_one() -> None:
    with pytest.raises(InternalError, match="can only come from a commit"):
        Committed({}, 0, 0, {}, NOW, object())


def test_the_whole_chain_of_the_signer_is_kept(store: Store) -> None:
    store.commit(checks(reading(1)), [], NOW)
    kept = {certificate.encoding for certificate in store.certificates()}
    w = world()
    assert kept == {p.certificate.encoding for p in (w.collector, w.ca, w.root)}


def test_the_same_bytes_again_are_stored_once_and_answered_again(store: Store) -> None:
    batch = checks(reading(1), reading(2))
    store.commit(batch, [], NOW)
    again = store.commit([*batch, *batch, *checks(reading(3))], [], NOW)
    assert verdicts(again) == [Verdict.STORED] * 5
    assert (again.stored, again.known) == (1, 4)
    assert stored(store) == [1, 2, 3]


def test_other_bytes_under_a_known_sequence_are_a_conflict_and_both_are_kept(store: Store) -> None:
    first = checks(reading(1))
    second = checks(reading(1, quality=Quality.SIMULATED))
    store.commit(first, [], NOW)
    assert verdicts(store.commit(second, [], NOW)) == [Verdict.CONFLICT]
    assert [each.sealed for each in store.statements(PLAIN, 0, NOW)] == [first[0].arrival.encoding]
    kept = store.database.read("SELECT sealed, times FROM refused")
    assert kept == [(second[0].arrival.encoding, 1)]
    alarms = store.database.read("SELECT kind, meter FROM alarms")
    assert alarms == [("CONFLICTING_STATEMENTS", int(PLAIN))]


def test_a_conflict_within_one_batch_is_found(store: Store) -> None:
    both = checks(reading(1), reading(1, quality=Quality.SIMULATED))
    assert verdicts(store.commit(both, [], NOW)) == [Verdict.STORED, Verdict.CONFLICT]


def test_a_gap_is_alarmed_and_its_alarm_closes_when_it_is_filled(store: Store) -> None:
    store.commit(checks(reading(1), reading(5)), [], NOW)
    open_gap = "SELECT detail, ended_at FROM alarms WHERE kind = 'SEQUENCE_GAP'"
    text = f"sequences 2 to 4 of epoch {EPOCH} are missing"
    assert store.database.read(open_gap) == [(text, None)]
    for sequence in (3, 2):
        store.commit(checks(reading(sequence)), [], NOW + 1)
        assert store.database.read(open_gap) == [(text, None)]
    store.commit(checks(reading(4)), [], NOW + 2)
    assert store.database.read(open_gap) == [(text, NOW + 2)]
    assert stored(store) == [1, 2, 3, 4, 5]


def test_two_lives_of_a_meter_in_the_same_time_are_a_suspected_clone(store: Store) -> None:
    old = [reading(number) for number in (1, 2, 3)]
    reborn = [reading(number, epoch=EPOCH + 10) for number in (4, 5, 6)]
    store.commit(checks(*old, *reborn), [], NOW)
    kinds = "SELECT kind FROM alarms WHERE kind = 'CLONE_SUSPECTED'"
    assert store.database.read(kinds) == []
    late = reading(7, epoch=EPOCH)
    assert verdicts(store.commit(checks(late), [], NOW)) == [Verdict.STORED]
    assert store.database.read(kinds) == [("CLONE_SUSPECTED",)]


def test_an_event_is_one_alarm_from_its_begin_to_its_end(store: Store) -> None:
    begun, over = event(1), event(2, began_at=event(1).began_at, ended_at=NOW)
    store.commit(checks(begun), [], NOW)
    alarms = "SELECT kind, phase, began_at, ended_at FROM alarms WHERE origin = 'meter'"
    assert store.database.read(alarms) == [("VOLTAGE_LOSS", 2, begun.began_at, None)]
    store.commit(checks(over), [], NOW)
    assert store.database.read(alarms) == [("VOLTAGE_LOSS", 2, begun.began_at, NOW)]


def test_the_end_of_an_event_may_arrive_before_its_begin(store: Store) -> None:
    begun, over = event(1), event(2, began_at=event(1).began_at, ended_at=NOW)
    store.commit(checks(over), [], NOW)
    store.commit(checks(begun), [], NOW)
    assert store.database.read("SELECT ended_at FROM alarms WHERE origin = 'meter'") == [(NOW,)]


def test_a_refusal_is_kept_once_counted_each_time_and_answered(store: Store) -> None:
    (check,) = checks(reading(1))
    refusal = Refusal(check.arrival, Verdict.SIGNATURE, "it does not verify", check.sealed)
    for _ in range(3):
        assert verdicts(store.commit([], [refusal], NOW)) == [Verdict.SIGNATURE]
    rows = store.database.read("SELECT verdict, meter, epoch, sequence, times, sealed FROM refused")
    assert rows == [(Verdict.SIGNATURE, int(PLAIN), EPOCH, 1, 3, None)]
    assert store.database.read("SELECT sum(count) FROM refusals")[0][0] == 3


def test_a_batch_out_of_its_time_is_one_alarm_that_names_the_clock(store: Store) -> None:
    batch = checks(*(reading(n) for n in range(1, 22)))
    late = [Refusal(check.arrival, Verdict.VALIDITY, "expired", check.sealed) for check in batch]
    clocks = "SELECT began_at, ended_at FROM alarms WHERE kind = 'CLOCK_SUSPECTED'"
    store.commit([], late[:9], NOW)
    store.commit(batch[10:], late[:10], NOW)
    assert store.database.read(clocks) == [], "few, or the smaller half, are the sender's matter"
    store.commit([], late, NOW + 1)
    store.commit([], late, NOW + 2)
    assert store.database.read(clocks) == [(NOW + 1, NOW + 2)]


def test_a_detail_that_no_text_column_takes_is_made_one_that_it_does(store: Store) -> None:
    (check,) = checks(reading(1))
    detail = "CN=\0\udcff\n" + "x" * 9000
    store.commit([], [Refusal(check.arrival, Verdict.CERTIFICATE, detail, check.sealed)], NOW)
    ((kept,),) = store.database.read("SELECT detail FROM refused")
    assert kept == "CN=???" + "x" * 494


def test_a_flood_of_refusals_is_counted_to_its_end_and_kept_up_to_a_limit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "REFUSED_A_DAY", 10)

    def flood(sender: str, count: int, first: int, at: int = NOW) -> None:
        store.commit(
            [],
            [
                Refusal(Arrival(sender, at, b"x", bytes((n,)) * 32), Verdict.FORMAT, "not CBOR")
                for n in range(first, first + count)
            ],
            at,
        )

    flood("collector-1", 7, 0)
    flood("collector-1", 90, 7)
    flood("collector-2", 3, 0)
    kept = "SELECT count(*) FROM refused WHERE collector = ?"
    assert store.database.read(kept, ("collector-1",)) == [(10,)]
    assert store.database.read(kept, ("collector-2",)) == [(3,)]
    assert store.database.read("SELECT sum(count) FROM refusals")[0][0] == 100
    flood("collector-1", 1, 200, at=NOW + DAY)
    assert store.database.read(kept, ("collector-1",)) == [(11,)]


def test_forgets_refusals_and_alarms_that_are_over_and_seen_with_their_day(store: Store) -> None:
    old = NOW - 9 * DAY
    gone, stays = event(1, ended_at=old), event(2, phase=3, ended_at=old)
    refusal = Refusal(Arrival("collector-1", old, b"x", b"\x07" * 32), Verdict.FORMAT, "not CBOR")
    store.commit(checks(gone, stays), [refusal], old)
    ((first,), _) = store.database.read("SELECT id FROM alarms ORDER BY phase")
    store.acknowledge(first, "li", old)
    store.commit(checks(reading(3)), [], NOW)
    store.forget(statements=5, minutes=5, now=NOW)
    assert store.database.read("SELECT phase FROM alarms") == [(3,)]
    for table in ("refused", "refusals"):
        assert store.database.read(f"SELECT count(*) FROM {table}") == [(0,)]


def test_what_has_no_header_is_refused_by_its_digest(store: Store) -> None:
    refusal = Refusal(Arrival("collector-1", NOW, b"x", b"\x07" * 32), Verdict.FORMAT, "not CBOR")
    (entry,) = store.commit([], [refusal], NOW).entries["collector-1"]
    assert entry == Entry("000000000000", 0, 0, b"\x07" * 32, Verdict.FORMAT)


def test_verdicts_go_to_whoever_sent_the_statement(store: Store) -> None:
    mine = checks(reading(1, meter=OTHER))
    theirs = checks(reading(2, meter=OTHER), sender="collector-2", by=world().collector_2)
    committed = store.commit([*mine, *theirs], [], NOW)
    assert sorted(committed.entries) == ["collector-1", "collector-2"]


def test_a_forgotten_day_is_gone_and_cannot_be_replayed(store: Store) -> None:
    old = checks(*(reading(n, sampled_at=NOW - 5 * DAY + n) for n in (1, 2, 4)))
    new = checks(reading(5), reading(6))
    store.commit(old, [], NOW)
    store.commit(new, [], NOW)
    before = store.days()
    assert store.forget(statements=3, minutes=3, now=NOW) == before[:1]
    assert store.days() == before[1:]
    assert stored(store) == [5, 6]
    assert verdicts(store.commit(old, [], NOW)) == [Verdict.REPLAYED] * 3
    assert verdicts(store.commit(new, [], NOW)) == [Verdict.STORED] * 2
    assert stored(store) == [5, 6]


@pytest.mark.parametrize("now", [NOW + 70 * 365 * DAY, NOW])
def test_a_clock_that_leaps_ahead_forgets_nothing(store: Store, now: int) -> None:
    store.commit(checks(reading(1), reading(2, sampled_at=NOW - 2 * DAY)), [], NOW)
    assert store.forget(statements=3, minutes=3, now=now) == []
    assert sorted(stored(store)) == [1, 2]


def test_a_batch_that_fails_leaves_nothing_behind(store: Store) -> None:
    good, second = checks(reading(1), reading(2))
    other = checks(reading(7, meter=SEALING), by=world().meter)
    bad = second._replace(arrival=second.arrival._replace(encoding=None))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        store.commit([good, *other, bad], [], NOW)
    for table in ("lives", "ledger", "missing", "meters", "minutes", "alarms", "days", "activity"):
        assert store.database.read(f"SELECT count(*) FROM {table}") == [(0,)]
    assert verdicts(store.commit([good], [], NOW)) == [Verdict.STORED]


def test_what_was_stored_is_there_after_opening_again(address: str) -> None:
    store = open_store(address, day_offset=0)
    store.commit(checks(reading(1)), [], NOW)
    store.close()
    again = open_store(address)
    assert stored(again) == [1]
    assert again.day_offset == 0, "the days of a store are settled when it is made"
    again.close()


def test_refuses_a_store_of_another_version(address: str) -> None:
    store = open_store(address)
    with store.database.transaction() as session:
        session.run("UPDATE meta SET value = 99 WHERE name = 'version'")
    store.close()
    with pytest.raises(UsageError, match="version 99, not 2"):
        open_store(address)


def test_goes_on_with_a_store_of_the_first_version(address: str) -> None:
    """It had no table of what waits, and wrote two of today's forms of aggregates."""
    store = open_store(address)
    store.commit(checks(reading(1)), [], NOW)
    store.fold()
    with store.database.transaction() as session:
        session.run("DROP TABLE waiting")
        session.run("DELETE FROM meta WHERE name = 'folds'")
        session.run("UPDATE meta SET value = 1 WHERE name = 'version'")
    store.close()
    store = open_store(address)
    store.commit(checks(reading(2)), [], NOW)
    assert store.readings_of(store.day_of(NOW)) == {PLAIN: 2}
    store.close()


def test_an_alarm_is_acknowledged_by_whoever_is_first(store: Store) -> None:
    store.commit(checks(event(1)), [], NOW)
    ((alarm,),) = store.database.read("SELECT id FROM alarms")
    assert store.acknowledge(alarm, "li", NOW)
    assert not store.acknowledge(alarm, "wang", NOW + 1)
    assert not store.acknowledge(alarm + 1, "li", NOW)
    rows = store.database.read("SELECT acknowledged_by, acknowledged_at FROM alarms")
    assert rows == [("li", NOW)]


def test_the_newest_session_of_a_link_is_kept(store: Store) -> None:
    first = link("collector-1")
    store.save_links([first, link("station-1")])
    store.save_links([replace(first, messages=2, last_seen=NOW + 1)])
    rows = store.database.read("SELECT name, messages, last_seen FROM sessions ORDER BY name")
    assert rows == [("collector-1", 2, NOW + 1), ("station-1", 3021, NOW - 2000)]


def test_of_each_gateway_the_newest_thousand_it_turned_away_are_kept(store: Store) -> None:
    away = [TurnedAway(GATEWAY, n, "10.0.0.1", None, "limit", "full") for n in range(1, 1500)]
    store.save_turned_away(GATEWAY, away[:900])
    store.save_turned_away("other:1", [replace(away[0], gateway="other:1")])
    store.save_turned_away(GATEWAY, away[500:])
    counted = "SELECT gateway, count(*), min(at), max(at) FROM turned_away GROUP BY gateway"
    rows = store.database.read(counted + " ORDER BY gateway")
    assert rows == [(GATEWAY, 1000, 500, 1499), ("other:1", 1, 1, 1)]


def test_a_certificate_that_ends_is_one_alarm_until_its_subject_has_another(store: Store) -> None:
    ending = Ending("CN=collector-1", "7F", NOW + DAY)
    for now in (NOW, NOW + 1):
        store.note_certificates([ending], {"CN=other"}, now)
    sql = "SELECT name, kind, began_at, ended_at FROM alarms"
    name = "certificate/CN=collector-1/7F"
    assert store.database.read(sql) == [(name, "CERTIFICATE_ENDS", NOW, None)]
    store.note_certificates([], {"CN=collector-1"}, NOW + 2)
    assert store.database.read(sql) == [(name, "CERTIFICATE_ENDS", NOW, NOW + 2)]


def test_a_second_writer_sees_what_the_first_committed(address: str) -> None:
    one, two = open_store(address), open_store(address)
    batch = checks(reading(1), reading(2, sampled_at=NOW - DAY))
    assert one.commit(batch, [], NOW).stored == 2
    assert two.commit(batch, [], NOW).stored == 0
    assert two.commit(checks(reading(3, sampled_at=NOW - 3 * DAY)), [], NOW).stored == 1
    assert one.commit(checks(reading(4)), [], NOW).stored == 1
    assert sorted(stored(one)) == [1, 2, 3, 4]
    one.close()
    two.close()


def test_a_lost_connection_fails_one_batch_and_the_next_one_connects_anew() -> None:
    with fresh_database() as address:
        store, other = open_store(address), open_store(address)
        store.commit(checks(reading(1)), [], NOW)
        assert stored(store) == [1]
        other.database.read(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        with pytest.raises(StoreUnavailable, match="PostgreSQL"):
            store.commit(checks(reading(2)), [], NOW)
        assert store.commit(checks(reading(2)), [], NOW).stored == 1
        assert stored(other) == [1, 2]
        store.close()
        other.close()

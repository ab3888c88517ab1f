"""What is new, missing or in conflict does not depend on the order in which things arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterseal.collection.station.store import ledger as ledger_module
from meterseal.collection.station.store.ledger import Ledger, Life, Overlap, Ruling

METER, EPOCH = 1, 100
DIGEST, OTHER = b"\x01" * 32, b"\x02" * 32
MINUTE = 60_000


def life(**changes: int) -> Life:
    return Life(METER, EPOCH, **changes)


def rule(ledger: Ledger, sequence: int, digest: bytes = DIGEST, at: int = 0) -> Ruling:
    return ledger.rule((METER, EPOCH, sequence), at, digest)


@given(st.lists(st.integers(1, 40), max_size=80))
def test_what_is_missing_is_what_has_not_come_in_whatever_order(arrivals: list[int]) -> None:
    it = life()
    ledger = Ledger([it], {})
    seen: set[int] = set()
    for sequence in arrivals:
        expected = Ruling.KNOWN if sequence in seen else Ruling.NEW
        assert rule(ledger, sequence) is expected
        seen.add(sequence)
    missing = {n for span in it.spans for n in range(span.first, span.last + 1)}
    assert missing == set(range(1, max(seen, default=0) + 1)) - seen
    assert it.highest == max(seen, default=0)
    opened = {gap.origin for gap in ledger.gaps if gap.last is not None}
    closed = {gap.origin for gap in ledger.gaps if gap.last is None}
    assert closed <= opened
    assert opened - closed == {span.origin for span in it.spans}


@given(st.lists(st.tuples(st.integers(1, 10), st.sampled_from([DIGEST, OTHER])), max_size=40))
def test_the_first_bytes_of_a_number_stay_and_all_others_conflict(
    arrivals: list[tuple[int, bytes]],
) -> None:
    ledger = Ledger([life()], {})
    kept: dict[int, bytes] = {}
    for sequence, digest in arrivals:
        ruling = rule(ledger, sequence, digest)
        first = kept.setdefault(sequence, digest)
        assert (ruling is Ruling.CONFLICT) == (first != digest)
    assert {key[2]: digest for key, digest in ledger.added.items()} == kept


def test_below_the_floor_everything_is_a_replay_but_what_is_still_known() -> None:
    ledger = Ledger([life(highest=9, floor=5)], {(METER, EPOCH, 4): DIGEST})
    assert rule(ledger, 4) is Ruling.KNOWN
    assert rule(ledger, 4, OTHER) is Ruling.CONFLICT
    assert rule(ledger, 5) is Ruling.REPLAYED
    assert rule(ledger, 6) is Ruling.NEW


def test_a_leap_of_the_number_is_one_gap_however_wide() -> None:
    it = life()
    ledger = Ledger([it], {})
    assert rule(ledger, 2**62) is Ruling.NEW
    (gap,) = ledger.gaps
    assert (gap.origin, gap.last) == (1, 2**62 - 1)
    assert len(it.spans) == 1


def test_holes_without_end_are_not_remembered_without_end() -> None:
    it = life()
    ledger = Ledger([it], {})
    for sequence in range(2, 2 * ledger_module._MAX_SPANS + 100, 2):
        assert rule(ledger, sequence) is Ruling.NEW
    assert len(it.spans) == ledger_module._MAX_SPANS


def test_lives_that_follow_each_other_are_one_meter_and_overlapping_ones_two() -> None:
    one = life(first_sampled=0, last_sampled=60 * MINUTE)
    reborn = Life(METER, EPOCH + 1, first_sampled=60 * MINUTE, last_sampled=61 * MINUTE)
    ledger = Ledger([one, reborn], {})
    ledger.rule((METER, EPOCH + 1, 1), 61 * MINUTE, DIGEST)
    assert ledger.overlaps == set()
    rule(ledger, 1, at=62 * MINUTE)
    assert ledger.overlaps == set(), "messages may overtake each other by a minute"
    ledger.rule((METER, EPOCH + 1, 2), 63 * MINUTE, DIGEST)
    assert ledger.overlaps == {Overlap(METER, EPOCH, EPOCH + 1)}

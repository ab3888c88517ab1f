"""Keys are prepared when they sign often, and never more than memory shall bear."""

from __future__ import annotations

from meterseal.collection.station.frequent import FrequentKeys


class Key:
    def __init__(self) -> None:
        self.prepared = 0

    def prepare(self) -> None:
        self.prepared += 1


def test_a_key_is_prepared_once_it_signed_often() -> None:
    keys, often, seldom = FrequentKeys(often=3), Key(), Key()
    keys.see([(b"often", often), (b"seldom", seldom), (b"often", often)])
    assert (often.prepared, seldom.prepared) == (0, 0)
    keys.see([(b"often", often)])
    assert (often.prepared, seldom.prepared) == (1, 0)


def test_the_key_of_a_certificate_that_was_read_anew_is_prepared_again() -> None:
    keys, before, after = FrequentKeys(often=1), Key(), Key()
    keys.see([(b"same", before)])
    keys.see([(b"same", after)])
    assert (before.prepared, after.prepared) == (1, 1)


def test_no_more_keys_are_prepared_than_memory_shall_bear() -> None:
    keys, all_of_them = FrequentKeys(often=2, most=3), [Key() for _ in range(5)]
    for _ in range(4):
        keys.see([(bytes([number]), key) for number, key in enumerate(all_of_them)])
    assert [bool(key.prepared) for key in all_of_them] == [True] * 3 + [False] * 2

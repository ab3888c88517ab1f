"""Which certificates somebody must renew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meterseal.collection.station.expiry import Ending, endings
from support.station import DAY, NOW, world

ONE = Ending("CN=collector-1", "7F", NOW + 400 * DAY)


@pytest.mark.parametrize(
    ("days", "is_ending"), [(31, False), (29, True), (0, True), (-29, True), (-31, False)]
)
def test_what_ends_within_a_month_or_just_ended_is_told(days: int, *, is_ending: bool) -> None:
    one = replace(ONE, not_after=NOW + days * DAY)
    assert endings([one], NOW) == (([one], set()) if is_ending else ([], {"CN=collector-1"}))


def test_a_renewed_certificate_is_nobodys_trouble() -> None:
    old = replace(ONE, serial_number="7E", not_after=NOW + DAY)
    assert endings([ONE, old], NOW) == endings([old, ONE], NOW) == ([], {"CN=collector-1"})


def test_an_ending_says_whose_certificate_ends_when() -> None:
    ending = Ending.of(world().collector.certificate)
    assert ending.subject == str(world().collector.certificate.subject)
    assert "valid until 2028" in ending.describe()

"""The Time of certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.asn1 import der
from meterseal.asn1.times import encode_time, read_time, whole_seconds
from meterseal.errors import MalformedData, UsageError

MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@settings(deadline=None)
@given(MOMENTS)
def test_times_come_back(moment: datetime) -> None:
    moment = whole_seconds(moment)
    assert read_time(der.Reader(encode_time(moment))) == moment


def test_uses_utc_time_to_2049_and_generalized_time_from_2050() -> None:
    """covers: RFC 5280, 4.1.2.5"""
    last = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert encode_time(last) == b"\x17\x0d491231235959Z"
    assert encode_time(last + timedelta(seconds=1)) == b"\x18\x0f20500101000000Z"


def test_converts_other_time_zones() -> None:
    china = timezone(timedelta(hours=8))
    assert encode_time(datetime(2026, 1, 1, 7, tzinfo=china)) == b"\x17\x0d251231230000Z"


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (der.UTC_TIME, "2601010000Z"),
        (der.UTC_TIME, "260101000000+0800"),
        (der.UTC_TIME, "260230000000Z"),
        (der.UTC_TIME, "260101240000Z"),
        (der.UTC_TIME, "26010100000 Z"),
        (der.UTC_TIME, "20260101000000Z"),
        (der.GENERALIZED_TIME, "20260101000000Z"),
        (der.GENERALIZED_TIME, "20510101000000.5Z"),
        (der.GENERALIZED_TIME, "20510101000000"),
        (der.GENERALIZED_TIME, "00000101000000Z"),
        (der.IA5_STRING, "260101000000Z"),
    ],
)
def test_refuses_other_forms(tag: int, text: str) -> None:
    with pytest.raises(MalformedData):
        read_time(der.Reader(der.encode(tag, text.encode())))


def test_refuses_times_that_certificates_cannot_hold() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    for wrong in (naive, datetime(1949, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(UsageError):
            encode_time(wrong)
    with pytest.raises(UsageError):
        whole_seconds(naive)

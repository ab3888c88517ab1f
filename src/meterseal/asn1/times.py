"""The Time of certificates (RFC 5280, 4.1.2.5): UTCTime to 2049, GeneralizedTime from 2050."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meterseal.asn1 import der
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from meterseal.asn1.der import Reader

_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_GENERALIZED = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_FIRST_GENERALIZED_YEAR = 2050
_FIRST_UTC_YEAR = 1950
_UTC_PIVOT = _FIRST_UTC_YEAR % 100


def read_time(reader: Reader) -> datetime:
    """Read a Time as an aware datetime in UTC. Raises MalformedData."""
    element = reader.element(der.UTC_TIME, der.GENERALIZED_TIME)
    utc = element.tag == der.UTC_TIME
    match = (_UTC if utc else _GENERALIZED).fullmatch(element.contents)
    if match is None:
        raise MalformedData(f"{reader.where}: a time is not in the form of RFC 5280")
    year, *rest = (int(group) for group in match.groups())
    if utc:
        year += 2000 if year < _UTC_PIVOT else 1900
    elif year < _FIRST_GENERALIZED_YEAR:
        raise MalformedData(f"{reader.where}: the year {year} must stand in a UTCTime")
    return _moment(reader, year, *rest)


def read_generalized_time(reader: Reader) -> datetime:
    """Read a GeneralizedTime of any year as an aware datetime in UTC. Raises MalformedData."""
    match = _GENERALIZED.fullmatch(reader.element(der.GENERALIZED_TIME).contents)
    if match is None:
        raise MalformedData(f"{reader.where}: a time is not in the form of RFC 5280")
    return _moment(reader, *(int(group) for group in match.groups()))


def _moment(reader: Reader, *numbers: int) -> datetime:
    year, month, day, hour, minute, second = numbers
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise MalformedData(f"{reader.where}: a time does not exist in the calendar") from None


def encode_time(moment: datetime) -> bytes:
    """Encode an aware datetime of whole seconds as a Time."""
    if moment.utcoffset() is None:
        raise UsageError("a time without time zone was given; expected an aware datetime")
    moment = moment.astimezone(UTC)
    if moment.microsecond:
        raise UsageError("the time of a certificate has whole seconds")
    if moment.year < _FIRST_UTC_YEAR:
        raise UsageError(f"certificates cannot hold times before {_FIRST_UTC_YEAR}")
    if moment.year < _FIRST_GENERALIZED_YEAR:
        return der.encode(der.UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    text = f"{moment.year:04d}" + moment.strftime("%m%d%H%M%SZ")
    return der.encode(der.GENERALIZED_TIME, text.encode())


def whole_seconds(moment: datetime) -> datetime:
    """Return an aware datetime in UTC without its fraction of a second."""
    if moment.utcoffset() is None:
        raise UsageError("a time without time zone was given; expected an aware datetime")
    return moment.astimezone(UTC).replace(microsecond=0)

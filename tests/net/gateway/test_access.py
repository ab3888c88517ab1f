"""Filters that cover filters: what a name may reach, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.errors import UsageError
from meterseal.net.gateway.access import Access, AccessRule, covers, is_filter, is_topic

ACCESS = Access(
    [
        AccessRule("collector-*", publish=("m/{name}/up",), subscribe=("m/{name}/down",)),
        AccessRule("station-*", publish=("m/+/down",), subscribe=("m/+/up", "m/+/status/#")),
    ]
)


def test_a_client_reaches_its_own_topics_only() -> None:
    assert ACCESS.may_publish("collector-1", "m/collector-1/up")
    assert not ACCESS.may_publish("collector-1", "m/collector-2/up")
    assert not ACCESS.may_publish("collector-1", "m/collector-1/down")
    assert ACCESS.may_subscribe("collector-1", "m/collector-1/down")
    for asked in ("m/+/down", "#", "m/#", "m/collector-2/down", "+/collector-1/down"):
        assert not ACCESS.may_subscribe("collector-1", asked), asked


def test_a_station_reaches_all_of_its_kind() -> None:
    assert ACCESS.may_subscribe("station-1", "m/+/up")
    assert ACCESS.may_subscribe("station-1", "m/collector-1/up")
    assert ACCESS.may_subscribe("station-1", "$share/ingest/m/+/up")
    assert ACCESS.may_subscribe("station-1", "m/x/status/a/b")
    assert not ACCESS.may_subscribe("station-1", "m/+/down")
    assert not ACCESS.may_subscribe("station-1", "$share/ingest/#")
    assert ACCESS.may_publish("station-1", "m/collector-1/down")


def test_a_stranger_reaches_nothing() -> None:
    assert not ACCESS.knows("meter-1")
    assert not ACCESS.may_publish("meter-1", "m/meter-1/up")
    assert not ACCESS.may_subscribe("meter-1", "m/meter-1/down")


def test_a_name_with_wildcards_in_it_gains_nothing() -> None:
    access = Access([AccessRule("*", publish=("m/{name}/up",), subscribe=("m/{name}/down",))])
    assert not access.may_publish("+", "m/anybody/up")
    assert not access.may_publish("a/b", "m/a/c/up")
    # A certificate with such a name would have to be issued first; it still gets no topic.
    assert not access.may_publish("#", "m/#/up")


@pytest.mark.parametrize("bad", ["", "a+", "#/a", "a/#b", "a\0", "x" * 2000])
def test_what_is_no_filter_is_refused_in_a_rule(bad: str) -> None:
    assert not is_filter(bad)
    with pytest.raises(UsageError):
        AccessRule("*", publish=(bad,))


levels = st.sampled_from(["a", "b", "", "+", "$x"])
filters = st.builds(
    lambda parts, end: "/".join(parts + end),
    st.lists(levels, min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(is_filter)
topics = st.lists(st.sampled_from(["a", "b", "", "$x"]), min_size=1, max_size=5).map("/".join)


def matches(topic_filter: str, topic: str) -> bool:
    """The standard's rule, by regular expression: an independent judge."""
    if topic.startswith("$") and topic_filter[:1] in {"+", "#"}:
        return False
    if topic_filter == "#":
        return True
    pattern = re.escape(topic_filter).replace(r"\+", "[^/]*")
    pattern = re.sub(r"/\\\#$", "(?:/.*)?", pattern)
    return re.fullmatch(pattern, topic, re.DOTALL) is not None


@given(filters, filters, topics)
def test_what_is_covered_matches_nothing_more(allowed: str, asked: str, topic: str) -> None:
    if is_topic(topic) and covers(allowed, asked) and matches(asked, topic):
        assert matches(allowed, topic)


@given(filters, topics)
def test_a_topic_is_covered_when_it_matches(allowed: str, topic: str) -> None:
    if is_topic(topic):
        assert covers(allowed, topic) == matches(allowed, topic)

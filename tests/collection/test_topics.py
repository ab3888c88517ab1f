"""Topics name their collector, bundles carry what was packed."""

from __future__ import annotations

import cbor2
import pytest

from meterseal.collection import topics
from meterseal.errors import MalformedData, UsageError


def test_each_topic_names_its_collector() -> None:
    for topic in (topics.up, topics.down, topics.status, topics.certificates):
        assert topics.collector_of(topic("collector-1")) == "collector-1"


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a.b", "a b", "电", "a" * 65, "a\0"])
def test_a_name_that_would_leave_its_topic_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        topics.up(name)


@pytest.mark.parametrize(
    "topic",
    ["", "meterseal/v1/+/up", "meterseal/v1/a/b/up", "meterseal/v1/a/up/", "x/meterseal/v1/a/up"],
)
def test_a_topic_of_nobody_is_refused(topic: str) -> None:
    with pytest.raises(MalformedData, match="no topic"):
        topics.collector_of(topic)


def test_a_bundle_carries_what_was_packed() -> None:
    assert topics.unpack(topics.pack([b"one", b"", b"three"])) == [b"one", b"", b"three"]


@pytest.mark.parametrize(
    ("bundle", "complaint"),
    [
        (cbor2.dumps({}), "array of byte strings"),
        (cbor2.dumps(["text"]), "array of byte strings"),
        (cbor2.dumps([b""] * (topics.MAX_BUNDLE + 1)), "items"),
        (bytes(topics.MAX_BUNDLE_SIZE + 1), "bytes"),
        (b"", "not CBOR"),
    ],
)
def test_what_is_no_bundle_is_refused_by_name(bundle: bytes, complaint: str) -> None:
    with pytest.raises(MalformedData, match=complaint):
        topics.unpack(bundle)

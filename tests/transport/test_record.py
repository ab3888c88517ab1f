"""The record inbox: limits before work, and any splitting gives the same records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.errors import RecordOverflow, UnexpectedMessage, UnsupportedVersion
from meterseal.transport.record import RecordInbox


def record(content_type: int, fragment: bytes, version: int = 0x0303) -> bytes:
    return (
        bytes((content_type,))
        + version.to_bytes(2, "big")
        + len(fragment).to_bytes(2, "big")
        + fragment
    )


def drain(inbox: RecordInbox) -> list[bytes]:
    found = []
    while (one := inbox.next_record()) is not None:
        found.append(one)
    return found


@given(
    st.lists(st.tuples(st.integers(20, 23), st.binary(max_size=40)), max_size=6),
    st.lists(st.integers(1, 30)),
)
def test_any_splitting_gives_the_same_records(
    contents: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    records = [record(*content) for content in contents]
    stream, inbox, found = b"".join(records), RecordInbox(), []
    for cut in [*cuts, len(stream) or 1]:
        inbox.feed(stream[:cut])
        stream = stream[cut:]
        found += drain(inbox)
    inbox.feed(stream)
    found += drain(inbox)
    assert found == records
    assert inbox.is_empty


def test_a_length_beyond_the_limit_is_refused_before_the_body_arrives() -> None:
    inbox = RecordInbox()
    inbox.feed(bytes.fromhex("16 0303 4001".replace(" ", "")))
    with pytest.raises(RecordOverflow, match="16385"):
        inbox.next_record()
    inbox = RecordInbox()
    inbox.is_protected = True
    inbox.feed(bytes.fromhex("17 0303 4801".replace(" ", "")))
    with pytest.raises(RecordOverflow, match="18433"):
        inbox.next_record()


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n", b"\x80\x2e\x01\x03\x01", b"\x00\x03\x03"])
def test_what_is_no_record_is_refused(start: bytes) -> None:
    inbox = RecordInbox()
    inbox.feed(start + bytes(8))
    with pytest.raises(UnexpectedMessage, match="no TLS record"):
        inbox.next_record()


def test_versions_are_fixed_once_agreed() -> None:
    inbox = RecordInbox()
    inbox.feed(record(22, b"x", 0x0301))
    assert inbox.next_record() is not None
    inbox.version = 0x0303
    inbox.feed(record(22, b"x", 0x0301))
    with pytest.raises(UnsupportedVersion, match="0x0301"):
        inbox.next_record()
    other = RecordInbox()
    other.feed(record(22, b"x", 0x0201))
    with pytest.raises(UnsupportedVersion):
        other.next_record()

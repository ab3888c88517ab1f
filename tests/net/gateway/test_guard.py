"""The guard before a broker: CONNECT gets the true name, and nobody leaves its topics."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.errors import MalformedData, MeterSealError
from meterseal.net.gateway.access import Access, AccessRule
from meterseal.net.gateway.mqtt import Guard, NotAllowed, Packets

ACCESS = Access([AccessRule("c-*", publish=("m/{name}/#",), subscribe=("m/{name}/down",))])


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def packet(first: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    length, encoded = len(body), bytearray()
    while True:
        length, low = length >> 7, length & 127
        encoded.append(low | (128 if length else 0))
        if not length:
            return bytes([first, *encoded]) + body


def connect(
    client_id: str = "c-1",
    *rest: bytes,
    flags: int = 0x02,
    level: int = 4,
    form: str = "MQTT",
    properties: bytes = b"",
) -> bytes:
    head = text(form) + bytes([level, flags]) + b"\x00\x3c" + properties
    return packet(0x10, head, text(client_id), *rest)


def guard(**options: object) -> Guard:
    return Guard("c-1", ACCESS, 10_000, **options)  # type: ignore[arg-type]


def connected(level: int = 4) -> Guard:
    it = guard()
    it.from_client(connect(level=level, properties=b"\x00" if level == 5 else b""))
    return it


def test_connect_gets_the_certificates_name() -> None:
    given_ = connect("c-1", text("admin"), text("guess"), flags=0xC2)
    assert guard().from_client(given_) == connect("c-1", text("c-1"), flags=0x82)


def test_connect_gets_the_brokers_password() -> None:
    passed = guard(password=b"secret").from_client(connect())
    assert passed == connect("c-1", text("c-1"), text("secret"), flags=0xC2)


def test_properties_and_will_of_mqtt_5_are_passed_on() -> None:
    properties = b"\x05\x11\x00\x00\x0e\x10"
    will = (b"\x00", text("m/c-1/status"), text(b"gone"))
    given_ = connect("c-1", *will, flags=0x06, level=5, properties=properties)
    wanted = connect("c-1", *will, text("c-1"), flags=0x86, level=5, properties=properties)
    assert guard().from_client(given_) == wanted


@pytest.mark.parametrize(
    ("sent", "error", "complaint"),
    [
        (packet(0x30, text("m/c-1/up"), b"x"), MalformedData, "begins with CONNECT"),
        (connect("c-2"), NotAllowed, "identifier 'c-2'"),
        (connect(""), NotAllowed, "identifier ''"),
        (connect("c-10"), NotAllowed, "identifier"),
        (connect(level=3, form="MQIsdp"), MalformedData, "MQTT 3.1.1"),
        (connect(level=6), MalformedData, "MQTT 3.1.1"),
        (connect(flags=0x03), MalformedData, "reserved"),
        (connect(flags=0x28), MalformedData, "reserved"),
        (connect("c-1", b"x"), MalformedData, "longer"),
        (connect("c-1", flags=0x82), MalformedData, "within a field"),
        (connect("c-1", text("m/c-2/x"), text(b""), flags=0x06), NotAllowed, "will"),
        (connect("c-1\xff").replace("c-1\xff".encode(), b"c-1\xff\xfe"), MalformedData, "UTF-8"),
        (packet(0x10), MalformedData, "within a field"),
        (b"\x10\xff\xff\xff\xff\x01", MalformedData, "packet of"),
        (b"\x10\x80\x80\x80\x80\x01", MalformedData, "four bytes"),
    ],
)
def test_a_connect_that_may_not_be_is_refused(
    sent: bytes, error: type[MeterSealError], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        guard().from_client(sent)


@pytest.mark.parametrize(
    ("sent", "error", "complaint"),
    [
        (connect(), MalformedData, "type 1"),
        (packet(0x20, b"\0\0"), MalformedData, "type 2"),
        (packet(0x00), MalformedData, "type 0"),
        (packet(0x30, text("m/c-2/up"), b"x"), NotAllowed, "publish to 'm/c-2/up'"),
        (packet(0x30, text(""), b"x"), NotAllowed, "publish to ''"),
        (packet(0x30, text("m/c-1/#"), b"x"), NotAllowed, "publish"),
        (packet(0x36, text("m/c-1/up"), b"\0\1"), MalformedData, "QoS 3"),
        (packet(0x82, b"\0\1", text("#"), b"\1"), NotAllowed, "subscribe to '#'"),
        (
            packet(0x82, b"\0\1", text("m/c-1/down"), b"\1", text("m/c-2/down"), b"\1"),
            NotAllowed,
            "c-2",
        ),
        (packet(0x82, b"\0\1", text("m/c-1/down")), MalformedData, "within a field"),
    ],
)
def test_what_a_client_may_not_do_ends_it(
    sent: bytes, error: type[MeterSealError], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        connected().from_client(sent)


def test_what_a_client_may_do_is_passed_on_byte_for_byte() -> None:
    it = connected()
    for sent in (
        packet(0x32, text("m/c-1/up"), b"\0\1", b"x" * 5000),
        packet(0x82, b"\0\2", text("m/c-1/down"), b"\1"),
        packet(0xA2, b"\0\3", text("m/c-1/down")),
        packet(0x40, b"\0\4"),
        packet(0xC0),
        packet(0xE0),
    ):
        assert it.from_client(sent) == sent
    assert it.published == 1


def test_an_alias_of_mqtt_5_needs_a_topic_that_was_checked() -> None:
    it = connected(level=5)
    alias = b"\x03\x23\x00\x01"
    with pytest.raises(NotAllowed):
        it.from_client(packet(0x30, text("m/c-2/up"), alias, b"x"))
    it = connected(level=5)
    it.from_client(packet(0x30, text("m/c-1/up"), alias, b"x"))
    it.from_client(packet(0x30, text(""), alias, b"x"))
    assert it.published == 2


def test_a_packet_above_the_limit_is_refused_at_its_head() -> None:
    with pytest.raises(MalformedData, match="10000 are allowed"):
        connected().from_client(b"\x30\x91\x4e")


@given(st.lists(st.binary(max_size=300), max_size=5), st.data())
def test_any_split_of_the_stream_gives_the_same_packets(
    bodies: list[bytes], data: st.DataObject
) -> None:
    packets = [packet(0x30, body) for body in bodies]
    stream = b"".join(packets)
    reader, found, at = Packets(1000), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        found += reader.receive_data(stream[at : at + step])
        at += step
    assert found == packets


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_any_bytes_end_in_a_named_error_or_pass(data: bytes) -> None:
    for it in (guard(), connected(), connected(level=5)):
        with contextlib.suppress(MalformedData, NotAllowed):
            it.from_client(data)

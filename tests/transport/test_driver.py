"""The driver with toy flows: what no flow should have to think of."""

from collections.abc import Callable

import pytest

from meterseal.errors import (
    AlertReceived,
    ConnectionEnded,
    DecodeError,
    NoRenegotiation,
    RecordOverflow,
    Truncated,
    UnexpectedMessage,
)
from meterseal.transport.config import Limits
from meterseal.transport.driver import Driver
from meterseal.transport.flow import Flow, receive, receive_either
from meterseal.transport.messages import (
    CertificateRequest,
    ChangeCipherSpec,
    ClientHello,
    Finished,
    HelloRequest,
    Message,
    ServerHelloDone,
)

FINISHED = Finished(bytes(12))


def message(content: Message) -> bytes:
    body = content.encode()
    return bytes((content.TYPE,)) + len(body).to_bytes(3, "big") + body


def record(content_type: int, fragment: bytes) -> bytes:
    return bytes((content_type,)) + b"\x03\x03" + len(fragment).to_bytes(2, "big") + fragment


def start(flow: Callable[[], Flow[None]], *, is_client: bool = True) -> Driver:
    driver = Driver(
        Limits(handshake_message=1024, warnings=2, empty_records=3), is_client=is_client
    )
    driver.start(flow())
    return driver


def waits_for_finished() -> Flow[None]:
    yield from receive(Finished)


def ends_at_once() -> Flow[None]:
    return
    yield


def waits_for_either() -> Flow[None]:
    following = yield from receive_either(CertificateRequest, ServerHelloDone)
    assert isinstance(following, ServerHelloDone)


def waits_for_new_keys() -> Flow[None]:
    yield from receive(ChangeCipherSpec)
    yield from receive(Finished)


def test_completes_when_the_flow_ends() -> None:
    driver = start(waits_for_finished)
    assert not driver.is_established
    driver.receive_data(record(22, message(FINISHED)))
    assert driver.is_established


def test_either_of_two_messages_is_taken() -> None:
    driver = start(waits_for_either)
    driver.receive_data(record(22, message(ServerHelloDone())))
    assert driver.is_established


def test_a_message_may_come_byte_by_byte_and_record_by_record() -> None:
    driver = start(waits_for_finished)
    for byte in message(FINISHED):
        for piece in record(22, bytes((byte,))):
            driver.receive_data(bytes((piece,)))
    assert driver.is_established


def test_the_wrong_message_is_refused_by_its_type_before_its_body() -> None:
    driver = start(waits_for_finished)
    with pytest.raises(UnexpectedMessage, match="expected Finished, received ServerHelloDone"):
        driver.receive_data(record(22, b"\x0e\x00\x00\x00"))


def test_left_over_bytes_in_a_message_are_refused() -> None:
    driver = start(waits_for_finished)
    with pytest.raises(DecodeError, match="after the last field"):
        driver.receive_data(record(22, b"\x14\x00\x00\x0d" + bytes(13)))


def test_a_message_after_the_end_of_the_handshake_in_the_same_record_is_refused() -> None:
    driver = start(waits_for_finished)
    with pytest.raises(UnexpectedMessage):
        driver.receive_data(record(22, message(FINISHED) * 2))


def test_an_oversized_message_is_refused_by_its_header() -> None:
    driver = start(waits_for_finished)
    with pytest.raises(RecordOverflow, match="1025 bytes"):
        driver.receive_data(record(22, b"\x14\x00\x04\x01"))


def test_change_cipher_spec_is_refused_unless_awaited() -> None:
    driver = start(waits_for_finished)
    with pytest.raises(UnexpectedMessage, match="received ChangeCipherSpec"):
        driver.receive_data(record(20, b"\x01"))
    awaiting = start(waits_for_new_keys)
    awaiting.receive_data(record(20, b"\x01"))
    with pytest.raises(DecodeError, match="other than 1"):
        start(waits_for_new_keys).receive_data(record(20, b"\x02"))


def test_change_cipher_spec_inside_a_message_is_refused() -> None:
    driver = start(waits_for_new_keys)
    with pytest.raises(UnexpectedMessage):
        driver.receive_data(record(22, b"\x14\x00") + record(20, b"\x01"))


def test_finished_in_place_of_change_cipher_spec_is_refused() -> None:
    driver = start(waits_for_new_keys)
    with pytest.raises(UnexpectedMessage, match="expected ChangeCipherSpec, received Finished"):
        driver.receive_data(record(22, message(FINISHED)))


def test_application_data_during_the_handshake_is_refused() -> None:
    with pytest.raises(UnexpectedMessage, match="before the end"):
        start(waits_for_finished).receive_data(record(23, b"x"))


def test_empty_records_are_bounded() -> None:
    driver = start(ends_at_once)
    driver.receive_data(record(23, b"") * 3 + record(23, b"data") + record(23, b"") * 3)
    assert driver.take_data() == b"data"
    with pytest.raises(UnexpectedMessage, match="more than 3 empty"):
        driver.receive_data(record(23, b""))
    with pytest.raises(UnexpectedMessage, match="empty record"):
        start(waits_for_finished).receive_data(record(22, b""))


def test_warnings_are_bounded() -> None:
    driver = start(waits_for_finished)
    driver.receive_data(record(21, b"\x01\x70") * 2)
    with pytest.raises(UnexpectedMessage, match="warnings"):
        driver.receive_data(record(21, b"\x01\x70"))


def test_alerts_are_read_strictly() -> None:
    with pytest.raises(AlertReceived, match="handshake_failure"):
        start(waits_for_finished).receive_data(record(21, b"\x02\x28"))
    with pytest.raises(DecodeError, match="2 bytes"):
        start(waits_for_finished).receive_data(record(21, b"\x02"))
    with pytest.raises(DecodeError, match="level 3"):
        start(waits_for_finished).receive_data(record(21, b"\x03\x28"))


def test_close_notify_is_answered_and_ends_reading() -> None:
    driver = start(ends_at_once)
    driver.receive_data(record(21, b"\x01\x00") + record(23, b"late"))
    assert driver.close_received
    assert driver.take_data() == b""
    assert driver.take_output().endswith(b"\x01\x00")
    driver.receive_end()


def test_the_end_without_close_notify_is_a_truncation() -> None:
    with pytest.raises(Truncated, match="after the handshake"):
        start(ends_at_once).receive_end()
    with pytest.raises(Truncated, match="during the handshake"):
        start(waits_for_finished).receive_end()
    with pytest.raises(Truncated, match="closed the session during"):
        start(waits_for_finished).receive_data(record(21, b"\x01\x00"))


def test_renegotiation_is_refused_in_both_roles() -> None:
    hello = message(ClientHello(0x0303, bytes(32), b"", (0xE107,)))
    with pytest.raises(NoRenegotiation):
        start(ends_at_once, is_client=False).receive_data(record(22, hello))
    client = start(ends_at_once)
    client.receive_data(record(22, message(HelloRequest())))
    assert client.take_output().endswith(b"\x01\x64")
    with pytest.raises(UnexpectedMessage):
        start(ends_at_once, is_client=False).receive_data(record(22, message(HelloRequest())))


def test_hello_request_during_the_handshake_is_ignored_but_counted() -> None:
    driver = start(waits_for_finished)
    driver.receive_data(record(22, message(HelloRequest()) * 2))
    assert driver.take_output() == b""
    with pytest.raises(UnexpectedMessage, match="warnings"):
        driver.receive_data(record(22, message(HelloRequest())))


def test_data_before_the_handshake_is_refused() -> None:
    with pytest.raises(ConnectionEnded):
        start(waits_for_finished).send_data(b"x")

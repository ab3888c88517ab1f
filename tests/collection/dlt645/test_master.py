"""The master's side: what it sends, which answers it takes, what it refuses to do."""

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.collection.dlt645 import (
    ANYONE,
    BROADCAST,
    SEALED_NEWEST,
    Answer,
    Authority,
    Conversation,
    Frame,
    Request,
    SlaveLine,
)
from meterseal.collection.dlt645.frame import WAKE_UP
from meterseal.errors import MalformedData, MeterRefused, UnsupportedMeter, UsageError
from support import dlt645_captures as captures
from support.dlt645_meter import AUTHORITY, SEALED, example_meter

VOLTAGES = "68 01 00 23 11 26 20 68 91 0A 33 32 34 35 34 56 CC 55 47 56 FC 16"


def asking(code: int = 0x0201FF00, address: str = captures.METER) -> Conversation:
    conversation = Conversation()
    conversation.request(address, Request.read(code))
    return conversation


@pytest.mark.parametrize(("text", "code"), captures.QUESTIONS.items())
def test_asks_as_captured(text: str, code: int) -> None:
    address = bytes.fromhex(text)[6:0:-1].hex()
    assert Conversation().request(address, Request.read(code)) == WAKE_UP + bytes.fromhex(text)


@pytest.mark.parametrize(
    ("text", "address", "request_"),
    [
        (captures.READ_ADDRESS, ANYONE, Request.read_address()),
        (
            captures.BROADCAST_TIME,
            BROADCAST,
            Request.broadcast_time(datetime(2026, 11, 23, 6, 15, 30)),
        ),
        (captures.FREEZE_NOW, BROADCAST, Request.freeze()),
        (
            captures.WRITE_TIME,
            captures.METER,
            Request.write(0x04000102, bytes.fromhex("301506"), AUTHORITY),
        ),
        (
            captures.AUTHENTICATE,
            captures.METER,
            Request.authenticate(
                0x070000FF,
                "00000000",
                bytes.fromhex("0102030405060708 1112131415161718 2122232425262728"),
            ),
        ),
    ],
)
def test_commands_as_captured(text: str, address: str, request_: Request) -> None:
    sent = Conversation().request(address, request_, allow_change=True)
    assert sent == WAKE_UP + bytes.fromhex(text)


@pytest.mark.parametrize(("text", "numbers"), captures.ANSWERS.items())
def test_takes_every_captured_answer(text: str, numbers: tuple[int | None, ...]) -> None:
    raw = bytes.fromhex(text)
    code = int.from_bytes(bytes((value - 0x33) & 0xFF for value in raw[10:14]), "little")
    answer = asking(code, raw[6:0:-1].hex()).receive_data(raw)
    assert answer is not None
    assert len(answer.data) == raw[9] - 4
    assert numbers


@given(st.lists(st.integers(1, 22), max_size=10))
def test_takes_an_answer_in_pieces(cuts: list[int]) -> None:
    raw, conversation, answers = bytes.fromhex(VOLTAGES), asking(), []
    edges = [0, *sorted({*cuts, len(raw)})]
    for start, end in pairwise(edges):
        answers.append(conversation.receive_data(raw[start:end]))
    assert answers[-1] == Answer(captures.METER, 0x11, raw_values())
    assert not any(answers[:-1])


def raw_values() -> bytes:
    return bytes.fromhex("0123 9922 1423")


@pytest.mark.parametrize(
    "noise",
    [
        captures.STRAY,
        captures.DEMAND,  # another identifier: late
        "68 12 00 00 00 10 20 68 91 0A 33 32 34 35 89 55 32 32 32 32 21 16",  # another meter
        "68 01 00 23 11 26 20 68 11 04 33 32 34 35 2E 16",  # our own echo
        captures.WRITTEN,  # another function
        VOLTAGES[:41],  # half an answer
    ],
)
def test_passes_over_what_is_not_the_answer(noise: str) -> None:
    conversation = asking()
    assert conversation.receive_data(bytes.fromhex(noise)) is None
    answer = conversation.receive_data(bytes.fromhex(VOLTAGES))
    assert (answer or conversation.end_of_gap()) is not None


def test_an_answer_is_taken_once() -> None:
    conversation = asking()
    assert conversation.receive_data(bytes.fromhex(VOLTAGES)) is not None
    assert conversation.receive_data(bytes.fromhex(VOLTAGES)) is None
    with pytest.raises(UsageError):
        conversation.repeat()


def test_repeats_what_it_waits_for() -> None:
    conversation = Conversation()
    sent = conversation.request(captures.METER, Request.read(0x0201FF00))
    assert conversation.repeat() == sent


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        (captures.NO_SUCH_DATA, 2, "no such data"),
        (captures.TESTER_NO_SUCH_DATA, 2, "no such data"),
    ],
)
def test_a_refusal_is_named(text: str, code: int, reason: str) -> None:
    raw = bytes.fromhex(text)
    conversation = asking(address=raw[6:0:-1].hex())
    with pytest.raises(MeterRefused, match=reason) as caught:
        conversation.receive_data(raw)
    assert caught.value.code == code


def test_every_bit_of_a_refusal_is_named() -> None:
    refusal = Frame(captures.METER, 0xD1, b"\x7f").encode()
    with pytest.raises(MeterRefused) as caught:
        asking().receive_data(refusal)
    assert str(caught.value).endswith(
        "other, no such data, not authorised, rate cannot change, too many zones, "
        "too many periods, too many tariffs"
    )


def test_a_refused_write_says_not_authorised() -> None:
    conversation = Conversation()
    request = Request.write(0x04000102, bytes(3), AUTHORITY)
    conversation.request(captures.METER, request, allow_change=True)
    with pytest.raises(MeterRefused, match="not authorised"):
        conversation.receive_data(bytes.fromhex(captures.NOT_AUTHORISED))


@pytest.mark.parametrize("text", [captures.ADDRESS, captures.TESTER_ADDRESS])
def test_learns_the_address_of_the_one_meter(text: str) -> None:
    conversation = Conversation()
    conversation.request(ANYONE, Request.read_address())
    answer = conversation.receive_data(bytes.fromhex(text))
    assert answer is not None
    assert answer.data[::-1].hex() == answer.meter


def test_a_meter_of_1997_is_named_as_such() -> None:
    with pytest.raises(UnsupportedMeter, match="1997"):
        asking(address="138000130754").receive_data(bytes.fromhex(captures.OF_1997[0]))


@pytest.mark.parametrize(
    "request_",
    [
        Request.write(0x04000102, bytes(3), AUTHORITY),
        Request.broadcast_time(datetime(2026, 11, 23)),
        Request.freeze(),
        Request.write_address(captures.METER),
        Request.change_rate(9600),
        Request.change_password(0x04000C03, AUTHORITY, AUTHORITY),
        Request.clear_demand(AUTHORITY),
        Request.clear_meter(AUTHORITY),
        Request.clear_events(AUTHORITY),
        Request.control(AUTHORITY, 0x1A, datetime(2026, 11, 23)),
        Request.output(0),
        Request.authenticate(0x070000FF, "00000000", b""),
    ],
    ids=lambda request: request.function.name,
)
def test_nothing_but_reading_goes_out_unasked_for(request_: Request) -> None:
    with pytest.raises(UsageError, match="allow_change"):
        Conversation().request(captures.METER, request_)
    assert Conversation().request(captures.METER, request_, allow_change=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Request.change_rate(115200),
        lambda: Request.read_load_record(0x06000001, 0),
        lambda: Request.read_load_record(0x06000001, 256),
        lambda: Request.freeze("1"),
        lambda: Request.write_address("12"),
        lambda: Request.clear_demand(Authority(2, "12345")),
    ],
)
def test_refuses_requests_that_have_no_frame(make: object) -> None:
    with pytest.raises(UsageError):
        make()


def test_a_write_has_at_most_50_bytes() -> None:
    conversation = Conversation()
    fits = Request.write(0x04000403, bytes(38), AUTHORITY)
    conversation.request(captures.METER, fits, allow_change=True)
    long = Request.write(0x04000403, bytes(39), AUTHORITY)
    with pytest.raises(UsageError, match="50"):
        conversation.request(captures.METER, long, allow_change=True)


def test_a_password_is_in_no_repr() -> None:
    request = Request.write(0x04000102, b"", Authority(2, "135790"))
    assert "135790" not in repr(Authority(2, "135790"))
    assert "907913" not in repr(request).replace("\\x", "")


def converse(conversation: Conversation, line: SlaveLine, out: bytes) -> Answer:
    answer = None
    while answer is None:
        answer = conversation.receive_data(line.receive_data(out))
        out = conversation.data_to_send()
        assert answer or out
    return answer


@pytest.mark.parametrize("size", [0, 1, 196, 197, 391, 392, 1024, 196 + 255 * 195])
def test_a_long_answer_is_put_together(size: int) -> None:
    meter, conversation = example_meter(), Conversation()
    meter.registers.sealed = (SEALED * 50)[:size]
    out = conversation.request(captures.METER, Request.read(SEALED_NEWEST))
    answer = converse(conversation, SlaveLine([meter]), out)
    assert answer.data == meter.registers.sealed


def test_a_lost_following_frame_is_asked_for_again_and_taken_once() -> None:
    line, conversation = SlaveLine([example_meter()]), Conversation()
    first = line.receive_data(conversation.request(captures.METER, Request.read(SEALED_NEWEST)))
    conversation.receive_data(first)
    ask = conversation.data_to_send()
    lost = line.receive_data(ask)
    assert conversation.repeat() == ask
    answer = conversation.receive_data(line.receive_data(ask) + lost)
    assert answer is None
    assert converse(conversation, line, conversation.data_to_send()).data == SEALED


def test_an_answer_without_end_is_given_up() -> None:
    conversation = asking(SEALED_NEWEST)
    code = SEALED_NEWEST.to_bytes(4, "little")
    conversation.receive_data(Frame(captures.METER, 0xB1, code).encode())
    for number in range(1, 255):
        endless = Frame(captures.METER, 0xB2, code + bytes((number,)))
        assert conversation.receive_data(endless.encode()) is None
    last = Frame(captures.METER, 0xB2, code + b"\xff").encode()
    with pytest.raises(MalformedData, match="255"):
        conversation.receive_data(last)


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_no_bytes_upset_a_conversation(pieces: list[bytes]) -> None:
    conversation = asking()
    for piece in pieces:
        assert conversation.receive_data(piece) is None
    conversation.end_of_gap()
    assert conversation.receive_data(bytes.fromhex(VOLTAGES)) is not None

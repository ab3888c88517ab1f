"""The meter's side: answers to the captured questions, long answers, addresses, refusals."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterseal.collection.dlt645 import (
    ANYONE,
    BROADCAST,
    SEALED_NEWEST,
    Authority,
    ErrorFlag,
    Frame,
    FrameDecoder,
    Registers,
    Request,
    Slave,
    SlaveLine,
)
from meterseal.collection.dlt645.slave import LONGEST_ANSWER
from meterseal.collection.model import MeterAddress
from support import dlt645_captures as captures
from support.dlt645_meter import AUTHORITY, SEALED, ExampleRegisters, example_meter

OF_EXAMPLE = {
    question: answer
    for question in captures.QUESTIONS
    for answer in captures.ANSWERS
    if question[:23] == answer[:23] == "68 01 00 23 11 26 20 68"
    and question[30:41] == answer[30:41]
}


def ask(line: SlaveLine, address: str, request: Request) -> Frame | None:
    answers = FrameDecoder().receive_data(
        line.receive_data(Frame(address, request.function, request.data).encode())
    )
    assert len(answers) <= 1
    return answers[0] if answers else None


def exchange(text: str) -> tuple[str, ExampleRegisters]:
    meter = example_meter()
    answer = SlaveLine([meter]).receive_data(bytes.fromhex(text)).hex(" ").upper()
    assert isinstance(meter.registers, ExampleRegisters)
    return answer, meter.registers


@pytest.mark.parametrize(
    ("question", "answer"),
    [*OF_EXAMPLE.items(), (captures.READ_ADDRESS, captures.ADDRESS)],
)
def test_answers_as_the_captured_meter_does(question: str, answer: str) -> None:
    assert exchange(question)[0] == answer


def test_the_captured_questions_are_among_them() -> None:
    assert len(OF_EXAMPLE) == 6


def test_answers_the_maximum_demand_with_its_time() -> None:
    assert exchange("68 01 00 23 11 26 20 68 11 04 33 33 34 34 2E 16")[0] == captures.DEMAND


def test_says_that_it_has_no_such_data() -> None:
    question = Frame(captures.METER, 0x11, bytes.fromhex("00099902")).encode().hex()
    assert exchange(question)[0] == captures.NO_SUCH_DATA


def test_writes_with_the_password_and_refuses_without() -> None:
    answer, registers = exchange(captures.WRITE_TIME)
    assert answer == captures.WRITTEN
    assert registers.done == [("write", 0x04000102, bytes.fromhex("301506"))]
    wrong = Request.write(0x04000102, bytes(3), Authority(2, "000001"))
    question = Frame(captures.METER, wrong.function, wrong.data).encode().hex()
    answer, registers = exchange(question)
    assert answer == captures.NOT_AUTHORISED
    assert registers.done == []


def test_does_what_is_broadcast_and_never_answers() -> None:
    answer, registers = exchange(captures.BROADCAST_TIME + captures.FREEZE_NOW)
    assert answer == ""
    assert registers.done == [
        ("time", datetime(2026, 11, 23, 6, 15, 30)),
        ("freeze", "99999999"),
    ]
    for request in (
        Request.read(0x0201FF00),
        Request.clear_meter(AUTHORITY),
        Request.read_address(),
    ):
        answer, registers = exchange(
            Frame(BROADCAST, request.function, request.data).encode().hex()
        )
        assert (answer, registers.done) == ("", [])


def test_authenticates_as_the_captured_example() -> None:
    answer, registers = exchange(captures.AUTHENTICATE)
    assert answer == captures.AUTHENTICATED
    ((_, code, operator, data),) = registers.done
    assert (code, operator, len(data)) == (0x070000FF, "00000000", 24)


@pytest.mark.parametrize("text", captures.OF_1997)
def test_refuses_the_functions_of_1997(text: str) -> None:
    (frame,) = FrameDecoder().receive_data(bytes.fromhex(text))
    meter = Slave(MeterAddress(frame.address), ExampleRegisters())
    request = Frame(frame.address, frame.function, frame.data)
    (answer,) = FrameDecoder().receive_data(SlaveLine([meter]).receive_data(request.encode()))
    assert answer.is_error
    assert answer.data == bytes((ErrorFlag.OTHER,))


@pytest.mark.parametrize(
    ("request_", "done", "answer"),
    [
        (Request.write_address("000000000007"), ("address", "000000000007"), b""),
        (Request.freeze("99991200"), ("freeze", "99991200"), b""),
        (Request.change_rate(9600), ("rate", 9600), b"\x20"),
        (
            Request.change_password(0x04000C03, AUTHORITY, Authority(2, "123456")),
            ("password", 0x04000C03, bytes.fromhex("02000000"), bytes.fromhex("02563412")),
            bytes.fromhex("02563412"),
        ),
        (Request.clear_demand(AUTHORITY), ("clear demand", AUTHORITY), b""),
        (Request.clear_meter(AUTHORITY), ("clear meter", AUTHORITY), b""),
        (Request.clear_events(AUTHORITY), ("clear events", 0xFFFFFFFF, AUTHORITY), b""),
        (
            Request.control(AUTHORITY, 0x1A, datetime(2026, 11, 23, 7)),
            ("control", 0x1A, datetime(2026, 11, 23, 7), AUTHORITY),
            b"",
        ),
        (Request.output(1), ("output", 1), b"\x01"),
        (
            Request.read_load_record(0x06000001, 3, datetime(2026, 11, 23, 7, 15)),
            ("load", 0x06000001, 3, datetime(2026, 11, 23, 7, 15)),
            bytes.fromhex("01000006") + b"records",
        ),
        (
            Request.read_load_record(0x06000002, 1),
            ("load", 0x06000002, 1, None),
            bytes.fromhex("02000006") + b"records",
        ),
    ],
)
def test_every_command_reaches_the_registers(
    request_: Request, done: tuple[object, ...], answer: bytes
) -> None:
    meter = example_meter()
    received = ask(SlaveLine([meter]), captures.METER, request_)
    assert received == Frame(captures.METER, request_.function | 0x80, answer)
    assert meter.registers.done == [done]
    assert request_.changes_meter == (request_.function != 0x11)


def test_closed_registers_refuse_everything() -> None:
    line = SlaveLine([Slave(MeterAddress(captures.METER), Registers())])
    for function in range(0x20):
        if function in {0x08, 0x12, 0x13}:
            continue
        for size in range(52):
            answer = ask(line, captures.METER, Request(function, bytes(size)))
            assert answer is not None
            assert answer.is_error, (function, size)


def test_no_meter_takes_the_address_of_all() -> None:
    answer = ask(SlaveLine([example_meter()]), captures.METER, Request.write_address(BROADCAST))
    assert answer is not None
    assert answer.is_error


def test_a_new_address_is_known_on_every_line() -> None:
    meters = [example_meter(), example_meter("000000000001")]
    first, second = SlaveLine(meters), SlaveLine(meters)
    ask(first, captures.METER, Request.write_address("000000000007"))
    assert ask(second, captures.METER, Request.read_address()) is None
    assert ask(second, "000000000007", Request.read_address()) is not None
    assert ask(second, "000000000001", Request.read_address()).address == "000000000001"


def test_a_meter_answers_to_its_new_address_from_then_on() -> None:
    line = SlaveLine([example_meter()])
    ask(line, captures.METER, Request.write_address("000000000007"))
    assert ask(line, captures.METER, Request.read_address()) is None
    answer = ask(line, "000000000007", Request.read_address())
    assert answer is not None
    assert answer.data == bytes.fromhex("070000000000")


def test_a_long_answer_goes_into_following_frames() -> None:
    line = SlaveLine([example_meter()])
    first = ask(line, captures.METER, Request.read(SEALED_NEWEST))
    assert first is not None
    assert first.control_code == 0xB1
    received, number, more = first.data[4:], 0, True
    while more:
        number += 1
        for _ in range(2):  # a frame may be asked for again
            part = ask(line, captures.METER, Request.read_following(SEALED_NEWEST, number))
            assert part is not None
            assert part.data[:4] == first.data[:4]
            assert part.data[-1] == number
        received += part.data[4:-1]
        more = part.control_code == 0xB2
    assert received == SEALED
    assert part.control_code == 0x92


@pytest.mark.parametrize(
    ("code", "number"), [(SEALED_NEWEST, 0), (SEALED_NEWEST, 9), (SEALED_NEWEST + 1, 1)]
)
def test_there_is_no_following_frame_that_is_not_owed(code: int, number: int) -> None:
    line = SlaveLine([example_meter()])
    ask(line, captures.METER, Request.read(SEALED_NEWEST))
    assert ask(line, captures.METER, Request.read_following(SEALED_NEWEST, 1)).is_answer
    answer = ask(line, captures.METER, Request.read_following(code, number))
    assert answer is not None
    assert answer.is_error


def test_an_answer_beyond_255_following_frames_is_refused() -> None:
    meter = example_meter()
    line = SlaveLine([meter])
    meter.registers.sealed = bytes(LONGEST_ANSWER)
    assert not ask(line, captures.METER, Request.read(SEALED_NEWEST)).is_error
    meter.registers.sealed = bytes(LONGEST_ANSWER + 1)
    assert ask(line, captures.METER, Request.read(SEALED_NEWEST)).is_error


def test_a_wildcard_is_answered_only_where_it_means_one_meter() -> None:
    meters = [example_meter("000000000001"), example_meter("000000000102")]
    line = SlaveLine(meters)
    assert ask(line, ANYONE, Request.read_address()) is None
    assert ask(line, "AAAAAAAAAA01", Request.read_address()).address == "000000000001"
    assert ask(line, "AAAAAAAA01AA", Request.read_address()).address == "000000000102"
    assert ask(line, "000000000003", Request.read_address()) is None
    assert ask(SlaveLine(meters[:1]), ANYONE, Request.read_address()).address == "000000000001"


def test_a_write_of_more_than_50_bytes_is_refused() -> None:
    for size, refused in ((38, False), (39, True)):
        request = Request.write(0x04000403, bytes(size), AUTHORITY)
        assert ask(SlaveLine([example_meter()]), captures.METER, request).is_error is refused


def test_answers_of_other_meters_are_no_requests() -> None:
    line = SlaveLine([example_meter()])
    assert line.receive_data(bytes.fromhex(captures.DEMAND)) == b""


def test_a_value_that_fits_no_register_is_an_error_and_not_a_crash() -> None:
    class Wrong(Registers):
        def read(self, code: int) -> tuple[int]:  # noqa: ARG002
            return (10**9,)

    line = SlaveLine([Slave(MeterAddress(captures.METER), Wrong())])
    assert ask(line, captures.METER, Request.read(0x02010100)).is_error


@given(st.lists(st.binary(max_size=120), max_size=6))
def test_no_bytes_upset_a_line(pieces: list[bytes]) -> None:
    line = SlaveLine([example_meter()])
    for piece in pieces:
        line.receive_data(piece)
    line.end_of_gap()
    assert not line.is_waiting
    assert line.receive_data(bytes.fromhex(captures.READ_ADDRESS)) == bytes.fromhex(
        captures.ADDRESS
    )


@given(st.integers(0, 0x1F), st.binary(max_size=60))
def test_no_request_upsets_a_meter(function: int, data: bytes) -> None:
    line = SlaveLine([example_meter()])
    answer = ask(line, captures.METER, Request(function, data))
    if function == 0x08:
        assert answer is None
    else:
        assert answer is not None
        assert answer.function == function

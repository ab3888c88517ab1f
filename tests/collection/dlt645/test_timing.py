"""What a master waits for, in virtual time: nothing of this depends on the machine."""

import asyncio

import pytest

from meterseal.collection.dlt645 import Answer, Request
from meterseal.collection.dlt645.link import Link, Master
from meterseal.errors import MeterSilent
from support import dlt645_captures as captures
from support import virtual_time

VOLTAGES = bytes.fromhex("68 01 00 23 11 26 20 68 91 0A 33 32 34 35 34 56 CC 55 47 56 FC 16")
HALF = len(VOLTAGES) // 2


class ScriptedLink(Link):
    """A line on which, after every request, bytes arrive at given seconds."""

    def __init__(self, *arrivals: tuple[float, bytes]) -> None:
        self._arrivals = arrivals
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.sent_at: list[float] = []

    async def send(self, data: bytes) -> None:
        assert data
        loop = asyncio.get_running_loop()
        self.sent_at.append(round(loop.time(), 6))
        for delay, arriving in self._arrivals:
            loop.call_later(delay, self._arrived.put_nowait, arriving)

    async def receive(self) -> bytes:
        return await self._arrived.get()


async def outcome(link: ScriptedLink) -> tuple[str, float]:
    """Read once; return what came of it, and when."""
    try:
        await Master(link).read_data(captures.METER, 0x0201FF00)
    except MeterSilent:
        result = "silent"
    else:
        result = "answer"
    return result, round(asyncio.get_running_loop().time(), 6)


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        ([], ("silent", 1.0)),
        ([(0.99, VOLTAGES)], ("answer", 0.99)),
        ([(1.01, VOLTAGES)], ("silent", 1.0)),
        # half an answer: the rest may come 500 ms after it, whenever the answer began
        ([(0.1, VOLTAGES[:HALF]), (0.9, VOLTAGES[HALF:])], ("answer", 0.9)),
        ([(0.9, VOLTAGES[:HALF]), (1.39, VOLTAGES[HALF:])], ("answer", 1.39)),
        ([(0.9, VOLTAGES[:HALF]), (1.41, VOLTAGES[HALF:])], ("silent", 1.4)),
        # a false start hides the answer until the line is silent
        ([(0.2, bytes.fromhex("68 00 00 00 00 00 00 68 91 C8")), (0.3, VOLTAGES)], ("answer", 1.0)),
        # noise without end
        ([(0.3 * at, b"\x00") for at in range(1, 100)], ("silent", 4.0)),
    ],
)
def test_waits_for_an_answer_as_long_as_it_says(
    arrivals: list[tuple[float, bytes]], expected: tuple[str, float]
) -> None:
    assert virtual_time.run(outcome(ScriptedLink(*arrivals))) == expected


def test_the_line_is_left_alone_between_an_answer_and_the_next_request() -> None:
    async def run() -> list[float]:
        link = ScriptedLink((0.25, VOLTAGES))
        master = Master(link)
        for _ in range(3):
            await master.read_data(captures.METER, 0x0201FF00)
        return link.sent_at

    assert virtual_time.run(run()) == [0.0, 0.27, 0.54]


def test_one_silent_meter_holds_the_line_for_one_time_out_only() -> None:
    async def run() -> tuple[list[object], list[float]]:
        link = ScriptedLink()
        master = Master(link)
        blocks = (0x0201FF00, 0x0202FF00, 0x0203FF00)
        results = await asyncio.gather(
            *(master.read_quantities(f"{meter:012}", blocks) for meter in range(3)),
            return_exceptions=True,
        )
        return results, link.sent_at

    results, sent_at = virtual_time.run(run())
    assert [type(result) for result in results] == [MeterSilent] * 3
    assert sent_at == [0.0, 1.02, 2.04]


def test_an_answer_that_came_too_late_is_not_taken_for_the_next() -> None:
    async def run() -> list[object]:
        link = ScriptedLink((1.015, VOLTAGES))
        master = Master(link)
        results: list[object] = []
        for _ in range(2):
            try:
                results.append(await master.ask(captures.METER, Request.read(0x0201FF00)))
            except MeterSilent:
                results.append("silent")
        return results

    assert not any(isinstance(result, Answer) for result in virtual_time.run(run()))

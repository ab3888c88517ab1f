"""The master's side of a conversation, sans-IO: one request out, its whole answer in.

    out = conversation.request(address, Request.read(0x0201FF00))
    answer = conversation.receive_data(bytes_from_the_line)   # None: not yet
    out = conversation.data_to_send()                         # asks for following frames

Time-outs and repetition are the caller's: `repeat()` gives the bytes of the frame still awaited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.collection.dlt645.frame import (
    ANYONE,
    BROADCAST,
    LONGEST_WRITE,
    WAKE_UP,
    Frame,
    FrameDecoder,
    is_addressed,
)
from meterseal.collection.dlt645.messages import (
    Function,
    Request,
    identifier_of,
    is_of_1997,
    refusal_of,
    unsupported,
)
from meterseal.collection.model import MeterAddress
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Answer", "Conversation"]

_IDENTIFIER_SIZE: Final = 4
_LAST_FOLLOWING: Final = 255
_NAMED: Final = frozenset((Function.READ, Function.READ_FOLLOWING))


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: who gave it, and its data without identifier and frame numbers."""

    meter: MeterAddress
    function: int
    data: bytes


class Conversation:
    """One master on one line. It has at most one request under way.

    Frames of other meters, of other identifiers (a late answer to a question given up), echoes of
    our own frames and noise are passed over. A late answer to the *same* question, and a late
    refusal of any (it names none), cannot be told from a fresh one: let the line fall silent
    before asking again.
    """

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._awaited: Frame | None = None
        self._code: int | None = None
        self._parts: list[bytes] = []
        self._to_send = b""

    def request(self, address: str, request: Request, *, allow_change: bool = False) -> bytes:
        """Return the bytes of a request; what was under way is forgotten.

        `allow_change` must be true for anything but reading: such commands cross the line without
        any protection worth the name. Raises `UsageError` without it, and where the request has no
        frame.
        """
        if request.changes_meter and not allow_change:
            raise UsageError(f"{request.function.name} changes the meter and needs allow_change")
        if request.changes_meter and len(request.data) > LONGEST_WRITE:
            raise UsageError(f"a write has {LONGEST_WRITE} bytes, not {len(request.data)}")
        frame = Frame(address, request.function, request.data)
        encoded = WAKE_UP + frame.encode()
        self._decoder = FrameDecoder()
        self._awaited = None if address == BROADCAST else frame
        self._code = identifier_of(frame) if request.function in _NAMED else None
        self._parts = []
        self._to_send = b""
        return encoded

    def repeat(self) -> bytes:
        """Return the awaited frame's request again; raises `UsageError` where none is awaited."""
        if self._awaited is None:
            raise UsageError("no answer is awaited")
        return WAKE_UP + self._awaited.encode()

    def receive_data(self, data: bytes) -> Answer | None:
        """Take bytes from the line; return the answer once it is whole.

        Raises `MeterRefused` for an error answer, `UnsupportedMeter` for one of DL/T 645-1997 and
        `MalformedData` for one that has no sense; nothing is awaited afterwards.
        """
        return self._first_answer(self._decoder.receive_data(data))

    def end_of_gap(self) -> Answer | None:
        """Give up a half frame after 500 ms of silence; there may be a whole one behind it."""
        return self._first_answer(self._decoder.end_of_gap())

    def data_to_send(self) -> bytes:
        """Return once what must be sent to go on: the request for a following frame, or nothing."""
        to_send, self._to_send = self._to_send, b""
        return to_send

    def _first_answer(self, frames: Iterable[Frame]) -> Answer | None:
        for frame in frames:
            answer = self._take(frame)
            if answer is not None:
                return answer
        return None

    def _take(self, frame: Frame) -> Answer | None:
        awaited = self._awaited
        if awaited is None or not frame.is_answer or not _is_from(frame, awaited.address):
            return None
        if frame.function != awaited.function:
            if is_of_1997(frame):
                self._awaited = None
                raise unsupported(frame)
            return None
        if frame.is_error:
            self._awaited = None
            raise refusal_of(frame)
        if self._code is None:
            return self._finish(frame, frame.data)
        return self._take_part(frame, awaited)

    def _take_part(self, frame: Frame, awaited: Frame) -> Answer | None:
        if identifier_of(frame) != self._code:
            return None
        part = frame.data[_IDENTIFIER_SIZE:]
        if awaited.function == Function.READ_FOLLOWING:
            if part[-1:] != awaited.data[-1:]:  # another frame number: a repeated, older one
                return None
            part = part[:-1]
        self._parts.append(part)
        if not frame.is_followed:
            return self._finish(frame, b"".join(self._parts))
        self._ask_following(frame.address)
        return None

    def _ask_following(self, meter: str) -> None:
        if self._code is None or len(self._parts) > _LAST_FOLLOWING:
            self._awaited = None
            raise MalformedData(f"the answer of {meter} has more than 255 following frames")
        request = Request.read_following(self._code, len(self._parts))
        self._awaited = Frame(meter, request.function, request.data)
        self._to_send = self.repeat()

    def _finish(self, frame: Frame, data: bytes) -> Answer:
        self._awaited = None
        return Answer(MeterAddress(frame.address), frame.function, data)


def _is_from(frame: Frame, asked: str) -> bool:
    if frame.address == asked:
        return asked.isdecimal()
    if not frame.address.isdecimal():
        return False
    return asked == ANYONE or is_addressed(asked, MeterAddress(frame.address))

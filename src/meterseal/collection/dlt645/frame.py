"""Frames of DL/T 645-2007 and the decoder that finds them in a noisy stream (clause 7).

    68 A0..A5 68 C L DATA CS 16

The address is sent low byte first, every byte of DATA as its value + 33H, CS is the sum of all
bytes before it. Wake-up bytes FE may come before the first 68 and belong to nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.collection.model import MeterAddress

__all__ = [
    "ANYONE",
    "BROADCAST",
    "LONGEST_DATA",
    "LONGEST_WRITE",
    "WAKE_UP",
    "Frame",
    "FrameDecoder",
    "is_addressed",
]

WAKE_UP: Final = b"\xfe\xfe\xfe\xfe"
ANYONE: Final = "A" * 12  # the wildcard address: whoever is on the line
BROADCAST: Final = "9" * 12  # all at once, and nobody answers
LONGEST_DATA: Final = 200  # bytes of DATA in an answer to a read
LONGEST_WRITE: Final = 50  # and in a write

_START: Final = 0x68
_END: Final = 0x16
_SECOND_START: Final = 7
_HEAD: Final = 10  # from the first 68 to L
_TAIL: Final = 2  # CS and 16
_ADDRESS: Final = re.compile(r"(?:[0-9]{2}|AA){6}")
_FROM_METER: Final = 0x80
_ERROR: Final = 0x40
_FOLLOWED: Final = 0x20
_FUNCTION: Final = 0x1F
_SENT: Final = bytes((value + 0x33) & 0xFF for value in range(256))
_MEANT: Final = bytes((value - 0x33) & 0xFF for value in range(256))


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: twelve digits of address (pairs `AA` are wildcards), control code, plain DATA."""

    address: str
    control_code: int
    data: bytes = b""

    @property
    def function(self) -> int:
        """What is asked or answered: bits 0 to 4 of the control code."""
        return self.control_code & _FUNCTION

    @property
    def is_answer(self) -> bool:
        """True when a meter sent it."""
        return bool(self.control_code & _FROM_METER)

    @property
    def is_error(self) -> bool:
        """True when the meter refuses the request."""
        return bool(self.control_code & _ERROR)

    @property
    def is_followed(self) -> bool:
        """True when following frames hold the rest of the answer."""
        return bool(self.control_code & _FOLLOWED)

    def answer(self, data: bytes, *, sender: str, followed: bool = False) -> Frame:
        """Return the normal answer of meter `sender` to this request."""
        control_code = self.function | _FROM_METER | (_FOLLOWED if followed else 0)
        return Frame(sender, control_code, data)

    def error(self, data: bytes, *, sender: str) -> Frame:
        """Return the error answer of meter `sender` to this request."""
        return Frame(sender, self.function | _FROM_METER | _ERROR, data)

    def encode(self) -> bytes:
        """Return the frame's bytes without wake-up; raises `UsageError` for what no frame holds."""
        if not _ADDRESS.fullmatch(self.address):
            raise UsageError(f"an address has twelve digits or pairs AA, {self.address!r} has not")
        if len(self.data) > LONGEST_DATA:
            raise UsageError(f"a frame holds {LONGEST_DATA} bytes of data, not {len(self.data)}")
        body = bytearray((_START,))
        body += bytes.fromhex(self.address)[::-1]
        body += bytes((_START, self.control_code, len(self.data)))
        body += self.data.translate(_SENT)
        body += bytes((sum(body) & 0xFF, _END))
        return bytes(body)


def is_addressed(address: str, meter: MeterAddress) -> bool:
    """Tell whether a request to `address` means this meter: same digits, `AA` for any pair."""
    if address == ANYONE or address.isdecimal():
        return address in {ANYONE, meter}
    pairs = zip(_pairs(address), _pairs(meter), strict=True)
    return all(asked in {"AA", own} for asked, own in pairs)


def _pairs(address: str) -> list[str]:
    return [address[at : at + 2] for at in range(0, 12, 2)]


class FrameDecoder:
    """Finds frames in a stream, whatever stands between and inside them.

    What looks like a frame but fails (second 68, address digits, length, checksum, end) costs its
    first byte, and the search goes on behind it: no good frame is lost to a bad one. It never holds
    more than one frame's bytes between calls.
    """

    def __init__(self) -> None:
        self._inbox = bytearray()

    @property
    def is_waiting(self) -> bool:
        """True in the middle of what may be a frame."""
        return bool(self._inbox)

    def receive_data(self, data: bytes) -> list[Frame]:
        """Take bytes as they came; return the frames that they complete."""
        self._inbox += data
        frames: list[Frame] = []
        position = 0
        while (position := self._inbox.find(_START, position)) >= 0:
            size = _size_at(self._inbox, position)
            if size is None:  # may be a frame: wait for more
                break
            frame = _frame_at(self._inbox, position, size) if size else None
            if frame is None:
                position += 1
            else:
                frames.append(frame)
                position += size
        del self._inbox[: position if position >= 0 else len(self._inbox)]
        return frames

    def end_of_gap(self) -> list[Frame]:
        """Give up the half frame that is waiting: the line was silent for longer than a frame may.

        Return the frames found in what came after its first byte.
        """
        frames: list[Frame] = []
        while self._inbox:
            rest = bytes(self._inbox[1:])
            self._inbox.clear()
            frames += self.receive_data(rest)
        return frames


def _size_at(inbox: bytearray, start: int) -> int | None:
    """Return the size of the frame that may begin here; 0 if none can, None if it is not whole."""
    received = len(inbox) - start
    if received > _SECOND_START and inbox[start + _SECOND_START] != _START:
        return 0
    if received < _HEAD:
        return None
    length = inbox[start + 9]
    if length > LONGEST_DATA:
        return 0
    size = _HEAD + length + _TAIL
    return size if received >= size else None


def _frame_at(inbox: bytearray, start: int, size: int) -> Frame | None:
    body = bytes(inbox[start : start + size])
    if body[-1] != _END or sum(body[:-_TAIL]) & 0xFF != body[-_TAIL]:
        return None
    address = body[6:0:-1].hex().upper()
    if not _ADDRESS.fullmatch(address):
        return None
    return Frame(address, body[8], body[_HEAD:-_TAIL].translate(_MEANT))

"""The meter's side of a conversation, sans-IO: bytes of a line in, bytes of answers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.collection.dlt645.commands import CODE_SIZE, obey
from meterseal.collection.dlt645.frame import (
    BROADCAST,
    LONGEST_DATA,
    Frame,
    FrameDecoder,
    is_addressed,
)
from meterseal.collection.dlt645.messages import ErrorFlag, Function, identifier_of
from meterseal.collection.dlt645.registers import Refused
from meterseal.collection.model import MeterAddress
from meterseal.errors import MalformedData, MeterRefused, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.collection.dlt645.registers import Registers

__all__ = ["LONGEST_ANSWER", "Slave", "SlaveLine"]

_FIRST: Final = LONGEST_DATA - CODE_SIZE  # bytes of an answer in its first frame
_NEXT: Final = _FIRST - 1  # and in each following one, which also has its number
LONGEST_ANSWER: Final = _FIRST + 255 * _NEXT
_BROADCASTS: Final = frozenset((Function.BROADCAST_TIME, Function.FREEZE))


class Slave:
    """One meter: its address and its registers."""

    def __init__(self, address: MeterAddress, registers: Registers) -> None:
        self.address = address
        self.registers = registers

    def answer(self, request: Frame) -> tuple[Frame, bytes]:
        """Return the first frame of the answer to a request that means this meter, and the rest.

        The rest of a long answer goes into following frames.
        """
        sender = self.address  # who takes a new address answers by the old one
        try:
            data = self._obey(request)
        except MeterRefused as refusal:
            return request.error(bytes((refusal.code,)), sender=sender), b""
        except (MalformedData, UsageError):
            return request.error(bytes((ErrorFlag.OTHER,)), sender=sender), b""
        rest = data[LONGEST_DATA:]
        return request.answer(data[:LONGEST_DATA], sender=sender, followed=bool(rest)), rest

    def hear(self, request: Frame) -> None:
        """Do what all meters are told at once. Nobody answers, not even to refuse."""
        if request.function in _BROADCASTS:
            self.answer(request)

    def _obey(self, request: Frame) -> bytes:
        if request.function == Function.READ_ADDRESS:
            return bytes.fromhex(self.address)[::-1]
        if request.function == Function.WRITE_ADDRESS:
            address = MeterAddress(request.data[::-1].hex())
            if address == BROADCAST:
                raise Refused
            self.registers.write_address(address)
            self.address = address
            return b""
        data = obey(request.function, request.data, self.registers)
        longest = LONGEST_ANSWER if request.function == Function.READ else _FIRST
        if len(data) > CODE_SIZE + longest:
            raise Refused
        return data


class SlaveLine:
    """The meters on one line (or behind one connection), with what it still owes of a long answer.

    A request to a wildcard address is answered where exactly one meter is meant: on a real bus the
    answers of several would collide. Nothing that is sent to all is answered.
    """

    def __init__(self, meters: Iterable[Slave]) -> None:
        self._meters: dict[str, Slave] = {meter.address: meter for meter in meters}
        self._decoder = FrameDecoder()
        self._owed: tuple[MeterAddress, int | None, bytes] | None = None

    @property
    def is_waiting(self) -> bool:
        """True in the middle of what may be a frame."""
        return self._decoder.is_waiting

    def receive_data(self, data: bytes) -> bytes:
        """Take bytes from the line; return the answers, possibly none."""
        return self._answers(self._decoder.receive_data(data))

    def end_of_gap(self) -> bytes:
        """Give up a half frame after 500 ms of silence; answer a whole one behind it."""
        return self._answers(self._decoder.end_of_gap())

    def _answers(self, frames: Iterable[Frame]) -> bytes:
        return b"".join(self._answer(frame) for frame in frames if not frame.is_answer)

    def _answer(self, request: Frame) -> bytes:
        if request.address == BROADCAST:
            for each in self._meters.values():
                each.hear(request)
            return b""
        meter = self._meant(request.address)
        if meter is None:
            return b""
        if request.function == Function.BROADCAST_TIME:  # not answered even by one
            meter.hear(request)
            return b""
        if request.function == Function.READ_FOLLOWING:
            return self._following(meter, request).encode()
        frame, rest = meter.answer(request)
        self._owed = (meter.address, identifier_of(request), rest) if rest else None
        return frame.encode()

    def _meant(self, address: str) -> Slave | None:
        known = self._meters.get(address)
        if known is not None and known.address == address:
            return known
        # a wildcard, nobody, or a meter that was given another address, perhaps on another line
        meters = self._meters.values()
        meant = [meter for meter in meters if is_addressed(address, meter.address)]
        return meant[0] if len(meant) == 1 else None

    def _following(self, meter: Slave, request: Frame) -> Frame:
        """Return the following frame that is asked for; the same one again if asked again."""
        code, number = request.data[:CODE_SIZE], request.data[CODE_SIZE:]
        rest = b""
        if self._owed and self._owed[:2] == (meter.address, identifier_of(request)):
            rest = self._owed[2]
        start = (number[0] - 1) * _NEXT if len(number) == 1 else len(rest)
        if not 0 <= start < len(rest):
            no_such_data = bytes((ErrorFlag.NO_SUCH_DATA,))
            return request.error(no_such_data, sender=meter.address)
        data = code + rest[start : start + _NEXT] + number
        followed = start + _NEXT < len(rest)
        return request.answer(data, sender=meter.address, followed=followed)

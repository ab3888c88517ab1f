"""What each function does to a meter's registers, and the data of its normal answer (clause 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.collection.dlt645.frame import LONGEST_WRITE
from meterseal.collection.dlt645.identifiers import expand
from meterseal.collection.dlt645.items import encode_item
from meterseal.collection.dlt645.messages import RATES, Authority, ErrorFlag, Function
from meterseal.collection.dlt645.registers import Refused
from meterseal.collection.dlt645.values import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from meterseal.collection.dlt645.registers import Registers

__all__ = ["CODE_SIZE", "obey"]

CODE_SIZE: Final = 4
_AUTHORITY: Final = 8


def obey(function: int, data: bytes, registers: Registers) -> bytes:
    """Do what is asked and return the data of the answer, of any length.

    Raises `Refused`, and `MalformedData` or `UsageError` for data that have no sense.
    """
    work = _WORK.get(function)
    if work is None:  # functions of DL/T 645-1997 among them
        raise Refused
    if function != Function.READ and len(data) > LONGEST_WRITE:
        raise Refused
    return work(registers, data)


def _read(registers: Registers, data: bytes) -> bytes:
    code = _code(data)
    if len(data) > CODE_SIZE:
        return data[:CODE_SIZE] + _read_load_record(registers, code, data[CODE_SIZE:])
    content = _content(registers, code)
    if content is None:
        content = _block(registers, code)
    return data + content


def _content(registers: Registers, code: int) -> bytes | None:
    content = registers.read(code)
    if content is None or isinstance(content, bytes):
        return content
    return encode_item(code, content)


def _block(registers: Registers, code: int) -> bytes:
    """Return the items of a block up to the first that the meter does not have."""
    items = expand(code)
    contents: list[bytes] = []
    for item in items if len(items) > 1 else ():
        content = _content(registers, item.code)
        if content is None:
            break
        contents.append(content)
    if not contents:
        raise Refused(ErrorFlag.NO_SUCH_DATA)
    return b"".join(contents)


def _read_load_record(registers: Registers, code: int, asked: bytes) -> bytes:
    since: datetime | None = None
    if len(asked) == 1 + 5:
        since = Moment(5).decode(asked[1:])
    elif len(asked) != 1:
        raise Refused
    return registers.read_load_record(code, asked[0], since)


def _write(registers: Registers, data: bytes) -> bytes:
    code = _code(data)
    authority = _authority(data[CODE_SIZE:])
    registers.write(code, data[CODE_SIZE + _AUTHORITY :], authority)
    return b""


def _set_time(registers: Registers, data: bytes) -> bytes:
    _expect(data, 6)
    moment = Moment(6).decode(data)
    if moment is not None:
        registers.set_time(moment)
    return b""


def _freeze(registers: Registers, data: bytes) -> bytes:
    _expect(data, 4)
    registers.freeze(data[::-1].hex())
    return b""


def _change_rate(registers: Registers, data: bytes) -> bytes:
    _expect(data, 1)
    rate = RATES.get(data[0])
    if rate is None:
        raise Refused(ErrorFlag.RATE_CANNOT_CHANGE)
    registers.change_rate(rate)
    return data


def _change_password(registers: Registers, data: bytes) -> bytes:
    _expect(data, CODE_SIZE + 8)
    new = data[CODE_SIZE + 4 :]
    registers.change_password(_code(data), data[CODE_SIZE : CODE_SIZE + 4], new)
    return new


def _clear_demand(registers: Registers, data: bytes) -> bytes:
    _expect(data, _AUTHORITY)
    registers.clear_demand(_authority(data))
    return b""


def _clear_meter(registers: Registers, data: bytes) -> bytes:
    _expect(data, _AUTHORITY)
    registers.clear_meter(_authority(data))
    return b""


def _clear_events(registers: Registers, data: bytes) -> bytes:
    _expect(data, _AUTHORITY + CODE_SIZE)
    registers.clear_events(_code(data[_AUTHORITY:]), _authority(data))
    return b""


def _control(registers: Registers, data: bytes) -> bytes:
    _expect(data, _AUTHORITY + 8)
    command, until = data[_AUTHORITY], Moment(6).decode(data[_AUTHORITY + 2 :])
    registers.control(command, until, _authority(data))
    return b""


def _output(registers: Registers, data: bytes) -> bytes:
    _expect(data, 1)
    registers.output(data[0])
    return data


def _authenticate(registers: Registers, data: bytes) -> bytes:
    code, operator = _code(data), data[7:3:-1].hex()
    return data[:CODE_SIZE] + registers.authenticate(code, operator, data[_AUTHORITY:])


def _code(data: bytes) -> int:
    if len(data) < CODE_SIZE:
        raise Refused
    return int.from_bytes(data[:CODE_SIZE], "little")


def _authority(data: bytes) -> Authority:
    if len(data) < _AUTHORITY:
        raise Refused
    return Authority.decode(data)


def _expect(data: bytes, size: int) -> None:
    if len(data) != size:
        raise Refused


_WORK: Final[Mapping[int, Callable[[Registers, bytes], bytes]]] = {
    Function.AUTHENTICATE: _authenticate,
    Function.BROADCAST_TIME: _set_time,
    Function.READ: _read,
    Function.WRITE: _write,
    Function.FREEZE: _freeze,
    Function.CHANGE_RATE: _change_rate,
    Function.CHANGE_PASSWORD: _change_password,
    Function.CLEAR_DEMAND: _clear_demand,
    Function.CLEAR_METER: _clear_meter,
    Function.CLEAR_EVENTS: _clear_events,
    Function.CONTROL: _control,
    Function.OUTPUT: _output,
}

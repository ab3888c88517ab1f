"""What a master may ask and what a meter answers: functions, requests, errors (clause 8).

None of the writes is protected by more than a password sent in clear, and nothing tells a fresh
request from a recorded one. A `Request` therefore knows whether it `changes_meter`, and the master
sends such a request only where the caller says so in as many words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final

from meterseal.errors import MeterRefused, UnsupportedMeter, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from meterseal.collection.dlt645.frame import Frame

__all__ = [
    "ALL_EVENTS",
    "RATES",
    "SEALED_BY_SEQUENCE",
    "SEALED_FROM",
    "SEALED_HELD",
    "SEALED_NEWEST",
    "Authority",
    "ErrorFlag",
    "Function",
    "Request",
    "identifier_of",
    "is_of_1997",
    "refusal_of",
    "unsupported",
]

ALL_EVENTS: Final = 0xFFFFFFFF
RATES: Final = {0x02: 600, 0x04: 1200, 0x08: 2400, 0x10: 4800, 0x20: 9600, 0x40: 19200}

SEALED_NEWEST: Final = 0xE1000000
SEALED_HELD: Final = 0xE1000001
SEALED_BY_SEQUENCE: Final = 0xE1010000
SEALED_FROM: Final = 0xE1020000
"""Our own identifiers, in the room left to makers: statements that the meter sealed itself.

E1000000 is the newest one, E101ssss the one whose sequence number ends in ssss (hexadecimal): bytes
of any length up to what following frames carry. E1000001 gives those that the meter holds, the
oldest first, E102ssss those from the number on that ends in ssss: a CBOR array of as many as fit an
answer, empty where none is left.
"""

_COUNTS: Final = range(1, 256)
_FUNCTIONS_1997: Final = frozenset((0x01, 0x02, 0x04, 0x0A, 0x0C, 0x0F, 0x10))


class Function(IntEnum):
    """Bits 0 to 4 of the control code."""

    AUTHENTICATE = 0x03
    BROADCAST_TIME = 0x08
    READ = 0x11
    READ_FOLLOWING = 0x12
    READ_ADDRESS = 0x13
    WRITE = 0x14
    WRITE_ADDRESS = 0x15
    FREEZE = 0x16
    CHANGE_RATE = 0x17
    CHANGE_PASSWORD = 0x18
    CLEAR_DEMAND = 0x19
    CLEAR_METER = 0x1A
    CLEAR_EVENTS = 0x1B
    CONTROL = 0x1C
    OUTPUT = 0x1D


_ASKING: Final = frozenset((Function.READ, Function.READ_FOLLOWING, Function.READ_ADDRESS))


class ErrorFlag(IntFlag):
    """The error byte of a refusal."""

    OTHER = 0x01
    NO_SUCH_DATA = 0x02
    NOT_AUTHORISED = 0x04
    RATE_CANNOT_CHANGE = 0x08
    TOO_MANY_ZONES = 0x10
    TOO_MANY_PERIODS = 0x20
    TOO_MANY_TARIFFS = 0x40


@dataclass(frozen=True, slots=True)
class Authority:
    """Who writes: password level, six digits of password, eight of operator code.

    The password crosses the line in clear.
    """

    level: int
    password: str = field(repr=False)
    operator: str = "00000000"

    @classmethod
    def decode(cls, data: bytes) -> Authority:
        """Return the authority in the eight bytes PA P0 P1 P2 C0 C1 C2 C3."""
        return cls(data[0], data[3:0:-1].hex(), data[7:3:-1].hex())

    @property
    def secret(self) -> bytes:
        """PA P0 P1 P2."""
        return bytes((self.level,)) + _digits(self.password, 6)

    def encode(self) -> bytes:
        """Return PA P0 P1 P2 C0 C1 C2 C3."""
        return self.secret + _digits(self.operator, 8)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its function and data, without the address."""

    function: Function
    data: bytes = field(default=b"", repr=False)

    @property
    def changes_meter(self) -> bool:
        """True for all that is more than asking."""
        return self.function not in _ASKING

    @classmethod
    def read(cls, code: int) -> Request:
        """Read an identifier or a block."""
        return cls(Function.READ, _identifier(code))

    @classmethod
    def read_load_record(cls, code: int, count: int, since: datetime | None = None) -> Request:
        """Read at most `count` load records, from the first at or after `since` where given."""
        if count not in _COUNTS:
            raise UsageError(f"1 to 255 records can be asked for, not {count}")
        when = f"{since:%y%m%d%H%M}" if since else ""
        return cls(Function.READ, _identifier(code) + bytes((count,)) + _digits(when, len(when)))

    @classmethod
    def read_following(cls, code: int, number: int) -> Request:
        """Read the following frame `number` (1 to 255) of a long answer."""
        return cls(Function.READ_FOLLOWING, _identifier(code) + bytes((number,)))

    @classmethod
    def read_address(cls) -> Request:
        """Ask the one meter on the line for its address; sent to `ANYONE`."""
        return cls(Function.READ_ADDRESS)

    @classmethod
    def broadcast_time(cls, moment: datetime) -> Request:
        """Set the clocks of all meters; sent to `BROADCAST`, never answered."""
        return cls(Function.BROADCAST_TIME, _digits(f"{moment:%y%m%d%H%M%S}", 12))

    @classmethod
    def write(cls, code: int, data: bytes, authority: Authority) -> Request:
        """Write an identifier."""
        return cls(Function.WRITE, _identifier(code) + authority.encode() + data)

    @classmethod
    def write_address(cls, address: str) -> Request:
        """Give the one meter on the line an address."""
        return cls(Function.WRITE_ADDRESS, _digits(address, 12))

    @classmethod
    def freeze(cls, when: str = "99999999") -> Request:
        """Freeze at MMDDhhmm, 99 for "every" from the left; 99999999 is now."""
        return cls(Function.FREEZE, _digits(when, 8))

    @classmethod
    def change_rate(cls, bits_per_second: int) -> Request:
        """Change the rate of the line; raises `UsageError` for one that has no code."""
        for code, rate in RATES.items():
            if rate == bits_per_second:
                return cls(Function.CHANGE_RATE, bytes((code,)))
        raise UsageError(f"no rate of {bits_per_second} bit/s; there are {list(RATES.values())}")

    @classmethod
    def change_password(cls, code: int, old: Authority, new: Authority) -> Request:
        """Change a password; `code` is that of its level (04000C01 for level 0)."""
        return cls(Function.CHANGE_PASSWORD, _identifier(code) + old.secret + new.secret)

    @classmethod
    def clear_demand(cls, authority: Authority) -> Request:
        """Clear the maximum demands."""
        return cls(Function.CLEAR_DEMAND, authority.encode())

    @classmethod
    def clear_meter(cls, authority: Authority) -> Request:
        """Clear energies, demands, frozen values, events and load record."""
        return cls(Function.CLEAR_METER, authority.encode())

    @classmethod
    def clear_events(cls, authority: Authority, code: int = ALL_EVENTS) -> Request:
        """Clear one kind of events, or all."""
        return cls(Function.CLEAR_EVENTS, authority.encode() + _identifier(code))

    @classmethod
    def control(cls, authority: Authority, command: int, until: datetime) -> Request:
        """Trip (1A), permit closing (1B), alarm (2A, 2B), keep power (3A, 3B), valid until then."""
        data = authority.encode() + bytes((command, 0)) + _digits(f"{until:%y%m%d%H%M%S}", 12)
        return cls(Function.CONTROL, data)

    @classmethod
    def output(cls, signal: int) -> Request:
        """Let the output give clock seconds (0), demand periods (1) or tariff changes (2)."""
        return cls(Function.OUTPUT, bytes((signal,)))

    @classmethod
    def authenticate(cls, code: int, operator: str, data: bytes) -> Request:
        """Prove who asks (fee-control extension); the data are made elsewhere."""
        return cls(Function.AUTHENTICATE, _identifier(code) + _digits(operator, 8) + data)


def identifier_of(frame: Frame) -> int | None:
    """Return the identifier at the head of a frame's data; `None` where there is none."""
    return int.from_bytes(frame.data[:4], "little") if len(frame.data) >= 4 else None  # noqa: PLR2004


def refusal_of(frame: Frame) -> MeterRefused:
    """Return the error for an error answer, with the names of its bits."""
    code = frame.data[0] if frame.data else 0
    if frame.function == Function.AUTHENTICATE:
        reason = f"security error {frame.data.hex()}"
    else:
        reason = ", ".join(_names(code)) or "no reason given"
    return MeterRefused(f"meter {frame.address} refused {frame.function:02X}: {reason}", code)


def is_of_1997(frame: Frame) -> bool:
    """Tell a frame of DL/T 645-1997 by its function: 2007 gave other numbers to all but the time.

    The frames look alike; 1997 has identifiers of two bytes and other data behind them.
    """
    return frame.function in _FUNCTIONS_1997


def unsupported(frame: Frame) -> UnsupportedMeter:
    """Return the error for a meter that speaks DL/T 645-1997."""
    return UnsupportedMeter(
        f"{frame.address} speaks DL/T 645-1997 (control code {frame.control_code:02X}); "
        "only DL/T 645-2007 is supported"
    )


def _names(code: int) -> list[str]:
    return [(flag.name or "").lower().replace("_", " ") for flag in ErrorFlag if code & flag]


def _identifier(code: int) -> bytes:
    return code.to_bytes(4, "little")


def _digits(digits: str, count: int) -> bytes:
    if len(digits) != count or not (digits.isascii() and (digits.isdecimal() or not digits)):
        raise UsageError(f"{count} digits are expected, not {len(digits)} characters")
    return bytes.fromhex(digits)[::-1]

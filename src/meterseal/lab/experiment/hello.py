"""The first message of the client taken apart, beside that of the design (figure 11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meterseal.errors import DecodeError
from meterseal.transport.codepoints import (
    CipherSuiteCode,
    ExtensionType,
    NamedGroup,
    SignatureScheme,
)
from meterseal.transport.extensions import decode_uint16_list
from meterseal.transport.messages import ClientHello
from meterseal.transport.wire import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import IntEnum

__all__ = ["FIGURE_11", "Hello", "dissect"]

_HEADERS = 5 + 4  # of the record and of the message
_TIME = 4


@dataclass(frozen=True)
class Hello:
    """What a ClientHello says; code points as numbers with their names where we know them."""

    random: str
    time: str
    suites: list[str]
    groups: list[str]
    signature_algorithms: list[str]
    extensions: list[str]
    remark: str = ""

    @property
    def random_parts(self) -> tuple[str, str]:
        """The four bytes of time, and the rest."""
        return self.random[: 2 * _TIME], self.random[2 * _TIME :]


def dissect(record: bytes) -> Hello:
    """Take the record apart in which a ClientHello stands. Raises DecodeError."""
    if len(record) < _HEADERS:
        raise DecodeError("this is no record with a ClientHello")
    hello = ClientHello.decode(Cursor(record[_HEADERS:], 0))
    groups = hello.extensions.get(ExtensionType.SUPPORTED_GROUPS, b"")
    schemes = hello.extensions.get(ExtensionType.SIGNATURE_ALGORITHMS, b"")
    return Hello(
        random=hello.random.hex(),
        time=utc(hello.random),
        suites=_names(CipherSuiteCode, hello.cipher_suites),
        groups=_names(NamedGroup, decode_uint16_list(groups) if groups else ()),
        signature_algorithms=_names(
            SignatureScheme, decode_uint16_list(schemes) if schemes else ()
        ),
        extensions=_names(ExtensionType, hello.extensions),
    )


def utc(random: bytes) -> str:
    """What the first four bytes say if they are UTC seconds since 1970."""
    seconds = int.from_bytes(random[:_TIME])
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _names(kind: type[IntEnum], numbers: Iterable[int]) -> list[str]:
    known = {member.value: member.name for member in kind}
    return [f"{number:04x} {known.get(number, '')}".rstrip() for number in numbers]


_RECORDED_RANDOM = "35b7b125453b716e0194278a94280c70a3a8a2f45143bce7"
FIGURE_11 = Hello(
    random=_RECORDED_RANDOM + " ...",
    time=utc(bytes.fromhex(_RECORDED_RANDOM)),
    suites=_names(
        CipherSuiteCode,
        (
            *(0xC02C, 0xC030, 0x009F, 0xCCA9, 0xCCA8, 0xCCAA, 0xC02B, 0xC02F, 0x009E, 0xE107),
            *(0xC024, 0xC028, 0x006B, 0xC023, 0xC027, 0x0067, 0xE102, 0xC00A, 0xC014, 0x0039),
            *(0xC009, 0xC013, 0x0033, 0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0xE017, 0xE015),
            *(0xE013, 0xE011, 0x002F, 0xE01A, 0xE019, 0x00FF),
        ),
    ),
    groups=_names(NamedGroup, (0x001E, 0x001D, 0x0017, 0x0019, 0x0018)),
    signature_algorithms=_names(
        SignatureScheme,
        (
            *(of_hash << 8 | algorithm for of_hash in (6, 5, 4, 3, 2) for algorithm in (1, 2, 3)),
            0x0707,
        ),
    ),
    extensions=_names(ExtensionType, (0x000B, 0x000A, 0x0023, 0x000D, 0x0016, 0x0017)),
    remark=(
        "Read as time, its first four bytes lie more than twenty years before the capture of "
        "March 2021: the library that the design was built on filled them with random bytes."
    ),
)

"""A two-way exchange of parcels over a secure socket, each acknowledged with its SM3.

A parcel is one line of JSON, `{"name": …, "length": …}`, and that many bytes. Its receiver answers
with one line, `{"received": …, "sm3": …}`. The server's parcel goes first. A receipt that does not
fit what was sent is an error, so a sender that returns knows that all of it arrived.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from meterseal.crypto import sm3
from meterseal.errors import MalformedData, Truncated

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Parcel", "Receipt", "exchange_as_client", "exchange_as_server"]

MAX_LENGTH: Final = 1 << 30
_MAX_LINE: Final = 4096
_CHUNK: Final = 1 << 16


class Stream(Protocol):
    """What an exchange needs of a socket."""

    def recv(self, size: int = ..., /) -> bytes:
        """Return some bytes, empty at the end."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to send: a name without folders, its length in bytes, where to read it."""

    name: str
    length: int
    source: BinaryIO


@dataclass(frozen=True, slots=True)
class Receipt:
    """What arrived: name, bytes, and the SM3 of those bytes in hexadecimal."""

    name: str
    length: int
    sm3: str


def exchange_as_server(
    stream: Stream, parcel: Parcel, open_sink: Callable[[str], BinaryIO]
) -> tuple[Receipt, Receipt]:
    """Send `parcel`, then receive the client's; returns the receipts of both, ours first.

    `open_sink` is given the client's name for its parcel and returns where the bytes go. Raises
    `MalformedData` for a peer that does not follow the exchange and `Truncated` for an early end.
    """
    reader = _Reader(stream)
    sent = _send(stream, reader, parcel)
    return sent, _receive(stream, reader, open_sink)


def exchange_as_client(
    stream: Stream, parcel: Parcel, open_sink: Callable[[str], BinaryIO]
) -> tuple[Receipt, Receipt]:
    """Receive the server's parcel, then send `parcel`; returns the receipts of both, ours first."""
    reader = _Reader(stream)
    received = _receive(stream, reader, open_sink)
    return _send(stream, reader, parcel), received


def _send(stream: Stream, reader: _Reader, parcel: Parcel) -> Receipt:
    digest, left = sm3.sm3(), parcel.length
    stream.sendall(_line({"name": parcel.name, "length": parcel.length}))
    while left:
        chunk = parcel.source.read(min(_CHUNK, left))
        if not chunk:
            raise MalformedData(f"{parcel.name} ended {left} bytes early while it was sent")
        digest.update(chunk)
        stream.sendall(chunk)
        left -= len(chunk)
    answer = reader.object()
    expected = {"received": parcel.length, "sm3": digest.hexdigest()}
    if answer != expected:
        raise MalformedData(f"the peer's receipt for {parcel.name} does not fit what was sent")
    return Receipt(parcel.name, parcel.length, digest.hexdigest())


def _receive(stream: Stream, reader: _Reader, open_sink: Callable[[str], BinaryIO]) -> Receipt:
    name, length = _parcel_header(reader.object())
    digest, left = sm3.sm3(), length
    with open_sink(name) as sink:
        while left:
            chunk = reader.some(min(_CHUNK, left))
            digest.update(chunk)
            sink.write(chunk)
            left -= len(chunk)
    stream.sendall(_line({"received": length, "sm3": digest.hexdigest()}))
    return Receipt(name, length, digest.hexdigest())


def _parcel_header(header: dict[str, object]) -> tuple[str, int]:
    name, length = header.get("name"), header.get("length")
    if not isinstance(name, str) or not _is_plain(name):
        raise MalformedData("a parcel whose name is no plain file name")
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= MAX_LENGTH:
        raise MalformedData(f"a parcel whose length is not within 0 to {MAX_LENGTH}")
    return name, length


def _is_plain(name: str) -> bool:
    is_unicode = not any("\ud800" <= letter <= "\udfff" for letter in name)
    return (
        PurePath(name).name == name and name not in {"", ".."} and "\0" not in name and is_unicode
    )


def _line(content: dict[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"


class _Reader:
    """Lines and bytes from a stream, every length bounded."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def object(self) -> dict[str, object]:
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) <= _MAX_LINE:
            self._fill()
        if not 0 <= end <= _MAX_LINE:
            raise MalformedData(f"a line of more than {_MAX_LINE} bytes")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            raise MalformedData("a line that is not JSON") from None
        if not isinstance(content, dict):
            raise MalformedData("a line that is no JSON object")
        return content

    def some(self, most: int) -> bytes:
        if not self._buffer:
            self._fill()
        data = bytes(self._buffer[:most])
        del self._buffer[:most]
        return data

    def _fill(self) -> None:
        data = self._stream.recv(_CHUNK)
        if not data:
            raise Truncated("the peer closed in the middle of the exchange")
        self._buffer += data

"""What a man in the middle needs to know of the bytes: records, messages, hellos."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from meterseal.transport.codepoints import HANDSHAKE, HEADER_LENGTH
from meterseal.transport.messages import ClientHello, ServerHello
from meterseal.transport.wire import Cursor, vector16, vector24

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meterseal.transport import Connection

    Change: TypeAlias = Callable[[str, int, bytes], bytes]

__all__ = [
    "CLIENT",
    "SERVER",
    "every_flip",
    "flipped",
    "in_message",
    "meddle",
    "message",
    "messages",
    "pass_on",
    "records",
    "with_client_hello",
    "with_server_hello",
]

CLIENT, SERVER = "client", "server"
_BODY = HEADER_LENGTH + 4


def pass_on(sender: str, number: int, record: bytes) -> bytes:  # noqa: ARG001  (a `Change`)
    """Change nothing.

    A `Change` is told who sent ("client" or "server"), the record's number in that direction and
    the record, and returns the bytes to deliver.
    """
    return record


def records(stream: bytes) -> Iterator[bytes]:
    """Cut a byte stream into its records, headers included."""
    while stream:
        end = HEADER_LENGTH + int.from_bytes(stream[3:HEADER_LENGTH], "big")
        yield stream[:end]
        stream = stream[end:]


def message(kind: int, body: bytes = b"") -> bytes:
    """Return a handshake message with its header."""
    return bytes((kind,)) + vector24(body)


def messages(stream: bytes) -> Iterator[bytes]:
    """Cut the content of handshake records into messages, headers included."""
    while stream:
        end = 4 + int.from_bytes(stream[1:4], "big")
        yield stream[:end]
        stream = stream[end:]


def flipped(data: bytes, bit: int) -> bytes:
    """Turn one bit, counted from the lowest of the first byte."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def every_flip(data: bytes) -> Iterator[bytes]:
    """Turn each bit, one at a time."""
    return (flipped(data, bit) for bit in range(8 * len(data)))


def in_message(sender: str, kind: int, change: Callable[[bytes], bytes]) -> Change:
    """Give another body to each message of this type that is sent in the clear."""

    def alter(who: str, _number: int, record: bytes) -> bytes:
        if who != sender or record[0] != HANDSHAKE or record[HEADER_LENGTH] != kind:
            return record
        return record[:3] + vector16(message(kind, change(record[_BODY:])))

    return alter


def with_client_hello(change: Callable[[ClientHello], dict[str, Any]]) -> Change:
    """Alter fields of the first ClientHello on its way."""

    def alter(sender: str, number: int, record: bytes) -> bytes:
        if (sender, number) != (CLIENT, 0):
            return record
        hello = ClientHello.decode(Cursor(record, _BODY))
        body = replace(hello, **change(hello)).encode()
        return record[:3] + vector16(message(ClientHello.TYPE, body))

    return alter


def with_server_hello(change: Callable[[ServerHello], dict[str, Any]]) -> Change:
    """Alter fields of the server's first hello on its way."""

    def alter(sender: str, number: int, record: bytes) -> bytes:
        if (sender, number) != (SERVER, 0):
            return record
        hello = ServerHello.decode(Cursor(record, _BODY))
        body = replace(hello, **change(hello)).encode()
        return record[:3] + vector16(message(ServerHello.TYPE, body))

    return alter


def meddle(end: Connection, change: Callable[[int, bytes], list[bytes]]) -> None:
    """Have `end` say `change(number, message)` in place of each message, under its own keys."""
    driver = end._driver  # noqa: SLF001  (an attacker is not bound to the public face)
    honest, count = driver.send_encoded, 0

    def send(raw: bytes) -> None:
        nonlocal count
        number, count = count, count + 1
        for each in change(number, raw):
            honest(each)

    driver.send_encoded = send  # type: ignore[method-assign]

"""Captures of others and of our own: packets and secrets out of pcap and pcapng files.

Strict: what does not follow the format raises `MalformedData` with its place in the file. Blocks
that carry nothing for us are passed over.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meterseal.errors import MalformedData

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Capture", "Packet", "read_capture"]

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_TLS_KEY_LOG: Final = 0x544C534B
_BYTE_ORDER: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_PCAP: Final = {
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",  # with nanoseconds
    b"\x4d\x3c\xb2\xa1": "<",
}
_LEAST_BLOCK: Final = 12


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it was captured, and the kind of link it came over (LINKTYPE_...)."""

    link: int
    data: bytes


@dataclass(slots=True)
class Capture:
    """The packets of a file in their order, and the key logs that stand in it."""

    packets: list[Packet] = field(default_factory=list)
    key_log: str = ""


def read_capture(data: bytes) -> Capture:
    """Read the contents of a pcap or pcapng file. Raises `MalformedData`."""
    if data[:4] == _SECTION.to_bytes(4, "big"):
        return _read_pcapng(data)
    if data[:4] in _PCAP:
        return _read_pcap(data, _PCAP[data[:4]])
    raise MalformedData("this is no capture: expected the first bytes of pcap or pcapng")


# --- pcap (draft-ietf-opsawg-pcap) -----------------------------------------------------------


def _read_pcap(data: bytes, order: str) -> Capture:
    (link,) = _unpack(order + "I", data, 20, len(data))
    capture = Capture()
    offset = 24
    while offset < len(data):
        (length,) = _unpack(order + "I", data, offset + 8, len(data))
        start, end = offset + 16, offset + 16 + length
        if end > len(data):
            raise MalformedData(f"the capture ends within the packet at byte {offset}")
        capture.packets.append(Packet(link & 0xFFFF, data[start:end]))
        offset = end
    return capture


# --- pcapng (draft-ietf-opsawg-pcapng) -------------------------------------------------------


def _read_pcapng(data: bytes) -> Capture:
    capture = Capture()
    links: list[int] = []
    for kind, order, start, end in _blocks(data):
        if kind == _SECTION:
            links = []
        elif kind == _INTERFACE:
            links += _unpack(order + "H", data, start, end)
        elif kind == _PACKET:
            interface, length = _unpack(order + "I8xI", data, start, end)
            capture.packets.append(_packet(data, (start + 20, length, end), links, interface))
        elif kind == _OLD_PACKET:
            interface, length = _unpack(order + "H10xI", data, start, end)
            capture.packets.append(_packet(data, (start + 20, length, end), links, interface))
        elif kind == _SIMPLE_PACKET:
            (length,) = _unpack(order + "I", data, start, end)
            captured = min(length, end - start - 4)
            capture.packets.append(_packet(data, (start + 4, captured, end), links, 0))
        elif kind == _SECRETS:
            capture.key_log += _key_log(data, order, start, end)
    return capture


def _blocks(data: bytes) -> Iterator[tuple[int, str, int, int]]:
    """Each block: its type, the byte order of its section, where its body begins and ends."""
    offset, order = 0, "<"
    while offset < len(data):
        if data[offset : offset + 4] == _SECTION.to_bytes(4, "big"):
            mark = data[offset + 8 : offset + 12]
            if mark not in _BYTE_ORDER:
                raise MalformedData(f"the section at byte {offset} has no byte order")
            order = _BYTE_ORDER[mark]
        kind, length = _unpack(order + "II", data, offset, len(data))
        end = offset + length
        if length < _LEAST_BLOCK or length % 4:
            raise MalformedData(f"the block at byte {offset} has a length of {length}")
        if end > len(data):
            raise MalformedData(f"the capture ends within the block at byte {offset}")
        if _unpack(order + "I", data, end - 4, end) != (length,):
            raise MalformedData(f"the block at byte {offset} has two lengths")
        yield kind, order, offset + 8, end - 4
        offset = end


def _packet(data: bytes, place: tuple[int, int, int], links: list[int], interface: int) -> Packet:
    start, length, end = place
    if start + length > end:
        raise MalformedData(f"the packet at byte {start} is longer than its block")
    if interface >= len(links):
        raise MalformedData(
            f"the packet at byte {start} is of interface {interface}, not described"
        )
    return Packet(links[interface], data[start : start + length])


def _key_log(data: bytes, order: str, start: int, end: int) -> str:
    kind, length = _unpack(order + "II", data, start, end)
    if start + 8 + length > end:
        raise MalformedData(f"the secrets at byte {start} are longer than their block")
    if kind != _TLS_KEY_LOG:
        return ""
    try:
        text = data[start + 8 : start + 8 + length].decode("ascii")
    except UnicodeDecodeError:
        raise MalformedData(f"the secrets at byte {start} are no text") from None
    return text if text.endswith("\n") else text + "\n"


def _unpack(form: str, data: bytes, start: int, end: int) -> tuple[int, ...]:
    if start + struct.calcsize(form) > end:
        raise MalformedData(f"the capture ends within the field at byte {start}")
    return struct.unpack_from(form, data, start)

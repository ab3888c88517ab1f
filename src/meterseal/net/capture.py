"""A session as a capture file that protocol analysers read (pcapng, Ethernet link type).

The secrets of the session can stand in the same file, in a Decryption Secrets Block.

The bytes are the real ones; the Ethernet, IPv4 and TCP headers around them are written by us, with
true sequence numbers and checksums, so no privilege to listen on an interface is needed.
"""

from __future__ import annotations

import ipaddress
import struct
import time
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PacketWriter"]

_SEGMENT: Final = 1448
_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10
_TLS_KEY_LOG: Final = 0x544C534B
_ETHERNET: Final = bytes(6) + bytes(6) + b"\x08\x00"


class PacketWriter:
    """Writes one TCP conversation over IPv4 as the client sees it; a tap of `connect`."""

    def __init__(self, file: BinaryIO, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._ends = (("127.0.0.1", 0), ("127.0.0.1", 0))
        self._sequence = [1000, 5000]
        self._clock = clock
        self._identification = 0
        file.write(_section_header() + _interface_description())

    def secrets(self, line: str) -> None:
        """Write a line of the key log into the file, so that an analyser can decrypt the session.

        Give it to a configuration as `key_log`. Whoever has the file can then read the session.
        """
        text = line.encode("ascii") + b"\n"
        self._file.write(_block(10, struct.pack("<II", _TLS_KEY_LOG, len(text)) + text))

    def opened(self, local: tuple[str, int], remote: tuple[str, int]) -> None:
        """The connection stands."""
        self._ends = (local, remote)
        self._packet(0, _SYN)
        self._packet(1, _SYN | _ACK)
        self._packet(0, _ACK)

    def sent(self, data: bytes) -> None:
        """We sent `data`."""
        self._data(0, data)

    def received(self, data: bytes) -> None:
        """We received `data`."""
        self._data(1, data)

    def closed(self) -> None:
        """Both ends close; the file stays open."""
        self._packet(0, _FIN | _ACK)
        self._packet(1, _FIN | _ACK)
        self._packet(0, _ACK)

    def _data(self, sender: int, data: bytes) -> None:
        for start in range(0, len(data), _SEGMENT):
            self._packet(sender, _PSH | _ACK, data[start : start + _SEGMENT])
        self._packet(1 - sender, _ACK)

    def _packet(self, sender: int, flags: int, payload: bytes = b"") -> None:
        source, target = self._ends[sender], self._ends[1 - sender]
        sequence = self._sequence[sender]
        acknowledged = self._sequence[1 - sender] if flags & _ACK else 0
        tcp = _tcp_segment(source, target, (sequence, acknowledged, flags), payload)
        self._identification = (self._identification + 1) & 0xFFFF
        packet = _ETHERNET + _ipv4_packet(source[0], target[0], self._identification, tcp)
        self._file.write(_enhanced_packet(self._clock(), packet))
        self._sequence[sender] = (sequence + len(payload) + bool(flags & (_SYN | _FIN))) % 2**32


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _section_header() -> bytes:
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def _interface_description() -> bytes:
    return _block(1, struct.pack("<HHI", 1, 0, 0))


def _enhanced_packet(now: float, packet: bytes) -> bytes:
    stamp = int(now * 1_000_000)
    head = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
    return _block(6, head + packet)


def _ipv4_packet(source: str, target: str, identification: int, payload: bytes) -> bytes:
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), identification, 0x4000, 64, 6)
    checksum = _checksum(start + b"\0\0" + addresses)
    return start + checksum.to_bytes(2, "big") + addresses + payload


def _tcp_segment(
    source: tuple[str, int], target: tuple[str, int], state: tuple[int, int, int], payload: bytes
) -> bytes:
    sequence, acknowledged, flags = state
    start = struct.pack(
        ">HHIIBBH", source[1], target[1], sequence, acknowledged, 0x50, flags, 0xFFFF
    )
    pseudo = (
        ipaddress.IPv4Address(source[0]).packed
        + ipaddress.IPv4Address(target[0]).packed
        + struct.pack(">BBH", 0, 6, 20 + len(payload))
    )
    checksum = _checksum(pseudo + start + bytes(4) + payload)
    return start + checksum.to_bytes(2, "big") + bytes(2) + payload


def _checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

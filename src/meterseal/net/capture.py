"""A session as a capture file that protocol analysers read (pcapng, Ethernet link type).

The secrets of the session can stand in the same file, in a Decryption Secrets Block.

The bytes are the real ones; the Ethernet, IP and TCP headers around them are written by us, with
true sequence numbers and checksums, so no privilege to listen on an interface is needed.
"""

from __future__ import annotations

import ipaddress
import struct
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Conversation", "PacketWriter"]

_SEGMENT: Final = 1448
_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10
_TLS_KEY_LOG: Final = 0x544C534B
_ETHERNET: Final = bytes(6) + bytes(6)
_TCP: Final = 6
_IPV4_PAIR: Final = 8


class PacketWriter:
    """Writes TCP conversations, each as the end saw it that had the tap; safe between threads."""

    def __init__(self, file: BinaryIO, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        file.write(_section_header() + _interface_description())

    def conversation(self, *, is_server: bool = False) -> Conversation:
        """Return the tap of one connection that we opened, or accepted if `is_server`."""
        return Conversation(self._packet, is_server=is_server)

    def secrets(self, line: str) -> None:
        """Write a line of the key log into the file, so that an analyser can decrypt the session.

        Give it to a configuration as `key_log`. Whoever has the file can then read the session.
        """
        text = line.encode("ascii") + b"\n"
        self._write(_block(10, struct.pack("<II", _TLS_KEY_LOG, len(text)) + text))

    def _packet(self, packet: bytes) -> None:
        self._write(_enhanced_packet(self._clock(), packet))

    def _write(self, block: bytes) -> None:
        with self._lock:
            if not self._file.closed:  # a session may outlive the recording
                self._file.write(block)


class Conversation:
    """The tap of one connection: makes packets of the bytes that it sees."""

    def __init__(self, write: Callable[[bytes], None], *, is_server: bool) -> None:
        self._write = write
        self._client = int(is_server)  # which of the two ends, we or the peer, is the client
        self._ends = (("127.0.0.1", 0), ("127.0.0.1", 0))
        self._sequence = [1000, 5000]
        self._identification = 0

    def opened(self, local: tuple[str, int], remote: tuple[str, int]) -> None:
        """The connection stands."""
        self._ends = (local, remote)
        self._packet(self._client, _SYN)
        self._packet(1 - self._client, _SYN | _ACK)
        self._packet(self._client, _ACK)

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
        addresses = _address(source[0]) + _address(target[0])
        tcp = _tcp_segment(
            (source[1], target[1]), addresses, (sequence, acknowledged, flags), payload
        )
        if len(addresses) == _IPV4_PAIR:
            self._identification = (self._identification + 1) & 0xFFFF
            packet = _ETHERNET + b"\x08\x00" + _ipv4_packet(addresses, self._identification, tcp)
        else:
            packet = _ETHERNET + b"\x86\xdd" + _ipv6_packet(addresses, tcp)
        self._write(packet)
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


def _address(text: str) -> bytes:
    return ipaddress.ip_address(text.partition("%")[0]).packed


def _ipv4_packet(addresses: bytes, identification: int, payload: bytes) -> bytes:
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), identification, 0x4000, 64, _TCP)
    checksum = _checksum(start + b"\0\0" + addresses)
    return start + checksum.to_bytes(2, "big") + addresses + payload


def _ipv6_packet(addresses: bytes, payload: bytes) -> bytes:
    return struct.pack(">IHBB", 0x60000000, len(payload), _TCP, 64) + addresses + payload


def _tcp_segment(
    ports: tuple[int, int], addresses: bytes, state: tuple[int, int, int], payload: bytes
) -> bytes:
    sequence, acknowledged, flags = state
    start = struct.pack(">HHIIBBH", *ports, sequence, acknowledged, 0x50, flags, 0xFFFF)
    pseudo = addresses + struct.pack(">II", 20 + len(payload), _TCP)
    checksum = _checksum(pseudo + start + bytes(4) + payload)
    return start + checksum.to_bytes(2, "big") + bytes(2) + payload


def _checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

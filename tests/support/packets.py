"""Captures made by hand: TCP segments, IP packets, links and both file formats."""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CLIENT, SERVER = ("192.0.2.7", 40000), ("198.51.100.1", 7838)
FIN, SYN, ACK = 0x01, 0x02, 0x10


def tcp(
    source: tuple[str, int], target: tuple[str, int], sequence: int, payload: bytes, flags: int
) -> bytes:
    head = (source[1], target[1], sequence % 2**32, 0, 6 << 4, flags, 0xFFFF, 0, 0)
    return struct.pack(">HHIIBBHHH", *head) + b"\x01" * 4 + payload


def ipv4(source: str, target: str, body: bytes, fragment: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, fragment, 64, 6, 0)
    return head + b"".join(ipaddress.IPv4Address(ip).packed for ip in (source, target)) + body


def ipv6(source: str, target: str, body: bytes) -> bytes:
    """With a hop-by-hop header before TCP."""
    body = bytes((6, 0)) + bytes(6) + body
    head = struct.pack(">IHBB", 6 << 28, len(body), 0, 64)
    return head + b"".join(ipaddress.IPv6Address(ip).packed for ip in (source, target)) + body


def segment(
    from_client: bool, sequence: int, payload: bytes = b"", flags: int = ACK, fragment: int = 0
) -> bytes:
    """One IPv4 packet of the conversation between CLIENT and SERVER."""
    source, target = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
    body = tcp(source, target, sequence, payload, flags)
    return ipv4(source[0], target[0], body, fragment)


def pcap(packets: Iterable[bytes], link: int = 101, order: str = "<") -> bytes:
    data = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for packet in packets:
        data += struct.pack(order + "IIII", 0, 0, len(packet), len(packet)) + packet
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 101, order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, 0), order)


def enhanced(packet: bytes, order: str = "<", number: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", number, 0, 0, len(packet), len(packet))
    return block(6, head + packet, order)


def secrets(text: bytes, order: str = "<", kind: int = 0x544C534B) -> bytes:
    return block(10, struct.pack(order + "II", kind, len(text)) + text, order)

"""TCP conversations out of captured packets: both byte streams, in the order they were seen.

Links of Ethernet, loopback, Linux's "any" and bare IP; IPv4 and IPv6. What is no TCP is passed
over; a byte that the capture does not have ends its stream.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meterseal.net.packets import Packet

__all__ = ["Address", "Conversation", "conversations"]

Address = tuple[str, int]

_FIN, _SYN, _ACK = 0x01, 0x02, 0x10
_IPV4, _IPV6, _TCP = 4, 6, 6
_LEAST_TCP: Final = 20
_ETHERTYPES: Final = (b"\x08\x00", b"\x86\xdd")
_VLANS: Final = (b"\x81\x00", b"\x88\xa8")
_HALF: Final = 1 << 31
# Bytes before the IP packet by LINKTYPE_...: BSD loopback, raw IP, OpenBSD loopback, Linux "any".
_HEADERS: Final = {0: 4, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0, 276: 20}
_ETHERNET: Final = 1
_IPV6_OPTIONS: Final = frozenset({0, 43, 60})
_FRAGMENTED: Final = 0x3FFF
_MOST_WAITING: Final = 1000  # segments behind a gap: more will not close it


@dataclass(slots=True)
class Conversation:
    """One TCP connection: `chunks` are bytes with whether the client sent them."""

    client: Address
    server: Address
    chunks: list[tuple[bool, bytes]] = field(default_factory=list)
    is_incomplete: bool = False


@dataclass(slots=True)
class _Segment:
    source: Address
    target: Address
    sequence: int
    flags: int
    payload: bytes


def conversations(packets: Iterable[Packet]) -> list[Conversation]:
    """Put the TCP segments of all packets together, oldest conversation first."""
    known: dict[frozenset[Address], _Assembly] = {}
    found: list[_Assembly] = []
    for packet in packets:
        segment = _segment(packet)
        if segment is None:
            continue
        ends = frozenset((segment.source, segment.target))
        assembly = known.get(ends)
        if assembly is None or assembly.is_other(segment):
            assembly = known[ends] = _Assembly(segment)
            found.append(assembly)
        assembly.take(segment)
    return [assembly.finished() for assembly in found]


class _Assembly:
    """A conversation while its segments arrive."""

    def __init__(self, first: _Segment) -> None:
        is_answer = first.flags & _SYN and first.flags & _ACK
        client, server = first.source, first.target
        if is_answer:
            client, server = server, client
        self._conversation = Conversation(client, server)
        self._next: dict[Address, int] = {}
        self._waiting: dict[Address, dict[int, bytes]] = {client: {}, server: {}}

    def is_other(self, segment: _Segment) -> bool:
        """Whether this opens another connection between the same two ends."""
        opens = segment.flags & (_SYN | _ACK) == _SYN
        return bool(opens and self._conversation.chunks)

    def take(self, segment: _Segment) -> None:
        """Put a segment where it belongs."""
        start = (segment.sequence + bool(segment.flags & _SYN)) % 2**32
        expected = self._next.setdefault(segment.source, start)
        waiting = self._waiting[segment.source]
        if len(waiting) >= _MOST_WAITING:
            return
        if segment.payload and len(waiting.get(start, b"")) < len(segment.payload):
            waiting[start] = segment.payload
        while (data := _take_next(waiting, expected)) is not None:
            expected = (expected + len(data)) % 2**32
            self._next[segment.source] = expected
            if data:
                is_client = segment.source == self._conversation.client
                self._conversation.chunks.append((is_client, data))

    def finished(self) -> Conversation:
        """The conversation, as far as it was captured."""
        self._conversation.is_incomplete = any(self._waiting.values())
        return self._conversation


def _take_next(waiting: dict[int, bytes], expected: int) -> bytes | None:
    """Take out what follows the stream; empty for what it had already."""
    for start, payload in waiting.items():
        known = (expected - start) % 2**32
        if known < _HALF:
            del waiting[start]
            return payload[known:]
    return None


# --- headers ---------------------------------------------------------------------------------


def _segment(packet: Packet) -> _Segment | None:
    ip = _ip_packet(packet)
    version = ip[0] >> 4 if ip else 0
    unwrapped = {_IPV4: _from_ipv4, _IPV6: _from_ipv6}.get(version, lambda _: None)(ip)
    if unwrapped is None or len(unwrapped[2]) < _LEAST_TCP:
        return None
    source, target, tcp = unwrapped
    ports = struct.unpack_from(">HH", tcp)
    (sequence,) = struct.unpack_from(">I", tcp, 4)
    payload = tcp[(tcp[12] >> 4) * 4 :]
    return _Segment((source, ports[0]), (target, ports[1]), sequence, tcp[13], payload)


def _ip_packet(packet: Packet) -> bytes:
    if packet.link != _ETHERNET:
        header = _HEADERS.get(packet.link)
        return b"" if header is None else packet.data[header:]
    offset = 12
    while packet.data[offset : offset + 2] in _VLANS:
        offset += 4
    return packet.data[offset + 2 :] if packet.data[offset : offset + 2] in _ETHERTYPES else b""


def _from_ipv4(ip: bytes) -> tuple[str, str, bytes] | None:
    """Source, target and TCP segment of a packet that is not a fragment."""
    if len(ip) < 20 or ip[9] != _TCP or int.from_bytes(ip[6:8], "big") & _FRAGMENTED:  # noqa: PLR2004
        return None
    length = int.from_bytes(ip[2:4], "big") or len(ip)  # 0: segmented by the network card
    source, target = (str(ipaddress.IPv4Address(ip[at : at + 4])) for at in (12, 16))
    return source, target, ip[(ip[0] & 15) * 4 : length]


def _from_ipv6(ip: bytes) -> tuple[str, str, bytes] | None:
    if len(ip) < 40:  # noqa: PLR2004
        return None
    length = int.from_bytes(ip[4:6], "big") or len(ip)
    source, target = (str(ipaddress.IPv6Address(ip[at : at + 16])) for at in (8, 24))
    kind, body = ip[6], ip[40 : 40 + length]
    while kind in _IPV6_OPTIONS and len(body) > 1:
        kind, body = body[0], body[(body[1] + 1) * 8 :]
    return (source, target, body) if kind == _TCP else None

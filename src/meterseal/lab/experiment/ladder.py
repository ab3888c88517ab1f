"""The packets of a session as a ladder between its two ends (figure 12), as SVG."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from meterseal.net.conversations import conversations
from meterseal.net.packets import read_capture
from meterseal.transport.events import RECEIVED, SENT
from meterseal.transport.recording import KeyLog, Recording
from meterseal.transport.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Analysis", "Rung", "analyse", "draw", "first_flight", "opened_at", "rungs"]

_PACKET_BLOCK = 6
_ETHERNET_IP_TCP = 14 + 20 + 20
_FLAGS = ((0x02, "SYN"), (0x01, "FIN"), (0x04, "RST"), (0x10, "ACK"))
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
)
_LEFT, _RIGHT, _STEP, _TOP = 150, 690, 30, 46


@dataclass(frozen=True)
class Rung:
    """One packet: seconds since the first, who sent it, its flags, its load and what it says."""

    seconds: float
    from_client: bool
    flags: str
    length: int
    messages: tuple[str, ...]


@dataclass(frozen=True)
class Analysis:
    """What tshark said of a capture."""

    version: str
    packets: int
    malformed: int
    lines: list[str]


def rungs(capture: Path) -> list[Rung]:
    """Read a capture of ours: one session over IPv4, with its secrets."""
    data = capture.read_bytes()
    told = _told(data)
    found: list[Rung] = []
    client_port = start = None
    for seconds, packet in _packets(data):
        source = struct.unpack_from(">H", packet, 34)[0]
        client_port = client_port or source
        start = seconds if start is None else start
        flags = packet[47]
        names = "+".join(name for bit, name in _FLAGS if flags & bit)
        length = len(packet) - _ETHERNET_IP_TCP
        messages = next(told, ()) if length else ()
        found.append(Rung(seconds - start, source == client_port, names, length, messages))
    return found


def opened_at(capture: Path) -> datetime:
    """When the first packet was seen."""
    seconds, _ = next(_packets(capture.read_bytes()))
    return datetime.fromtimestamp(seconds, UTC)


def first_flight(capture: Path) -> bytes:
    """Return the first bytes that the client sent."""
    conversation = conversations(read_capture(capture.read_bytes()).packets)[0]
    return conversation.chunks[0][1]


def _packets(data: bytes) -> Iterator[tuple[float, bytes]]:
    """Time and bytes of each packet of a pcapng file with microseconds, as ours are."""
    place = 0
    while place < len(data):
        kind, length = struct.unpack_from("<II", data, place)
        if kind == _PACKET_BLOCK:
            high, low, size = struct.unpack_from("<III", data, place + 12)
            yield (high << 32 | low) / 1e6, data[place + 28 : place + 28 + size]
        place += length


def _told(data: bytes) -> Iterator[tuple[str, ...]]:
    """What each load says, in its order: names of messages, with what the secrets open."""
    capture = read_capture(data)
    lines: list[str] = []
    recording = Recording(Trace(lines.append), KeyLog.parse(capture.key_log))
    for is_client, load in conversations(capture.packets)[0].chunks:
        lines.clear()
        recording.receive_data(SENT if is_client else RECEIVED, load)
        yield tuple(line[3:].split(",")[0] for line in lines if line[:2] in {"->", "<-"})


def analyse(capture: Path) -> Analysis | None:
    """Let tshark read the capture; None where it is not installed."""
    tshark = shutil.which("tshark")
    if tshark is None:
        return None
    version = _tshark(tshark, "--version").splitlines()[0].rstrip(".")
    fields = ("-T", "fields", "-E", "separator=\t", "-e", "frame.number")
    wanted = ("-e", "_ws.col.Protocol", "-e", "_ws.col.Info")
    lines = _tshark(tshark, "-r", str(capture), *fields, *wanted).splitlines()
    malformed = _tshark(tshark, "-r", str(capture), "-Y", "_ws.malformed").splitlines()
    return Analysis(version, len(lines), len(malformed), lines)


def _tshark(program: str, *arguments: str) -> str:
    command = [program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def draw(ladder: list[Rung]) -> str:
    """Return the ladder as an SVG picture, packets without load in grey."""
    height = _TOP + _STEP * len(ladder) + 20
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 {height}" class="ladder">']
    parts.append(_TIP)
    for x, name in ((_LEFT, "client"), (_RIGHT, "server")):
        parts.append(f'<text x="{x}" y="20" text-anchor="middle" class="end">{name}</text>')
        parts.append(f'<line x1="{x}" y1="28" x2="{x}" y2="{height - 10}" class="life"/>')
    for place, rung in enumerate(ladder):
        parts.append(_rung(rung, _TOP + _STEP * place))
    return "".join([*parts, "</svg>"])


def _rung(rung: Rung, y: int) -> str:
    start, end = (_LEFT, _RIGHT) if rung.from_client else (_RIGHT, _LEFT)
    said = ", ".join(rung.messages) or rung.flags
    kind = "load" if rung.length else "bare"
    size = f"{rung.length} B" if rung.length else ""
    return (
        f'<g class="{kind}"><text x="{_LEFT - 12}" y="{y + 12}" text-anchor="end">'
        f"{rung.seconds * 1e3:.2f} ms</text>"
        f'<text x="{(_LEFT + _RIGHT) // 2}" y="{y + 7}" text-anchor="middle">{escape(said)}</text>'
        f'<line x1="{start}" y1="{y + 12}" x2="{end}" y2="{y + 12}" marker-end="url(#tip)"/>'
        f'<text x="{_RIGHT + 12}" y="{y + 12}">{size}</text></g>'
    )

"""Floods: many hostile clients from many addresses at once, beside honest ones.

Addresses of 127.0.0.0/8 stand for machines. Nothing is timed: every honest message has to come
back while the hostile connections stand, and every hostile one has to be refused and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import MeterSealError
from meterseal.lab.attack.ends import PROTOCOLS, READING, visit
from meterseal.lab.attack.gateways import Gateway, echoes, gateway
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.waiting import until
from meterseal.net import SecureListener
from meterseal.net.gateway import GatewayLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]

__all__ = ["ATTACKS", "HALF_A_HELLO", "attack", "garbage", "oversize", "silent", "slow", "stops"]

HALF_A_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)
_MACHINES: Final = 12
_EACH: Final = 5
_MESSAGES: Final = 10
_SECONDS: Final = 60.0
_PAUSE: Final = 0.1
_BEGINNING: Final = 5.0


# --- hostile clients -----------------------------------------------------------------------


async def silent(_: asyncio.StreamWriter) -> None:
    """Half open: say nothing at all."""


async def slow(writer: asyncio.StreamWriter) -> None:
    """Say a byte now and then, so as never to be quite idle (SlowITe, CVE-2020-13849)."""
    for byte in HALF_A_HELLO:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.2)


async def stops(writer: asyncio.StreamWriter) -> None:
    """Stop in the middle of the hello."""
    writer.write(HALF_A_HELLO)
    await writer.drain()


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Speak another protocol, and none."""
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(range(256)) * 8)
    await writer.drain()


async def oversize(writer: asyncio.StreamWriter) -> None:
    """Send a record that says it has more than a record may have."""
    writer.write(b"\x16\x03\x03\xff\xff" + bytes(70_000))
    await writer.drain()


async def attack(port: int, machine: int, behave: Behave) -> None:
    """Connect from an address of its own, behave, and stay until the gateway ends it."""
    source = (f"127.0.1.{machine + 1}", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
    try:
        with contextlib.suppress(OSError):
            await behave(writer)
            while await reader.read(65_536):
                pass
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# --- sieges --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Siege:
    """Hostile clients of some kinds, `each` of them from every machine."""

    kinds: tuple[Behave, ...]
    limits: GatewayLimits
    each: int = _EACH

    def run(self, notes: Notes) -> None:
        """Lay siege to a gateway and then to a server that serves one after the other."""
        asyncio.run(self._besiege(notes))
        _control(notes)

    async def _besiege(self, notes: Notes) -> None:
        count = _MACHINES * self.each
        async with gateway(self.limits) as it, asyncio.timeout(2 * _SECONDS):
            honest = await it.dial(it.meter("meter-1"))
            hostile = [
                asyncio.create_task(attack(it.port, machine, self.kinds[n % len(self.kinds)]))
                for machine in range(_MACHINES)
                for n in range(self.each)
            ]
            went_on = [await echoes(honest) for _ in range(_MESSAGES)]
            came_in = await _comes_in(it)
            await asyncio.gather(*hostile, return_exceptions=True)
            what = f"{count} connections from {_MACHINES} machines, an honest link beside them"
            notes.tried(what, it.log(), held=all(went_on), count=count)
            notes.tried("a new honest client meanwhile", it.log(), held=came_in)
            refused = await _all_counted(it, count)
            notes.tried("all of them are refused and counted", it.log(), held=refused)
            notes.tried("the honest link afterwards", it.log(), held=await echoes(honest))
            await honest.close()


async def _comes_in(it: Gateway) -> bool:
    """Whether a meter gets in within a minute; who is turned away tries again, as meters do."""
    meter = it.meter("meter-2")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            for _ in range(int(_SECONDS / _PAUSE)):
                if await it.lets_in(meter):
                    return True
                await asyncio.sleep(_PAUSE)
    return False


async def _all_counted(it: Gateway, count: int) -> bool:
    with contextlib.suppress(TimeoutError):
        await until(lambda: it.front.links.refused.total() >= count, _SECONDS)
    return it.front.links.refused.total() >= count


def _control(notes: Notes) -> None:
    """One client that says nothing holds up everybody behind it."""
    protocol = PROTOCOLS["TLS 1.3"]
    with socket.create_server(("127.0.0.1", 0)) as raw:
        listener = SecureListener(raw, protocol.server())
        thread = threading.Thread(target=_serve_one_by_one, args=(listener,), daemon=True)
        thread.start()
        address = listener.address
        with socket.create_connection(address):
            met = visit(address, protocol.client(), say=READING, seconds=1.0)
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    who = "a server that shakes hands with one after the other, one silent client before us"
    notes.control(who, f"the honest client {met}", fell=not met.is_established)


def _serve_one_by_one(listener: SecureListener) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, contextlib.suppress(MeterSealError, OSError):
                client.handshake(5.0)


_WIDE: Final = GatewayLimits(
    beginning=_MACHINES * _EACH + 20,
    beginning_of_one=_EACH,
    beginning_seconds=_BEGINNING,
    handshakes=10_000.0,
    handshakes_of_one=10_000.0,
)
_PACED: Final = GatewayLimits(
    handshakes=20.0, handshakes_of_one=1.0, beginning_of_one=1000, beginning_seconds=_BEGINNING
)
_NARROW: Final = GatewayLimits(
    beginning=30, beginning_of_one=_EACH, beginning_seconds=_BEGINNING, handshakes=10_000.0
)

ATTACKS = (
    Attack(
        "flood-handshakes",
        "begins handshakes from many machines faster than a gateway shall compute",
        "RFC 5246, F.5; docs/guide/known-attacks.md, D1",
        _Siege((stops,), _PACED, each=10).run,
    ),
    Attack(
        "flood-garbage",
        "sends what is no record, and records longer than any may be",
        "RFC 5246, 6.2.1; docs/guide/known-attacks.md, D1",
        _Siege((garbage, oversize), _WIDE).run,
    ),
    Attack(
        "flood-slow",
        "says a byte now and then on many connections (SlowITe, slow loris)",
        "CVE-2020-13849; docs/guide/known-attacks.md, D1",
        _Siege((slow,), _WIDE).run,
    ),
    Attack(
        "flood-half-open",
        "opens connections, says nothing or half a hello, and stays",
        "CVE-2020-13849; docs/guide/known-attacks.md, D1",
        _Siege((silent, stops), _NARROW, each=2 * _EACH).run,
    ),
)

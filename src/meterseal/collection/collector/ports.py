"""Ports of a collector: lines that open themselves again after any failure."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from meterseal.collection.dlt645 import SEALED_FROM, SEALED_HELD
from meterseal.collection.dlt645.items import quantities_of
from meterseal.collection.dlt645.link import Link, Master, Timing
from meterseal.collection.envelope import decode
from meterseal.collection.modbus import ModbusMeter, RegisterMap
from meterseal.collection.model import MeterAddress, Quality, Values
from meterseal.collection.sealing import open_sealed
from meterseal.errors import ConnectionEnded, MalformedData, MeterSilent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from pymodbus.client.base import ModbusBaseClient

__all__ = ["READ_BLOCKS", "Dlt645Port", "ModbusPort"]

READ_BLOCKS: Final = (
    *(0x0201FF00, 0x0202FF00, 0x0203FF00, 0x0204FF00),  # U, I, P, Q
    *(0x0205FF00, 0x0206FF00, 0x0207FF00),  # S, power factors, angles
    *(0x0208FF00, 0x0209FF00, 0x02800001, 0x02800002),  # distortion, neutral current, frequency
    *(0x0001FF00, 0x0002FF00),  # energy by tariff, forward and reverse
)
"""What is read of a meter at every turn."""

_MASK: Final = 0xFFFF
_OPEN_SECONDS: Final = 5.0


class Dlt645Port:
    """Reads the meters of one DL/T 645 line; `open_link` opens it, again after every failure."""

    def __init__(
        self,
        open_link: Callable[[], Awaitable[Link]],
        timing: Timing | None = None,
        blocks: Sequence[int] = READ_BLOCKS,
    ) -> None:
        self._open_link = open_link
        self._timing = timing or Timing()
        self._blocks = tuple(blocks)
        self._wanted = sum(len(quantities_of(block)) for block in blocks)
        self._link: Link | None = None
        self._master: Master | None = None

    async def read(self, meter: MeterAddress) -> tuple[Values, Quality]:
        """Return what the meter measures now; `Quality.PARTIAL` if some of it did not come."""
        async with self._line() as master:
            values = await master.read_quantities(meter, self._blocks)
        return values, Quality.SOUND if len(values) == self._wanted else Quality.PARTIAL

    async def read_sealed(
        self, meter: MeterAddress, after: tuple[int, int] | None
    ) -> Sequence[bytes]:
        """Return some of what the meter sealed after this (epoch, sequence), the oldest first.

        A meter that began a new life, with an epoch of its own, is read from its oldest on.
        """
        if after is None:
            return await self._sealed(meter, SEALED_HELD)
        epoch, sequence = after
        statements = await self._sealed(meter, SEALED_FROM | (sequence + 1) & _MASK)
        if statements:
            if open_sealed(statements[0]).statement.epoch == epoch:
                return statements
            return await self._sealed(meter, SEALED_HELD)
        held = await self._sealed(meter, SEALED_HELD)
        return held if held and open_sealed(held[0]).statement.epoch != epoch else []

    async def close(self) -> None:
        """Close the line; the next read opens it again."""
        link, self._link, self._master = self._link, None, None
        if link is not None:
            await link.close()

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Master]:
        """The line, open; a failure of the line itself closes it, a silent meter does not."""
        if self._master is None:
            async with asyncio.timeout(_OPEN_SECONDS):
                self._link = await self._open_link()
            self._master = Master(self._link, self._timing)
        try:
            yield self._master
        except MeterSilent:
            raise
        except (OSError, ConnectionEnded):
            await self.close()
            raise

    async def _sealed(self, meter: MeterAddress, code: int) -> list[bytes]:
        async with self._line() as master:
            statements = decode(await master.read_data(meter, code))
        if not isinstance(statements, list) or not all(isinstance(it, bytes) for it in statements):
            raise MalformedData("sealed statements are an array of byte strings")
        return statements


class ModbusPort:
    """Reads the Modbus meters of one line by a register map; `units` are their device ids."""

    def __init__(
        self,
        open_client: Callable[[], Awaitable[ModbusBaseClient]],
        layout: RegisterMap,
        units: Mapping[MeterAddress, int],
    ) -> None:
        self._open_client = open_client
        self._layout = layout
        self._units = units
        self._client: ModbusBaseClient | None = None

    async def read(self, meter: MeterAddress) -> tuple[Values, Quality]:
        """Return what the meter measures now; a meter that does not fit its map gives nothing."""
        if self._client is None:
            async with asyncio.timeout(_OPEN_SECONDS):
                self._client = await self._open_client()
        try:
            unit = self._units[meter]
            values = await ModbusMeter(self._client, self._layout, unit).read_quantities()
        except MeterSilent:
            raise
        except (OSError, ConnectionEnded):
            await self.close()
            raise
        return values, Quality.SOUND

    async def read_sealed(
        self, meter: MeterAddress, after: tuple[int, int] | None
    ) -> Sequence[bytes]:
        """Return nothing: Modbus meters do not seal."""
        del meter, after
        return []

    async def close(self) -> None:
        """Close the line; the next read opens it again."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

"""A gateway under a cap of memory, with clients of all kinds coming and going (G34).

The cap is one of the kernel (RLIMIT_DATA: heap, stacks, anonymous maps of the process), so what
would exceed it fails at once. METERSEAL_CLIENTS says how many come in the long form.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.config import load_settings
from meterseal.collection.credentials import link_context
from support.whole_system import lay_out, running, until

if TYPE_CHECKING:
    from meterseal.collection.config import Settings

CAP = 256 << 20
AT_ONCE = 60
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)
HOST = "localhost"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Visitors:
    """Clients of four kinds, in turn: silent, half a hello, garbage, and an honest one."""

    def __init__(self, settings: Settings, port: int) -> None:
        assert settings.collector is not None
        self.context = link_context(settings.collector.identity, "tls13-sm")
        self.port = port
        self.served = 0

    async def come(self, number: int) -> None:
        kind = (self.silent, self.half, self.garbage, self.honest)[number % 4]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(60):
                await kind()

    async def silent(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.sleep(0.2)
        writer.close()

    async def half(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(HALF_A_HELLO)
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()

    async def garbage(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(os.urandom(16_384))
        await reader.read()
        writer.close()

    async def honest(self) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.context, server_hostname=HOST
        )
        writer.write(b"a reading")
        assert await reader.readexactly(9) == b"a reading"
        self.served += 1
        writer.close()


async def come_and_go(folder: Path, count: int) -> tuple[int, int, int, str]:
    """Returns the greatest memory (KiB) at half time and at the end, the served, the metrics."""
    config, _ = lay_out(folder, meters=1, interval=1.0)
    backend = await asyncio.start_server(echo, "127.0.0.1", 0)
    text = config.read_text().replace("[gateway]", '[gateway]\nservice = "tcp"\nconnections = 30')
    config.write_text(text)
    where = f"127.0.0.1:{backend.sockets[0].getsockname()[1]}"
    settings = load_settings(config, {"METERSEAL__GATEWAY__BACKEND": where})
    os.environ["METERSEAL__GATEWAY__BACKEND"] = where
    assert settings.gateway is not None
    port = int(settings.gateway.listen.rpartition(":")[2])
    admin = f"http://{settings.gateway.admin}/metrics"
    visitors = Visitors(settings, port)

    async with running(config, ["gateway"]) as processes:
        (child,) = processes.children
        await until(lambda: is_open(admin))
        assert child.process is not None
        pid = child.process.pid
        resource.prlimit(pid, resource.RLIMIT_DATA, (CAP, CAP))
        halves = []
        for half in range(2):
            for start in range(half * count // 2, (half + 1) * count // 2, AT_ONCE):
                async with asyncio.TaskGroup() as tasks:
                    for number in range(start, start + AT_ONCE):
                        tasks.create_task(visitors.come(number))
            halves.append(peak(pid))
        metrics = await asyncio.to_thread(lambda: get(admin))
        assert child.starts == 1
        log = child.log.read_text()
    backend.close()
    assert "MemoryError" not in log
    assert "Traceback" not in log
    return *halves, visitors.served, metrics


def peak(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0])


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  (our own address)
        return str(answer.read().decode())


def is_open(address: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(get(address))
    return False


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(600, id="short"),
        pytest.param(
            int(os.environ.get("METERSEAL_CLIENTS", "10000")), id="long", marks=pytest.mark.slow
        ),
    ],
)
def test_clients_that_come_and_go_do_not_grow_a_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("METERSEAL__GATEWAY__BACKEND", "")  # restored afterwards
    half, end, served, metrics = asyncio.run(come_and_go(tmp_path, count))
    assert end << 10 < CAP
    assert end - half < 16 << 10, "KiB: what they cost was given back"
    assert served > count // 40, "honest clients got through"
    assert 'reason="limit"' in metrics, "who was too many was told, and counted"

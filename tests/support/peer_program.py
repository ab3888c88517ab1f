"""Peers that are programs of ours over other stacks: run one, read what it reports as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meterseal.errors import MeterSealError
from meterseal.net import listen
from support.identities import NOW
from support.wire import SERVER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from meterseal.net import SecureListener, SecureSocket
    from meterseal.transport import HandshakeCompleted, ServerConfig

PATIENCE = 60  # seconds: a machine may be busy
SIZES = (1, 15, 16, 17, 40_000)  # of what is sent and comes back


class Unavailable(Exception):
    """A tool or a package cannot be had here; the text says which and why."""


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder of this test session that its processes share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@dataclass(frozen=True)
class Served:
    """A running server and, once it has ended, what it said of its connections."""

    port: int
    reports: list[dict[str, Any]]


@dataclass(frozen=True)
class PeerProgram(ABC):
    """The program with an identity of its own; `roots` is a PEM file."""

    program: Path
    roots: Path
    identity: Path | None = None

    @abstractmethod
    def command(self, options: dict[str, object]) -> list[str]:
        """How the program is called with these options."""

    def _start(self, role: str, options: dict[str, object]) -> subprocess.Popen[str]:
        options = {"role": role, "roots": self.roots, "now": int(NOW.timestamp()), **options}
        if self.identity is not None:
            options["identity"] = self.identity
        texts = {name.replace("_", "-"): _text(value) for name, value in options.items()}
        return subprocess.Popen(self.command({**texts}), stdout=subprocess.PIPE, text=True)

    @contextmanager
    def server(self, **options: object) -> Iterator[Served]:
        """Run it as a server; what it reported is there after the block."""
        with self._start("server", options) as process:
            assert process.stdout is not None
            served = Served(json.loads(process.stdout.readline())["port"], [])
            try:
                yield served
                output, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        served.reports.extend(_reports(output))

    def client(self, port: int, **options: object) -> list[dict[str, Any]]:
        """Run it as a client to its end; return what it reported of each connection."""
        with self._start("client", {"port": port, **options}) as process:
            try:
                output, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        return _reports(output)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reports(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


# --- what both ends do ---------------------------------------------------------------------


def exchange(secure: SecureSocket) -> None:
    """Send the programs what they echo, and check the echo."""
    for number, size in enumerate(SIZES):
        sent, received = bytes([number]) * size, b""
        secure.sendall(sent)
        while len(received) < size:
            received += secure.recv()
        assert received == sent


def visit(
    config: ServerConfig, client: PeerProgram, *, connections: int = 1, **options: object
) -> tuple[list[dict[str, Any]], list[HandshakeCompleted] | MeterSealError]:
    """Let their client visit our server; return what each side has to say."""
    options = {"name": SERVER_NAME, "connections": connections, **options}
    with listen("127.0.0.1", 0, config) as listener, ThreadPoolExecutor(1) as pool:
        listener.raw.settimeout(PATIENCE)
        served = pool.submit(lambda: [_echo(listener) for _ in range(connections)])
        reports = client.client(listener.address[1], **options)
        error = served.exception(PATIENCE)
        if isinstance(error, MeterSealError):
            return reports, error
        return reports, served.result()


def _echo(listener: SecureListener) -> HandshakeCompleted:
    secure, _ = listener.accept()
    with secure:
        session = secure.handshake(PATIENCE)
        while data := secure.recv():
            secure.sendall(data)
        return session

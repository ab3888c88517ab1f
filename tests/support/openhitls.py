"""The `hitls` program of openHiTLS, which speaks TLCP and TLS 1.3.

It comes from no registry: METERSEAL_OPENHITLS names it, its libraries lie beside it.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.net.ports import free_port
from support.command_line import LINE, PATIENCE
from support.contexts import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.transport import CipherSuite

PROGRAM = os.environ.get("METERSEAL_OPENHITLS", "")


def _start(command: str) -> subprocess.Popen[bytes]:
    """Run one of its commands where the certificates are."""
    return subprocess.Popen(
        [PROGRAM, *command.split()],
        cwd=files().folder,
        env={**os.environ, "LD_LIBRARY_PATH": str(Path(PROGRAM).parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@contextmanager
def serve(suite: CipherSuite, *, mutual: bool) -> Iterator[int]:
    """Run its server for the length of the block: it reads once, and says "Hello World!".

    Yields a port on which it will listen soon.
    """
    port = free_port()
    command = f"s_server -accept 127.0.0.1:{port} {_speaks(suite)} {_shows(suite, 'server')}"
    with _start(command + " -CAfile ca.pem" + " -noverify" * (not mutual)) as process:
        try:
            yield port
        finally:
            process.kill()


def visit(port: int, suite: CipherSuite, *, roots: str = "ca", shows: bool = True) -> bytes:
    """Run its client, which sends `LINE`; return all that it prints."""
    command = f"s_client -host localhost -port {port} {_speaks(suite)} -CAfile {roots}.pem"
    if shows:
        command += f" {_shows(suite, 'client')}"
    with _start(command) as process:
        try:
            output, _ = process.communicate(LINE, timeout=PATIENCE)
        finally:
            process.kill()
    return output


def _is_tls13(suite: CipherSuite) -> bool:
    return suite.name.startswith("TLS_")


def _speaks(suite: CipherSuite) -> str:
    name = suite.name.removeprefix("TLS_")
    return f"{'-tls1_3' if _is_tls13(suite) else '-tlcp'} -cipher HITLS_{name}"


def _shows(suite: CipherSuite, owner: str) -> str:
    if _is_tls13(suite):
        return f"-cert {owner}_sign.pem -key {owner}_sign.key"
    parts = [
        f"-tlcp_{half}_{kind} {owner}_{half}.{ending}"
        for half in ("sign", "enc")
        for kind, ending in (("cert", "pem"), ("key", "key"))
    ]
    return " ".join(parts)

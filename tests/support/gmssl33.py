"""The `gmssl` program of GmSSL 3.3, which speaks TLCP in four suites and TLS 1.3.

It comes from no registry: METERSEAL_GMSSL3 names it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.net.ports import free_port
from support.command_line import LINE, PATIENCE
from support.gmssl3 import PASSWORD, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.transport import CipherSuite

PROGRAM = os.environ.get("METERSEAL_GMSSL3", "")


@dataclass(frozen=True)
class GmSsl33(World):
    """Its programs, with the certificates of its own world."""

    @classmethod
    def at(cls, folder: Path) -> GmSsl33:
        """Let it make its world in a folder."""
        return cls(folder, Path(PROGRAM)).make()

    @contextmanager
    def serve(self, suite: CipherSuite, *, mutual: bool) -> Iterator[int]:
        """Run its server for the length of the block; it sends back what it reads.

        Yields a port on which it will listen soon.
        """
        port = free_port()
        kind, files = ("tls13", "sign") if _is_tls13(suite) else ("tlcp", "pair")
        command = f"{kind}_server -port {port} {_speaks(suite)} {_shows(files)}"
        command += " -cacert ca.pem -cert_request" * mutual
        with self.start(command) as process:
            try:
                yield port
            finally:
                process.kill()

    def visit(self, port: int, suite: CipherSuite, *, roots: str = "ca", shows: str = "") -> bytes:
        """Run its client, which sends `LINE`; return all that it prints until it ends."""
        (self.folder / "text").write_bytes(LINE)
        kind = "tls13" if _is_tls13(suite) else "tlcp"
        command = f"{kind}_client -host 127.0.0.1 -port {port} -server_name station.example"
        command += f" -cacert {roots}.pem {_speaks(suite)} -in text"
        with self.start(f"{command} {_shows(shows)}" if shows else command) as process:
            try:
                output, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        return output


def _is_tls13(suite: CipherSuite) -> bool:
    return suite.name.startswith("TLS_")


def _speaks(suite: CipherSuite) -> str:
    if _is_tls13(suite):
        return f"-cipher_suite {suite.name} -supported_group sm2p256v1 -sig_alg sm2sig_sm3"
    return f"-cipher_suite TLS_{suite.name}"


def _shows(files: str) -> str:
    return f"-cert {files}.pem -key {files}.key -pass {PASSWORD}"

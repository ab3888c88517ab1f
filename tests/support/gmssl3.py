"""The `gmssl` program of GmSSL 3, and a small world of certificates that it makes for itself.

3.1.1 is built by the package `easy_gmssl` when it is installed; `support/gmssl33.py` has 3.3.
"""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.net.ports import free_port
from meterseal.transport import Credential, EncryptionCredential
from meterseal.x509 import TrustStore, load_certificates, load_private_key
from support.command_line import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate

PASSWORD = "peers"
_HOME = Path.home() / ".gmssl_3.1.1_install"
_OWNERS = {
    "sign": ("station", ["digitalSignature"]),
    "enc": ("station", ["keyEncipherment", "dataEncipherment"]),
    "client": ("meter-1", ["digitalSignature"]),
    "client-enc": ("meter-1", ["keyEncipherment", "dataEncipherment"]),
}


def is_there() -> bool:
    """Whether 3.1.1 was built here."""
    return (_HOME / "bin" / "gmssl").exists()


@dataclass(frozen=True)
class World:
    """Its own small world in a folder: it reads no key that another program encrypted."""

    folder: Path
    program: Path = _HOME / "bin" / "gmssl"

    def start(self, line: str) -> subprocess.Popen[bytes]:
        """Run one of its commands in the folder."""
        return subprocess.Popen(
            [self.program, *line.split()],
            cwd=self.folder,
            env={**os.environ, "LD_LIBRARY_PATH": str(self.program.parents[1] / "lib")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _run(self, line: str) -> None:
        with self.start(line) as process:
            output, _ = process.communicate(timeout=PATIENCE)
        if process.returncode:
            raise RuntimeError(f"gmssl {line}: {output.decode()}")

    def make(self) -> Self:
        """Let it make a root, a server's pair and a client's."""
        keygen = f"sm2keygen -pass {PASSWORD} -pubout public.pem -out"
        name, by = "-C CN -O tests -CN", f"-pass {PASSWORD} -days 30 -key"
        self._run(f"{keygen} ca.key")
        self._run(f"certgen {name} root {by} ca.key -ca -path_len_constraint 1 -out ca.pem")
        for file, (owner, usages) in _OWNERS.items():
            self._run(f"{keygen} {file}.key")
            self._run(f"reqgen {name} {owner} -key {file}.key -pass {PASSWORD} -out request.pem")
            usage = " ".join(f"-key_usage {usage}" for usage in usages)
            host = f"-subject_dns_name {owner}.example"
            issue = f"reqsign -in request.pem -cacert ca.pem {by} ca.key -out {file}.pem"
            self._run(f"{issue} {usage} {host}")
        for pair, files in (("pair", ("sign", "enc")), ("client-pair", ("client", "client-enc"))):
            for ending in ("pem", "key"):
                parts = [(self.folder / f"{file}.{ending}").read_bytes() for file in files]
                (self.folder / f"{pair}.{ending}").write_bytes(b"".join(parts))
        return self

    def _certificate(self, name: str) -> Certificate:
        return load_certificates((self.folder / f"{name}.pem").read_bytes())[0]

    def _key(self, name: str) -> sm2.PrivateKey:
        return load_private_key((self.folder / f"{name}.key").read_bytes(), password=PASSWORD)

    @property
    def trust(self) -> TrustStore:
        """Its root."""
        return TrustStore([self._certificate("ca")])

    @property
    def server(self) -> Credential:
        """The server's pair."""
        return self._pair("sign", "enc")

    @property
    def client(self) -> Credential:
        """The client's signing certificate alone: 3.1.1 knows no other for clients."""
        return Credential((self._certificate("client"),), self._key("client"))

    @property
    def client_pair(self) -> Credential:
        """The client's pair."""
        return self._pair("client", "client-enc")

    def _pair(self, signing: str, encryption: str) -> Credential:
        second = EncryptionCredential(self._certificate(encryption), self._key(encryption))
        return Credential((self._certificate(signing),), self._key(signing), second)


class GmSsl3(World):
    """Its programs for TLCP as of 3.1.1."""

    @contextmanager
    def serve(self, *, mutual: bool) -> Iterator[int]:
        """Run its server for the length of the block; it sends back what it reads.

        Yields a port on which it will listen soon. A handshake that fails is its last.
        """
        port = free_port()
        command = f"tlcp_server -port {port} -cert pair.pem -key sign.key -ex_key enc.key"
        command += f" -pass {PASSWORD} -ex_pass {PASSWORD}" + " -cacert ca.pem" * mutual
        with self.start(command) as process:
            try:
                yield port
            finally:
                process.kill()

    def visit(self, port: int, text: bytes, *, roots: str = "ca", mutual: bool = False) -> bytes:
        """Run its client, which sends the line `text`; return all that it prints."""
        command = f"tlcp_client -host 127.0.0.1 -port {port} -cacert {roots}.pem"
        if mutual:
            command += f" -cert client.pem -key client.key -pass {PASSWORD}"
        with self.start(command) as process:
            impatience = threading.Timer(PATIENCE, process.kill)
            impatience.start()
            try:
                return _one_round(process, text)
            finally:
                impatience.cancel()
                process.kill()


def _one_round(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    """Its client reads a line, sends it, prints the answer and says that this was a round."""
    assert process.stdin is not None
    assert process.stdout is not None
    output = b""
    with suppress(BrokenPipeError):
        process.stdin.write(text)
        process.stdin.flush()
    for line in process.stdout:
        output += line
        if line.startswith(b"end of this round"):
            break
    with suppress(BrokenPipeError):
        process.stdin.close()
    return output + process.stdout.read()

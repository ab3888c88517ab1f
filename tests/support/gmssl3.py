"""The `gmssl` program of GmSSL 3.1.1; the package `easy_gmssl` builds it when it is installed."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.transport import Credential, EncryptionCredential
from meterseal.x509 import TrustStore, load_certificates, load_private_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate

PATIENCE = 20
_HOME = Path(os.environ.get("METERSEAL_GMSSL3") or Path.home() / ".gmssl_3.1.1_install")
_PASSWORD = "peers"
_OWNERS = {
    "sign": ("station", ["digitalSignature"]),
    "enc": ("station", ["keyEncipherment", "dataEncipherment"]),
    "client": ("meter-1", ["digitalSignature"]),
}


def is_there() -> bool:
    """Whether the program was built here."""
    return (_HOME / "bin" / "gmssl").exists()


def _start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [_HOME / "bin" / "gmssl", *arguments],
        cwd=folder,
        env={**os.environ, "LD_LIBRARY_PATH": str(_HOME / "lib")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _run(folder: Path, line: str, *more: str) -> None:
    with _start(folder, *line.split(), *more) as process:
        output, _ = process.communicate(timeout=PATIENCE)
    if process.returncode:
        raise RuntimeError(f"gmssl {line}: {output.decode()}")


@dataclass(frozen=True)
class GmSsl3:
    """Its own small world in a folder: it reads no key that another program encrypted."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> GmSsl3:
        """Let it make a root, a server's pair and a client's certificate."""
        keygen = f"sm2keygen -pass {_PASSWORD} -pubout public.pem -out"
        name, by = "-C CN -O tests -CN", f"-pass {_PASSWORD} -days 30 -key"
        _run(folder, f"{keygen} ca.key")
        _run(folder, f"certgen {name} root {by} ca.key -ca -path_len_constraint 1 -out ca.pem")
        for file, (owner, usages) in _OWNERS.items():
            _run(folder, f"{keygen} {file}.key")
            _run(
                folder, f"reqgen {name} {owner} -key {file}.key -pass {_PASSWORD} -out request.pem"
            )
            usage = " ".join(f"-key_usage {usage}" for usage in usages)
            host = f"-subject_dns_name {owner}.example"
            issue = f"reqsign -in request.pem -cacert ca.pem {by} ca.key -out {file}.pem"
            _run(folder, f"{issue} {usage} {host}")
        pair = [(folder / f"{file}.pem").read_bytes() for file in ("sign", "enc")]
        (folder / "pair.pem").write_bytes(b"".join(pair))
        return cls(folder)

    def _certificate(self, name: str) -> Certificate:
        return load_certificates((self.folder / f"{name}.pem").read_bytes())[0]

    def _key(self, name: str) -> sm2.PrivateKey:
        return load_private_key((self.folder / f"{name}.key").read_bytes(), password=_PASSWORD)

    @property
    def trust(self) -> TrustStore:
        """Its root."""
        return TrustStore([self._certificate("ca")])

    @property
    def server(self) -> Credential:
        """The server's pair."""
        encryption = EncryptionCredential(self._certificate("enc"), self._key("enc"))
        return Credential((self._certificate("sign"),), self._key("sign"), encryption)

    @property
    def client(self) -> Credential:
        """The client's certificate: it has no encryption certificate for clients."""
        return Credential((self._certificate("client"),), self._key("client"))

    @contextmanager
    def serve(self, *, mutual: bool) -> Iterator[int]:
        """Run its server for the length of the block; it sends back what it reads.

        Yields a port on which it will listen soon. A handshake that fails is its last.
        """
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        command = f"tlcp_server -port {port} -cert pair.pem -key sign.key -ex_key enc.key"
        command += f" -pass {_PASSWORD} -ex_pass {_PASSWORD}" + " -cacert ca.pem" * mutual
        with _start(self.folder, *command.split()) as process:
            try:
                yield port
            finally:
                process.kill()

    def visit(self, port: int, text: bytes, *, roots: str = "ca", mutual: bool = False) -> bytes:
        """Run its client, which sends the line `text`; return all that it prints."""
        command = f"tlcp_client -host 127.0.0.1 -port {port} -cacert {roots}.pem"
        if mutual:
            command += f" -cert client.pem -key client.key -pass {_PASSWORD}"
        with _start(self.folder, *command.split()) as process:
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

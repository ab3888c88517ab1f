"""A server whose private keys it never sees: they live in a security chip, here another process.

The chip answers four commands over a pipe: public key, sign, sign digest, decrypt.
Whoever has a real chip or an HSM replaces `Chip.ask` and keeps `ChipSigner` and `ChipDecryptor`.

    meterseal pki dev pki
    python examples/security_chip.py pki
"""

from __future__ import annotations

import sys
import threading
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.crypto import sm2
from meterseal.errors import DecryptionFailed, InternalError
from meterseal.net import connect, listen
from meterseal.transport import TLCP_SUITES, ClientConfig, Credential, ServerConfig
from meterseal.transport.suites import Agreement
from meterseal.x509 import TrustStore, load_certificates, load_private_key

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# The SM2 key exchange of ECDHE suites is no command of the chip, so only ECC suites are served.
SUITES = tuple(suite for suite in TLCP_SUITES if suite.agreement is Agreement.TLCP_ECC)


class Chip:
    """A process of its own that holds one private key and answers one command at a time."""

    def __init__(self, key_file: Path) -> None:
        context = get_context("spawn")
        self._pipe, inside = context.Pipe()
        self._lock = threading.Lock()
        self._process = context.Process(target=_inside, args=(inside, key_file), daemon=True)
        self._process.start()
        inside.close()

    def ask(self, command: str, data: bytes = b"", identifier: bytes = b"") -> bytes | None:
        """Send one command; None if the chip could not decrypt. A chip that is gone raises."""
        with self._lock:
            self._pipe.send((command, data, identifier))
            answer = self._pipe.recv()
        if not isinstance(answer, bytes | None):
            raise InternalError("the chip answered with something else than bytes")
        return answer

    def sure(self, command: str, data: bytes = b"", identifier: bytes = b"") -> bytes:
        """Send a command that cannot fail on account of its data."""
        answer = self.ask(command, data, identifier)
        if answer is None:
            raise InternalError(f"the chip refused {command}")
        return answer

    def close(self) -> None:
        """Switch the chip off."""
        self._pipe.close()
        self._process.join(10)


def _inside(pipe: Connection, key_file: Path) -> None:
    """The chip: the only place where the key exists."""
    key = load_private_key(key_file.read_bytes())
    while True:
        try:
            command, data, identifier = pipe.recv()
        except EOFError:
            return
        match command:
            case "public key":
                pipe.send(key.public_key().to_bytes())
            case "sign":
                pipe.send(key.sign(data, identifier))
            case "sign digest":
                pipe.send(key.sign_digest(data))
            case "decrypt":
                try:
                    pipe.send(key.decrypt(data))
                except DecryptionFailed:
                    pipe.send(None)


class ChipSigner:
    """The signing key of a pair, in a chip: a `meterseal.crypto.provider.Signer`."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._public = sm2.PublicKey.from_bytes(chip.sure("public key"))

    def public_key(self) -> sm2.PublicKey:
        """Return the public half."""
        return self._public

    def sign(self, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        """Sign a message under an identifier; DER."""
        return self._chip.sure("sign", message, identifier)

    def sign_digest(self, digest: bytes, /) -> bytes:
        """Sign a digest of 32 bytes; DER. Only TLS 1.2 asks for it."""
        return self._chip.sure("sign digest", digest)


class ChipDecryptor:
    """The encryption key of a pair, in a chip: a `meterseal.crypto.provider.Decryptor`."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._public = sm2.PublicKey.from_bytes(chip.sure("public key"))

    def public_key(self) -> sm2.PublicKey:
        """Return the public half."""
        return self._public

    def decrypt(self, ciphertext: bytes, /) -> bytes:
        """Return the plaintext, or raise DecryptionFailed, which the handshake hides."""
        plaintext = self._chip.ask("decrypt", ciphertext)
        if plaintext is None:
            raise DecryptionFailed("the chip could not decrypt")
        return plaintext


def main(folder: Path) -> None:
    """Serve one TLCP session with both keys in chips, and be its client."""
    trust = TrustStore(load_certificates((folder / "root.pem").read_bytes()))
    signing, encryption = Chip(folder / "server-sign.key"), Chip(folder / "server-enc.key")
    credential = Credential.of_pair(
        load_certificates((folder / "server.pem").read_bytes()),
        ChipSigner(signing),
        ChipDecryptor(encryption),
    )
    config = ServerConfig(credential=credential, suites=SUITES)
    with listen("127.0.0.1", 0, config) as listener:
        server = threading.Thread(target=_serve_one, args=(listener,))
        server.start()
        client = ClientConfig(trust=trust, suites=SUITES)
        with connect("127.0.0.1", listener.address[1], client) as secure:
            secure.sendall(b"00001234.56 kWh")
            print(secure.session.suite.name, secure.recv(100).decode())
        server.join(10)
    signing.close()
    encryption.close()


def _serve_one(listener) -> None:  # noqa: ANN001
    secure, _ = listener.accept()
    with secure:
        secure.handshake()
        secure.sendall(b"received " + secure.recv(100))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

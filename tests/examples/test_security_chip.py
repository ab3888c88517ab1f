"""Private keys behind a narrow interface: the example runs, and a handshake asks for no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from meterseal.crypto import sm2
from meterseal.errors import AlertDescription, DecryptionFailed, InvalidKey, PeerError
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    CipherSuite,
    Credential,
    EncryptionCredential,
)
from meterseal.transport.suites import Agreement
from support.identities import world
from support.pages import run
from support.wire import client_config, link, server_config

EXAMPLE = Path(__file__).parents[2] / "examples" / "security_chip.py"
ECC_SUITES = tuple(suite for suite in TLCP_SUITES if suite.agreement is Agreement.TLCP_ECC)


def test_the_example_serves_with_both_keys_in_chips(tmp_path: Path) -> None:
    assert run("meterseal pki dev pki", tmp_path)[0] == 0
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE, "pki"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ECC_SM4_GCM_SM3 received 00001234.56 kWh\n"


class Recorder:
    """A key that shows its owner only what the protocols name, and notes what it was asked."""

    def __init__(self, key: sm2.PrivateKey) -> None:
        self.__key = key
        self.asked: list[str] = []

    def public_key(self) -> sm2.PublicKey:
        return self.__key.public_key()

    def sign(self, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        self.asked.append("sign")
        return self.__key.sign(message, identifier)

    def decrypt(self, ciphertext: bytes, /) -> bytes:
        self.asked.append("decrypt")
        return self.__key.decrypt(ciphertext)


class Broken(Recorder):
    def decrypt(self, ciphertext: bytes, /) -> bytes:
        super().decrypt(ciphertext)
        raise DecryptionFailed("no")


def private(credential: Credential) -> tuple[sm2.PrivateKey, sm2.PrivateKey]:
    assert credential.encryption is not None
    keys = credential.key, credential.encryption.key
    assert isinstance(keys[0], sm2.PrivateKey)
    assert isinstance(keys[1], sm2.PrivateKey)
    return keys[0], keys[1]


@pytest.mark.parametrize(
    ("suites", "decrypts"),
    [(TLS12_SUITES, False), (TLS13_SUITES, False), (ECC_SUITES, True)],
    ids=["TLS 1.2", "TLS 1.3", "TLCP"],
)
def test_a_server_asks_its_keys_for_nothing_else(
    suites: tuple[CipherSuite, ...], decrypts: bool
) -> None:
    pair = world().server_pair
    assert pair.encryption is not None
    signer, decryptor = map(Recorder, private(pair))
    encryption = EncryptionCredential(pair.encryption.certificate, decryptor)
    outside = Credential(pair.chain, signer, encryption)  # type: ignore[arg-type]
    both = link(client_config(suites=suites), server_config(suites=suites, credential=outside))
    assert not both.errors
    assert both.client.is_established
    assert signer.asked == ["sign"]
    assert decryptor.asked == (["decrypt"] if decrypts else [])


def test_a_chip_that_cannot_decrypt_looks_like_a_wrong_secret() -> None:
    pair = world().server_pair
    assert pair.encryption is not None
    encryption = EncryptionCredential(pair.encryption.certificate, Broken(private(pair)[1]))
    credential = Credential(pair.chain, pair.key, encryption)
    server = server_config(suites=ECC_SUITES, credential=credential)
    error = link(client_config(suites=ECC_SUITES), server).errors["server"]
    assert isinstance(error, PeerError)
    assert error.description is AlertDescription.BAD_RECORD_MAC


def test_a_chip_with_another_key_is_noticed_at_once() -> None:
    stranger = Recorder(sm2.PrivateKey.generate())
    with pytest.raises(InvalidKey, match="does not belong"):
        Credential(world().server_pair.chain, stranger)  # type: ignore[arg-type]

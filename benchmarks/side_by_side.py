"""Print meterseal's speed beside `cryptography` (OpenSSL), `tongsuopy` and `gmssl`, in one run.

The implementations take turns, round by round, so that a slow moment of the machine hits all of
them. Shown is the median of the rounds and its ratio to the row's reference.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cryptography
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from gmssl import func as gmssl_func
from gmssl import sm2 as gmssl_sm2
from gmssl import sm3 as gmssl_sm3
from tongsuopy.crypto import hashes as tongsuo_hashes
from tongsuopy.crypto.asymciphers import ec as tongsuo_ec
from tongsuopy.crypto.ciphers import Cipher as TongsuoCipher
from tongsuopy.crypto.ciphers import algorithms as tongsuo_algorithms
from tongsuopy.crypto.ciphers import modes as tongsuo_modes

from meterseal import _core
from meterseal.crypto import sm2, sm3, sm4

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE = b"message digest"
DIGEST = bytes(range(32))
KEY = bytes(range(16))
NONCE = bytes(range(12))
AAD = bytes(13)


@dataclass
class Row:
    """One kind of work: who does it how, how many bytes a call, and who is the reference."""

    work: str
    reference: str
    size: int = 0
    steps: dict[str, Callable[[], object]] = field(default_factory=dict)


def rows() -> list[Row]:
    """Everything that is measured."""
    return [
        *signature_rows(),
        *(hash_row(size) for size in (64, 1024, 16384)),
        *(gcm_row(size) for size in (64, 1024, 16384)),
    ]


def signature_rows() -> list[Row]:
    ours = sm2.PrivateKey.generate()
    public = ours.public_key()
    p256 = ec.generate_private_key(ec.SECP256R1())
    p256_public = p256.public_key()
    prehashed = ec.ECDSA(Prehashed(hashes.SHA256()))
    tongsuo = tongsuo_ec.generate_private_key(tongsuo_ec.SM2())
    tongsuo_public = tongsuo.public_key()
    with_sm3 = tongsuo_ec.ECDSA(tongsuo_hashes.SM3())
    pure = gmssl_sm2.CryptSM2(
        private_key=ours.to_bytes().hex(), public_key=public.to_bytes()[1:].hex()
    )
    nonce = gmssl_func.random_hex(64)
    signature, digest_signature = ours.sign(MESSAGE), ours.sign_digest(DIGEST)
    p256_signature = p256.sign(DIGEST, prehashed)
    tongsuo_signature = tongsuo.sign(MESSAGE, with_sm3)
    pure_signature = pure.sign(DIGEST, nonce)
    reference = "OpenSSL P-256"
    return [
        Row(
            "SM2 sign, digest",
            reference,
            steps={
                "meterseal": lambda: ours.sign_digest(DIGEST),
                reference: lambda: p256.sign(DIGEST, prehashed),
                "gmssl": lambda: pure.sign(DIGEST, nonce),
            },
        ),
        Row(
            "SM2 verify, digest",
            reference,
            steps={
                "meterseal": lambda: public.verify_digest(digest_signature, DIGEST),
                reference: lambda: p256_public.verify(p256_signature, DIGEST, prehashed),
                "gmssl": lambda: pure.verify(pure_signature, DIGEST),
            },
        ),
        Row(
            "SM2 sign, message",
            "tongsuopy",
            steps={
                "meterseal": lambda: ours.sign(MESSAGE),
                "tongsuopy": lambda: tongsuo.sign(MESSAGE, with_sm3),
            },
        ),
        Row(
            "SM2 verify, message",
            "tongsuopy",
            steps={
                "meterseal": lambda: public.verify(signature, MESSAGE),
                "tongsuopy": lambda: tongsuo_public.verify(tongsuo_signature, MESSAGE, with_sm3),
            },
        ),
        Row(
            "SM2 key generation",
            "tongsuopy",
            steps={
                "meterseal": sm2.PrivateKey.generate,
                "tongsuopy": lambda: tongsuo_ec.generate_private_key(tongsuo_ec.SM2()),
            },
        ),
        Row(
            "SM2 ECDH",
            reference,
            steps={
                "meterseal": lambda: ours.exchange_ecdh(public),
                reference: lambda: p256.exchange(ec.ECDH(), p256_public),
            },
        ),
    ]


def hash_row(size: int) -> Row:
    data = bytes(size)
    as_list = list(data)

    def openssl() -> bytes:
        running = hashes.Hash(hashes.SM3())
        running.update(data)
        return running.finalize()

    def tongsuo() -> bytes:
        running = tongsuo_hashes.Hash(tongsuo_hashes.SM3())
        running.update(data)
        return running.finalize()

    return Row(
        f"SM3, {size} B",
        "OpenSSL",
        size,
        {
            "meterseal": lambda: sm3.sm3(data).digest(),
            "OpenSSL": openssl,
            "tongsuopy": tongsuo,
            "gmssl": lambda: gmssl_sm3.sm3_hash(as_list),
        },
    )


def gcm_row(size: int) -> Row:
    data = bytes(size)
    ours = sm4.SM4GCM(KEY)
    aes = AESGCM(KEY)

    def openssl() -> bytes:
        sealing = Cipher(algorithms.SM4(KEY), modes.GCM(NONCE)).encryptor()
        sealing.authenticate_additional_data(AAD)
        return sealing.update(data) + sealing.finalize() + sealing.tag

    def tongsuo() -> bytes:
        sealing = TongsuoCipher(tongsuo_algorithms.SM4(KEY), tongsuo_modes.GCM(NONCE)).encryptor()
        sealing.authenticate_additional_data(AAD)
        return bytes(sealing.update(data) + sealing.finalize() + sealing.tag)

    return Row(
        f"SM4-GCM seal, {size} B",
        "OpenSSL",
        size,
        {
            "meterseal": lambda: ours.encrypt(NONCE, data, AAD),
            "OpenSSL": openssl,
            "tongsuopy": tongsuo,
            "OpenSSL AES-128": lambda: aes.encrypt(NONCE, data, AAD),
        },
    )


def calls_per_second(step: Callable[[], object], seconds: float) -> float:
    """How often `step` runs in a second, measured over about `seconds`."""
    count, spent = 1, 0.0
    while True:
        start = time.perf_counter()
        for _ in range(count):
            step()
        spent = time.perf_counter() - start
        if spent >= seconds / 2:
            return count / spent
        count = max(count + 1, int(count * min(10, seconds / max(spent, 1e-9))))


def measure(row: Row, rounds: int, seconds: float) -> dict[str, float]:
    """Medians over rounds in which the implementations take turns."""
    samples: dict[str, list[float]] = {name: [] for name in row.steps}
    for _ in range(rounds):
        for name, step in row.steps.items():
            samples[name].append(calls_per_second(step, seconds))
    return {name: statistics.median(values) for name, values in samples.items()}


def show(row: Row, medians: dict[str, float]) -> None:
    unit = "MB/s" if row.size else "op/s"
    scale = row.size / 1e6 if row.size else 1.0
    reference = medians[row.reference]
    for name, median in medians.items():
        speed = median * scale
        figure = f"{speed:12,.1f}" if speed < 100 else f"{speed:12,.0f}"
        print(
            f"{row.work:<24}{name:<18}{figure} {unit}   {median / reference:7.2f} x {row.reference}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="for each measurement")
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, "
        f"cryptography {cryptography.__version__}; medians of {arguments.rounds} rounds"
    )
    for backend in reversed(_core.available_backends()):
        _core.force_backend(backend)
        print(f"\nmeterseal back-end: {backend}")
        for row in rows():
            show(row, measure(row, arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()

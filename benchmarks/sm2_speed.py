"""SM2 beside OpenSSL's P-256 and the SM2 packages of PyPI, in one run, one thread.

`python benchmarks/sm2_speed.py [seconds per figure]`. Figures are operations a second, the best of
five rounds; the last column is the ratio to OpenSSL's P-256 in the same run.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from gmssl import sm2 as gmssl_sm2
from tongsuopy.crypto import hashes as tongsuo_hashes
from tongsuopy.crypto.asymciphers import ec as tongsuo_ec

from meterseal import _core
from meterseal.crypto import sm2

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST = bytes(range(32))
MESSAGE = b"m" * 32
ROUNDS = 5


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    reference = measure_all(p256(), seconds)
    show("OpenSSL P-256 (cryptography)", reference, reference)
    for backend in _core.available_backends():
        _core.force_backend(backend)
        show(f"meterseal SM2, {backend}", measure_all(meterseal(), seconds), reference)
    show("tongsuopy SM2 (message)", measure_all(tongsuo(), seconds), reference)
    show("gmssl SM2 (pure Python)", measure_all(gmssl(), seconds), reference)


def p256() -> dict[str, Callable[[], object]]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    signature = key.sign(DIGEST, algorithm)
    return {
        "keygen": lambda: ec.generate_private_key(ec.SECP256R1()),
        "sign": lambda: key.sign(DIGEST, algorithm),
        "verify": lambda: public.verify(signature, DIGEST, algorithm),
        "ecdh": lambda: key.exchange(ec.ECDH(), public),
    }


def meterseal() -> dict[str, Callable[[], object]]:
    key = sm2.PrivateKey.generate()
    public = key.public_key()
    signature = key.sign_digest(DIGEST)
    message_signature = key.sign(MESSAGE)
    ciphertext = public.encrypt(MESSAGE)
    return {
        "keygen": sm2.PrivateKey.generate,
        "sign": lambda: key.sign_digest(DIGEST),
        "verify": lambda: public.verify_digest(signature, DIGEST),
        "ecdh": lambda: key.exchange_ecdh(public),
        "sign message": lambda: key.sign(MESSAGE),
        "verify message": lambda: public.verify(message_signature, MESSAGE),
        "encrypt 32 B": lambda: public.encrypt(MESSAGE),
        "decrypt 32 B": lambda: key.decrypt(ciphertext),
    }


def tongsuo() -> dict[str, Callable[[], object]]:
    key = tongsuo_ec.generate_private_key(tongsuo_ec.SM2())
    public = key.public_key()
    algorithm = tongsuo_ec.ECDSA(tongsuo_hashes.SM3())
    signature = key.sign(MESSAGE, algorithm)
    return {
        "sign message": lambda: key.sign(MESSAGE, algorithm),
        "verify message": lambda: public.verify(signature, MESSAGE, algorithm),
    }


def gmssl() -> dict[str, Callable[[], object]]:
    key = sm2.PrivateKey.from_bytes(b"\1" * 32)
    point = key.public_key().to_bytes()[1:].hex()
    both = gmssl_sm2.CryptSM2(key.to_bytes().hex(), point)
    signature = key.sign_digest(DIGEST, encoding="raw").hex()
    return {
        "sign": lambda: both.sign(DIGEST, "5" * 64),
        "verify": lambda: both.verify(signature, DIGEST),
    }


def measure_all(operations: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    return {name: measure(act, seconds) for name, act in operations.items()}


def measure(act: Callable[[], object], seconds: float) -> float:
    best = 0.0
    act()
    for _ in range(ROUNDS):
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds / ROUNDS:
            act()
            count += 1
        best = max(best, count / elapsed)
    return best


def show(title: str, rates: dict[str, float], reference: dict[str, float]) -> None:
    print(title)
    for name, rate in rates.items():
        base = reference.get(name.removesuffix(" message"))
        print(f"  {name:15} {rate:10,.0f}/s" + (f"  {rate / base:6.2f}" if base else ""))


if __name__ == "__main__":
    main()

"""Contestants that live in this process: meterseal itself and the packages of PyPI.

Each is a table from the name of a work to the call that does it once.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING

import cryptography
import tongsuopy
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from gmssl import sm2 as gmssl_sm2
from gmssl import sm3 as gmssl_sm3
from tongsuopy.crypto import hashes as tongsuo_hashes
from tongsuopy.crypto.asymciphers import ec as tongsuo_ec
from tongsuopy.crypto.ciphers import Cipher as TongsuoCipher
from tongsuopy.crypto.ciphers import algorithms as tongsuo_algorithms
from tongsuopy.crypto.ciphers import modes as tongsuo_modes

from meterseal import __version__, _core
from meterseal.crypto import sm2, sm3, sm4

if TYPE_CHECKING:
    from collections.abc import Callable

Calls = dict[str, "Callable[[], object]"]

KEY, IV, NONCE, AAD = bytes(range(16)), bytes(16), bytes(range(12)), bytes(13)
DIGEST = bytes(range(32))
HASHED = (64, 1024, 16384)
SEALED = (64, 256, 1024, 16384)
STREAMED = (16384,)
BATCH = 256
MANY = (
    "sm2-keygen-batch",
    "sm2-sign-batch",
    "sm2-verify-batch",
    "sm2-verify-batch-keys",
    "sm2-ecdh-batch",
    "sm3-many/1024",
)


class Library:
    """Measures calls of this process; `rate` is None for work that is not in its table."""

    def __init__(self, name: str, calls: Calls, items: dict[str, int] | None = None) -> None:
        self.name = name
        self._calls = calls
        self._items = items or {}

    def rate(self, work: str, seconds: float) -> float | None:
        """Return how often the work is done in a second of CPU time."""
        call = self._calls.get(work)
        if call is None:
            return None
        count = 1
        while True:
            start = time.process_time()
            for _ in repeat(None, count):
                call()
            spent = time.process_time() - start
            if spent >= seconds / 2:
                return count * self._items.get(work, 1) / spent
            count = int(count * min(10.0, max(1.5, seconds / max(spent, 1e-9)))) + 1

    def close(self) -> None:
        """Nothing to end."""


def libraries() -> list[Library]:
    """All of them, meterseal first, on the back-end in use."""
    items = dict.fromkeys(MANY, BATCH)
    openssl = f"in cryptography {cryptography.__version__}"
    return [
        Library(f"meterseal {__version__}, {_core.backend()}", meterseal_calls(), items),
        Library(f"OpenSSL {openssl}", openssl_calls()),
        Library(f"tongsuopy {tongsuopy.__version__}", tongsuo_calls()),
        Library("gmssl, pure Python", gmssl_calls()),
        Library(f"P-256, SHA-256, AES-128 {openssl}", western_calls()),
    ]


def meterseal_calls() -> Calls:
    """Ours, from Python."""
    key = sm2.PrivateKey.generate()
    public = key.public_key()
    prepared = key.public_key()
    prepared.prepare()
    signature, sealed = key.sign_digest(DIGEST), public.encrypt(DIGEST)
    messages = [(key, b"%064d" % number) for number in range(BATCH)]
    of_many_keys = [(sm2.PrivateKey.generate(), message) for _, message in messages]
    signed, signed_by_many = (_with_signatures(some) for some in (messages, of_many_keys))
    gcm = sm4.SM4GCM(KEY)
    return {
        "sm2-keygen": sm2.PrivateKey.generate,
        "sm2-sign": lambda: key.sign_digest(DIGEST),
        "sm2-verify": lambda: public.verify_digest(signature, DIGEST),
        "sm2-verify-prepared": lambda: prepared.verify_digest(signature, DIGEST),
        "sm2-ecdh": lambda: key.exchange_ecdh(public),
        "sm2-encrypt": lambda: public.encrypt(DIGEST),
        "sm2-decrypt": lambda: key.decrypt(sealed),
        "sm2-keygen-batch": lambda: sm2.generate_batch(BATCH),
        "sm2-sign-batch": lambda: sm2.sign_batch(messages),
        "sm2-verify-batch": lambda: sm2.verify_batch(signed),
        "sm2-verify-batch-keys": lambda: sm2.verify_batch(signed_by_many),
        "sm2-ecdh-batch": lambda: sm2.exchange_ecdh_batch([(key, public)] * BATCH),
        "sm3-many/1024": lambda: sm3.sm3_batch([bytes(1024)] * BATCH),
        **_of_sizes("sm3", HASHED, sm3.sm3_digest),
        **_of_sizes("sm4-gcm", SEALED, gcm.encrypt, (NONCE,), (AAD,)),
        **_of_sizes("sm4-ctr", STREAMED, sm4.ctr, (KEY, IV)),
        **_of_sizes("sm4-cbc-decrypt", STREAMED, sm4.cbc_decrypt, (KEY, IV), (False,)),
    }


def openssl_calls() -> Calls:
    """The SM algorithms that `cryptography` gives out; it has no SM2."""
    return {
        **_of_sizes("sm3", HASHED, lambda data: _hashed(hashes.Hash(hashes.SM3()), data)),
        **_of_sizes("sm4-gcm", SEALED, lambda data: _sealed(_sm4(modes.GCM(NONCE)), data)),
        **_of_sizes("sm4-ctr", STREAMED, lambda data: _sm4(modes.CTR(IV)).encryptor().update(data)),
        **_of_sizes(
            "sm4-cbc-decrypt", STREAMED, lambda data: _sm4(modes.CBC(IV)).decryptor().update(data)
        ),
    }


def tongsuo_calls() -> Calls:
    """Tongsuo by its wheel; it signs messages only, so here it computes a digest besides."""
    key = tongsuo_ec.generate_private_key(tongsuo_ec.SM2())
    public = key.public_key()
    with_sm3 = tongsuo_ec.ECDSA(tongsuo_hashes.SM3())
    signature = key.sign(DIGEST, with_sm3)

    def cipher(mode: object) -> TongsuoCipher:
        return TongsuoCipher(tongsuo_algorithms.SM4(KEY), mode)

    return {
        "sm2-keygen": lambda: tongsuo_ec.generate_private_key(tongsuo_ec.SM2()),
        "sm2-sign": lambda: key.sign(DIGEST, with_sm3),
        "sm2-verify": lambda: public.verify(signature, DIGEST, with_sm3),
        **_of_sizes(
            "sm3", HASHED, lambda data: _hashed(tongsuo_hashes.Hash(tongsuo_hashes.SM3()), data)
        ),
        **_of_sizes(
            "sm4-gcm", SEALED, lambda data: _sealed(cipher(tongsuo_modes.GCM(NONCE)), data)
        ),
    }


def gmssl_calls() -> Calls:
    """The package of PyPI that is plain Python."""
    key = sm2.PrivateKey.from_bytes(b"\1" * 32)
    pure = gmssl_sm2.CryptSM2(key.to_bytes().hex(), key.public_key().to_bytes()[1:].hex())
    signature = key.sign_digest(DIGEST, encoding="raw").hex()
    return {
        "sm2-sign": lambda: pure.sign(DIGEST, "5" * 64),
        "sm2-verify": lambda: pure.verify(signature, DIGEST),
        **_of_sizes("sm3", HASHED[:2], lambda data: gmssl_sm3.sm3_hash(list(data))),
    }


def western_calls() -> Calls:
    """What the same work costs with the algorithms of the rest of the world."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    prehashed = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    signature = key.sign(DIGEST, prehashed)
    gcm = AESGCM(KEY)
    return {
        "sm2-keygen": lambda: ec.generate_private_key(ec.SECP256R1()),
        "sm2-sign": lambda: key.sign(DIGEST, prehashed),
        "sm2-verify": lambda: public.verify(signature, DIGEST, prehashed),
        "sm2-ecdh": lambda: key.exchange(ec.ECDH(), public),
        **_of_sizes("sm3", HASHED, lambda data: _hashed(hashes.Hash(hashes.SHA256()), data)),
        **_of_sizes("sm4-gcm", SEALED, gcm.encrypt, (NONCE,), (AAD,)),
    }


def _with_signatures(
    messages: list[tuple[sm2.PrivateKey, bytes]],
) -> list[tuple[sm2.PublicKey, bytes, bytes]]:
    made = zip(messages, sm2.sign_batch(messages), strict=True)
    return [(key.public_key(), signature, message) for (key, message), signature in made]


def _of_sizes(
    work: str,
    sizes: tuple[int, ...],
    call: Callable[..., object],
    before: tuple[object, ...] = (),
    after: tuple[object, ...] = (),
) -> Calls:
    """The call of data of each size, with the arguments before and after; nothing in between."""
    return {f"{work}/{size}": partial(call, *before, bytes(size), *after) for size in sizes}


def _sm4(mode: modes.Mode) -> Cipher[modes.Mode]:
    return Cipher(algorithms.SM4(KEY), mode)


def _hashed(running: hashes.Hash, data: bytes) -> bytes:
    running.update(data)
    return running.finalize()


def _sealed(cipher: Cipher[modes.GCM], data: bytes) -> bytes:
    sealing = cipher.encryptor()
    sealing.authenticate_additional_data(AAD)
    return bytes(sealing.update(data) + sealing.finalize() + sealing.tag)

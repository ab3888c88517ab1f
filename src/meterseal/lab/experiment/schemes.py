"""The schemes that are compared: each signs, agrees on a key, protects data, and undoes it.

What a scheme may keep between two calls it keeps, as its users would: a key is loaded once. An
agreement takes an offer, an answer and its acceptance, so that it can be led over a wire. Data that
`open` gives has been checked. Optimised and traditional schemes run the same curve and the same
ciphers; they differ in how these are computed, and in CBC with HMAC instead of GCM.
"""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, TypeAlias

from cryptography.hazmat.primitives import hashes, hmac, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meterseal.crypto import kdf, plainly, sm2, sm3, sm4
from meterseal.errors import InvalidTag
from meterseal.lab.experiment.plain import sm2 as plain_sm2
from meterseal.lab.experiment.plain import sm3 as plain_sm3
from meterseal.lab.experiment.plain import sm4 as plain_sm4
from meterseal.lab.experiment.timing import on_backend

__all__ = ["SCHEMES", "Scheme"]

_BLOCK = 16
_KEY = 16
_MAC = 32
_NONCE = 12
_MIB = 1 << 20


class Scheme(ABC):
    """One end of a scheme, with a long-term key of its own."""

    name: ClassVar[str]
    about: ClassVar[str]
    largest: ClassVar[int] = _MIB
    """The largest amount of data that is measured."""

    def running(self) -> AbstractContextManager[None]:
        """Be entered while the scheme is at work."""
        return nullcontext()

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """Sign with this end's key."""

    @abstractmethod
    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature of this end; raises for a bad one."""

    @abstractmethod
    def offer(self) -> tuple[object, bytes]:
        """Begin an agreement: what to keep, and what to send."""

    @abstractmethod
    def answer(self, offered: bytes) -> tuple[bytes, bytes]:
        """Answer an offer: the key, and what to send."""

    @abstractmethod
    def accept(self, kept: object, answered: bytes) -> bytes:
        """End an agreement: the key."""

    @abstractmethod
    def seal(self, key: bytes, data: bytes) -> bytes:
        """Protect data with a key of 16 bytes."""

    @abstractmethod
    def open(self, key: bytes, sealed: bytes) -> bytes:
        """Check what is sealed and give the data; raises if it was changed."""


class Optimised(Scheme):
    """What meterseal does every day."""

    name = "SM2-SM4-SM3, optimised"
    about = (
        "this scheme: hedged UTC nonces, cached inverse, tables, the CPU's instructions; SM4-GCM"
    )

    def __init__(self) -> None:
        self._key = sm2.PrivateKey.generate()
        self._public = self._key.public_key()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, encoding="raw")

    def verify(self, message: bytes, signature: bytes) -> None:
        self._public.verify(signature, message, encoding="raw")

    def offer(self) -> tuple[object, bytes]:
        ephemeral = sm2.PrivateKey.generate()
        return ephemeral, ephemeral.public_key().to_bytes()

    def answer(self, offered: bytes) -> tuple[bytes, bytes]:
        ephemeral, public = self.offer()
        return self.accept(ephemeral, offered), public

    def accept(self, kept: object, answered: bytes) -> bytes:
        if not isinstance(kept, sm2.PrivateKey):
            raise TypeError("an offer of another scheme")
        return kdf.sm2_kdf(kept.exchange_ecdh(sm2.PublicKey.from_bytes(answered)), _KEY)

    def seal(self, key: bytes, data: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + sm4.SM4GCM(key).encrypt(nonce, data)

    def open(self, key: bytes, sealed: bytes) -> bytes:
        return sm4.SM4GCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:])


class Traditional(Scheme):
    """The standard's steps one after the other, compiled, SM3 and SM4 by plain C."""

    name = "SM2-SM4-SM3, traditional"
    about = (
        "the standard's steps one after the other, compiled: multiples bit by bit, no tables, the "
        "inverse anew each time, a plain generator; SM4-CBC and HMAC-SM3 by OpenSSL's C code"
    )

    def __init__(self) -> None:
        self._generator = random.Random()  # noqa: S311  (the generator that the design objects to)
        self._key = sm2.PrivateKey.generate()
        self._public = self._key.public_key()

    def running(self) -> AbstractContextManager[None]:
        return on_backend("portable")

    def sign(self, message: bytes) -> bytes:
        e = sm3.sm3(self._z_value() + message).digest()
        return plainly.sign_digest_plainly(self._key, e, self._number(), "raw")

    def verify(self, message: bytes, signature: bytes) -> None:
        e = sm3.sm3(self._z_value() + message).digest()
        plainly.verify_digest_plainly(self._public, signature, e, "raw")

    def _z_value(self) -> bytes:
        """Z anew each time: what is remembered is remembered in the object of the key."""
        return sm2.PublicKey.from_bytes(self._public.to_bytes()).z_value()

    def _number(self) -> bytes:
        return self._generator.randrange(1, plain_sm2.N - 1).to_bytes(32)

    def offer(self) -> tuple[object, bytes]:
        ephemeral = self._number()
        return ephemeral, plainly.public_key_plainly(ephemeral)

    def answer(self, offered: bytes) -> tuple[bytes, bytes]:
        ephemeral, public = self.offer()
        return self.accept(ephemeral, offered), public

    def accept(self, kept: object, answered: bytes) -> bytes:
        if not isinstance(kept, bytes):
            raise TypeError("an offer of another scheme")
        shared = plainly.exchange_ecdh_plainly(kept, sm2.PublicKey.from_bytes(answered))
        return kdf.sm2_kdf(shared, _KEY)

    def seal(self, key: bytes, data: bytes) -> bytes:
        iv = self._generator.randbytes(_BLOCK)
        return iv + _cbc_encrypt(algorithms.SM4(key), iv, data + _hmac_sm3(key, data))

    def open(self, key: bytes, sealed: bytes) -> bytes:
        content = _cbc_decrypt(algorithms.SM4(key), sealed)
        return _checked(content, _hmac_sm3(key, content[:-_MAC]))


class TraditionalPython(Scheme):
    """The same as the standards' text, over Python's integers."""

    name = "SM2-SM4-SM3, traditional, in Python"
    about = "the same steps over Python's integers, SM3 and SM4 in Python too: read it, not use it"
    largest = 4096

    def __init__(self) -> None:
        self._d, self._public = plain_sm2.key_pair()

    def sign(self, message: bytes) -> bytes:
        r, s = plain_sm2.sign(self._d, self._public, message)
        return r.to_bytes(32) + s.to_bytes(32)

    def verify(self, message: bytes, signature: bytes) -> None:
        numbers = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        plain_sm2.verify(self._public, message, numbers)

    def offer(self) -> tuple[object, bytes]:
        d, (x, y) = plain_sm2.key_pair()
        return d, x.to_bytes(32) + y.to_bytes(32)

    def answer(self, offered: bytes) -> tuple[bytes, bytes]:
        d, public = self.offer()
        return self.accept(d, offered), public

    def accept(self, kept: object, answered: bytes) -> bytes:
        if not isinstance(kept, int):
            raise TypeError("an offer of another scheme")
        peer = int.from_bytes(answered[:32]), int.from_bytes(answered[32:])
        return plain_sm3.sm3(plain_sm2.shared_x(kept, peer) + b"\0\0\0\1")[:_KEY]

    def seal(self, key: bytes, data: bytes) -> bytes:
        iv = os.urandom(_BLOCK)
        return iv + plain_sm4.cbc_encrypt(key, iv, data + plain_sm3.hmac_sm3(key, data))

    def open(self, key: bytes, sealed: bytes) -> bytes:
        content = plain_sm4.cbc_decrypt(key, sealed[:_BLOCK], sealed[_BLOCK:])
        return _checked(content, plain_sm3.hmac_sm3(key, content[:-_MAC]))


class RsaHybrid(Scheme):
    """RSA-AES-HASH, after the scheme RAHRM of the design's reference 7."""

    name = "RSA-AES-HASH"
    about = "RSA-2048 signs and carries the key, AES-128-CBC, SHA-256 beside the data; OpenSSL"

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self._public = self._key.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self._spoken = self._public.public_bytes(serialization.Encoding.DER, form)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, PKCS1v15(), hashes.SHA256())

    def verify(self, message: bytes, signature: bytes) -> None:
        self._public.verify(signature, message, PKCS1v15(), hashes.SHA256())

    def offer(self) -> tuple[object, bytes]:
        return None, self._spoken

    def answer(self, offered: bytes) -> tuple[bytes, bytes]:
        peer = serialization.load_der_public_key(offered)
        if not isinstance(peer, rsa.RSAPublicKey):
            raise TypeError("an offer of another scheme")
        key = os.urandom(_KEY)
        return key, peer.encrypt(key, _OAEP)

    def accept(self, kept: object, answered: bytes) -> bytes:
        del kept
        return self._key.decrypt(answered, _OAEP)

    def seal(self, key: bytes, data: bytes) -> bytes:
        iv = os.urandom(_BLOCK)
        return iv + _cbc_encrypt(algorithms.AES128(key), iv, data + _sha256(data))

    def open(self, key: bytes, sealed: bytes) -> bytes:
        content = _cbc_decrypt(algorithms.AES128(key), sealed)
        return _checked(content, _sha256(content[:-_MAC]))


class International(Scheme):
    """What the rest of the world does today."""

    name = "ECDSA P-256, AES-GCM, SHA-256"
    about = "today's international reference: ECDSA and ECDH on P-256, AES-128-GCM; OpenSSL"

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._public = self._key.public_key()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))

    def verify(self, message: bytes, signature: bytes) -> None:
        self._public.verify(signature, message, ec.ECDSA(hashes.SHA256()))

    def offer(self) -> tuple[object, bytes]:
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PublicFormat.UncompressedPoint
        return ephemeral, ephemeral.public_key().public_bytes(serialization.Encoding.X962, form)

    def answer(self, offered: bytes) -> tuple[bytes, bytes]:
        ephemeral, public = self.offer()
        return self.accept(ephemeral, offered), public

    def accept(self, kept: object, answered: bytes) -> bytes:
        if not isinstance(kept, ec.EllipticCurvePrivateKey):
            raise TypeError("an offer of another scheme")
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), answered)
        return _sha256(kept.exchange(ec.ECDH(), peer))[:_KEY]

    def seal(self, key: bytes, data: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(key).encrypt(nonce, data, None)

    def open(self, key: bytes, sealed: bytes) -> bytes:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)


_BlockCipher: TypeAlias = algorithms.SM4 | algorithms.AES128
_OAEP = OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), None)


def _sha256(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def _hmac_sm3(key: bytes, data: bytes) -> bytes:
    mac = hmac.HMAC(key, hashes.SM3())
    mac.update(data)
    return mac.finalize()


def _cbc_encrypt(cipher: _BlockCipher, iv: bytes, data: bytes) -> bytes:
    padder = padding.PKCS7(8 * _BLOCK).padder()
    sealer = Cipher(cipher, modes.CBC(iv)).encryptor()
    return sealer.update(padder.update(data) + padder.finalize()) + sealer.finalize()


def _cbc_decrypt(cipher: _BlockCipher, sealed: bytes) -> bytes:
    opener = Cipher(cipher, modes.CBC(sealed[:_BLOCK])).decryptor()
    unpadder = padding.PKCS7(8 * _BLOCK).unpadder()
    padded = opener.update(sealed[_BLOCK:]) + opener.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _checked(content: bytes, expected: bytes) -> bytes:
    if content[-_MAC:] != expected:
        raise InvalidTag("the data was changed")
    return content[:-_MAC]


SCHEMES: tuple[type[Scheme], ...] = (
    Optimised,
    Traditional,
    TraditionalPython,
    RsaHybrid,
    International,
)

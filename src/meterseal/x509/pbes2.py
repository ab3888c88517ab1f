"""Password-based encryption of private keys: PBES2 of RFC 8018, 6.2, with SM and AES ciphers.

HMAC-SM3 carries two identifiers in the field: 1.2.156.10197.1.401.2 (GmSSL, Bouncy Castle) and
1.2.156.10197.1.401.3.1 (OpenSSL, Tongsuo). Both are read, with NULL or without parameters, and
either can be written. AES needs the package `cryptography`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.crypto import sm3, sm4
from meterseal.crypto.random import random_bytes
from meterseal.errors import DecryptionFailed, MalformedData, UsageError
from meterseal.x509.spki import AlgorithmIdentifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives import ciphers
    from cryptography.hazmat.primitives.ciphers import modes

    from meterseal.asn1.der import Buffer, Reader

__all__ = ["Cipher", "Encryption", "Prf", "decrypt", "encrypt"]

MAX_ITERATIONS = 5_000_000
_MAX_SALT = 1024
_BLOCK = 16
_SALT = 16

Cipher: TypeAlias = Literal["sm4-cbc", "aes-128-cbc", "aes-192-cbc", "aes-256-cbc"]
Prf: TypeAlias = Literal[
    "hmac-sm3", "hmac-sm3-openssl", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384",
    "hmac-sha512",
]  # fmt: skip

_KEY_SIZES = {
    oids.SM4_CBC: 16,
    oids.AES128_CBC: 16,
    oids.AES192_CBC: 24,
    oids.AES256_CBC: 32,
}
_SM3 = "sm3"
_PRF_DIGESTS = {
    oids.HMAC_SM3: _SM3,
    oids.HMAC_SM3_OPENSSL: _SM3,
    oids.HMAC_SHA1: "sha1",
    oids.HMAC_SHA224: "sha224",
    oids.HMAC_SHA256: "sha256",
    oids.HMAC_SHA384: "sha384",
    oids.HMAC_SHA512: "sha512",
}
_CIPHERS: dict[str, str] = {
    "sm4-cbc": oids.SM4_CBC,
    "aes-128-cbc": oids.AES128_CBC,
    "aes-192-cbc": oids.AES192_CBC,
    "aes-256-cbc": oids.AES256_CBC,
}
_PRFS: dict[str, str] = {
    "hmac-sm3": oids.HMAC_SM3,
    "hmac-sm3-openssl": oids.HMAC_SM3_OPENSSL,
    "hmac-sha1": oids.HMAC_SHA1,
    "hmac-sha224": oids.HMAC_SHA224,
    "hmac-sha256": oids.HMAC_SHA256,
    "hmac-sha384": oids.HMAC_SHA384,
    "hmac-sha512": oids.HMAC_SHA512,
}


@dataclass(frozen=True, slots=True)
class Encryption:
    """How to encrypt a private key when writing it; the default is what GmSSL 3 reads."""

    cipher: Cipher = "sm4-cbc"
    prf: Prf = "hmac-sm3"
    iterations: int = 65536

    def __post_init__(self) -> None:
        if self.cipher not in _CIPHERS:
            raise UsageError(f"unknown cipher {self.cipher!r}; one of {', '.join(_CIPHERS)}")
        if self.prf not in _PRFS:
            raise UsageError(f"unknown function {self.prf!r}; one of {', '.join(_PRFS)}")
        if not 1 <= self.iterations <= MAX_ITERATIONS:
            raise UsageError(f"iterations must be 1 to {MAX_ITERATIONS}, not {self.iterations}")


@dataclass(frozen=True, slots=True)
class _Parameters:
    prf: str
    salt: bytes
    iterations: int
    cipher: str
    iv: bytes


def encrypt(
    plaintext: bytes,
    password: bytes,
    encryption: Encryption = Encryption(),
    *,
    random: Callable[[int], bytes] = random_bytes,
) -> bytes:
    """Encrypt to EncryptedPrivateKeyInfo (RFC 5958, 3) under a fresh salt and IV."""
    parameters = _Parameters(
        _PRFS[encryption.prf],
        random(_SALT),
        encryption.iterations,
        _CIPHERS[encryption.cipher],
        random(_BLOCK),
    )
    key = _derive(password, parameters)
    if parameters.cipher == oids.SM4_CBC:
        ciphertext = sm4.cbc_encrypt(key, parameters.iv, plaintext)
    else:
        ciphertext = _aes_cbc_encrypt(key, parameters.iv, plaintext)
    return der.sequence(_encode_parameters(parameters), der.octet_string(ciphertext))


def decrypt(data: Buffer, password: bytes) -> bytes:
    """Decrypt an EncryptedPrivateKeyInfo.

    Raises MalformedData for what is not one, DecryptionFailed for a wrong password or a scheme
    that we do not have.
    """
    scheme, ciphertext = _decode_container(data)
    parameters = _decode_parameters(scheme)
    if not ciphertext or len(ciphertext) % _BLOCK:
        raise MalformedData("the ciphertext of an encrypted key is not whole blocks")
    key = _derive(password, parameters)
    if parameters.cipher == oids.SM4_CBC:
        padded = sm4.cbc_decrypt(key, parameters.iv, ciphertext, padding=False)
    else:
        padded = _aes_cbc_decrypt(key, parameters.iv, ciphertext)
    padding = padded[-1]
    if not 1 <= padding <= _BLOCK or padded[-padding:] != bytes([padding]) * padding:
        raise DecryptionFailed("wrong password, or a damaged key")
    return padded[:-padding]


def describe(data: Buffer) -> str:
    """Say how an EncryptedPrivateKeyInfo is encrypted. Raises MalformedData, DecryptionFailed."""
    parameters = _decode_parameters(_decode_container(data)[0])
    cipher, prf = oids.name_of(parameters.cipher), oids.name_of(parameters.prf)
    return f"{cipher}, PBKDF2 with {prf}, {parameters.iterations} iterations"


def _decode_container(data: Buffer) -> tuple[AlgorithmIdentifier, bytes]:
    reader = der.Reader(data, "encrypted private key")
    body = reader.sequence("encrypted private key")
    reader.finish()
    scheme = AlgorithmIdentifier.read(body)
    ciphertext = body.octet_string()
    body.finish()
    return scheme, ciphertext


def _derive(password: bytes, parameters: _Parameters) -> bytes:
    digest = _PRF_DIGESTS[parameters.prf]
    size = _KEY_SIZES[parameters.cipher]
    if digest == _SM3:
        return sm3.pbkdf2(password, parameters.salt, parameters.iterations, size)
    return hashlib.pbkdf2_hmac(digest, password, parameters.salt, parameters.iterations, size)


def _encode_parameters(parameters: _Parameters) -> bytes:
    """Encode PBES2-params (RFC 8018, A.4).

    GmSSL 3 wants its HMAC-SM3 without parameters and the key length present; the others are
    written with NULL, as their registrations say.
    """
    absent = parameters.prf == oids.HMAC_SM3
    prf = AlgorithmIdentifier(parameters.prf, None if absent else der.null())
    derivation = der.sequence(
        der.octet_string(parameters.salt),
        der.integer(parameters.iterations),
        der.integer(_KEY_SIZES[parameters.cipher]),
        prf.encode(),
    )
    return AlgorithmIdentifier(
        oids.PBES2,
        der.sequence(
            AlgorithmIdentifier(oids.PBKDF2, derivation).encode(),
            AlgorithmIdentifier(parameters.cipher, der.octet_string(parameters.iv)).encode(),
        ),
    ).encode()


def _decode_parameters(scheme: AlgorithmIdentifier) -> _Parameters:
    if scheme.oid != oids.PBES2:
        raise DecryptionFailed(f"the key is encrypted with {scheme}; only PBES2 is supported")
    reader = der.Reader(scheme.parameters or b"", "PBES2 parameters")
    body = reader.sequence("PBES2 parameters")
    reader.finish()
    derivation = AlgorithmIdentifier.read(body)
    encryption = AlgorithmIdentifier.read(body)
    body.finish()
    if derivation.oid != oids.PBKDF2:
        raise DecryptionFailed(f"the key is derived with {derivation}; only PBKDF2 is supported")
    size = _KEY_SIZES.get(encryption.oid)
    if size is None:
        raise DecryptionFailed(f"the key is encrypted with {encryption}, which is not supported")
    iv_reader = der.Reader(encryption.parameters or b"", "initialization vector")
    iv = iv_reader.octet_string()
    iv_reader.finish()
    if len(iv) != _BLOCK:
        raise MalformedData(f"an initialization vector of {len(iv)} bytes; expected {_BLOCK}")
    prf, salt, iterations = _decode_pbkdf2(derivation.parameters or b"", size)
    return _Parameters(prf, salt, iterations, encryption.oid, iv)


def _decode_pbkdf2(data: bytes, size: int) -> tuple[str, bytes, int]:
    """Decode PBKDF2-params (RFC 8018, A.2) to function, salt and iterations."""
    reader = der.Reader(data, "PBKDF2 parameters")
    body = reader.sequence("PBKDF2 parameters")
    reader.finish()
    salt = body.octet_string()
    iterations = body.integer()
    if body.next_is(der.INTEGER) and body.integer() != size:
        raise MalformedData(f"the PBKDF2 key length does not fit the cipher; expected {size}")
    prf = _read_prf(body)
    body.finish()
    if len(salt) > _MAX_SALT:
        raise MalformedData(f"a salt of {len(salt)} bytes; the limit is {_MAX_SALT}")
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise MalformedData(f"the iteration count is not between 1 and {MAX_ITERATIONS}")
    return prf, salt, iterations


def _read_prf(body: Reader) -> str:
    if body.at_end:
        return oids.HMAC_SHA1
    algorithm = AlgorithmIdentifier.read(body)
    if algorithm.parameters not in {None, der.null()}:
        raise MalformedData("the function of PBKDF2 has parameters other than NULL")
    if algorithm.oid not in _PRF_DIGESTS:
        raise DecryptionFailed(f"the key is derived with {algorithm}, which is not supported")
    return algorithm.oid


def _aes_cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    padding = _BLOCK - len(plaintext) % _BLOCK
    context = _aes_cbc(key, iv).encryptor()
    return context.update(plaintext + bytes([padding]) * padding) + context.finalize()


def _aes_cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    context = _aes_cbc(key, iv).decryptor()
    return context.update(ciphertext) + context.finalize()


def _aes_cbc(key: bytes, iv: bytes) -> ciphers.Cipher[modes.CBC]:
    try:
        from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415
            Cipher,
            algorithms,
            modes,
        )
    except ImportError:
        raise UsageError(
            "keys encrypted with AES need the package cryptography: "
            "pip install 'meterseal[cryptography]'"
        ) from None
    return Cipher(algorithms.AES(key), modes.CBC(iv))

"""SM4, the block cipher (GB/T 32907-2016), and its modes.

Use `SM4GCM` unless a protocol says otherwise: it alone (with `SM4CCM`) notices that a message was
changed. The others are here for the formats that name them.

    sealed = SM4GCM(key).encrypt(nonce, data, aad)
    data = SM4GCM(key).decrypt(nonce, sealed, aad)      # raises InvalidTag

Keys, initial vectors and nonces of a wrong length raise UsageError with the length expected and the
length received.
"""

from typing import Final, Literal, TypeAlias, overload

from meterseal._core import (
    SM4CCM,
    SM4GCM,
    GCMDecryptor,
    GCMEncryptor,
    Sm4Cipher,
    sm4_cbc_decrypt,
    sm4_cbc_encrypt,
    sm4_ctr,
    sm4_decrypt_block,
    sm4_encrypt_block,
    sm4_xts_decrypt,
    sm4_xts_encrypt,
)
from meterseal.errors import UsageError

__all__ = [
    "BLOCK_SIZE",
    "KEY_SIZE",
    "SM4CCM",
    "SM4GCM",
    "Cipher",
    "GCMDecryptor",
    "GCMEncryptor",
    "Sm4Cipher",
    "cbc_decrypt",
    "cbc_encrypt",
    "ctr",
    "decrypt_block",
    "encrypt_block",
    "xts_decrypt",
    "xts_encrypt",
]

_Buffer: TypeAlias = bytes | bytearray | memoryview
_Plain: TypeAlias = Literal["cbc", "ctr"]
_Gcm: TypeAlias = Literal["gcm"]

KEY_SIZE: Final = 16
"""Bytes of a key."""

BLOCK_SIZE: Final = 16
"""Bytes of a block."""

encrypt_block = sm4_encrypt_block
decrypt_block = sm4_decrypt_block
cbc_encrypt = sm4_cbc_encrypt
cbc_decrypt = sm4_cbc_decrypt
ctr = sm4_ctr
xts_encrypt = sm4_xts_encrypt
xts_decrypt = sm4_xts_decrypt


class Cipher:
    """Encryption and decryption of messages that come in pieces: `update()`, then `finalize()`.

    `iv` is the initial vector of CBC, the first counter block of CTR (16 bytes each), or the nonce
    of GCM. `padding` concerns CBC, `aad` GCM. Raises UsageError for an unknown mode.
    """

    @overload
    @staticmethod
    def encryptor(
        key: _Buffer, mode: _Plain = "cbc", *, iv: _Buffer, padding: bool = True
    ) -> Sm4Cipher: ...

    @overload
    @staticmethod
    def encryptor(key: _Buffer, mode: _Gcm, *, iv: _Buffer, aad: _Buffer = b"") -> GCMEncryptor: ...

    @staticmethod
    def encryptor(
        key: _Buffer,
        mode: _Plain | _Gcm = "cbc",
        *,
        iv: _Buffer,
        padding: bool = True,
        aad: _Buffer = b"",
    ) -> Sm4Cipher | GCMEncryptor:
        """Return an encryption in progress; that of GCM has its `tag` after `finalize()`."""
        if mode == "gcm":
            return GCMEncryptor(key, iv, aad)
        _refuse_aad(mode, aad)
        return Sm4Cipher(key, mode, iv, encrypting=True, padding=padding)

    @overload
    @staticmethod
    def decryptor(
        key: _Buffer, mode: _Plain = "cbc", *, iv: _Buffer, padding: bool = True
    ) -> Sm4Cipher: ...

    @overload
    @staticmethod
    def decryptor(key: _Buffer, mode: _Gcm, *, iv: _Buffer, aad: _Buffer = b"") -> GCMDecryptor: ...

    @staticmethod
    def decryptor(
        key: _Buffer,
        mode: _Plain | _Gcm = "cbc",
        *,
        iv: _Buffer,
        padding: bool = True,
        aad: _Buffer = b"",
    ) -> Sm4Cipher | GCMDecryptor:
        """Return a decryption in progress.

        What that of GCM returns is unauthenticated until `finalize(tag)` has returned.
        """
        if mode == "gcm":
            return GCMDecryptor(key, iv, aad)
        _refuse_aad(mode, aad)
        return Sm4Cipher(key, mode, iv, encrypting=False, padding=padding)


def _refuse_aad(mode: str, aad: _Buffer) -> None:
    if len(aad) > 0:
        raise UsageError(f"aad: expected none in mode {mode!r}, received {len(aad)} bytes")

"""Victims weakened on purpose, each by what some stack has really left out.

An attack that does not succeed against them shows nothing by failing against ours. Nothing of this
is reachable from the product.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from meterseal.asn1 import der
from meterseal.crypto import sm2, sm3
from meterseal.crypto.sm4 import SM4GCM, cbc_decrypt, ctr
from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import (
    DecodeError,
    DecryptionFailed,
    HandshakeProofFailed,
    InvalidSignature,
    InvalidTag,
    MalformedData,
)
from meterseal.lab.attack.curve_arithmetic import N
from meterseal.transport.algorithms import SM_ALGORITHMS, Algorithms
from meterseal.transport.codepoints import HEADER_LENGTH
from meterseal.x509.signature import Sm2Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import (
        Decryptor,
        Hash,
        MasterSecret,
        Opener,
        Sealer,
        Signer,
        Verifier,
    )
    from meterseal.x509.spki import SubjectPublicKeyInfo

    OpenerMaker = Callable[[bytes, int], Opener]

__all__ = [
    "AbruptDecryptor",
    "BoundToNothing",
    "ForgetfulOpener",
    "RepeatingProvider",
    "RepeatingSigner",
    "TalkativeOpener",
    "UnauthenticatedOpener",
    "WeakRecords",
    "credulous",
    "lenient",
]

_TAG: Final = 16
_MAC: Final = 32
_BLOCK: Final = 16


# --- signatures ----------------------------------------------------------------------------


class _Weak:
    """A public key that checks signatures less well; equal to the true one."""

    def __init__(self, key: sm2.PublicKey) -> None:
        self._key = key

    def __eq__(self, other: object) -> bool:
        return self._key == (other._key if isinstance(other, _Weak) else other)

    def __hash__(self) -> int:
        return hash(self._key)


class _Credulous(_Weak):
    def verify(
        self, signature: bytes, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /
    ) -> None:
        """Believe it."""

    def verify_digest(self, signature: bytes, digest: bytes, /) -> None:
        """Believe it."""


class _Lenient(_Weak):
    """Takes numbers of any size modulo n, and any identifier that it knows."""

    def verify(
        self, signature: bytes, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /
    ) -> None:
        numbers = _reduced(signature)
        for known in (
            identifier,
            sm2.DEFAULT_ID,
            SM_ALGORITHMS.signatures_tls13[0].identifier,
            b"",
        ):
            with contextlib.suppress(InvalidSignature):
                self._key.verify(numbers, message, known)
                return
        raise InvalidSignature("not even so")

    def verify_digest(self, signature: bytes, digest: bytes, /) -> None:
        self._key.verify_digest(_reduced(signature), digest)


def _reduced(signature: bytes) -> bytes:
    """Read a signature as loosely as some stacks do; sm-crypto, CVE-2026-23967."""
    try:
        numbers = der.Reader(signature).sequence("a signature")
        r, s = numbers.integer(), numbers.integer()
    except MalformedData as error:
        raise InvalidSignature(str(error)) from None
    return der.sequence(der.integer(r % N), der.integer(s % N))


class _Scheme(Sm2Scheme):
    def __init__(self, weak: Callable[[sm2.PublicKey], Verifier]) -> None:
        super().__init__()
        self._weak = weak

    def verifier(self, spki: SubjectPublicKeyInfo) -> Verifier:
        return self._weak(spki.public_key())


def credulous() -> Algorithms:
    """Return algorithms under which every signature of a handshake is good."""
    return replace(SM_ALGORITHMS, certificates=_Scheme(_Credulous))


def lenient() -> Algorithms:
    """Return algorithms that take signatures of numbers beyond n, under any identifier."""
    return replace(SM_ALGORITHMS, certificates=_Scheme(_Lenient))


class RepeatingSigner:
    """A key that signs the same content with the same signature."""

    def __init__(self, key: Signer) -> None:
        self._key = key
        self._made: dict[bytes, bytes] = {}

    def public_key(self) -> Verifier:
        """Return the public half."""
        return self._key.public_key()

    def sign(self, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        """Sign, or remember."""
        return self._made.setdefault(message + identifier, self._key.sign(message, identifier))

    def sign_digest(self, digest: bytes, /) -> bytes:
        """Sign, or remember."""
        return self._made.setdefault(digest, self._key.sign_digest(digest))


class AbruptDecryptor:
    """A key that says at once that a ciphertext does not decrypt, as Tongsuo and GmSSL do."""

    def __init__(self, key: Decryptor) -> None:
        self._key = key

    def public_key(self) -> sm2.PublicKey:
        """Return the public half."""
        return self._key.public_key()

    def decrypt(self, ciphertext: bytes, /) -> bytes:
        """Decrypt, or end the handshake."""
        try:
            return self._key.decrypt(ciphertext)
        except DecryptionFailed:
            raise HandshakeProofFailed("the premaster secret does not decrypt") from None


# --- handshakes ----------------------------------------------------------------------------


class RepeatingProvider(SmProvider):
    """A generator that draws the same bytes for every session."""

    def __init__(self) -> None:
        super().__init__(random_source=lambda size: b"\x5a" * size)


class _Deaf:
    """A hash that does not hear what is said."""

    def __init__(self, honest: Hash) -> None:
        self._honest = honest

    def update(self, data: bytes, /) -> None:
        del data

    def digest(self) -> bytes:
        return self._honest.digest()

    def copy(self) -> Hash:
        return self


class BoundToNothing(SmProvider):
    """Finished proves the keys and not what was said before: two such ends can be talked down."""

    def new_hash(self, hash_name: str, /) -> Hash:
        """Return the hash for a transcript."""
        return _Deaf(super().new_hash(hash_name))


# --- records -------------------------------------------------------------------------------


class WeakRecords(SmProvider):
    """Opens the records of TLCP with a weak opener."""

    def __init__(self, weak: type[_WeakOpener]) -> None:
        super().__init__()
        self._weak = weak

    def record_protection(
        self,
        protection: str,
        secret: MasterSecret,
        randoms: bytes,
        version: int,
        *,
        is_client: bool,
    ) -> tuple[Sealer, Opener]:
        """Return an honest sealer and a weak opener (RFC 5246, 6.3)."""
        honest, _ = super().record_protection(
            protection, secret, randoms, version, is_client=is_client
        )
        block = secret.prf(b"key expansion", randoms[32:] + randoms[:32], 96)
        if protection == "sm4-gcm":
            key, extra = (block[16:32], block[36:40]) if is_client else (block[:16], block[32:36])
        else:
            extra, key = (block[32:64], block[80:]) if is_client else (block[:32], block[64:80])
        return honest, self._weak(key, extra)


class _WeakOpener:
    """`extra` is the implicit part of the nonce, or the key of the MAC."""

    def __init__(self, key: bytes, extra: bytes) -> None:
        self._key, self._extra = key, extra
        self._sequence = -1

    def open(self, record: bytes, /) -> bytes:
        self._sequence += 1
        return self._open(record[:HEADER_LENGTH], record[HEADER_LENGTH:])

    def _open(self, head: bytes, body: bytes) -> bytes:
        raise NotImplementedError


class ForgetfulOpener(_WeakOpener):
    """Takes the sequence number from the record: whatever came once may come again."""

    def _open(self, head: bytes, body: bytes) -> bytes:
        explicit, sealed = body[:8], body[8:]
        aad = explicit + head[:3] + (len(sealed) - _TAG).to_bytes(2, "big")
        return SM4GCM(self._key).decrypt(self._extra + explicit, sealed, aad)


class UnauthenticatedOpener(_WeakOpener):
    """Decrypts and leaves the tag alone."""

    def _open(self, head: bytes, body: bytes) -> bytes:
        del head
        explicit, sealed = body[:8], body[8:]
        return ctr(self._key, self._extra + explicit + b"\0\0\0\2", sealed[:-_TAG])


class TalkativeOpener(_WeakOpener):
    """Looks at the padding first, and says so (Vaudenay; CVE-2003-0078 took the time of it)."""

    def _open(self, head: bytes, body: bytes) -> bytes:
        plain = cbc_decrypt(self._key, body[:_BLOCK], body[_BLOCK:], padding=False)
        count = plain[-1] + 1
        if len(plain) < count + _MAC or plain[-count:] != bytes((plain[-1],)) * count:
            raise DecodeError("the padding is wrong")
        content, mac = plain[: -count - _MAC], plain[-count - _MAC : -count]
        header = self._sequence.to_bytes(8, "big") + head[:3] + len(content).to_bytes(2, "big")
        if sm3.hmac(self._extra, header + content) != mac:
            raise InvalidTag("the MAC is wrong")
        return content

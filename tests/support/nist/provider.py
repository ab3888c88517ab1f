"""The provider itself: it hands out what the other modules make."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Never

from cryptography.exceptions import InvalidTag as BadTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meterseal.errors import InvalidKey, InvalidTag, UsageError
from support.nist.keys import encode_point
from support.nist.schedule import KeySchedule, MasterSecret, Psk, prf

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import Decryptor, Hash
    from meterseal.crypto.provider import Psk as AnyPsk

_P256 = 0x0017
_POINT = 65


class NistProvider:
    """P-256, AES-128-GCM, SHA-256; `clock` returns seconds since 1970 in UTC."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def random_bytes(self, size: int, /) -> bytes:
        return os.urandom(size)

    def new_hash(self, hash_name: str, /) -> Hash:
        _require("sha256", hash_name)
        return hashlib.sha256()

    def key_share(self, group: int, /) -> P256KeyShare:
        _require(_P256, group)
        return P256KeyShare()

    def answer_key_share(self, group: int, peer_public: bytes, /) -> tuple[bytes, bytes]:
        share = self.key_share(group)
        return share.public, share.agree(peer_public)

    def pair_key_share(self, key: Decryptor, *, is_initiator: bool) -> Never:  # noqa: ARG002
        raise UsageError("this provider knows no SM2 key exchange")

    def master_secret(
        self, hash_name: str, pre_master_secret: bytes, client_random: bytes, server_random: bytes
    ) -> MasterSecret:
        _require("sha256", hash_name)
        seed = client_random + server_random
        return MasterSecret(prf(pre_master_secret, b"master secret", seed, 48))

    def extended_master_secret(
        self, hash_name: str, pre_master_secret: bytes, session_hash: bytes
    ) -> MasterSecret:
        _require("sha256", hash_name)
        return MasterSecret(prf(pre_master_secret, b"extended master secret", session_hash, 48))

    def restore_master_secret(self, hash_name: str, secret: bytes) -> MasterSecret:
        _require("sha256", hash_name)
        return MasterSecret(secret)

    def key_schedule(self, protection: str, psk: AnyPsk | None = None) -> KeySchedule:
        _require("aes-128-gcm", protection)
        return KeySchedule(None if psk is None else Psk(psk.to_bytes()))

    def restore_psk(self, secret: bytes) -> Psk:
        return Psk(secret)

    def ticket_aead(self, key: bytes, /) -> TicketAead:
        return TicketAead(key)


class P256KeyShare:
    """An ephemeral key; the secret is the X coordinate (RFC 8446, 7.4.2)."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.public = encode_point(self._private.public_key())

    def agree(self, peer_public: bytes, /) -> bytes:
        if len(peer_public) != _POINT:
            raise InvalidKey(f"a key share of {len(peer_public)} bytes")
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer_public)
        except ValueError as error:
            raise InvalidKey(str(error)) from None
        return self._private.exchange(ec.ECDH(), peer)


class TicketAead:
    """AES-128-GCM for tickets."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def encrypt(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        return self._aead.encrypt(nonce, data, aad)

    def decrypt(self, nonce: bytes, data_and_tag: bytes, aad: bytes) -> bytes:
        try:
            return self._aead.decrypt(nonce, data_and_tag, aad)
        except BadTag:
            raise InvalidTag("a ticket does not open") from None


def _require(expected: object, received: object) -> None:
    if received != expected:
        raise UsageError(f"this provider knows {expected}, not {received}")

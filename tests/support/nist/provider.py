"""The provider itself: it hands out what the other modules make."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Never

from cryptography.exceptions import InvalidTag as BadTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meterseal.errors import InvalidTag, UsageError
from support.nist import groups
from support.nist.records import AEADS
from support.nist.schedule import KeySchedule, MasterSecret, Psk, prf

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from meterseal.crypto.provider import Decryptor, Hash, KeyShare, Opener, Sealer
    from meterseal.crypto.provider import MasterSecret as AnyMasterSecret
    from meterseal.crypto.provider import Psk as AnyPsk


class NistProvider:
    """AES, ChaCha20, SHA-2 and the groups of `groups.py`; `clock` returns seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def random_bytes(self, size: int, /) -> bytes:
        return os.urandom(size)

    def new_hash(self, hash_name: str, /) -> Hash:
        _require(("sha256", "sha384"), hash_name)
        return hashlib.new(hash_name)

    def key_share(self, group: int, /) -> KeyShare:
        _require(groups.SHARES, group)
        return groups.SHARES[group]()

    def answer_key_share(self, group: int, peer_public: bytes, /) -> tuple[bytes, bytes]:
        _require(groups.SHARES, group)
        return groups.answer(group, peer_public)

    def pair_key_share(self, key: Decryptor, *, is_initiator: bool) -> Never:  # noqa: ARG002
        raise UsageError("this provider knows no SM2 key exchange")

    def master_secret(
        self, hash_name: str, pre_master_secret: bytes, client_random: bytes, server_random: bytes
    ) -> MasterSecret:
        seed = client_random + server_random
        secret = prf(hash_name, pre_master_secret, b"master secret", seed, 48)
        return MasterSecret(hash_name, secret)

    def extended_master_secret(
        self, hash_name: str, pre_master_secret: bytes, session_hash: bytes
    ) -> MasterSecret:
        label = b"extended master secret"
        secret = prf(hash_name, pre_master_secret, label, session_hash, 48)
        return MasterSecret(hash_name, secret)

    def restore_master_secret(self, hash_name: str, secret: bytes) -> MasterSecret:
        return MasterSecret(hash_name, secret)

    def record_protection(
        self,
        protection: str,
        secret: AnyMasterSecret,
        randoms: bytes,
        version: int,
        *,
        is_client: bool,
    ) -> tuple[Sealer, Opener]:
        if not isinstance(secret, MasterSecret):
            raise UsageError("this provider takes its own master secrets alone")
        return secret.protection(protection, randoms, version, is_client=is_client)

    def key_schedule(self, protection: str, psk: AnyPsk | None = None) -> KeySchedule:
        _require(AEADS, protection)
        return KeySchedule(protection, None if psk is None else Psk(psk.to_bytes()))

    def restore_psk(self, secret: bytes) -> Psk:
        return Psk(secret)

    def ticket_aead(self, key: bytes, /) -> TicketAead:
        return TicketAead(key)


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


def _require(known: Collection[object], received: object) -> None:
    if received not in known:
        raise UsageError(f"this provider knows {', '.join(map(str, known))}, not {received}")

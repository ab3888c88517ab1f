"""The default provider: the SM core, with the system's clock.

This is the one module below `net` that may look at the clock.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meterseal.crypto import mlkem, random, record, sm2, sm3, sm4, tls13
from meterseal.errors import InvalidKey, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import (
        Decryptor,
        Hash,
        KeySchedule,
        KeyShare,
        MasterSecret,
        Opener,
        PairKeyShare,
        Psk,
        Sealer,
        TicketAead,
    )

__all__ = ["SmProvider"]

_GROUPS_SM2 = (30, 41)
_GROUP_HYBRID = 4590
_POINT_LENGTH = 65
_RANDOM_LENGTH = 32


class SmProvider:
    """SM2, SM3 and SM4 of the core; system clock and process-wide generator by default.

    `clock` returns seconds since 1970 in UTC, `random_source` that many unpredictable bytes.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        random_source: Callable[[int], bytes] = random.random_bytes,
    ) -> None:
        self._clock = clock
        self._random_source = random_source

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def random_bytes(self, size: int, /) -> bytes:
        """Return `size` unpredictable bytes."""
        return self._random_source(size)

    def new_hash(self, hash_name: str, /) -> Hash:
        """Return a running SM3, or SHA-256 for the one suite of TLS 1.2 that has it."""
        if hash_name == "sha256":
            return hashlib.sha256()
        _require("sm3", hash_name)
        return sm3.sm3()

    def key_share(self, group: int, /) -> KeyShare:
        """Return a fresh key pair: 30 or 41 for SM2, 4590 for SM2 with ML-KEM-768."""
        return _HybridKeyShare() if _is_hybrid(group) else _Sm2KeyShare()

    def answer_key_share(self, group: int, peer_public: bytes, /) -> tuple[bytes, bytes]:
        """Return our public value for the client's, and the shared secret."""
        if not _is_hybrid(group):
            share = _Sm2KeyShare()
            return share.public, share.agree(peer_public)
        _require_length(peer_public, _POINT_LENGTH + mlkem.PUBLIC_LENGTH)
        share = _Sm2KeyShare()
        secret = share.agree(peer_public[:_POINT_LENGTH])
        ciphertext, second = mlkem.mlkem768_encapsulate(peer_public[_POINT_LENGTH:])
        return share.public + ciphertext, secret + second

    def pair_key_share(self, key: Decryptor, *, is_initiator: bool) -> PairKeyShare:
        """Return our side of an SM2 key exchange; `key` must be an SM2 key in memory."""
        if isinstance(key, sm2.PrivateKey):
            return _Sm2PairKeyShare(key, is_initiator=is_initiator)
        raise UsageError("this encryption key takes no part in ECDHE suites: use an ECC suite")

    def master_secret(
        self, hash_name: str, pre_master_secret: bytes, client_random: bytes, server_random: bytes
    ) -> MasterSecret:
        """Derive a classic master secret with the PRF of this hash, SM3 or SHA-256."""
        derive = record.MasterSecret.derive
        return derive(pre_master_secret, client_random, server_random, hash_name)

    def extended_master_secret(
        self, hash_name: str, pre_master_secret: bytes, session_hash: bytes
    ) -> MasterSecret:
        """Derive an extended master secret with the PRF of this hash, SM3 or SHA-256."""
        return record.MasterSecret.derive_extended(pre_master_secret, session_hash, hash_name)

    def restore_master_secret(self, hash_name: str, secret: bytes) -> MasterSecret:
        """Take back a master secret from a ticket."""
        return record.MasterSecret.from_bytes(secret, hash_name)

    def record_protection(
        self,
        protection: str,
        secret: MasterSecret,
        randoms: bytes,
        version: int,
        *,
        is_client: bool,
    ) -> tuple[Sealer, Opener]:
        """Return sealer and opener of sm4-gcm or sm4-cbc-sm3; `secret` must be one of ours."""
        if not isinstance(secret, record.MasterSecret):
            raise UsageError("this provider takes its own master secrets alone")
        client, server = randoms[:_RANDOM_LENGTH], randoms[_RANDOM_LENGTH:]
        if protection == "sm4-cbc-sm3":
            return secret.cbc_protection(client, server, version, is_client)
        _require("sm4-gcm", protection)
        return secret.gcm_protection(client, server, version, is_client)

    def key_schedule(self, protection: str, psk: Psk | None = None) -> KeySchedule:
        """Return a schedule over HKDF-SM3 for sm4-gcm or sm4-ccm; `psk` must be one of ours."""
        if psk is not None and not isinstance(psk, tls13.Psk):
            raise UsageError("this provider takes its own pre-shared keys alone")
        return tls13.KeySchedule(protection, psk)

    def restore_psk(self, secret: bytes) -> Psk:
        """Take back a pre-shared key from a ticket."""
        return tls13.Psk.from_bytes(secret)

    def ticket_aead(self, key: bytes, /) -> TicketAead:
        """Return SM4-GCM under `key`."""
        return sm4.SM4GCM(key)


class _Sm2KeyShare:
    """An ephemeral SM2 key; the secret is the X coordinate (GB/T 32918.1-2016; RFC 8998, 3.3)."""

    __slots__ = ("_private", "public")

    def __init__(self) -> None:
        self._private = sm2.PrivateKey.generate()
        self.public = self._private.public_key().to_bytes()

    def agree(self, peer_public: bytes, /) -> bytes:
        _require_length(peer_public, _POINT_LENGTH)
        return self._private.exchange_ecdh(sm2.PublicKey.from_bytes(peer_public))


class _HybridKeyShare:
    """SM2 and ML-KEM-768 side by side, SM2 first (draft-yang-tls-hybrid-sm2-mlkem-03, 3)."""

    __slots__ = ("_lattice", "_point", "public")

    def __init__(self) -> None:
        self._point = _Sm2KeyShare()
        self._lattice = mlkem.MlKem768PrivateKey.generate()
        self.public = self._point.public + self._lattice.public_bytes()

    def agree(self, peer_public: bytes, /) -> bytes:
        _require_length(peer_public, _POINT_LENGTH + mlkem.CIPHERTEXT_LENGTH)
        secret = self._point.agree(peer_public[:_POINT_LENGTH])
        return secret + self._lattice.decapsulate(peer_public[_POINT_LENGTH:])


class _Sm2PairKeyShare:
    """Our side of the key exchange, with the default identifier on both sides."""

    __slots__ = ("_exchange", "public")

    def __init__(self, key: sm2.PrivateKey, *, is_initiator: bool) -> None:
        self._exchange = sm2.KeyExchange(key, initiator=is_initiator)
        self.public = self._exchange.ephemeral_public_key.to_bytes()

    def agree(self, peer: sm2.PublicKey, peer_public: bytes, length: int, /) -> bytes:
        return self._exchange.agree(peer, sm2.PublicKey.from_bytes(peer_public), length).key


def _is_hybrid(group: int) -> bool:
    if group in _GROUPS_SM2:
        return False
    _require(_GROUP_HYBRID, group)
    return True


def _require_length(public: bytes, length: int) -> None:
    if len(public) != length:
        raise InvalidKey(f"expected a key share of {length} bytes, received {len(public)}")


def _require(expected: object, received: object) -> None:
    if received != expected:
        raise UsageError(f"this provider knows {expected}, not {received}")

"""The provider seam: all that a transport asks of cryptography, randomness and the clock.

A provider is given to a configuration; nothing in `transport` reaches for an algorithm, a random
byte or the time in any other way. The default one is `meterseal.crypto.sm_provider`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from meterseal.crypto import sm2

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Decryptor",
    "Exporter",
    "Hash",
    "KeySchedule",
    "KeyShare",
    "MasterSecret",
    "Opener",
    "PairKeyShare",
    "Provider",
    "Psk",
    "Resumption",
    "Sealer",
    "Signer",
    "TicketAead",
    "Tls13Opener",
    "Tls13Sealer",
    "Verifier",
]


class Hash(Protocol):
    """A running hash; `digest` may be asked at any time and does not end it."""

    def update(self, data: bytes, /) -> None:
        """Append `data`."""

    def digest(self) -> bytes:
        """Return the hash of everything so far."""
        ...

    def copy(self) -> Hash:
        """Return a hash that goes on from here on its own."""
        ...


class Sealer(Protocol):
    """Protects records in one direction; owns key, nonce and sequence number."""

    def seal(self, content_type: int, data: bytes, /) -> bytes:
        """Return the whole records, headers included, that carry `data`."""
        ...


class Opener(Protocol):
    """Opens records in one direction; dead after the first record that does not open.

    It may also have `open_run(stream, start)`, which opens the records of application data that
    stand whole at `start`, one after the other, and returns their joined content and where the rest
    begins. Whatever is odd, or does not open, it leaves as it was found, for `open`.
    """

    def open(self, record: bytes, /) -> bytes:
        """Return the plaintext of one whole record, or raise `InvalidTag`."""
        ...


class MasterSecret(Protocol):
    """A 48-byte master secret that stays with the provider."""

    def verify_data(self, label: bytes, transcript_hash: bytes, /) -> bytes:
        """Return the twelve bytes of a Finished (RFC 5246, 7.4.9)."""
        ...

    def prf(self, label: bytes, seed: bytes, length: int, /) -> bytes:
        """Return `length` bytes for another use (RFC 5246, 5; RFC 5705, 4)."""
        ...

    def to_bytes(self) -> bytes:
        """Give the secret away: for a sealed ticket or a key log alone."""
        ...


class Tls13Sealer(Sealer, Protocol):
    """A sealer of TLS 1.3 that can go on with the next keys."""

    @property
    def is_worn(self) -> bool:
        """Whether it is time for new keys."""
        ...

    def update(self) -> None:
        """Take the next keys (RFC 8446, 7.2)."""


class Tls13Opener(Protocol):
    """Opens records of TLS 1.3; dead after the first record that does not open.

    It may have `open_run`, as an `Opener`.
    """

    def open(self, record: bytes, /) -> tuple[int, bytes]:
        """Return content type (0 for nothing but padding) and content, or raise `InvalidTag`."""
        ...

    def update(self) -> None:
        """Take the next keys (RFC 8446, 7.2)."""


class Psk(Protocol):
    """A pre-shared key that stays with the provider."""

    def to_bytes(self) -> bytes:
        """Give the key away: for a sealed ticket alone."""
        ...


class Resumption(Protocol):
    """The resumption secret of a session."""

    def psk(self, ticket_nonce: bytes, /) -> Psk:
        """Return the key that belongs to a ticket (RFC 8446, 4.6.1)."""
        ...


class Exporter(Protocol):
    """The exporter secret of a session."""

    def export(self, label: bytes, context: bytes, length: int, /) -> bytes:
        """Return `length` bytes for another use (RFC 8446, 7.5)."""
        ...

    def to_bytes(self) -> bytes:
        """Give the secret away: for a key log alone."""
        ...


class KeySchedule(Protocol):
    """The key schedule of one TLS 1.3 handshake, stage by stage (RFC 8446, 7.1)."""

    def binder(self, transcript_hash: bytes, /) -> bytes:
        """Return the binder over a hello without its binders (RFC 8446, 4.2.11.2)."""
        ...

    def handshake_protection(
        self, shared_secret: bytes, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        """Return our sealer and opener after ServerHello."""
        ...

    def application_protection(
        self, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        """Return our sealer and opener after the server's Finished."""
        ...

    def verify_data(self, of_client: bool, transcript_hash: bytes) -> bytes:
        """Return the content of the client's or the server's Finished (RFC 8446, 4.4.4)."""
        ...

    def traffic_secrets(self) -> tuple[bytes, bytes]:
        """Give the client's and the server's present secret away: for a key log alone."""
        ...

    def exporter(self, transcript_hash: bytes, /) -> Exporter:
        """Return the exporter, after the server's Finished."""
        ...

    def resumption(self, transcript_hash: bytes, /) -> Resumption:
        """Return what tickets get their keys from, after the client's Finished."""
        ...


class KeyShare(Protocol):
    """One ephemeral key pair for one agreement."""

    @property
    def public(self) -> bytes:
        """The public value as it stands on the wire."""
        ...

    def agree(self, peer_public: bytes, /) -> bytes:
        """Return the shared secret, or raise `InvalidKey` for a bad public value."""
        ...


class Verifier(Protocol):
    """A public key that checks signatures."""

    def verify(
        self, signature: bytes, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /
    ) -> None:
        """Check a signature over `message`, or raise `InvalidSignature`."""

    def verify_digest(self, signature: bytes, digest: bytes, /) -> None:
        """Check a signature over a 32-byte digest, or raise `InvalidSignature`."""


class Signer(Protocol):
    """A private key, here or in a security chip."""

    def public_key(self) -> Verifier:
        """Return the public half."""
        ...

    def sign(self, message: bytes, identifier: bytes = sm2.DEFAULT_ID, /) -> bytes:
        """Sign `message` under a distinguishing identifier; the signature is in DER."""
        ...

    def sign_digest(self, digest: bytes, /) -> bytes:
        """Sign a 32-byte digest; the signature is in DER."""
        ...


class Decryptor(Protocol):
    """A private key that decrypts and agrees, here or in a security chip."""

    def public_key(self) -> sm2.PublicKey:
        """Return the public half."""
        ...

    def decrypt(self, ciphertext: bytes, /) -> bytes:
        """Return the plaintext of an SM2 ciphertext in DER, or raise `DecryptionFailed`."""
        ...


class PairKeyShare(Protocol):
    """One side of an SM2 key exchange: a static key and one ephemeral key (GB/T 32918.3-2016)."""

    @property
    def public(self) -> bytes:
        """The ephemeral public value as it stands on the wire."""
        ...

    def agree(self, peer: sm2.PublicKey, peer_public: bytes, length: int, /) -> bytes:
        """Return `length` bytes, or raise `InvalidKey` for a bad ephemeral value."""
        ...


class TicketAead(Protocol):
    """Seals session tickets; both calls take nonce, data and associated data."""

    def encrypt(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        """Return ciphertext and tag."""
        ...

    def decrypt(self, nonce: bytes, data_and_tag: bytes, aad: bytes) -> bytes:
        """Return the plaintext, or raise `InvalidTag`."""
        ...


class Provider(Protocol):
    """All that a transport needs from outside."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        ...

    def random_bytes(self, size: int, /) -> bytes:
        """Return `size` unpredictable bytes."""
        ...

    def new_hash(self, hash_name: str, /) -> Hash:
        """Return a running hash."""
        ...

    def key_share(self, group: int, /) -> KeyShare:
        """Return a fresh ephemeral key pair."""
        ...

    def answer_key_share(self, group: int, peer_public: bytes, /) -> tuple[bytes, bytes]:
        """Return our public value for the peer's, and the shared secret.

        Raises `InvalidKey` for a bad public value.
        """
        ...

    def pair_key_share(self, key: Decryptor, *, is_initiator: bool) -> PairKeyShare:
        """Return our side of an SM2 key exchange with the static key `key`."""
        ...

    def master_secret(
        self, hash_name: str, pre_master_secret: bytes, client_random: bytes, server_random: bytes
    ) -> MasterSecret:
        """Derive a classic master secret (RFC 5246, 8.1)."""
        ...

    def extended_master_secret(
        self, hash_name: str, pre_master_secret: bytes, session_hash: bytes
    ) -> MasterSecret:
        """Derive a master secret bound to the handshake so far (RFC 7627, 4)."""
        ...

    def restore_master_secret(self, hash_name: str, secret: bytes) -> MasterSecret:
        """Take back what `MasterSecret.to_bytes` gave."""
        ...

    def record_protection(
        self,
        protection: str,
        secret: MasterSecret,
        randoms: bytes,
        version: int,
        *,
        is_client: bool,
    ) -> tuple[Sealer, Opener]:
        """Return our sealer and opener from the key block (RFC 5246, 6.3).

        `randoms` are the client's and the server's 32 bytes.
        """
        ...

    def key_schedule(self, protection: str, psk: Psk | None = None) -> KeySchedule:
        """Return the key schedule of a TLS 1.3 handshake, with or without a pre-shared key."""
        ...

    def restore_psk(self, secret: bytes) -> Psk:
        """Take back what `Psk.to_bytes` gave."""
        ...

    def ticket_aead(self, key: bytes, /) -> TicketAead:
        """Return an AEAD for session tickets from a 16-byte key."""
        ...

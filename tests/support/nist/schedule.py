"""Secrets: PRF of TLS 1.2 (RFC 5246, 5) and schedule of TLS 1.3 (RFC 8446, 7)."""

from __future__ import annotations

import hashlib
import hmac

from support.nist.cbc import CBC, CbcOpener, CbcSealer, mac_length
from support.nist.records import AEADS, AeadOpener, AeadSealer, Tls13Opener, Tls13Sealer

HASHES = {"aes-128-gcm": "sha256", "aes-256-gcm": "sha384", "chacha20-poly1305": "sha256"}


# --- TLS 1.2 -----------------------------------------------------------------------------


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """P_hash over label and seed."""
    seed = label + seed
    output, link = b"", seed
    while len(output) < length:
        link = hmac.digest(secret, link, hash_name)
        output += hmac.digest(secret, link + seed, hash_name)
    return output[:length]


class MasterSecret:
    """48 bytes."""

    def __init__(self, hash_name: str, secret: bytes) -> None:
        self._hash_name, self._secret = hash_name, secret

    def verify_data(self, label: bytes, transcript_hash: bytes, /) -> bytes:
        return prf(self._hash_name, self._secret, label, transcript_hash, 12)

    def prf(self, label: bytes, seed: bytes, length: int, /) -> bytes:
        return prf(self._hash_name, self._secret, label, seed, length)

    def protection(
        self, name: str, randoms: bytes, version: int, *, is_client: bool
    ) -> tuple[AeadSealer | CbcSealer, AeadOpener | CbcOpener]:
        if name in AEADS:
            return self._aead_protection(name, randoms, version, is_client=is_client)
        return self._cbc_protection(name, randoms, version, is_client=is_client)

    def _aead_protection(
        self, name: str, randoms: bytes, version: int, *, is_client: bool
    ) -> tuple[AeadSealer, AeadOpener]:
        aead = AEADS[name]
        keys, rest = self._halves(randoms, aead.key, aead.fixed)
        ours, theirs = (0, 1) if is_client else (1, 0)
        sealer = AeadSealer(aead, keys[ours], rest[ours], version)
        return sealer, AeadOpener(aead, keys[theirs], rest[theirs])

    def _cbc_protection(
        self, name: str, randoms: bytes, version: int, *, is_client: bool
    ) -> tuple[CbcSealer, CbcOpener]:
        length, hash_name = CBC[name]
        macs, keys = self._halves(randoms, mac_length(hash_name), length)
        ours, theirs = (0, 1) if is_client else (1, 0)
        sealer = CbcSealer(hash_name, keys[ours], macs[ours], version)
        return sealer, CbcOpener(hash_name, keys[theirs], macs[theirs])

    def _halves(
        self, randoms: bytes, first: int, second: int
    ) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """The key block: two pieces for the client and two for the server (RFC 5246, 6.3)."""
        seed = randoms[32:] + randoms[:32]
        size = 2 * (first + second)
        block = prf(self._hash_name, self._secret, b"key expansion", seed, size)
        rest = block[2 * first :]
        return (block[:first], block[first : 2 * first]), (rest[:second], rest[second:])

    def to_bytes(self) -> bytes:
        return self._secret


# --- TLS 1.3 -----------------------------------------------------------------------------


def _expand_label(
    hash_name: str, secret: bytes, label: bytes, context: bytes, length: int
) -> bytes:
    name = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(name),)) + name
    info += bytes((len(context),)) + context
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(secret, block + info + bytes((counter,)), hash_name)
        output, counter = output + block, counter + 1
    return output[:length]


class Secret:
    """A secret and the hash that goes on from it."""

    def __init__(self, hash_name: str, secret: bytes) -> None:
        self.hash_name, self.secret = hash_name, secret

    def expand(self, label: bytes, length: int = 0, context: bytes = b"") -> bytes:
        """As many bytes as the hash has, unless a length is given."""
        length = length or len(self.secret)
        return _expand_label(self.hash_name, self.secret, label, context, length)

    def digest(self, data: bytes = b"") -> bytes:
        return hashlib.new(self.hash_name, data).digest()

    def to_bytes(self) -> bytes:
        return self.secret


class TrafficSecret(Secret):
    """What the keys of one direction come from."""

    def next_generation(self) -> TrafficSecret:
        return TrafficSecret(self.hash_name, self.expand(b"traffic upd"))


class Psk:
    """A pre-shared key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def to_bytes(self) -> bytes:
        return self._secret


class Resumption(Secret):
    """The resumption secret."""

    def psk(self, ticket_nonce: bytes, /) -> Psk:
        return Psk(self.expand(b"resumption", context=ticket_nonce))


class Exporter(Secret):
    """The exporter secret."""

    def export(self, label: bytes, context: bytes, length: int, /) -> bytes:
        derived = Secret(self.hash_name, self.expand(label, context=self.digest()))
        return derived.expand(b"exporter", length, self.digest(context))


class KeySchedule:
    """The schedule of one handshake; each stage replaces the one before."""

    def __init__(self, protection: str, psk: Psk | None) -> None:
        self._aead, self._hash_name = AEADS[protection], HASHES[protection]
        self._zeros = bytes(hashlib.new(self._hash_name).digest_size)
        self._extract(self._zeros, psk.to_bytes() if psk else self._zeros)
        self._traffic: tuple[bytes, bytes] = (b"", b"")
        self._handshake: tuple[bytes, bytes] = (b"", b"")

    def binder(self, transcript_hash: bytes, /) -> bytes:
        return self._finished(self._derive(b"res binder"), transcript_hash)

    def handshake_protection(
        self, shared_secret: bytes, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        self._extract(self._derive(b"derived"), shared_secret)
        protection = self._protection(b"hs", transcript_hash, is_client)
        self._handshake = self._traffic
        return protection

    def application_protection(
        self, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        self._extract(self._derive(b"derived"), self._zeros)
        return self._protection(b"ap", transcript_hash, is_client)

    def verify_data(self, of_client: bool, transcript_hash: bytes) -> bytes:
        return self._finished(self._handshake[0 if of_client else 1], transcript_hash)

    def traffic_secrets(self) -> tuple[bytes, bytes]:
        return self._traffic

    def exporter(self, transcript_hash: bytes, /) -> Exporter:
        return Exporter(self._hash_name, self._derive(b"exp master", transcript_hash))

    def resumption(self, transcript_hash: bytes, /) -> Resumption:
        return Resumption(self._hash_name, self._derive(b"res master", transcript_hash))

    def _extract(self, salt: bytes, material: bytes) -> None:
        self._stage = Secret(self._hash_name, hmac.digest(salt, material, self._hash_name))

    def _derive(self, label: bytes, transcript_hash: bytes | None = None) -> bytes:
        """Over the hash of nothing, unless one is given."""
        context = self._stage.digest() if transcript_hash is None else transcript_hash
        return self._stage.expand(label, context=context)

    def _protection(
        self, stage: bytes, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        client = self._derive(b"c " + stage + b" traffic", transcript_hash)
        server = self._derive(b"s " + stage + b" traffic", transcript_hash)
        self._traffic = (client, server)
        ours, theirs = (client, server) if is_client else (server, client)
        sealer = Tls13Sealer(self._aead, TrafficSecret(self._hash_name, ours))
        return sealer, Tls13Opener(self._aead, TrafficSecret(self._hash_name, theirs))

    def _finished(self, secret: bytes, transcript_hash: bytes) -> bytes:
        key = Secret(self._hash_name, secret).expand(b"finished")
        return hmac.digest(key, transcript_hash, self._hash_name)

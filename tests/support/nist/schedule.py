"""Secrets over SHA-256: PRF of TLS 1.2 (RFC 5246, 5) and schedule of TLS 1.3 (RFC 8446, 7)."""

from __future__ import annotations

import hashlib
import hmac

from support.nist.cbc import KEY, MAC, CbcOpener, CbcSealer
from support.nist.records import GcmOpener, GcmSealer, Tls13Opener, Tls13Sealer

_SIZE = 32
_EMPTY = hashlib.sha256().digest()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


# --- TLS 1.2 -----------------------------------------------------------------------------


def prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """P_SHA256 over label and seed."""
    seed = label + seed
    output, link = b"", seed
    while len(output) < length:
        link = _hmac(secret, link)
        output += _hmac(secret, link + seed)
    return output[:length]


class MasterSecret:
    """48 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def verify_data(self, label: bytes, transcript_hash: bytes, /) -> bytes:
        return prf(self._secret, label, transcript_hash, 12)

    def cbc_protection(
        self, client_random: bytes, server_random: bytes, version: int, is_client: bool
    ) -> tuple[CbcSealer, CbcOpener]:
        block = prf(self._secret, b"key expansion", server_random + client_random, 2 * (MAC + KEY))
        macs, keys = block[: 2 * MAC], block[2 * MAC :]
        client, server = (keys[:KEY], macs[:MAC]), (keys[KEY:], macs[MAC:])
        ours, theirs = (client, server) if is_client else (server, client)
        return CbcSealer(*ours, version), CbcOpener(*theirs)

    def gcm_protection(
        self, client_random: bytes, server_random: bytes, version: int, is_client: bool
    ) -> tuple[GcmSealer, GcmOpener]:
        block = prf(self._secret, b"key expansion", server_random + client_random, 40)
        client, server = (block[:16], block[32:36]), (block[16:32], block[36:])
        ours, theirs = (client, server) if is_client else (server, client)
        return GcmSealer(*ours, version), GcmOpener(*theirs)

    def to_bytes(self) -> bytes:
        return self._secret


# --- TLS 1.3 -----------------------------------------------------------------------------


def _expand_label(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    name = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(name),)) + name
    info += bytes((len(context),)) + context
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = _hmac(secret, block + info + bytes((counter,)))
        output, counter = output + block, counter + 1
    return output[:length]


class TrafficSecret:
    """What the keys of one direction come from."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret

    def expand(self, label: bytes, length: int) -> bytes:
        return _expand_label(self.secret, label, b"", length)

    def next_generation(self) -> TrafficSecret:
        return TrafficSecret(self.expand(b"traffic upd", _SIZE))


class Psk:
    """A pre-shared key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def to_bytes(self) -> bytes:
        return self._secret


class Resumption:
    """The resumption secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def psk(self, ticket_nonce: bytes, /) -> Psk:
        return Psk(_expand_label(self._secret, b"resumption", ticket_nonce, _SIZE))


class Exporter:
    """The exporter secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def export(self, label: bytes, context: bytes, length: int, /) -> bytes:
        derived = _expand_label(self._secret, label, _EMPTY, _SIZE)
        return _expand_label(derived, b"exporter", hashlib.sha256(context).digest(), length)

    def to_bytes(self) -> bytes:
        return self._secret


class KeySchedule:
    """The schedule of one handshake; each stage replaces the one before."""

    def __init__(self, psk: Psk | None) -> None:
        self._stage = _hmac(bytes(_SIZE), psk.to_bytes() if psk else bytes(_SIZE))
        self._traffic: tuple[bytes, bytes] = (b"", b"")
        self._handshake: tuple[bytes, bytes] = (b"", b"")

    def binder(self, transcript_hash: bytes, /) -> bytes:
        return self._finished(self._derive(b"res binder", _EMPTY), transcript_hash)

    def handshake_protection(
        self, shared_secret: bytes, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        self._extract(shared_secret)
        protection = self._protection(b"hs", transcript_hash, is_client)
        self._handshake = self._traffic
        return protection

    def application_protection(
        self, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        self._extract(bytes(_SIZE))
        return self._protection(b"ap", transcript_hash, is_client)

    def verify_data(self, of_client: bool, transcript_hash: bytes) -> bytes:
        return self._finished(self._handshake[0 if of_client else 1], transcript_hash)

    def traffic_secrets(self) -> tuple[bytes, bytes]:
        return self._traffic

    def exporter(self, transcript_hash: bytes, /) -> Exporter:
        return Exporter(self._derive(b"exp master", transcript_hash))

    def resumption(self, transcript_hash: bytes, /) -> Resumption:
        return Resumption(self._derive(b"res master", transcript_hash))

    def _extract(self, material: bytes) -> None:
        self._stage = _hmac(self._derive(b"derived", _EMPTY), material)

    def _derive(self, label: bytes, transcript_hash: bytes) -> bytes:
        return _expand_label(self._stage, label, transcript_hash, _SIZE)

    def _protection(
        self, stage: bytes, transcript_hash: bytes, is_client: bool
    ) -> tuple[Tls13Sealer, Tls13Opener]:
        client = self._derive(b"c " + stage + b" traffic", transcript_hash)
        server = self._derive(b"s " + stage + b" traffic", transcript_hash)
        self._traffic = (client, server)
        ours, theirs = (client, server) if is_client else (server, client)
        return Tls13Sealer(TrafficSecret(ours)), Tls13Opener(TrafficSecret(theirs))

    @staticmethod
    def _finished(secret: bytes, transcript_hash: bytes) -> bytes:
        return _hmac(_expand_label(secret, b"finished", b"", _SIZE), transcript_hash)

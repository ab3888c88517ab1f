"""The key schedule and the records of TLS 1.3, against the same written from RFC 8446 with
`cryptography`'s HMAC-SM3, HKDF and SM4.
"""

from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from meterseal.crypto import sm4
from meterseal.crypto.tls13 import KeySchedule, Psk, Tls13Opener, Tls13Sealer
from meterseal.errors import InvalidTag, KeyExhausted, UsageError

ZEROS, SHARED, PSK = bytes(32), bytes(range(32)), bytes(range(100, 132))
HASHES = [bytes((n,)) * 32 for n in range(1, 6)]


def mac(key: bytes, data: bytes) -> bytes:
    running = hmac.HMAC(key, hashes.SM3())
    running.update(data)
    return running.finalize()


def digest(data: bytes) -> bytes:
    running = hashes.Hash(hashes.SM3())
    running.update(data)
    return running.finalize()


def expand(secret: bytes, label: bytes, context: bytes, length: int = 32) -> bytes:
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(label),)) + label
    info += bytes((len(context),)) + context
    return HKDFExpand(hashes.SM3(), length, info).derive(secret)


class Reference:
    """RFC 8446, 7.1, line by line."""

    def __init__(self, psk: bytes) -> None:
        self.early = mac(ZEROS, psk)
        handshake = mac(expand(self.early, b"derived", digest(b"")), SHARED)
        self.client = expand(handshake, b"c hs traffic", HASHES[0])
        self.server = expand(handshake, b"s hs traffic", HASHES[0])
        master = mac(expand(handshake, b"derived", digest(b"")), ZEROS)
        self.client_data = expand(master, b"c ap traffic", HASHES[1])
        self.server_data = expand(master, b"s ap traffic", HASHES[1])
        self.exporter = expand(master, b"exp master", HASHES[1])
        self.resumption = expand(master, b"res master", HASHES[2])


def finished(secret: bytes, transcript_hash: bytes) -> bytes:
    return mac(expand(secret, b"finished", b""), transcript_hash)


@pytest.mark.parametrize("psk", [None, PSK], ids=["no key", "pre-shared key"])
def test_every_secret_is_that_of_the_reference(psk: bytes | None, backend: None) -> None:  # noqa: ARG001
    expected = Reference(psk or ZEROS)
    schedule = KeySchedule("sm4-gcm", Psk.from_bytes(psk) if psk else None)
    assert schedule.binder(HASHES[4]) == finished(
        expand(expected.early, b"res binder", digest(b"")), HASHES[4]
    )
    schedule.handshake_protection(SHARED, HASHES[0], is_client=True)
    assert schedule.traffic_secrets() == (expected.client, expected.server)
    assert schedule.verify_data(True, HASHES[3]) == finished(expected.client, HASHES[3])
    assert schedule.verify_data(False, HASHES[3]) == finished(expected.server, HASHES[3])
    schedule.application_protection(HASHES[1], is_client=True)
    assert schedule.traffic_secrets() == (expected.client_data, expected.server_data)
    assert schedule.verify_data(False, HASHES[3]) == finished(expected.server, HASHES[3])
    exporter = schedule.exporter(HASHES[1])
    assert exporter.to_bytes() == expected.exporter
    inner = expand(expected.exporter, b"EXPORTER-x", digest(b""))
    assert exporter.export(b"EXPORTER-x", b"c", 50) == expand(inner, b"exporter", digest(b"c"), 50)
    ticket = schedule.resumption(HASHES[2]).psk(b"\x07")
    assert ticket.to_bytes() == expand(expected.resumption, b"resumption", b"\x07")


def pair(protection: str) -> tuple[Tls13Sealer, Tls13Opener]:
    client, server = KeySchedule(protection), KeySchedule(protection)
    sealer, _ = client.handshake_protection(SHARED, HASHES[0], is_client=True)
    _, opener = server.handshake_protection(SHARED, HASHES[0], is_client=False)
    return sealer, opener


def test_records_are_those_of_the_reference(backend: None) -> None:  # noqa: ARG001
    secret = Reference(ZEROS).client
    sealer, opener = pair("sm4-gcm")
    for generation in range(3):
        key, iv = expand(secret, b"key", b"", 16), expand(secret, b"iv", b"", 12)
        for number in range(3):
            nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
            record = sealer.seal(22, b"reading")
            assert record[:5] == b"\x17\x03\x03\x00\x18"
            cipher = Cipher(algorithms.SM4(key), modes.GCM(nonce, record[-16:])).decryptor()
            cipher.authenticate_additional_data(record[:5])
            assert cipher.update(record[5:-16]) + cipher.finalize() == b"reading\x16", generation
            assert opener.open(record) == (22, b"reading")
        sealer.update()
        opener.update()
        secret = expand(secret, b"traffic upd", b"")


def test_ccm_records_are_those_of_ccm() -> None:
    secret = Reference(ZEROS).client
    sealer, _ = pair("sm4-ccm")
    key, iv = expand(secret, b"key", b"", 16), expand(secret, b"iv", b"", 12)
    record = sealer.seal(23, b"reading")
    assert sm4.SM4CCM(key).decrypt(iv, record[5:], record[:5]) == b"reading\x17"


def test_a_record_is_opened_once_and_errors_are_final() -> None:
    sealer, opener = pair("sm4-ccm")
    record = sealer.seal(23, bytearray(b"x"))
    assert opener.open(memoryview(record)) == (23, b"x")
    for attempt in (record, sealer.seal(23, b"y")):
        with pytest.raises(InvalidTag):
            opener.open(attempt)
    with pytest.raises(InvalidTag):
        opener.update()


def test_a_key_seals_no_more_than_it_may() -> None:
    sealer, _ = pair("sm4-gcm")
    with pytest.raises(UsageError):
        sealer.limit_records(2**30)
    sealer.limit_records(2)
    sealer.seal(23, b"1")
    assert sealer.is_worn
    with pytest.raises(KeyExhausted):
        sealer.seal(23, bytes(20_000))
    sealer.seal(23, b"2")
    with pytest.raises(KeyExhausted):
        sealer.seal(21, b"\x01\x00")
    sealer.update()
    assert (sealer.sequence, sealer.is_worn) == (0, False)


def test_stages_and_lengths_are_checked() -> None:
    with pytest.raises(UsageError, match="sm4-gcm or sm4-ccm"):
        KeySchedule("aes")
    with pytest.raises(UsageError, match="32 bytes"):
        Psk.from_bytes(b"short")
    schedule = KeySchedule("sm4-gcm")
    for call in (
        lambda: schedule.binder(b"short"),
        lambda: schedule.verify_data(True, ZEROS),
        lambda: schedule.application_protection(ZEROS, is_client=True),
        lambda: schedule.exporter(ZEROS),
        lambda: schedule.resumption(ZEROS),
        schedule.traffic_secrets,
    ):
        with pytest.raises(UsageError):
            call()


def test_nothing_with_a_key_is_copied_pickled_or_printed() -> None:
    schedule = KeySchedule("sm4-gcm", Psk.from_bytes(PSK))
    sealer, opener = schedule.handshake_protection(SHARED, HASHES[0], is_client=True)
    schedule.application_protection(HASHES[1], is_client=True)
    for secret in (
        Psk.from_bytes(PSK),
        schedule,
        sealer,
        opener,
        schedule.exporter(ZEROS),
        schedule.resumption(ZEROS),
    ):
        for act in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                act(secret)
        assert PSK.hex() not in repr(secret)

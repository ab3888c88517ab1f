"""The plain SM2, SM3 and SM4 in Python: the standards' examples, and agreement with the core."""

from __future__ import annotations

import os

import pytest

from meterseal.crypto import sm2, sm3, sm4
from meterseal.errors import InvalidSignature
from meterseal.lab.experiment.plain import sm2 as plain_sm2
from meterseal.lab.experiment.plain import sm3 as plain_sm3
from meterseal.lab.experiment.plain import sm4 as plain_sm4

LENGTHS = [0, 1, 15, 16, 17, 55, 56, 64, 200]


def test_sm3_gives_the_examples_of_the_standard() -> None:
    """covers: GB/T 32905-2016, A.1, A.2"""
    assert plain_sm3.sm3(b"abc").hex() == (
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )
    assert plain_sm3.sm3(b"abcd" * 16).hex() == (
        "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )


def test_sm4_gives_the_example_of_the_standard() -> None:
    """covers: GB/T 32907-2016, A.1"""
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    sealed = plain_sm4.cbc_encrypt(key, bytes(16), key)
    assert sealed[:16].hex() == "681edf34d206965e86b3e94f536e4246"


@pytest.mark.parametrize("length", LENGTHS)
def test_hash_and_cipher_agree_with_the_core(length: int) -> None:
    key, iv, data = os.urandom(16), os.urandom(16), os.urandom(length)
    assert plain_sm3.sm3(data) == sm3.sm3(data).digest()
    assert plain_sm3.hmac_sm3(key, data) == sm3.hmac(key, data)
    sealed = plain_sm4.cbc_encrypt(key, iv, data)
    assert sealed == sm4.cbc_encrypt(key, iv, data)
    assert plain_sm4.cbc_decrypt(key, iv, sealed) == data


def test_wrong_padding_is_refused() -> None:
    key, iv = bytes(16), bytes(16)
    sealed = sm4.cbc_encrypt(key, iv, bytes(16), padding=False)
    with pytest.raises(ValueError, match="the padding is wrong"):
        plain_sm4.cbc_decrypt(key, iv, sealed)


def test_signatures_verify_with_the_core_and_the_other_way_round() -> None:
    d, public = plain_sm2.key_pair()
    r, s = plain_sm2.sign(d, public, b"reading")
    point = b"\4" + public[0].to_bytes(32) + public[1].to_bytes(32)
    theirs = sm2.PublicKey.from_bytes(point)
    theirs.verify(r.to_bytes(32) + s.to_bytes(32), b"reading", encoding="raw")
    raw = sm2.PrivateKey.from_bytes(d.to_bytes(32)).sign(b"reading", encoding="raw")
    numbers = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    plain_sm2.verify(public, b"reading", numbers)
    for bad in ((r, s ^ 1), (0, s), (r, plain_sm2.N), (r, plain_sm2.N - r)):
        with pytest.raises(InvalidSignature):
            plain_sm2.verify(public, b"reading", bad)


def test_shared_secrets_agree_with_the_core() -> None:
    d, _ = plain_sm2.key_pair()
    peer = sm2.PrivateKey.generate()
    point = peer.public_key().to_bytes()
    shared = plain_sm2.shared_x(d, (int.from_bytes(point[1:33]), int.from_bytes(point[33:])))
    ours = sm2.PrivateKey.from_bytes(d.to_bytes(32))
    assert shared == peer.exchange_ecdh(ours.public_key())

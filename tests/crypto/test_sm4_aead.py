"""SM4-GCM and SM4-CCM: vectors, the peer, and every way to be refused."""

import copy
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterseal.crypto import sm4
from meterseal.errors import InvalidTag, UsageError
from support.wycheproof import load_wycheproof

pytestmark = pytest.mark.usefixtures("backend")
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
keys = st.binary(min_size=16, max_size=16)

KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
NONCE = bytes.fromhex("00001234567800000000abcd")
AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
PLAINTEXT = b"".join(bytes([byte]) * 8 for byte in b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa")


def peer_gcm(key: bytes, nonce: bytes, data: bytes, aad: bytes) -> bytes:
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(aad)
    return encryptor.update(data) + encryptor.finalize() + encryptor.tag


@pytest.mark.parametrize(
    ("cipher", "sealed"),
    [
        (
            sm4.SM4GCM,
            (
                "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
                "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
                "83de3541e4c2b58177e065a9bf7b62ec"
            ),
        ),
        (
            sm4.SM4CCM,
            (
                "48af93501fa62adbcd414cce6034d895dda1bf8f132f042098661572e7483094"
                "fd12e518ce062c98acee28d95df4416bed31a2f04476c18bb40c84a74b97dc5b"
                "16842d4fa186f56ab33256971fa110f4"
            ),
        ),
    ],
)
def test_seals_as_rfc_8998(cipher: type[sm4.SM4GCM | sm4.SM4CCM], sealed: str) -> None:
    """covers: RFC 8998, A.1 and A.2"""
    assert cipher(KEY).encrypt(NONCE, PLAINTEXT, AAD).hex() == sealed
    assert cipher(KEY).decrypt(NONCE, bytes.fromhex(sealed), AAD) == PLAINTEXT


@pytest.mark.parametrize(("group", "case"), load_wycheproof("sm4_gcm_test.json"))
def test_gcm_judges_as_wycheproof(group: dict[str, Any], case: dict[str, Any]) -> None:
    judge(sm4.SM4GCM, group, case)


@pytest.mark.parametrize(("group", "case"), load_wycheproof("sm4_ccm_test.json"))
def test_ccm_judges_as_wycheproof(group: dict[str, Any], case: dict[str, Any]) -> None:
    judge(sm4.SM4CCM, group, case)


def judge(
    cipher: type[sm4.SM4GCM | sm4.SM4CCM], group: dict[str, Any], case: dict[str, Any]
) -> None:
    names = ("key", "iv", "aad", "msg", "ct", "tag")
    key, iv, aad, message, ciphertext, tag = (bytes.fromhex(case[name]) for name in names)
    # A tag of 4 bytes is in the standard of CCM and is asked for on purpose here.
    weak = "InsecureTagSize" in case["flags"] and group["tagSize"] == 32
    if case["result"] == "valid" or weak:
        aead = cipher(key, group["tagSize"] // 8)
        assert aead.encrypt(iv, message, aad) == ciphertext + tag
        assert aead.decrypt(iv, ciphertext + tag, aad) == message
    else:
        with pytest.raises((InvalidTag, UsageError)):
            cipher(key, group["tagSize"] // 8).decrypt(iv, ciphertext + tag, aad)


@quick
@given(
    key=keys,
    nonce=st.binary(min_size=8, max_size=40),
    data=st.binary(max_size=600),
    aad=st.binary(max_size=100),
)
def test_gcm_agrees_with_cryptography(key: bytes, nonce: bytes, data: bytes, aad: bytes) -> None:
    sealed = sm4.SM4GCM(key).encrypt(bytearray(nonce), memoryview(data), aad)
    assert sealed == peer_gcm(key, nonce, data, aad)
    assert sm4.SM4GCM(key).decrypt(nonce, bytearray(sealed), aad) == data


@pytest.mark.parametrize("length", [4096, 4097, 16_384, 100_003])
def test_gcm_agrees_with_cryptography_on_long_messages(length: int) -> None:
    data = bytes(i * i >> 3 & 255 for i in range(length))
    assert sm4.SM4GCM(KEY).encrypt(NONCE, data, AAD) == peer_gcm(KEY, NONCE, data, AAD)


def test_gcm_counts_in_the_last_32_bits_only() -> None:
    """The wraps themselves are among the cases of wycheproof (CounterWrap)."""
    data = bytes(70 * 16)
    for nonce in (bytes(16), b"\xff" * 16, b"\xff" * 12):
        assert sm4.SM4GCM(KEY).encrypt(nonce, data) == peer_gcm(KEY, nonce, data, b"")


@pytest.mark.parametrize("cipher", [sm4.SM4GCM, sm4.SM4CCM])
def test_every_flipped_bit_is_refused(cipher: type[sm4.SM4GCM | sm4.SM4CCM]) -> None:
    aead = cipher(KEY)
    sealed = aead.encrypt(NONCE, b"42 kWh", AAD)
    for bit in range(8 * len(sealed)):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            aead.decrypt(NONCE, altered, AAD)
    refusals = [
        (NONCE, sealed, AAD[:-1]),
        (NONCE[:-1] + b"\0", sealed, AAD),
        (NONCE, sealed[:-1], AAD),
        (NONCE, sealed[:15], AAD),
        (NONCE, b"", AAD),
    ]
    for nonce, data, aad in refusals:
        with pytest.raises(InvalidTag):
            aead.decrypt(nonce, data, aad)
    with pytest.raises(InvalidTag):
        cipher(bytes(16)).decrypt(NONCE, sealed, AAD)


@pytest.mark.parametrize("length", [4, 6, 8, 10, 12, 14, 16])
def test_ccm_tags_have_every_length_of_the_standard(length: int) -> None:
    aead = sm4.SM4CCM(KEY, length)
    sealed = aead.encrypt(NONCE, b"data", AAD)
    assert len(sealed) == 4 + length
    assert aead.decrypt(NONCE, sealed, AAD) == b"data"


def test_ccm_with_long_additional_data() -> None:
    """The length of the additional data takes six bytes from 0xFF00 on (SP 800-38C, A.2.2)."""
    aead = sm4.SM4CCM(KEY)
    for length in (0xFEFF, 0xFF00, 0x10000):
        sealed = aead.encrypt(NONCE, b"data", bytes(length))
        assert aead.decrypt(NONCE, sealed, bytes(length)) == b"data"
        with pytest.raises(InvalidTag):
            aead.decrypt(NONCE, sealed, bytes(length - 1))


def test_wrong_lengths_are_named() -> None:
    for cipher in (sm4.SM4GCM, sm4.SM4CCM):
        with pytest.raises(UsageError, match="expected 16 bytes, received 15"):
            cipher(bytes(15))
    for length in (4, 8, 11, 17):
        with pytest.raises(UsageError):
            sm4.SM4GCM(KEY, length)
    for length in (0, 2, 5, 15, 18):
        with pytest.raises(UsageError):
            sm4.SM4CCM(KEY, length)
    with pytest.raises(UsageError):
        sm4.SM4GCM(KEY).encrypt(b"", b"data")
    for length in (6, 14):
        with pytest.raises(UsageError):
            sm4.SM4CCM(KEY).encrypt(bytes(length), b"data")
    with pytest.raises(UsageError):
        sm4.SM4CCM(KEY).encrypt(bytes(13), bytes(1 << 16))
    assert len(sm4.SM4CCM(KEY).encrypt(bytes(13), bytes((1 << 16) - 1))) == (1 << 16) + 15


@pytest.mark.parametrize("cipher", [sm4.SM4GCM, sm4.SM4CCM])
def test_a_key_is_neither_pickled_nor_copied(cipher: type[sm4.SM4GCM | sm4.SM4CCM]) -> None:
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            refuse(cipher(KEY))
    assert KEY.hex() not in repr(cipher(KEY))


@quick
@given(pieces=st.lists(st.binary(max_size=150), max_size=6), aad=st.binary(max_size=50))
def test_streamed_gcm_gives_what_the_whole_gives(pieces: list[bytes], aad: bytes) -> None:
    whole = b"".join(pieces)
    encryptor = sm4.Cipher.encryptor(KEY, "gcm", iv=NONCE, aad=aad)
    ciphertext = b"".join(encryptor.update(piece) for piece in pieces) + encryptor.finalize()
    assert ciphertext + encryptor.tag == sm4.SM4GCM(KEY).encrypt(NONCE, whole, aad)
    decryptor = sm4.Cipher.decryptor(KEY, "gcm", iv=NONCE, aad=aad)
    cut = len(ciphertext) // 3
    plaintext = decryptor.update(ciphertext[:cut]) + decryptor.update(ciphertext[cut:])
    assert plaintext + decryptor.finalize(encryptor.tag) == whole


def test_streamed_gcm_refuses_a_wrong_tag_and_the_wrong_order() -> None:
    encryptor = sm4.Cipher.encryptor(KEY, "gcm", iv=NONCE)
    ciphertext = encryptor.update(b"data")
    with pytest.raises(UsageError, match="finalize"):
        _ = encryptor.tag
    encryptor.finalize()
    for call in (encryptor.finalize, lambda: encryptor.update(b"more")):
        with pytest.raises(UsageError, match="ended"):
            call()
    for tag in (bytes(16), encryptor.tag[:15] + b"\0"):
        decryptor = sm4.Cipher.decryptor(KEY, "gcm", iv=NONCE)
        decryptor.update(ciphertext)
        with pytest.raises(InvalidTag):
            decryptor.finalize(tag)
        with pytest.raises(UsageError, match="ended"):
            decryptor.finalize(encryptor.tag)
    with pytest.raises(UsageError, match="12 to 16"):
        sm4.Cipher.decryptor(KEY, "gcm", iv=NONCE).finalize(b"")

"""The SM4 block cipher and CBC, CTR and XTS, against standards and other implementations."""

import copy
import itertools
import pickle
from typing import Literal

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from gmssl import sm4 as gmssl_sm4
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterseal.crypto import sm4
from meterseal.errors import DecryptionFailed, UsageError

pytestmark = pytest.mark.usefixtures("backend")
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
blocks = st.binary(min_size=16, max_size=16)
KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")


def peer(key: bytes, mode: modes.Mode, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.SM4(key), mode).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def pkcs7(data: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    return padder.update(data) + padder.finalize()


def test_encrypts_the_block_of_the_standard() -> None:
    """covers: GB/T 32907-2016, A.1"""
    assert sm4.encrypt_block(KEY, KEY).hex() == "681edf34d206965e86b3e94f536e4246"
    assert sm4.decrypt_block(KEY, sm4.encrypt_block(KEY, KEY)) == KEY


def test_cbc_and_ctr_of_the_draft() -> None:
    """covers: draft-ribose-cfrg-sm4 (as OpenSSL's evpciph_sm4.txt has it)"""
    assert (
        sm4.cbc_encrypt(KEY, KEY, KEY * 2, padding=False).hex()
        == "2677f46b09c122cc975533105bd4a22af6125f7275ce552c3a2bbcf533de8a3b"
    )
    data = b"".join(bytes([byte]) * 8 for byte in b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa")
    assert sm4.ctr(KEY, KEY, data).hex() == (
        "c2b4759e78ac3cf43d0852f4e8d5f9fd7256e8a5fcb65a350ee00630912e4449"
        "2a0b17e1b85b060d0fba612d8a95831638b361fd5ffacd942f081485a83ca35d"
    )


@quick
@given(key=blocks, iv=blocks, data=st.binary(max_size=700))
def test_cbc_agrees_with_cryptography(key: bytes, iv: bytes, data: bytes) -> None:
    padded = pkcs7(data)
    expected = peer(key, modes.CBC(iv), padded)
    assert sm4.cbc_encrypt(key, iv, bytearray(data)) == expected
    assert sm4.cbc_encrypt(key, iv, padded, padding=False) == expected
    assert sm4.cbc_decrypt(key, iv, memoryview(expected)) == data
    assert sm4.cbc_decrypt(key, iv, expected, padding=False) == padded


@settings(quick, max_examples=4)
@given(key=blocks, iv=blocks, data=st.binary(min_size=1, max_size=60))
def test_cbc_agrees_with_gmssl(key: bytes, iv: bytes, data: bytes) -> None:
    other = gmssl_sm4.CryptSM4()
    other.set_key(key, gmssl_sm4.SM4_ENCRYPT)
    assert sm4.cbc_encrypt(key, iv, data) == other.crypt_cbc(iv, data)


@quick
@given(key=blocks, counter=blocks, data=st.binary(max_size=700))
def test_ctr_agrees_with_cryptography(key: bytes, counter: bytes, data: bytes) -> None:
    expected = peer(key, modes.CTR(counter), data)
    assert sm4.ctr(key, counter, data) == expected
    assert sm4.ctr(key, counter, expected) == data


def test_ctr_carries_through_the_whole_block() -> None:
    for counter in (b"\xff" * 16, bytes(8) + b"\xff" * 8, bytes(12) + b"\xff" * 4):
        expected = peer(KEY, modes.CTR(counter), bytes(1000))
        assert sm4.ctr(KEY, counter, bytes(1000)) == expected


@pytest.mark.parametrize("mode", ["cbc", "ctr"])
@quick
@given(pieces=st.lists(st.binary(max_size=100), max_size=6))
def test_pieces_give_what_the_whole_gives(mode: Literal["cbc", "ctr"], pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    encryptor = sm4.Cipher.encryptor(KEY, mode, iv=KEY)
    ciphertext = b"".join(encryptor.update(piece) for piece in pieces) + encryptor.finalize()
    expected = sm4.cbc_encrypt(KEY, KEY, whole) if mode == "cbc" else sm4.ctr(KEY, KEY, whole)
    assert ciphertext == expected
    decryptor = sm4.Cipher.decryptor(KEY, mode, iv=KEY)
    cuts = [0, len(ciphertext) // 5, len(ciphertext) // 2, len(ciphertext)]
    plaintext = b"".join(decryptor.update(ciphertext[a:b]) for a, b in itertools.pairwise(cuts))
    assert plaintext + decryptor.finalize() == whole


def test_every_wrong_padding_is_one_failure() -> None:
    iv = bytes(16)
    tails = [bytes([17]) * 16, bytes(16), b"\xff" * 16, b"\x02" * 14 + b"\x03\x02"]
    tails += [bytes(15 - n) + b"\x01" + bytes([n + 1]) * n for n in range(1, 15)]
    messages = []
    for tail in tails:
        ciphertext = sm4.cbc_encrypt(KEY, iv, bytes(16) + tail, padding=False)
        with pytest.raises(DecryptionFailed) as caught:
            sm4.cbc_decrypt(KEY, iv, ciphertext)
        messages.append(str(caught.value))
        decryptor = sm4.Cipher.decryptor(KEY, iv=iv)
        decryptor.update(ciphertext)
        with pytest.raises(DecryptionFailed):
            decryptor.finalize()
    assert len(set(messages)) == 1


def test_wrong_lengths_are_named() -> None:
    with pytest.raises(UsageError, match="key: expected 16 bytes, received 17"):
        sm4.cbc_encrypt(bytes(17), bytes(16), b"")
    with pytest.raises(UsageError, match="iv: expected 16 bytes, received 12"):
        sm4.cbc_encrypt(KEY, bytes(12), b"")
    with pytest.raises(UsageError, match="block: expected 16 bytes, received 0"):
        sm4.encrypt_block(KEY, b"")
    with pytest.raises(UsageError, match="counter block: expected 16 bytes, received 15"):
        sm4.ctr(KEY, bytes(15), b"")
    with pytest.raises(UsageError, match="multiple of 16 bytes, received 17"):
        sm4.cbc_encrypt(KEY, KEY, bytes(17), padding=False)
    with pytest.raises(UsageError, match="multiple of 16 bytes, received 17"):
        sm4.cbc_decrypt(KEY, KEY, bytes(17))
    with pytest.raises(UsageError):
        sm4.cbc_decrypt(KEY, KEY, b"")
    with pytest.raises(UsageError):
        sm4.Cipher.encryptor(KEY, "ecb", iv=KEY)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="aad"):
        sm4.Cipher.encryptor(KEY, "cbc", iv=KEY, aad=b"x")  # type: ignore[call-overload]


def test_a_stream_ends_once() -> None:
    for mode in ("cbc", "ctr"):
        cipher = sm4.Cipher.encryptor(KEY, mode, iv=KEY)  # type: ignore[call-overload]
        cipher.finalize()
        for call in (cipher.finalize, lambda: cipher.update(b"more")):  # noqa: B023
            with pytest.raises(UsageError, match="ended"):
                call()
    for maker in (sm4.Cipher.encryptor, sm4.Cipher.decryptor):
        cipher = maker(KEY, "cbc", iv=KEY, padding=False)
        cipher.update(bytes(17))
        with pytest.raises(UsageError, match="whole blocks"):
            cipher.finalize()


def test_a_stream_is_neither_pickled_nor_copied() -> None:
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            refuse(sm4.Cipher.encryptor(KEY, iv=KEY))


XTS_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c000102030405060708090a0b0c0d0e0f")
XTS_TWEAK = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
XTS_DATA = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17"
)


@pytest.mark.parametrize(
    ("standard", "ciphertext"),
    [
        (
            "gb",
            (
                "e9538251c71d7b80bbe4483fef497bd12c5c581bd6242fc51e08964fb4f60fdb"
                "0ba42f63499279213d318d2c11f6886e903be7f93a1b3479"
            ),
        ),
        (
            "ieee",
            (
                "e9538251c71d7b80bbe4483fef497bd1b3db1a3e60408c575d63ff7db39f8326"
                "0869f9e2585fec9f0b863bf8fd784b8627d16c0db6d2cfc7"
            ),
        ),
    ],
)
def test_xts_of_both_standards(standard: Literal["ieee", "gb"], ciphertext: str) -> None:
    """covers: GB/T 17964-2021; IEEE 1619-2018 (both as OpenSSL's evpciph_sm4.txt has them)"""
    assert sm4.xts_encrypt(XTS_KEY, XTS_TWEAK, XTS_DATA, standard).hex() == ciphertext
    assert sm4.xts_decrypt(XTS_KEY, XTS_TWEAK, bytes.fromhex(ciphertext), standard) == XTS_DATA


def test_xts_steals_ciphertext_from_one_block() -> None:
    """OpenSSL's evpciph_sm4.txt, the vector of 17 bytes."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0")
    tweak = bytes.fromhex("9a785634120000000000000000000000")
    ciphertext = sm4.xts_encrypt(key, tweak, bytes(range(17)), "gb")
    assert ciphertext.hex() == "9e52443a35410ca0ba5637b94c0766f469"


@pytest.mark.parametrize("standard", ["ieee", "gb"])
def test_xts_undoes_itself_at_every_length(standard: Literal["ieee", "gb"]) -> None:
    data = bytes(range(256)) * 3
    for length in (*range(16, 50), 255, 256, 257, 511, 512, 600):
        ciphertext = sm4.xts_encrypt(XTS_KEY, XTS_TWEAK, data[:length], standard)
        assert len(ciphertext) == length
        assert sm4.xts_decrypt(XTS_KEY, XTS_TWEAK, ciphertext, standard) == data[:length]


def test_xts_refuses_short_units_and_equal_keys() -> None:
    for length in (0, 15, (1 << 24) + 1):
        with pytest.raises(UsageError, match="16 bytes to 16 MiB"):
            sm4.xts_encrypt(XTS_KEY, XTS_TWEAK, bytes(length))
    with pytest.raises(UsageError, match="must differ"):
        sm4.xts_encrypt(KEY * 2, XTS_TWEAK, bytes(16))
    with pytest.raises(UsageError, match="expected 32 bytes, received 16"):
        sm4.xts_encrypt(KEY, XTS_TWEAK, bytes(16))
    with pytest.raises(UsageError, match="standard"):
        sm4.xts_encrypt(XTS_KEY, XTS_TWEAK, bytes(16), "nist")  # type: ignore[arg-type]

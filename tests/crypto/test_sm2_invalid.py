"""Hostile signatures, points, keys and ciphertexts: each must be refused."""

from typing import Any

import pytest

from meterseal.crypto import sm2
from meterseal.errors import DecryptionFailed, InvalidKey, InvalidSignature
from support.vectors import load_vectors

pytestmark = pytest.mark.usefixtures("backend")
CASES: dict[str, list[dict[str, Any]]] = load_vectors("sm2_invalid.json")
ANNEX = load_vectors("gbt32918_5.json")
KEY = sm2.PrivateKey.from_bytes(bytes.fromhex(ANNEX["sign"]["private_key"]))
MESSAGE = ANNEX["sign"]["message"].encode()


def comment(case: dict[str, Any]) -> str:
    return str(case["comment"])


@pytest.mark.parametrize("case", CASES["signatures"], ids=comment)
def test_refuses_the_signature(case: dict[str, Any]) -> None:
    signature = bytes.fromhex(case["data"])
    encoding = case.get("encoding", "der")
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(signature, MESSAGE, encoding=encoding)
    request = (KEY.public_key(), signature, MESSAGE)
    assert sm2.verify_batch([request], encoding=encoding) == [False]


@pytest.mark.parametrize("case", CASES["points"], ids=comment)
def test_refuses_the_point(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidKey):
        sm2.PublicKey.from_bytes(bytes.fromhex(case["data"]))


@pytest.mark.parametrize("case", CASES["private_keys"], ids=comment)
def test_refuses_the_private_key(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidKey):
        sm2.PrivateKey.from_bytes(bytes.fromhex(case["data"]))


@pytest.mark.parametrize("case", CASES["ciphertexts"], ids=comment)
def test_refuses_the_ciphertext(case: dict[str, Any]) -> None:
    with pytest.raises(DecryptionFailed, match=r"^the ciphertext does not decrypt$"):
        KEY.decrypt(bytes.fromhex(case["data"]), layout=case.get("layout", "der"))


def test_accepts_what_the_cases_were_made_from() -> None:
    signature = bytes.fromhex(ANNEX["sign"]["signature"])
    KEY.public_key().verify(signature, MESSAGE, encoding="raw")
    parts = {part: bytes.fromhex(ANNEX["encrypt"][part]) for part in ("c1", "c3", "c2")}
    ciphertext = parts["c1"] + parts["c3"] + parts["c2"]
    assert KEY.decrypt(ciphertext, layout="c1c3c2") == ANNEX["encrypt"]["message"].encode()
    der = KEY.public_key().encrypt(b"M")
    assert KEY.decrypt(der) == b"M"


def test_every_flipped_bit_of_a_ciphertext_is_refused() -> None:
    ciphertext = KEY.public_key().encrypt(b"reading", layout="c1c3c2")
    for position in range(len(ciphertext)):
        altered = bytearray(ciphertext)
        altered[position] ^= 1 << position % 8
        with pytest.raises(DecryptionFailed):
            KEY.decrypt(altered, layout="c1c3c2")


def test_one_byte_is_never_encrypted_as_itself() -> None:
    """A key stream of zeros must be drawn again: one of 256 one-byte messages meets it."""
    public = KEY.public_key()
    streams = [public.encrypt(b"\0", layout="c1c3c2")[-1] for _ in range(1500)]
    assert 0 not in streams
    assert len(set(streams)) > 200

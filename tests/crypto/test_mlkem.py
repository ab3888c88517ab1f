"""ML-KEM-768 against the vectors of Wycheproof, and against itself."""

from __future__ import annotations

import json
import pickle

import pytest

from meterseal.crypto.mlkem import (
    CIPHERTEXT_LENGTH,
    PUBLIC_LENGTH,
    MlKem768PrivateKey,
    mlkem768_encapsulate,
)
from meterseal.errors import InvalidKey, UsageError
from support.shared import shared

VECTORS = shared("vectors/mlkem_768_test.json")


@pytest.mark.skipif(not VECTORS.exists(), reason=f"{VECTORS.name} of Wycheproof is not at hand")
def test_wycheproof() -> None:
    groups = json.loads(VECTORS.read_text())["testGroups"]
    counted = {"valid": 0, "invalid": 0}
    for case in (case for group in groups for case in group["tests"]):
        counted[case["result"]] += 1
        seed, ciphertext = bytes.fromhex(case["seed"]), bytes.fromhex(case["c"])
        if case["result"] == "valid":
            key = MlKem768PrivateKey.from_seed(seed)
            assert key.public_bytes().hex() == case["ek"]
            assert key.decapsulate(ciphertext).hex() == case["K"], case["tcId"]
            continue
        with pytest.raises(UsageError):
            MlKem768PrivateKey.from_seed(seed).decapsulate(ciphertext)
    assert counted == {"valid": 153, "invalid": 40}


def test_both_sides_share_a_secret_and_an_altered_ciphertext_another() -> None:
    private = MlKem768PrivateKey.generate()
    ciphertext, secret = mlkem768_encapsulate(private.public_bytes())
    assert (len(private.public_bytes()), len(ciphertext)) == (PUBLIC_LENGTH, CIPHERTEXT_LENGTH)
    assert private.decapsulate(ciphertext) == secret
    altered = bytes((ciphertext[0] ^ 1,)) + ciphertext[1:]
    assert private.decapsulate(altered) != secret
    assert private.decapsulate(altered) == private.decapsulate(altered)


def test_every_coefficient_of_a_public_key_must_be_reduced() -> None:
    public = MlKem768PrivateKey.generate().public_bytes()
    for position in range(0, 1152, 97):
        start = position - position % 3
        for limit in (b"\x01\xdd\x00", b"\x00\x10\xd0", b"\xff\xff\xff"):  # 3329 and beyond
            altered = public[:start] + limit + public[start + 3 :]
            with pytest.raises(InvalidKey):
                mlkem768_encapsulate(altered)
    for wrong in (b"", public[:-1], public + b"\0"):
        with pytest.raises(InvalidKey):
            mlkem768_encapsulate(wrong)


def test_private_keys_are_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(MlKem768PrivateKey.generate())

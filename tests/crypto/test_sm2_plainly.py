"""What follows the standard step by step gives what the optimised way gives, on every back-end."""

import os

import pytest

from meterseal.crypto import danger, plainly, sm2
from meterseal.errors import InvalidSignature, UsageError

KEY = sm2.PrivateKey.from_bytes(bytes(range(1, 33)))
PEER = sm2.PrivateKey.from_bytes(bytes(range(2, 34)))


@pytest.mark.usefixtures("backend")
def test_signatures_keys_and_secrets_are_the_same() -> None:
    for _ in range(10):
        digest, nonce = os.urandom(32), b"\x7f" + os.urandom(31)
        plain = plainly.sign_digest_plainly(KEY, digest, nonce, "raw")
        assert plain == danger.sign_digest_with_nonce(KEY, digest, nonce, "raw")
        KEY.public_key().verify_digest(plain, digest, "raw")
        plainly.verify_digest_plainly(KEY.public_key(), plain, digest, "raw")
    secret = KEY.to_bytes()
    assert plainly.public_key_plainly(secret) == KEY.public_key().to_bytes()
    shared = plainly.exchange_ecdh_plainly(secret, PEER.public_key())
    assert shared == PEER.exchange_ecdh(KEY.public_key())


@pytest.mark.usefixtures("backend")
def test_refuses_what_was_not_signed() -> None:
    digest = os.urandom(32)
    signature = KEY.sign_digest(digest)
    with pytest.raises(InvalidSignature):
        plainly.verify_digest_plainly(KEY.public_key(), signature, os.urandom(32))
    with pytest.raises(InvalidSignature):
        plainly.verify_digest_plainly(PEER.public_key(), signature, digest)


@pytest.mark.parametrize("number", [bytes(32), b"\xff" * 32])
def test_refuses_numbers_out_of_range(number: bytes) -> None:
    with pytest.raises(UsageError):
        plainly.public_key_plainly(number)
    with pytest.raises(UsageError):
        plainly.sign_digest_plainly(KEY, bytes(32), number)

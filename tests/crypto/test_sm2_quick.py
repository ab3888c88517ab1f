import pytest

from meterseal.crypto import sm2
from meterseal.errors import InvalidSignature


def test_a_signature_verifies_and_another_message_does_not() -> None:
    key = sm2.PrivateKey.generate()
    signature = key.sign(b"reading")
    key.public_key().verify(signature, b"reading")
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, b"readinh")

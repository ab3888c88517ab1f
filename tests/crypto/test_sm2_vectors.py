"""The worked examples of GB/T 32918.5-2017."""

from typing import Any

import pytest

from meterseal.crypto import danger, sm2
from meterseal.errors import InvalidTag, UsageError
from support.vectors import load_vectors

pytestmark = pytest.mark.usefixtures("backend")
VECTORS: dict[str, Any] = load_vectors("gbt32918_5.json")


def octets(part: str, name: str) -> bytes:
    return bytes.fromhex(VECTORS[part][name])


def private_key(part: str, name: str = "private_key") -> sm2.PrivateKey:
    return sm2.PrivateKey.from_bytes(octets(part, name))


def test_signs_as_the_standard_does() -> None:
    """covers: GB/T 32918.5-2017, A.2"""
    key = private_key("sign")
    assert key.public_key().to_bytes() == octets("sign", "public_key")
    assert key.public_key().z_value() == octets("sign", "z")
    signature = danger.sign_digest_with_nonce(
        key, octets("sign", "e"), octets("sign", "nonce"), encoding="raw"
    )
    assert signature == octets("sign", "signature")


def test_verifies_the_signature_of_the_standard() -> None:
    """covers: GB/T 32918.5-2017, A.2"""
    key = sm2.PublicKey.from_bytes(octets("sign", "public_key"))
    message = VECTORS["sign"]["message"].encode()
    key.verify(octets("sign", "signature"), message, encoding="raw")
    key.verify_digest(octets("sign", "signature"), octets("sign", "e"), encoding="raw")


@pytest.mark.parametrize("initiator", [True, False])
def test_agrees_as_the_standard_does(initiator: bool) -> None:
    """covers: GB/T 32918.5-2017, B.2"""
    own, peer = ("a", "b") if initiator else ("b", "a")
    peer_key = sm2.PublicKey.from_bytes(octets("exchange", f"public_key_{peer}"))
    peer_ephemeral = sm2.PublicKey.from_bytes(octets("exchange", f"ephemeral_public_key_{peer}"))
    assert peer_key.z_value() == octets("exchange", f"z_{peer}")
    for expected in map(bytes.fromhex, VECTORS["exchange"]["keys"]):
        exchange = danger.exchange_with_ephemeral(
            private_key("exchange", f"private_key_{own}"),
            private_key("exchange", f"ephemeral_{own}"),
            initiator=initiator,
        )
        ephemeral = exchange.ephemeral_public_key.to_bytes()
        assert ephemeral == octets("exchange", f"ephemeral_public_key_{own}")
        assert exchange.agree(peer_key, peer_ephemeral, len(expected)).key == expected


def test_both_sides_of_an_exchange_confirm_each_other() -> None:
    """covers: GB/T 32918.3-2016, 6.1"""
    keys = [sm2.PrivateKey.generate() for _ in range(2)]
    a = sm2.KeyExchange(keys[0], initiator=True, distinguishing_id=b"ALICE")
    b = sm2.KeyExchange(keys[1], initiator=False, distinguishing_id=b"BOB")
    points = a.ephemeral_public_key, b.ephemeral_public_key
    of_a = a.agree(keys[1].public_key(), points[1], 40, peer_distinguishing_id=b"BOB")
    of_b = b.agree(keys[0].public_key(), points[0], 40, peer_distinguishing_id=b"ALICE")
    assert of_a.key == of_b.key
    assert len(of_a.key) == 40
    of_a.verify_confirmation(of_b.confirmation)
    of_b.verify_confirmation(of_a.confirmation)
    for wrong in (of_a.confirmation, of_b.confirmation[:31], bytes(32)):
        with pytest.raises(InvalidTag):
            of_a.verify_confirmation(wrong)


def test_an_exchange_with_another_identifier_or_role_gives_another_key() -> None:
    keys = [sm2.PrivateKey.generate() for _ in range(4)]

    def agree(*, initiator: bool, peer_id: bytes) -> bytes:
        exchange = danger.exchange_with_ephemeral(keys[0], keys[1], initiator=initiator)
        peers = keys[2].public_key(), keys[3].public_key()
        return exchange.agree(*peers, 16, peer_distinguishing_id=peer_id).key

    outcomes = {agree(initiator=i, peer_id=p) for i in (True, False) for p in (b"A", b"B")}
    assert len(outcomes) == 4


def test_an_exchange_agrees_once_and_within_limits() -> None:
    key = sm2.PrivateKey.generate()
    public = key.public_key()
    for length in (0, 65537):
        with pytest.raises(UsageError, match="1 to 65536"):
            sm2.KeyExchange(key, initiator=True).agree(public, public, length)
    exchange = sm2.KeyExchange(key, initiator=True)
    exchange.agree(public, public, 16)
    with pytest.raises(UsageError, match="used once"):
        exchange.agree(public, public, 16)
    with pytest.raises(UsageError, match="used once"):
        _ = exchange.ephemeral_public_key


def test_encrypts_and_decrypts_as_the_standard_does() -> None:
    """covers: GB/T 32918.5-2017, C.2"""
    key = private_key("sign")
    message = VECTORS["encrypt"]["message"].encode()
    nonce = octets("sign", "nonce")
    c1, c3, c2 = (octets("encrypt", part) for part in ("c1", "c3", "c2"))
    layouts: list[tuple[Any, bytes]] = [("c1c3c2", c1 + c3 + c2), ("c1c2c3", c1 + c2 + c3)]
    for layout, expected in layouts:
        public = key.public_key()
        assert danger.encrypt_with_nonce(public, message, nonce, layout) == expected
        bare = danger.encrypt_with_nonce(public, message, nonce, layout, leading_04=False)
        assert bare == expected[1:]
        assert key.decrypt(expected, layout) == message
        assert key.decrypt(expected[1:], layout, leading_04=False) == message


def test_der_ciphertext_is_the_sequence_of_gmt_0009() -> None:
    """covers: GM/T 0009-2012, 7.2"""
    key = private_key("sign")
    message = VECTORS["encrypt"]["message"].encode()
    ciphertext = danger.encrypt_with_nonce(key.public_key(), message, octets("sign", "nonce"))
    c1, c3, c2 = (octets("encrypt", part) for part in ("c1", "c3", "c2"))
    body = b"\x02\x20" + c1[1:33] + b"\x02\x21\0" + c1[33:]
    body += b"\x04\x20" + c3 + b"\x04" + bytes([len(c2)]) + c2
    assert ciphertext == b"\x30\x81" + bytes([len(body)]) + body or ciphertext == (
        b"\x30" + bytes([len(body)]) + body
    )
    assert key.decrypt(ciphertext) == message

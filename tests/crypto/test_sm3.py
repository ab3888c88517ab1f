"""SM3, HMAC-SM3 and the key derivations, against standards and other implementations."""

import copy
import hmac as standard_hmac
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as peer_hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from gmssl import sm3 as gmssl_sm3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterseal.crypto import kdf, sm3
from meterseal.errors import InvalidTag, UsageError
from support.wycheproof import load_wycheproof

pytestmark = pytest.mark.usefixtures("backend")
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def peer_digest(data: bytes) -> bytes:
    peer = hashes.Hash(hashes.SM3())
    peer.update(data)
    return peer.finalize()


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"),
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_hashes_as_the_standard_does(message: bytes, digest: str) -> None:
    """covers: GB/T 32905-2016, annex A (and the empty message, as OpenSSL hashes it)"""
    assert sm3.sm3(message).hexdigest() == digest


def test_every_length_around_two_blocks_agrees_with_cryptography() -> None:
    data = bytes(range(256))
    for length in range(200):
        expected = peer_digest(data[:length])
        assert sm3.sm3(data[:length]).digest() == expected
        assert sm3.sm3_digest(data[:length]) == expected


@quick
@given(messages=st.lists(st.binary(max_size=200), max_size=20))
def test_a_batch_gives_the_digest_of_each(messages: list[bytes]) -> None:
    assert sm3.sm3_batch(messages) == [peer_digest(message) for message in messages]


@quick
@given(pieces=st.lists(st.binary(max_size=150), max_size=6))
def test_pieces_give_the_digest_of_the_whole(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    stream = sm3.sm3()
    for piece in pieces:
        stream.update(memoryview(bytearray(piece)))
    assert stream.digest() == peer_digest(whole) == stream.digest()


def test_agrees_with_gmssl_and_over_the_size_that_releases_the_lock() -> None:
    data = bytes(range(251)) * 3
    assert sm3.sm3(data).hexdigest() == gmssl_sm3.sm3_hash(list(data))
    large = b"meter" * 20_000
    assert sm3.sm3(bytearray(large)).digest() == peer_digest(large)


def test_has_the_shape_of_hashlib() -> None:
    first = sm3.sm3(b"ab")
    second = first.copy()
    second.update(b"c")
    assert first.digest() == peer_digest(b"ab")
    assert second.digest() == peer_digest(b"abc")
    assert (first.name, first.block_size, first.digest_size) == ("sm3", 64, 32)
    mac = standard_hmac.new(b"key", b"message", sm3.sm3).digest()
    assert mac == sm3.hmac(b"key", b"message")


def test_a_view_counts_as_the_bytes_it_shows_and_text_is_refused() -> None:
    assert sm3.sm3(memoryview(b"abcdef")[::2]).digest() == peer_digest(b"ace")
    with pytest.raises(TypeError):
        sm3.sm3("text")  # type: ignore[arg-type]


@quick
@given(key=st.binary(max_size=150), data=st.binary(max_size=200))
def test_hmac_agrees_with_cryptography(key: bytes, data: bytes) -> None:
    peer = peer_hmac.HMAC(key or bytes(1), hashes.SM3())  # zero-padding makes these keys equal
    peer.update(data)
    mac = peer.finalize()
    stream = sm3.HMAC(key, data[:7])
    stream.update(data[7:])
    assert mac == sm3.hmac(key, data) == stream.digest() == stream.copy().digest()
    assert stream.hexdigest() == mac.hex()
    stream.verify(mac)
    for wrong in (mac[:-1], b"", bytes([mac[0] ^ 1]) + mac[1:], mac + b"\0"):
        with pytest.raises(InvalidTag):
            stream.verify(wrong)


@pytest.mark.parametrize(("group", "case"), load_wycheproof("hmac_sm3_test.json"))
def test_hmac_judges_as_wycheproof(group: dict[str, Any], case: dict[str, Any]) -> None:
    key, message, tag = (bytes.fromhex(case[name]) for name in ("key", "msg", "tag"))
    mac = sm3.hmac(key, message)[: group["tagSize"] // 8]
    assert (mac == tag) == (case["result"] == "valid")
    if len(tag) == 32 and case["result"] == "invalid":
        with pytest.raises(InvalidTag):
            sm3.HMAC(key, message).verify(tag)


def test_a_keyed_hash_is_neither_pickled_nor_printed() -> None:
    keyed = sm3.HMAC(b"very secret key")
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            refuse(keyed)
    assert "secret" not in repr(keyed)


@quick
@given(
    secret=st.binary(max_size=80),
    salt=st.binary(max_size=80),
    info=st.binary(max_size=40),
    length=st.integers(1, 200),
)
def test_hkdf_agrees_with_cryptography(
    secret: bytes, salt: bytes, info: bytes, length: int
) -> None:
    expected = HKDF(hashes.SM3(), length, salt or None, info).derive(secret)
    assert sm3.hkdf(secret, salt, info, length) == expected
    assert sm3.hkdf_expand(sm3.hkdf_extract(salt, secret), info, length) == expected


@quick
@given(
    password=st.binary(min_size=1, max_size=100),
    salt=st.binary(max_size=40),
    iterations=st.integers(1, 6),
    length=st.integers(1, 100),
)
def test_pbkdf2_agrees_with_cryptography(
    password: bytes, salt: bytes, iterations: int, length: int
) -> None:
    expected = PBKDF2HMAC(hashes.SM3(), length, salt, iterations).derive(password)
    assert sm3.pbkdf2(password, salt, iterations, length) == expected


def test_lengths_of_derived_keys_are_limited() -> None:
    assert len(sm3.hkdf(b"s", b"", b"", 8160)) == 8160
    for length in (0, 8161):
        with pytest.raises(UsageError):
            sm3.hkdf(b"s", b"", b"", length)
        with pytest.raises(UsageError):
            sm3.hkdf_expand(bytes(32), b"", length)
    with pytest.raises(UsageError):
        sm3.pbkdf2(b"p", b"s", 0, 16)
    with pytest.raises(UsageError, match="received 0"):
        sm3.pbkdf2(b"p", b"s", 1, 0)
    with pytest.raises(UsageError):
        kdf.sm2_kdf(b"z", 0)
    with pytest.raises(UsageError):
        kdf.tls12_prf(b"s", b"label", b"seed", (1 << 24) + 1)


@quick
@given(secret=st.binary(max_size=100), length=st.integers(1, 130))
def test_the_sm2_kdf_is_counted_digests(secret: bytes, length: int) -> None:
    """covers: GB/T 32918.3-2016, 5.4.3"""
    digests = [peer_digest(secret + counter.to_bytes(4, "big")) for counter in range(1, 6)]
    assert kdf.sm2_kdf(secret, length) == b"".join(digests)[:length]


def test_the_prf_gives_the_master_secret_and_the_whole_key_block() -> None:
    """Self-made; the master secret agrees with TLS1-PRF over SM3 of OpenSSL 4.0.2."""
    client, server = b"\x11" * 32, b"\x22" * 32
    master = kdf.tls12_prf(bytes(range(48)), b"master secret", client + server, 48)
    assert master.hex() == (
        "596aaed60fdc425d3806e9dc1e4d7c9131553f22e55bb487f3b3b3ae6abd1382"
        "51856b34065e5c09947653bcd5d1162c"
    )
    block = kdf.tls12_prf(master, b"key expansion", server + client, 128)
    assert block.hex() == (
        "5b8fb78ce51f2e572ccddb5ac6677203454a7060ba384f2f27e64363031e635202a4de2244ceb730"
        "1692c6b830f07fe6d27212b182ce1fc3559a68d4a56f7696cc6dccf4149b7404bbb18e28b882dd21"
        "57adfc884aa4cc1a16903fbbe0435ffa77b94f80ebf8df2b0a2465839dc362b3d8de128e5a71546d"
        "519a6514e4698de2"
    )

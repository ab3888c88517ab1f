"""Master secrets and protected records of the TLS 1.2-shaped protocols."""

import copy
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterseal.crypto.record import GcmOpener, GcmSealer, MasterSecret
from meterseal.crypto.sm3 import sm3
from meterseal.crypto.sm4 import SM4GCM
from meterseal.errors import InvalidTag, KeyExhausted, UsageError

pytestmark = pytest.mark.usefixtures("backend")

TLS12, TLCP = 0x0303, 0x0101
HANDSHAKE, APPLICATION_DATA = 22, 23
OVERHEAD = 5 + 8 + 16
CLIENT, SERVER = b"\x11" * 32, b"\x22" * 32
MASTER = MasterSecret.derive(bytes(range(48)), CLIENT, SERVER)

# A session of our own client with the server of GmSSL 2.5.4, extended master secret in use.
RECORDED_PREMASTER = bytes.fromhex(
    "446d4d7dd97c645d313a056ee3a44558076e49a9b93315c6cb2771562bd04050"
)
RECORDED_MASTER = bytes.fromhex(
    "94b8148e3f1db78761265b489af8ca3109c7071639dcba7d0787c7565351e06b"
    "fd6207b360fd0015b13628f9bfa42a57"
)
RECORDED_CLIENT_RANDOM = bytes(range(0x80, 0xA0))
RECORDED_SERVER_RANDOM = bytes.fromhex(
    "26ae67bc48d9d69faa32b69fea33b48433298362aaae961f79a02477b4607b55"
)
RECORDED_HANDSHAKE = [  # up to ClientKeyExchange, without record headers
    bytes.fromhex(digits)
    for digits in (
        (
            "010000450303808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f000002e107"
            "0100001a000a00040002001e000b00020100000d00040002070700170000"
        ),
        (
            "0200005403"
            "0326ae67bc48d9d69faa32b69fea33b48433298362aaae961f79a02477b4607b5520bf4c94ae"
            "210af02fa7cd8918e21fd812c4aa98fd20c9a925fd72fddfc7f04e04e10700000c000b00040300010200170000"
        ),
        (
            "0b00017100016e00016b308201673082010da00302010202090081e5a9802a3101c0300a06082a811ccf55"
            "0183753026310b300906035504061302434e310a3008060355040a0c0174310b300906035504030c026361301e17"
            "0d3236313132333036303034355a170d3237303931393036303034355a302d310b300906035504061302434e310a"
            "3008060355040a0c01743112301006035504030c096c6f63616c686f73743059301306072a8648ce3d020106082a"
            "811ccf5501822d034200049bfb71126616334c257ed1ea4fdae8641651b6e8462292865cb05522daf2e493198e3c"
            "815a9cadd31b19fd5cb1043804b05864619fa9f91a1a1ff8a28fc9c74aa31d301b300e0603551d0f0101ff040403"
            "02078030090603551d1304023000300a06082a811ccf550183750348003045022006bf6e93706b480847b09e1508"
            "91eb4318c8dfb61d9bb2192826e1ec7ae4606a022100ebddb33ba5cc5b5fb86b188778c8a65e5e13c08ca7bcdebc"
            "8ba7d39e14fbf2c5"
        ),
        (
            "0c00008e03001e41040832b4eca9c1ed90799ed068dff05c209a41abd4408a1dda016e363c6485dd65e708"
            "30a069e4816cfbefb0934c903f5e6828317fa04676761330da8edc798a24070700453043021f23ab8314d6ff61cc"
            "ad1bc5090c9b857b3df64bfb655e658bc00692891ec34702203967d20db05e84bc0d565535117234d4bec8b10f84"
            "7cc2a6e023d0b8cfdb4637"
        ),
        "0e000000",
        (
            "10000042410404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73e858f9d81e"
            "5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
        ),
    )
]
RECORDED_CLIENT_FINISHED = bytes.fromhex(
    "16030300280000000000000000105604c72175f9d903e8a7418aac55d52b60395a30d660b3175dbd05ce5fbdfc"
)
RECORDED_SERVER_FINISHED = bytes.fromhex(
    "1603030028ef5aa2511057b1687c16c4e6760d644abc40fb1a70272454cb520feaff6888982847268beaae5839"
)
RECORDED_CLIENT_DATA = bytes.fromhex(
    "170303001d0000000000000001338f243d17b0b1ba4c33d51ec7f47d4fa9cd018efa"
)
RECORDED_SERVER_DATA = bytes.fromhex(
    "170303001def5aa2511057b169e9b43ac1332d4e8bab3321cea712fbe2680376f612"
)


def pair(
    version: int = TLS12, max_fragment: int = 16384, record_limit: int = 1 << 24
) -> tuple[GcmSealer, GcmOpener]:
    """Return the client's sealer and the server's opener."""
    limits = {"max_fragment": max_fragment, "record_limit": record_limit}
    sealer, _ = MASTER.gcm_protection(CLIENT, SERVER, version, is_client=True, **limits)
    _, opener = MASTER.gcm_protection(CLIENT, SERVER, version, is_client=False, **limits)
    return sealer, opener


def test_the_recorded_session_opens_from_its_premaster_secret() -> None:
    transcript = b"".join(RECORDED_HANDSHAKE)
    master = MasterSecret.derive_extended(RECORDED_PREMASTER, sm3(transcript).digest())
    assert master.to_bytes() == RECORDED_MASTER
    randoms = (RECORDED_CLIENT_RANDOM, RECORDED_SERVER_RANDOM)
    _, from_client = master.gcm_protection(*randoms, TLS12, is_client=False)
    _, from_server = master.gcm_protection(*randoms, TLS12, is_client=True)

    finished = from_client.open(RECORDED_CLIENT_FINISHED)
    expected = master.verify_data(b"client finished", sm3(transcript).digest())
    assert finished == b"\x14\0\0\x0c" + expected

    expected = master.verify_data(b"server finished", sm3(transcript + finished).digest())
    assert from_server.open(RECORDED_SERVER_FINISHED) == b"\x14\0\0\x0c" + expected

    assert from_client.open(RECORDED_CLIENT_DATA) == b"ping\n"
    assert from_server.open(RECORDED_SERVER_DATA) == b"gnip\n"
    assert (from_client.sequence, from_server.sequence) == (2, 2)


def test_our_sealer_makes_the_very_records_that_were_recorded() -> None:
    master = MasterSecret.from_bytes(RECORDED_MASTER)
    randoms = (RECORDED_CLIENT_RANDOM, RECORDED_SERVER_RANDOM)
    sealer, _ = master.gcm_protection(*randoms, TLS12, is_client=True)
    transcript = b"".join(RECORDED_HANDSHAKE)
    proof = master.verify_data(b"client finished", sm3(transcript).digest())
    assert sealer.seal(HANDSHAKE, b"\x14\0\0\x0c" + proof) == RECORDED_CLIENT_FINISHED
    assert sealer.seal(APPLICATION_DATA, b"ping\n") == RECORDED_CLIENT_DATA


def test_verify_data_of_an_empty_transcript() -> None:
    """Self-made, by a second implementation of the same formula."""
    empty = sm3(b"").digest()
    assert MASTER.verify_data(b"client finished", empty).hex() == "4e495b41f4d3420ec1471a6d"
    assert MASTER.verify_data(b"server finished", empty).hex() == "1ab99f3458b2ca12ebc43ce4"
    assert MASTER.prf(b"client finished", empty, 12).hex() == "4e495b41f4d3420ec1471a6d"


@pytest.mark.parametrize("version", [TLS12, TLCP])
def test_a_record_is_header_explicit_nonce_ciphertext_and_tag(version: int) -> None:
    """covers: RFC 5288, 3; GB/T 38636-2020"""
    block = MASTER.prf(b"key expansion", SERVER + CLIENT, 40)
    sealer, _ = pair(version)
    sealer.seal(HANDSHAKE, b"first")
    record = sealer.seal(APPLICATION_DATA, b"42 kWh")
    sequence = (1).to_bytes(8, "big")
    header = bytes([APPLICATION_DATA]) + version.to_bytes(2, "big")
    aad = sequence + header + (6).to_bytes(2, "big")
    sealed = SM4GCM(block[:16]).encrypt(block[32:36] + sequence, b"42 kWh", aad)
    assert record == header + (8 + len(sealed)).to_bytes(2, "big") + sequence + sealed


def test_both_sides_understand_each_other_and_only_the_other_side() -> None:
    own, opens = MASTER.gcm_protection(CLIENT, SERVER, TLS12, is_client=False)
    peer_seals, peer_opens = MASTER.gcm_protection(CLIENT, SERVER, TLS12, is_client=True)
    assert peer_opens.open(own.seal(APPLICATION_DATA, b"down")) == b"down"
    assert opens.open(peer_seals.seal(APPLICATION_DATA, bytearray(b"up"))) == b"up"
    with pytest.raises(InvalidTag):
        opens.open(own.seal(APPLICATION_DATA, b"an echo"))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=300), fragment=st.integers(1, 120))
def test_data_is_cut_into_fragments(data: bytes, fragment: int) -> None:
    sealer, opener = pair(max_fragment=fragment)
    joined = sealer.seal(APPLICATION_DATA, data)
    count = max(1, -(-len(data) // fragment))
    assert len(joined) == len(data) + count * OVERHEAD
    assert sealer.sequence == count
    size = fragment + OVERHEAD
    records = [joined[start : start + size] for start in range(0, len(joined), size)]
    assert b"".join(opener.open(memoryview(record)) for record in records) == data


def test_the_longest_fragment_opens_and_a_longer_one_does_not() -> None:
    sealer, opener = pair()
    records = sealer.seal(APPLICATION_DATA, bytes(16384 + 1))
    assert opener.open(records[: 16384 + OVERHEAD]) == bytes(16384)
    assert opener.open(records[16384 + OVERHEAD :]) == bytes(1)
    longer, _ = pair(max_fragment=11)
    _, strict = pair(max_fragment=10)
    with pytest.raises(UsageError, match="longer"):
        strict.open(longer.seal(APPLICATION_DATA, bytes(11)))
    with pytest.raises(InvalidTag):
        strict.open(pair()[0].seal(APPLICATION_DATA, b"good"))
    for fragment in (0, 16385):
        with pytest.raises(UsageError, match="1 to 16384"):
            pair(max_fragment=fragment)


def test_every_flipped_bit_kills_the_opener() -> None:
    record = pair()[0].seal(APPLICATION_DATA, b"42 kWh")
    for bit in range(8 * len(record)):
        _, opener = pair()
        altered = bytearray(record)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            opener.open(altered)
        with pytest.raises(InvalidTag):
            opener.open(record)
        assert opener.sequence == 0


def test_cut_joined_replayed_and_reordered_records_are_refused() -> None:
    sealer, _ = pair()
    first, second = (sealer.seal(APPLICATION_DATA, data) for data in (b"first", b"second"))
    wrong = [first[:length] for length in range(len(first))]
    wrong += [first + b"\0", first + second, second]
    for record in wrong:
        _, opener = pair()
        with pytest.raises(InvalidTag):
            opener.open(record)
    _, opener = pair()
    assert opener.open(first) == b"first"
    with pytest.raises(InvalidTag):
        opener.open(first)


def test_any_explicit_nonce_opens() -> None:
    """GmSSL 2 starts at a random value (seen in the recorded session)."""
    block = MASTER.prf(b"key expansion", SERVER + CLIENT, 40)
    explicit = b"\xff" * 8
    aad = bytes(8) + b"\x17\x03\x03\x00\x02"
    body = explicit + SM4GCM(block[:16]).encrypt(block[32:36] + explicit, b"ok", aad)
    assert pair()[1].open(b"\x17\x03\x03" + len(body).to_bytes(2, "big") + body) == b"ok"


def test_a_key_seals_no_more_than_it_may() -> None:
    sealer, opener = pair(max_fragment=4, record_limit=3)
    with pytest.raises(KeyExhausted):
        sealer.seal(APPLICATION_DATA, bytes(13))
    assert sealer.sequence == 0
    sealer.seal(APPLICATION_DATA, bytes(12))
    with pytest.raises(KeyExhausted):
        sealer.seal(APPLICATION_DATA, b"")
    assert opener.sequence == 0


def test_secrets_are_neither_printed_nor_pickled_nor_copied() -> None:
    for thing in (MASTER, *pair()):
        assert MASTER.to_bytes().hex()[:16] not in repr(thing)
        for refuse in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                refuse(thing)


def test_wrong_lengths_are_named() -> None:
    with pytest.raises(UsageError, match="client_random: expected 32 bytes, received 31"):
        MasterSecret.derive(bytes(48), bytes(31), bytes(32))
    with pytest.raises(UsageError, match="server_random: expected 32 bytes, received 33"):
        MASTER.gcm_protection(CLIENT, bytes(33), TLS12, is_client=True)
    with pytest.raises(UsageError, match="session_hash: expected 32 bytes, received 0"):
        MasterSecret.derive_extended(bytes(48), b"")
    with pytest.raises(UsageError, match="master secret: expected 48 bytes, received 47"):
        MasterSecret.from_bytes(bytes(47))


@pytest.mark.parametrize("version", [TLS12, TLCP])
def test_a_run_takes_whole_records_of_data_and_leaves_the_rest(version: int) -> None:
    sealer, _ = MASTER.gcm_protection(CLIENT, SERVER, version, True)
    _, opener = MASTER.gcm_protection(CLIENT, SERVER, version, False)
    first, second = sealer.seal(APPLICATION_DATA, b"a" * 20_000), sealer.seal(HANDSHAKE, b"b")
    stream = b"xx" + first + second + first
    assert opener.open_run(stream, 2) == (b"a" * 20_000, 2 + len(first))
    assert opener.open_run(stream, 2 + len(first)) == (b"", 2 + len(first))
    assert opener.open(second) == b"b"
    assert opener.open_run(stream, 2 + len(first + second)) == (b"", 2 + len(first + second))
    assert opener.open_run(first, len(first)) == (b"", len(first))
    with pytest.raises(UsageError, match="start"):
        opener.open_run(first, len(first) + 1)

"""Records: no nonce twice, no bit that may change, no padding that is told from a wrong MAC."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from meterseal.crypto import sm3
from meterseal.crypto.record import MasterSecret
from meterseal.crypto.sm4 import cbc_encrypt
from meterseal.crypto.tls13 import KeySchedule
from meterseal.errors import (
    AlertDescription,
    BadRecord,
    InvalidTag,
    KeyExhausted,
    PeerError,
    UnexpectedMessage,
    UsageError,
)
from meterseal.lab.attack.oracle_padding import PADDINGS, padded
from meterseal.lab.attack.wire import records
from meterseal.transport import TLS13_SUITES
from support.tlcp import ECC, ECC_CBC, tlcp_client, tlcp_server
from support.tls13 import client13, link13
from support.wire import Link, link

if TYPE_CHECKING:
    from collections.abc import Callable

ENDS: dict[str, Callable[[], Link]] = {
    "tls12": link,
    "tls13": link13,
    "tlcp": lambda: link(tlcp_client(ECC), tlcp_server()),
    "tlcp cbc": lambda: link(tlcp_client(ECC_CBC), tlcp_server()),
}
DATA, TLS12, TLCP = 23, 0x0303, 0x0101
CLIENT, SERVER = b"\x11" * 32, b"\x22" * 32
MASTER = MasterSecret.derive(bytes(range(48)), CLIENT, SERVER)


# --- nonces --------------------------------------------------------------------------------


def explicit_nonces(both: Link, count: int) -> list[bytes]:
    """Those of the handshake's own protected record and of `count` records of data."""
    finished = both.seen["client"][-1]
    both.client.send_data(b"")
    nonces = [finished[5:13], both.client.data_to_send()[5:13]]
    for size in range(1, count):
        both.client.send_data(b"x" * (size % 3))
        nonces.append(both.client.data_to_send()[5:13])
    return nonces


@pytest.mark.parametrize("protocol", ["tls12", "tlcp"])
@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_explicit_nonces_of_gcm_never_repeat(count: int, protocol: str) -> None:
    """The nonces of some stacks were random or began again: "nonce-disrespecting adversaries"."""
    both = link() if protocol == "tls12" else link(tlcp_client(ECC), tlcp_server())
    numbers = [int.from_bytes(nonce) for nonce in explicit_nonces(both, count)]
    assert numbers == list(range(count + 1))


def test_one_call_that_makes_many_records_repeats_no_nonce() -> None:
    both = link()
    both.client.send_data(bytes(200 * 16_384 + 1))
    made = list(records(both.client.data_to_send()))
    assert len({record[5:13] for record in made}) == len(made) == 201


def test_a_refused_call_uses_no_nonce_and_a_used_up_key_seals_nothing() -> None:
    sealer, _ = MASTER.gcm_protection(
        CLIENT, SERVER, TLS12, is_client=True, max_fragment=10, record_limit=3
    )
    made = sealer.seal(DATA, b"1")
    with pytest.raises(KeyExhausted):
        sealer.seal(DATA, bytes(21))  # three records where two are left
    made += sealer.seal(DATA, bytes(20))
    assert [int.from_bytes(record[5:13]) for record in records(made)] == [0, 1, 2]
    for _ in range(3):
        with pytest.raises(KeyExhausted):
            sealer.seal(DATA, b"")


def test_a_connection_whose_key_is_used_up_falls_silent() -> None:
    """Not even the alert may go out: its nonce would be one too many."""
    both = link()
    both.client._driver._channel.seal_with(
        MASTER.gcm_protection(CLIENT, SERVER, TLS12, is_client=True, record_limit=1)[0]
    )
    both.client.send_data(b"last")
    assert both.client.data_to_send()
    with pytest.raises(KeyExhausted):
        both.client.send_data(b"one more")
    assert both.client.data_to_send() == b""


@pytest.mark.parametrize("suite", TLS13_SUITES, ids=lambda suite: suite.name)
def test_tls13_changes_its_key_before_the_nonces_end(suite: object) -> None:
    both = link13(client13(suites=(suite,)))
    sealer = both.client._driver._channel._tls13_sealer
    assert sealer is not None
    sealer.limit_records(5)  # type: ignore[attr-defined]
    for _ in range(20):
        both.client.send_data(b"1 kWh")
        both.server.receive_data(both.client.data_to_send())
        assert both.server.read() == b"1 kWh"
    assert sealer.sequence <= 5  # type: ignore[attr-defined]


def test_vectors_of_cbc_are_fresh_and_no_chain() -> None:
    """BEAST: the vector of one record must not be known before its data is."""
    both = link(tlcp_client(ECC_CBC), tlcp_server())
    made: list[bytes] = []
    for _ in range(2000):
        both.client.send_data(b"one and the same reading")
        made += records(both.client.data_to_send())
    assert len({record[5:21] for record in made}) == 2000
    assert all(record[-16:] != following[5:21] for record, following in pairwise(made))
    assert len({record[21:] for record in made}) == 2000


def test_equal_data_is_never_sealed_alike() -> None:
    for both in (link(), link13(), link(tlcp_client(ECC), tlcp_server())):
        both.client.send_data(b"0 kWh")
        once = both.client.data_to_send()
        both.client.send_data(b"0 kWh")
        assert once[13:] != both.client.data_to_send()[13:]


# --- every bit -----------------------------------------------------------------------------


def classic(kind: str, version: int) -> tuple[bytes, Callable[[], Callable[[bytes], object]]]:
    def derive(*, is_client: bool) -> tuple[object, object]:
        make = MASTER.gcm_protection if kind == "gcm" else MASTER.cbc_protection
        return make(CLIENT, SERVER, version, is_client=is_client)

    sealer, _ = derive(is_client=True)
    return sealer.seal(DATA, b"42 kWh"), lambda: derive(is_client=False)[1].open  # type: ignore[attr-defined]


def modern(protection: str) -> tuple[bytes, Callable[[], Callable[[bytes], object]]]:
    def derive(*, is_client: bool) -> tuple[object, object]:
        return KeySchedule(protection).handshake_protection(bytes(32), bytes(32), is_client)

    sealer, _ = derive(is_client=True)
    return sealer.seal(DATA, b"42 kWh"), lambda: derive(is_client=False)[1].open  # type: ignore[attr-defined]


PROTECTIONS = {
    "TLS 1.2 GCM": lambda: classic("gcm", TLS12),
    "TLCP GCM": lambda: classic("gcm", TLCP),
    "TLCP CBC": lambda: classic("cbc", TLCP),
    "TLS 1.2 CBC": lambda: classic("cbc", TLS12),
    "TLS 1.3 GCM": lambda: modern("sm4-gcm"),
    "TLS 1.3 CCM": lambda: modern("sm4-ccm"),
}


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_every_flipped_bit_of_a_record_is_refused(protection: str) -> None:
    record, opener = PROTECTIONS[protection]()
    opener()(record)
    for bit in range(8 * len(record)):
        altered = bytearray(record)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            opener()(bytes(altered))


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_every_truncation_and_extension_of_a_record_is_refused(protection: str) -> None:
    record, opener = PROTECTIONS[protection]()
    for length in range(5, len(record)):
        cut = record[:3] + (length - 5).to_bytes(2, "big") + record[5:length]
        with pytest.raises(InvalidTag):
            opener()(cut)
    for extra in (b"\0", bytes(16), record[5:]):
        longer = record[5:] + extra
        with pytest.raises((InvalidTag, UsageError)):
            opener()(record[:3] + len(longer).to_bytes(2, "big") + longer)


@pytest.mark.parametrize("protocol", ENDS)
def test_every_flipped_bit_of_a_record_ends_the_connection_or_its_wait(protocol: str) -> None:
    """Through a whole connection: no altered record gives data. A longer length is waited for."""
    length = 0
    bit = -1
    while bit < 8 * length:
        bit += 1 if bit < 40 else 5  # every bit of the header, and of the rest one in each place
        both = ENDS[protocol]()
        both.client.send_data(b"42 kWh")
        record = bytearray(both.client.data_to_send())
        length = len(record)
        at = min(bit, 8 * length - 1)
        record[at // 8] ^= 1 << at % 8
        with contextlib.suppress(PeerError):
            both.server.receive_data(bytes(record))
        assert both.server.read() == b"", at


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
@pytest.mark.parametrize("protocol", ENDS)
def test_empty_records_without_end_are_refused(protocol: str, together: bool) -> None:
    """Each costs us a decryption and brings nothing."""
    both = ENDS[protocol]()
    for _ in range(33):
        both.client.send_data(b"")
    stream = both.client.data_to_send()
    *before, last = [stream] if together else records(stream)
    for part in before:
        both.server.receive_data(part)
    with pytest.raises(UnexpectedMessage, match="more than 32 empty"):
        both.server.receive_data(last)


# --- padding -------------------------------------------------------------------------------


def cbc_record(
    plain: Callable[[bytes, bytes], bytes], content: bytes = b"42 kWh"
) -> tuple[bytes, Callable[[bytes], object]]:
    """A record of TLCP's CBC whose plaintext a test writes itself, and who opens it.

    `plain` is given the content and its right MAC.
    """
    block = MASTER.prf(b"key expansion", SERVER + CLIENT, 128)
    mac_key, key = block[:32], block[64:80]
    header = bytes((DATA,)) + TLCP.to_bytes(2, "big")
    mac = sm3.hmac(mac_key, bytes(8) + header + len(content).to_bytes(2, "big") + content)
    body = bytes(16) + cbc_encrypt(key, bytes(16), plain(content, mac), padding=False)
    _, opener = MASTER.cbc_protection(CLIENT, SERVER, TLCP, is_client=False)
    return header + len(body).to_bytes(2, "big") + body, opener.open


def test_the_control_record_opens() -> None:
    for more in (0, 1, 14):
        record, opener = cbc_record(lambda data, mac, m=more: padded(data + mac, more=m))
        assert opener(record) == b"42 kWh"


@pytest.mark.parametrize("padding", PADDINGS)
def test_every_wrong_padding_looks_like_a_wrong_mac(padding: str) -> None:
    """Vaudenay, POODLE, Lucky 13: one error, in one sentence; the time is memcheck's business."""
    record, opener = cbc_record(PADDINGS[padding])
    with pytest.raises(InvalidTag) as caught:
        opener(record)
    wrong, other = cbc_record(PADDINGS["MAC wrong, padding right"])
    with pytest.raises(InvalidTag) as expected:
        other(wrong)
    assert str(caught.value) == str(expected.value)
    both = link(tlcp_client(ECC_CBC), tlcp_server())
    with pytest.raises(BadRecord) as told:
        both.server.receive_data(record)
    assert told.value.description is AlertDescription.BAD_RECORD_MAC
    assert str(told.value) == "a record does not open"

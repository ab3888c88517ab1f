"""Both ends refuse what they must, each with the right alert and a clear sentence.

Every case runs against the honest handshake of `test_handshake.py`: the same two ends, one thing
changed.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from meterseal.crypto import sm2
from meterseal.errors import (
    AlertDescription,
    AlertReceived,
    BadRecord,
    CertificateRejected,
    HandshakeProofFailed,
    MeterSealError,
    PeerError,
    RejectionReason,
)
from meterseal.lab.attack.liar import Liar
from meterseal.lab.attack.wire import records
from meterseal.transport import ClientAuthentication, Connection, Credential
from meterseal.x509 import TrustStore
from support.identities import DAY, NOW, credential, world
from support.wire import Link, client_config, link, server_config

if TYPE_CHECKING:
    from meterseal.transport import ServerConfig

A = AlertDescription


def refused(pair: Link, by: str, alert: AlertDescription) -> MeterSealError:
    """The error of the refusing end; the other end was told why, and neither is established."""
    error = pair.errors[by]
    assert isinstance(error, PeerError), error
    assert error.description == alert
    other = pair.errors["client" if by == "server" else "server"]
    assert isinstance(other, AlertReceived | BadRecord), other
    if isinstance(other, AlertReceived):
        assert other.code == alert
    return error


def rejected(server: ServerConfig, reason: RejectionReason, alert: AlertDescription) -> str:
    error = refused(link(server=server), "client", alert)
    assert isinstance(error, CertificateRejected)
    assert error.reason is reason
    return str(error)


# --- identities --------------------------------------------------------------------------


def test_refuses_an_untrusted_server() -> None:
    w = world()
    fake = credential(w.stranger, w.stranger_key, "station", host="station.example")
    rejected(server_config(credential=fake), RejectionReason.UNKNOWN_ISSUER, A.UNKNOWN_CA)


@pytest.mark.parametrize(
    ("not_before", "reason"),
    [
        (NOW - timedelta(days=40), RejectionReason.EXPIRED),
        (NOW + DAY, RejectionReason.NOT_YET_VALID),
    ],
)
def test_refuses_a_server_out_of_its_validity(not_before, reason: RejectionReason) -> None:  # noqa: ANN001
    w = world()
    old = credential(
        w.root, w.root_key, "station", host="station.example", not_before=not_before, days=30
    )
    rejected(server_config(credential=old), reason, A.CERTIFICATE_EXPIRED)


def test_refuses_a_server_of_another_name() -> None:
    pair = link(server_name="other.example")
    error = refused(pair, "client", A.BAD_CERTIFICATE)
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.WRONG_NAME


def test_refuses_a_client_certificate_as_a_server() -> None:
    w = world()
    wrong = credential(w.root, w.root_key, "s", host="station.example", profile="client")
    rejected(
        server_config(credential=wrong),
        RejectionReason.WRONG_EXTENDED_KEY_USAGE,
        A.UNSUPPORTED_CERTIFICATE,
    )


def test_refuses_an_encryption_certificate_for_signing() -> None:
    w = world()
    wrong = credential(w.root, w.root_key, "s", host="station.example", profile="encryption")
    rejected(
        server_config(credential=wrong), RejectionReason.WRONG_KEY_USAGE, A.UNSUPPORTED_CERTIFICATE
    )


def mutual(**changes: object) -> ServerConfig:
    return server_config(
        **{
            "trust": world().trust,
            "client_authentication": ClientAuthentication.REQUIRED,
            **changes,
        }
    )


def test_refuses_a_client_without_a_certificate() -> None:
    error = refused(link(server=mutual()), "server", A.HANDSHAKE_FAILURE)
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.MISSING


def test_refuses_an_untrusted_client() -> None:
    w = world()
    fake = credential(w.stranger, w.stranger_key, "meter-1", profile="client")
    pair = link(client_config(credential=fake), mutual())
    refused(pair, "server", A.UNKNOWN_CA)


def stolen(owner: Credential) -> Credential:
    """Somebody's certificate without its key."""
    assert isinstance(owner.key, sm2.PrivateKey)
    return Credential(owner.chain, Liar(owner.key, key=sm2.PrivateKey.generate()))


def test_refuses_a_server_without_the_key_of_its_certificate() -> None:
    pair = link(server=server_config(credential=stolen(world().server)))
    error = refused(pair, "client", A.DECRYPT_ERROR)
    assert "ServerKeyExchange" in str(error)


def test_refuses_a_client_without_the_key_of_its_certificate() -> None:
    pair = link(client_config(credential=stolen(world().client)), mutual())
    error = refused(pair, "server", A.DECRYPT_ERROR)
    assert "CertificateVerify" in str(error)


def test_refuses_everyone_without_trusted_roots() -> None:
    pair = link(client_config(trust=TrustStore([])))
    refused(pair, "client", A.UNKNOWN_CA)


# --- negotiation -------------------------------------------------------------------------


def hello(**changes: bytes) -> bytes:
    """A ClientHello record written by hand; every part can be replaced."""
    part = {
        "version": b"\x03\x03",
        "random": bytes(range(32)),
        "session": b"\x00",
        "suites": b"\x00\x02\xe1\x07",
        "compression": b"\x01\x00",
        "groups": bytes.fromhex("000a 0004 0002 001e"),
        "formats": bytes.fromhex("000b 0002 01 00"),
        "schemes": bytes.fromhex("000d 0004 0002 0707"),
        "more": b"",
        **changes,
    }
    block = part["groups"] + part["formats"] + part["schemes"] + part["more"]
    body = b"".join(part[n] for n in ("version", "random", "session", "suites", "compression"))
    body += len(block).to_bytes(2, "big") + block if block else b""
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


def test_the_hand_written_hello_is_answered() -> None:
    server = Connection.server(server_config())
    server.receive_data(hello())
    kinds = [record[5] for record in records(server.data_to_send())]
    assert kinds == [2, 11, 12, 14]


BAD_HELLOS = {
    "no common suite": (hello(suites=b"\x00\x02\xc0\x2b"), A.HANDSHAKE_FAILURE),
    "no suite at all": (hello(suites=b"\x00\x00"), A.DECODE_ERROR),
    "odd suite list": (hello(suites=b"\x00\x03\xe1\x07\x00"), A.DECODE_ERROR),
    "old version": (hello(version=b"\x03\x02"), A.PROTOCOL_VERSION),
    "only TLS 1.3": (hello(more=bytes.fromhex("002b 0003 02 0304")), A.PROTOCOL_VERSION),
    "no null compression": (hello(compression=b"\x01\x01"), A.ILLEGAL_PARAMETER),
    "no compression": (hello(compression=b"\x00"), A.DECODE_ERROR),
    "no SM2 group": (hello(groups=bytes.fromhex("000a 0004 0002 0017")), A.HANDSHAKE_FAILURE),
    "empty groups": (hello(groups=bytes.fromhex("000a 0002 0000")), A.DECODE_ERROR),
    "no SM2 scheme": (hello(schemes=bytes.fromhex("000d 0004 0002 0403")), A.HANDSHAKE_FAILURE),
    "schemes missing": (hello(schemes=b""), A.HANDSHAKE_FAILURE),
    "no uncompressed": (hello(formats=bytes.fromhex("000b 0002 01 01")), A.ILLEGAL_PARAMETER),
    "twice": (hello(more=bytes.fromhex("000b 0002 01 00")), A.ILLEGAL_PARAMETER),
    "renegotiating": (hello(more=bytes.fromhex("ff01 0002 01 aa")), A.HANDSHAKE_FAILURE),
    "EMS with a body": (hello(more=bytes.fromhex("0017 0001 00")), A.DECODE_ERROR),
    "long session id": (hello(session=b"\x21" + bytes(33)), A.DECODE_ERROR),
    "server name empty": (hello(more=bytes.fromhex("0000 0002 0000")), A.DECODE_ERROR),
    "bytes left over": (hello(more=b"\x00"), A.DECODE_ERROR),
}


@pytest.mark.parametrize("case", BAD_HELLOS)
def test_refuses_a_bad_client_hello(case: str) -> None:
    data, alert = BAD_HELLOS[case]
    server = Connection.server(server_config())
    with pytest.raises(PeerError) as caught:
        server.receive_data(data)
    assert caught.value.description == alert
    assert server.data_to_send().endswith(bytes((2, alert)))


def test_a_hello_without_extended_master_secret_is_served_unless_forbidden() -> None:
    server = Connection.server(server_config(require_extended_master_secret=True))
    with pytest.raises(PeerError, match="extended master secret"):
        server.receive_data(hello())


def change_server_hello(old: bytes, new: bytes):  # noqa: ANN201
    def change(sender: str, number: int, record: bytes) -> bytes:
        if sender == "server" and number == 0:
            assert old in record
            return record.replace(old, new, 1)
        return record

    return change


@pytest.mark.parametrize(
    ("old", "new", "alert"),
    [
        (b"\xe1\x07\x00", b"\xc0\x2b\x00", A.ILLEGAL_PARAMETER),  # a suite that was not offered
        (b"\xe1\x07\x00", b"\xe1\x07\x01", A.ILLEGAL_PARAMETER),  # compression
        (b"\x02\x00\x00", b"\x02\x01\x00", A.RECORD_OVERFLOW),  # a message beyond the limit
        (b"\xff\x01\x00\x01\x00", b"\x00\x10\x00\x01\x00", A.UNSUPPORTED_EXTENSION),
        (b"\x00\x17\x00\x00", b"\x00\x23\x00\x00", A.DECRYPT_ERROR),  # EMS cut out: no ticket comes
    ],
)
def test_refuses_an_altered_server_hello(old: bytes, new: bytes, alert: AlertDescription) -> None:
    pair = link(change=change_server_hello(old, new))
    assert not pair.client.is_established
    assert not pair.server.is_established
    error = pair.errors.get("client") or pair.errors["server"]
    if isinstance(error, AlertReceived):
        error = pair.errors["server"]
    assert isinstance(error, PeerError)
    if alert is not A.DECRYPT_ERROR:
        assert error.description == alert


# --- every message, every record ----------------------------------------------------------


def full_mutual(change) -> Link:  # noqa: ANN001
    return link(client_config(credential=world().client), mutual(), change=change)


HONEST = full_mutual(lambda _sender, _number, record: record)
POSITIONS = [
    (sender, number) for sender, seen in HONEST.seen.items() for number in range(len(seen))
]


@pytest.mark.parametrize(("sender", "number"), POSITIONS)
def test_refuses_any_changed_byte_of_any_handshake_record(sender: str, number: int) -> None:
    length = len(HONEST.seen[sender][number])
    for position in {0, 2, 4, 5, 6, 8, 9, length // 3, length // 2, 2 * length // 3, length - 1}:
        if position >= length or (number, position) == (0, 2):
            continue  # the version of the first record means nothing (RFC 5246, appendix E.1)

        def change(s: str, n: int, record: bytes, position: int = position) -> bytes:
            if (s, n) != (sender, number):
                return record
            changed = bytearray(record)
            changed[min(position, len(record) - 1)] ^= 1  # signatures vary in length
            return bytes(changed)

        pair = full_mutual(change)
        done = pair.client.is_established and pair.server.is_established
        assert not done or pair.errors, (sender, number, position)
        assert all(isinstance(error, MeterSealError) for error in pair.errors.values())


@pytest.mark.parametrize(("sender", "number"), POSITIONS)
def test_refuses_a_missing_a_doubled_and_an_empty_record(sender: str, number: int) -> None:
    for treatment in (
        lambda _record: b"",
        lambda record: record + record,
        lambda record: record[:3] + b"\x00\x00",
    ):
        pair = full_mutual(
            lambda s, n, record, t=treatment: t(record) if (s, n) == (sender, number) else record
        )
        both = pair.client.is_established and pair.server.is_established
        assert not both or pair.errors


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5])  # 4 and 5 belong to different flights
def test_refuses_two_records_in_the_wrong_order(number: int) -> None:
    held: list[bytes] = []

    def swap(sender: str, n: int, record: bytes) -> bytes:
        if sender == "server" and n == number:
            held.append(record)
            return b""
        if sender == "server" and n == number + 1:
            return record + held.pop()
        return record

    pair = full_mutual(swap)
    assert pair.errors
    assert not (pair.client.is_established and pair.server.is_established)


def test_refuses_a_swapped_ephemeral_key() -> None:
    attacker = sm2.PrivateKey.generate().public_key().to_bytes()

    def swap(sender: str, _number: int, record: bytes) -> bytes:
        if sender == "server" and record[5] == 12:
            return record[:13] + attacker + record[13 + 65 :]
        return record

    error = refused(link(change=swap), "client", A.DECRYPT_ERROR)
    assert isinstance(error, HandshakeProofFailed)


@pytest.mark.parametrize(
    "point",
    [
        bytes.fromhex("04") + bytes(64),
        bytes.fromhex("04") + bytes(63) + b"\x01",
        bytes.fromhex("06") + bytes(range(64)),
        bytes.fromhex("04") + b"\xff" * 64,
    ],
    ids=["zero", "off the curve", "hybrid", "beyond the prime"],
)
def test_refuses_a_client_value_off_the_curve(point: bytes) -> None:
    def swap(sender: str, number: int, record: bytes) -> bytes:
        if sender == "client" and number == 1:
            return record[:10] + point
        return record

    refused(link(change=swap), "server", A.ILLEGAL_PARAMETER)


# --- records after the handshake ----------------------------------------------------------


def test_refuses_every_flipped_bit_of_a_data_record() -> None:
    for bit in range(0, 8 * (5 + 8 + 4 + 16), 7):
        pair = link()
        pair.client.send_data(b"data")
        record = bytearray(pair.client.data_to_send())
        record[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(PeerError):
            pair.server.receive_data(bytes(record))
        assert pair.server.read() == b"", bit


def test_refuses_replayed_reordered_and_dropped_records() -> None:
    pair = link()
    pair.client.send_data(b"one")
    one = pair.client.data_to_send()
    pair.client.send_data(b"two")
    two = pair.client.data_to_send()
    pair.server.receive_data(one)
    with pytest.raises(BadRecord):
        pair.server.receive_data(one)
    for stream in (two + one, two):
        other = link()
        with pytest.raises(BadRecord):
            other.server.receive_data(stream)


def test_one_session_cannot_read_another() -> None:
    first, second = link(), link()
    first.client.send_data(b"x")
    with pytest.raises(BadRecord):
        second.server.receive_data(first.client.data_to_send())
    assert second.server.data_to_send()  # the alert, protected


def test_a_failed_connection_repeats_its_error() -> None:
    pair = link()
    with pytest.raises(PeerError) as first:
        pair.server.receive_data(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(PeerError) as second:
        pair.server.send_data(b"x")
    assert second.value is first.value
    pair.server.close()

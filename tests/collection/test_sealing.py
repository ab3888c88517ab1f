"""The wire format of statements and receipts: what goes in comes out, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterseal.collection.envelope import SM2_WITH_SM3, verify_all
from meterseal.collection.model import (
    EventCode,
    EventRecord,
    MeterAddress,
    Quality,
    Quantity,
    Reading,
    Snapshot,
    Statement,
)
from meterseal.collection.receipts import Entry, Receipt, ReceiptSigner, Verdict, open_receipt
from meterseal.collection.sealing import MAX_SEALED_SIZE, Sealer, digest_of, open_sealed
from meterseal.crypto.sm2 import PrivateKey
from meterseal.errors import InvalidSignature, MalformedData, UsageError
from meterseal.x509 import Certificate, KeyUsage, Name, self_signed

METER = MeterAddress("202611230001")


def certificate_for(key: PrivateKey) -> Certificate:
    return self_signed(
        key,
        Name.parse("/CN=meter-202611230001"),
        not_before=datetime(2026, 11, 23, tzinfo=UTC),
        days=30,
        path_length=None,
        key_usage=KeyUsage.DIGITAL_SIGNATURE,
    )


KEY = PrivateKey.generate()
CERTIFICATE = certificate_for(KEY)
SEALER = Sealer(KEY, CERTIFICATE)

READING = Reading(
    meter=METER,
    epoch=1_763_880_000,
    sequence=7,
    sampled_at=1_763_880_015_000,
    quality=Quality.PARTIAL,
    values={Quantity.VOLTAGE_A: 23010, Quantity.VOLTAGE_B: None, Quantity.ACTIVE_POWER: -12345},
)
EVENT = EventRecord(
    meter=METER,
    epoch=1_763_880_000,
    sequence=8,
    sampled_at=1_763_880_016_000,
    code=EventCode.METER_COVER_OPENED,
    number=27,
    began_at=1_763_880_016_000,
)
SNAPSHOT = Snapshot(
    meter=METER,
    epoch=1_763_880_000,
    sequence=9,
    sampled_at=1_763_880_017_000,
    rate=6400,
    voltage_scale=Decimal("0.02"),
    current_scale=Decimal("0.0005"),
    channels={"U_A": (0, 16000, -16000), "I_A": (-32768, 32767, 1)},
)
statements = st.builds(
    Reading,
    meter=st.from_regex(r"[0-9]{12}", fullmatch=True).map(MeterAddress),
    epoch=st.integers(1, 2**40),
    sequence=st.integers(1, 2**62),
    sampled_at=st.integers(0, 2**45),
    quality=st.sampled_from([Quality.SOUND, Quality.FAILED, Quality.PARTIAL | Quality.ESTIMATED]),
    values=st.dictionaries(
        st.sampled_from(Quantity), st.none() | st.integers(-(2**40), 2**40), max_size=8
    ),
)


@pytest.mark.parametrize("statement", [READING, EVENT, SNAPSHOT])
def test_a_statement_comes_out_as_it_went_in(statement: Statement) -> None:
    sealed = open_sealed(SEALER.seal(statement))
    assert sealed.statement == statement
    assert sealed.envelope.key_id == CERTIFICATE.fingerprint()
    sealed.envelope.verify(CERTIFICATE.public_key())


@settings(max_examples=50, deadline=None)
@given(statements)
def test_every_reading_comes_out_as_it_went_in(statement: Reading) -> None:
    assert open_sealed(SEALER.seal(statement)).statement == statement


def test_many_are_sealed_as_one_is() -> None:
    sealed = [open_sealed(each) for each in SEALER.seal_many([READING, EVENT, SNAPSHOT])]
    assert [each.statement for each in sealed] == [READING, EVENT, SNAPSHOT]
    assert verify_all([(CERTIFICATE.public_key(), each.envelope) for each in sealed]) == [True] * 3


def test_another_key_did_not_sign_it() -> None:
    envelope = open_sealed(SEALER.seal(READING)).envelope
    with pytest.raises(InvalidSignature):
        envelope.verify(PrivateKey.generate().public_key())


def test_every_flipped_bit_is_refused() -> None:
    encoding = SEALER.seal(READING)
    key = CERTIFICATE.public_key()
    for position in range(len(encoding) * 8):
        changed = bytearray(encoding)
        changed[position // 8] ^= 1 << position % 8
        try:
            envelope = open_sealed(bytes(changed)).envelope
        except MalformedData:
            continue
        known = envelope.key_id == CERTIFICATE.fingerprint()
        assert not (known and verify_all([(key, envelope)])[0]), position


def test_no_prefix_and_nothing_longer_is_read() -> None:
    encoding = SEALER.seal(READING)
    for end in range(len(encoding)):
        with pytest.raises(MalformedData):
            open_sealed(encoding[:end])
    with pytest.raises(MalformedData):
        open_sealed(encoding + b"\0")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(MalformedData):
        open_sealed(b"\xd2" + data)
    with pytest.raises(MalformedData):
        open_receipt(b"\xd2" + data)


def remade(**changes: object) -> bytes:
    """The sealed reading with parts replaced, in CBOR as given."""
    protected, _, payload, signature = cbor2.loads(SEALER.seal(READING)[1:])
    parts = {"protected": protected, "unprotected": {}, "payload": payload, "signature": signature}
    return b"\xd2" + cbor2.dumps(list((parts | changes).values()))


def header(*changes: tuple[int, object]) -> bytes:
    fields = {0: 1, 1: int(METER), 2: 1, 3: 1, 4: 0, 5: 0, 6: {}}
    return cbor2.dumps(fields | dict(changes))


@pytest.mark.parametrize(
    ("encoding", "complaint"),
    [
        (b"", "tag 18"),
        (remade()[1:], "tag 18"),
        (remade(unprotected={1: 1}), "headers"),
        (remade(signature=bytes(63)), "64 bytes"),
        (remade(protected=cbor2.dumps({1: -7, 4: bytes(32)})), "algorithm -7"),
        (remade(protected=cbor2.dumps({1: SM2_WITH_SM3})), "nothing else"),
        (remade(protected=cbor2.dumps({1: SM2_WITH_SM3, 4: bytes(31)})), "32 bytes"),
        (remade(payload=cbor2.dumps({1: 1, 0: 1})), "deterministic"),
        (remade(payload=b"\x18\x01"), "deterministic"),
        (remade(payload=b"\xbf\xff"), "indefinite"),
        (remade(payload=b"\xa2\x01\x01\x01\x01"), "not CBOR"),
        (remade(payload=header((6, 1.5))), "deterministic"),
        (remade(payload=header((1, 10**12))), "whole number"),
        (remade(payload=header((3, 0))), "whole number"),
        (remade(payload=header((3, -1))), "whole number"),
        (remade(payload=header((5, 64))), "whole number"),
        (remade(payload=header((0, 9))), "kind 9"),
        (remade(payload=header((6, {1: 1}))), "no quantity"),
        (remade(payload=header((6, {0x11: "230"}))), "no measured value"),
        (remade(payload=header((6, [1]))), "statement"),
        (remade(payload=header((0, 2))), "fields 0 to 5"),
        (remade(payload=header((0, 3))), "fields 0 to 3"),
        (remade(payload=bytes(MAX_SEALED_SIZE)), "are allowed"),
        (remade(payload=7), "no byte string"),
        (remade() + b"\0", "four parts"),
        (remade()[:-1], "within a part"),
        (remade()[:3], "deterministic"),
        (remade()[:2], "no byte string"),
        (b"\xd2\x84\x59\x00\x2a" + remade()[4:], "deterministic"),
    ],
)
def test_what_is_wrong_with_a_statement_is_named(encoding: bytes, complaint: str) -> None:
    with pytest.raises(MalformedData, match=complaint):
        open_sealed(encoding)


def test_a_sealer_wants_the_certificate_of_its_key() -> None:
    with pytest.raises(UsageError, match="another key"):
        Sealer(PrivateKey.generate(), CERTIFICATE)


RECEIPT = Receipt(
    station="station-1",
    collector="collector-1",
    issued_at=1_763_880_016_500,
    entries=(
        Entry(METER, 1_763_880_000, 7, digest_of(SEALER.seal(READING)), Verdict.STORED),
        Entry(METER, 1_763_880_000, 8, bytes(32), Verdict.SIGNATURE),
    ),
)


def test_a_receipt_comes_out_as_it_went_in() -> None:
    receipt, envelope = open_receipt(ReceiptSigner(KEY, CERTIFICATE).sign(RECEIPT))
    assert receipt == RECEIPT
    envelope.verify(CERTIFICATE.public_key())


def test_a_receipt_is_no_statement_and_a_statement_no_receipt() -> None:
    """Even where the forms agreed, the context under the signature differs."""
    signed = ReceiptSigner(KEY, CERTIFICATE).sign(RECEIPT)
    with pytest.raises(MalformedData):
        open_sealed(signed)
    with pytest.raises(MalformedData):
        open_receipt(SEALER.seal(READING))
    _, envelope = open_receipt(signed)
    assert b"meterseal receipt 1" in envelope.message
    assert b"meterseal statement 1" in open_sealed(SEALER.seal(READING)).envelope.message


def test_only_refusals_that_time_may_mend_are_not_final() -> None:
    assert {verdict for verdict in Verdict if not verdict.is_final} == {
        Verdict.TIME,
        Verdict.VALIDITY,
        Verdict.STRANGER,
    }

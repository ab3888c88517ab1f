"""Every verdict, from honest statements with one thing wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from meterseal.collection.model import MeterAddress
from meterseal.collection.receipts import Receipt, Verdict
from meterseal.collection.station.check import Checker, TimeWindow, take_apart
from meterseal.collection.topics import MAX_BUNDLE_SIZE, pack
from meterseal.crypto.sm2 import PrivateKey
from meterseal.x509 import Name, issue_certificate
from support.station import (
    DAY,
    NOW,
    OTHER,
    PLAIN,
    SEALING,
    START,
    Party,
    arrival,
    directory,
    reading,
    registry,
    world,
)

STRANGE_METER = MeterAddress("999999999999")


def verdict(
    encoding: bytes, *, sender: str = "collector-1", checker: Checker | None = None, now: int = NOW
) -> Verdict | None:
    """The refusal's verdict; None if it passes."""
    checker = checker or Checker(directory(), registry())
    accepted, refused = checker.check([arrival(encoding, sender=sender)], now)
    assert len(accepted) + len(refused) == 1
    return refused[0].verdict if refused else None


def seal(party: Party, *, meter: MeterAddress = PLAIN, sequence: int = 1, **changes) -> bytes:  # noqa: ANN003
    return party.sealer.seal(reading(sequence, meter=meter, **changes))


def test_an_honest_statement_passes_with_the_proof_of_its_signer() -> None:
    (accepted,), refused = Checker(directory(), registry()).check(
        [arrival(seal(world().collector))], NOW
    )
    assert not refused
    assert accepted.chain.leaf == world().collector.certificate
    assert accepted.chain.anchor == world().root.certificate


def test_a_meter_that_seals_itself_passes_through_its_collector_and_alone() -> None:
    sealed = seal(world().meter, meter=SEALING)
    assert verdict(sealed) is None
    assert verdict(sealed, sender=f"meter-{SEALING}") is None


@pytest.mark.parametrize("encoding", [b"", b"\x00", b"\xd2\x84", b"{}", b"\xd2" + b"\x9f" * 5000])
def test_what_is_no_sealed_statement_is_refused_for_its_form(encoding: bytes) -> None:
    assert verdict(encoding) is Verdict.FORMAT


def test_a_receipt_is_no_statement() -> None:
    receipt = Receipt(station="station-1", collector="collector-1", issued_at=NOW, entries=())
    assert verdict(world().receipts().sign(receipt)) is Verdict.FORMAT


def test_every_flipped_bit_is_refused() -> None:
    sealed = seal(world().collector)
    checker = Checker(directory(), registry())
    flipped = []
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        flipped.append(arrival(bytes(changed)))
    accepted, refused = checker.check(flipped, NOW)
    assert not accepted
    assert len(refused) == len(flipped)
    assert {each.verdict for each in refused} >= {Verdict.FORMAT, Verdict.SIGNATURE}
    assert checker.check([arrival(sealed)], NOW)[0], "the harness itself is honest"


def test_one_forgery_among_many_is_the_only_one_refused() -> None:
    good = world().collector.sealer.seal_many([reading(n) for n in range(1, 50)])
    broken = bytearray(good[20])
    broken[-1] ^= 1
    accepted, refused = Checker(directory(), registry()).check(
        [arrival(each) for each in (*good[:20], bytes(broken), *good[21:])], NOW
    )
    assert [each.verdict for each in refused] == [Verdict.SIGNATURE]
    assert len(accepted) == 48


def test_the_signature_of_another_statement_is_refused() -> None:
    one, two = world().collector.sealer.seal_many([reading(1), reading(2)])
    assert verdict(one[:-64] + two[-64:]) is Verdict.SIGNATURE


def test_a_signer_that_nobody_announced_is_a_stranger_and_may_come_again() -> None:
    found = verdict(seal(world().issue("collector-1")))
    assert found is Verdict.STRANGER
    assert not found.is_final


def test_a_signer_of_an_unknown_ca_is_refused() -> None:
    stranger = world().stranger
    known = directory(stranger)
    known._known[stranger.certificate.fingerprint()] = stranger.certificate
    checker = Checker(known, registry())
    assert verdict(seal(stranger), checker=checker) is Verdict.CERTIFICATE


def test_an_encryption_certificate_cannot_sign() -> None:
    party = world().issue("collector-1", profile="encryption")
    checker = Checker(directory(party), registry())
    assert verdict(seal(party), checker=checker) is Verdict.CERTIFICATE


@pytest.mark.parametrize("days", [-400, 10])
def test_a_certificate_out_of_its_time_is_refused_until_the_clock_is_right(days: int) -> None:
    party = world().issue("collector-1", days=30, first=START + timedelta(days=days))
    checker = Checker(directory(party), registry(), TimeWindow(future=1000 * DAY, past=1000 * DAY))
    sealed = seal(party)
    found = verdict(sealed, checker=checker)
    assert found is Verdict.VALIDITY
    assert not found.is_final
    assert verdict(sealed, checker=checker, now=NOW + (days + 15) * DAY) is None


def test_a_revoked_certificate_is_refused_others_are_not() -> None:
    checker = Checker(directory(crls=(world().crl(world().collector),)), registry())
    assert verdict(seal(world().collector), checker=checker) is Verdict.REVOKED
    assert verdict(seal(world().meter, meter=SEALING), checker=checker) is None


def test_a_new_list_is_heeded_at_once() -> None:
    known = directory(crls=(world().crl(),))
    checker = Checker(known, registry())
    sealed = seal(world().collector)
    assert verdict(sealed, checker=checker) is None
    known.reload(world().trust, [world().crl(world().collector)])
    assert verdict(sealed, checker=checker) is Verdict.REVOKED


def test_a_list_that_ran_out_says_nothing_for_sure() -> None:
    checker = Checker(directory(crls=(world().crl(days=30),)), registry())
    sealed = seal(world().collector)
    assert verdict(sealed, checker=checker) is None
    assert verdict(sealed, checker=checker, now=NOW + 40 * DAY) is Verdict.VALIDITY
    assert verdict(sealed, checker=checker, now=NOW) is None


def test_a_registered_meter_cannot_speak_for_another() -> None:
    assert verdict(seal(world().other_meter, meter=SEALING)) is Verdict.METER


def test_a_collector_cannot_invent_readings_of_a_meter_that_seals_itself() -> None:
    assert verdict(seal(world().collector, meter=SEALING)) is Verdict.METER


def test_a_collector_cannot_speak_for_the_meters_of_others() -> None:
    sealed = seal(world().collector_2)
    assert verdict(sealed, sender="collector-2") is Verdict.TOPIC


def test_a_meter_that_does_not_seal_itself_is_not_believed_under_its_own_name() -> None:
    assert verdict(seal(world().other_meter, meter=OTHER)) is Verdict.METER


def test_a_meter_that_is_not_registered_is_refused() -> None:
    assert verdict(seal(world().collector, meter=STRANGE_METER)) is Verdict.METER


def test_a_statement_under_another_name_is_refused() -> None:
    mine = seal(world().collector, meter=OTHER)
    assert verdict(mine, sender="collector-1") is None
    assert verdict(mine, sender="collector-2") is Verdict.TOPIC
    assert verdict(mine, sender=f"meter-{OTHER}") is Verdict.TOPIC


def test_two_common_names_are_none() -> None:
    w = world()
    key = PrivateKey.generate()
    certificate = issue_certificate(
        key.public_key(),
        Name.parse("/CN=meter-202611230001/CN=collector-1"),
        ca_certificate=w.ca.certificate,
        ca_key=w.ca.key,
        not_before=START,
        profile="client",
    )
    party = Party(certificate, key)
    assert verdict(seal(party), checker=Checker(directory(party), registry())) is Verdict.METER


@pytest.mark.parametrize(
    ("sampled_at", "expected"),
    [
        (NOW + 600_000, None),
        (NOW + 600_001, Verdict.TIME),
        (NOW - 400 * DAY, None),
        (NOW - 400 * DAY - 1, Verdict.TIME),
        (4_070_908_800_000, Verdict.TIME),  # the year 2099
    ],
)
def test_time_of_sampling_has_a_window(sampled_at: int, expected: Verdict | None) -> None:
    found = verdict(seal(world().collector, sampled_at=sampled_at))
    assert found is expected
    assert found is None or not found.is_final


def test_a_clock_that_is_a_day_off_refuses_nothing_for_good() -> None:
    sealed = seal(world().collector)
    for leap in (-DAY, DAY, -400 * DAY, 800 * DAY):
        found = verdict(sealed, now=NOW + leap)
        assert found is None or not found.is_final
    assert verdict(sealed) is None


def test_a_bundle_is_taken_apart_and_what_is_none_is_refused_whole() -> None:
    encodings = [seal(world().collector), b"garbage"]
    arrivals, refused = take_apart("collector-1", pack(encodings), NOW)
    assert ([each.encoding for each in arrivals], refused) == (encodings, [])
    for bad in (b"", b"\x82\x01\x02", b"\xff" * 10, b"\x40" * (MAX_BUNDLE_SIZE + 1)):
        arrivals, (refusal,) = take_apart("collector-1", bad, NOW)
        assert (arrivals, refusal.verdict) == ([], Verdict.FORMAT)

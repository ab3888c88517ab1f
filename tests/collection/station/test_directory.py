"""Which certificates a station learns, and how long it trusts its own answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from meterseal.collection.receipts import Verdict
from meterseal.collection.station.directory import Directory, Distrusted
from meterseal.x509 import VerifiedChain, verify
from support.station import DAY, NOW, START, directory, world


def test_learns_what_a_trusted_ca_signed_with_the_ca_in_between() -> None:
    w = world()
    known = Directory(w.trust)
    announced = [w.collector.certificate, w.meter.certificate, w.ca.certificate]
    learnt = known.learn([each.encoding for each in announced], NOW)
    assert set(learnt) == set(announced)
    assert isinstance(known.find(w.collector.certificate.fingerprint(), NOW), VerifiedChain)
    assert known.learn([each.encoding for each in announced], NOW) == []


def test_learns_nothing_of_strangers_and_garbage() -> None:
    w = world()
    known = directory()
    before = len(known)
    assert known.learn([w.stranger.certificate.encoding, b"", b"\x30\x00", b"x" * 9000], NOW) == []
    assert len(known) == before
    found = known.find(w.stranger.certificate.fingerprint(), NOW)
    assert isinstance(found, Distrusted)
    assert found.verdict is Verdict.STRANGER


def test_a_certificate_of_an_announced_but_untrusted_ca_is_not_learnt() -> None:
    w = world()
    known = Directory(w.trust)
    assert known.learn([w.collector.certificate.encoding], NOW) == [], "its CA is not known"


def test_learns_revoked_and_expired_certificates_to_refuse_them_by_name() -> None:
    w = world()
    old = w.issue("collector-1", days=30, first=START - timedelta(days=400))
    known = directory(w.meter, crls=(w.crl(w.collector),))
    learnt = known.learn([p.certificate.encoding for p in (old, w.collector)], NOW)
    assert len(learnt) == 2
    verdicts = [known.find(p.certificate.fingerprint(), NOW) for p in (old, w.collector)]
    assert [each.verdict for each in verdicts if isinstance(each, Distrusted)] == [
        Verdict.VALIDITY,
        Verdict.REVOKED,
    ]


def test_a_chain_is_verified_once_until_time_or_a_reload_may_change_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def counted(*arguments, **options) -> VerifiedChain:  # noqa: ANN002, ANN003
        calls.append(options["at"])
        return verify.verify_chain(*arguments, **options)

    monkeypatch.setattr("meterseal.collection.station.directory.verify_chain", counted)
    w = world()
    name = w.collector.certificate.fingerprint()
    known = directory(crls=(w.crl(days=30),))
    for at in (NOW, NOW + DAY, NOW):
        assert isinstance(known.find(name, at), VerifiedChain)
    assert len(calls) == 1
    assert isinstance(known.find(name, NOW + 40 * DAY), Distrusted), "the list ran out"
    assert len(calls) == 2
    assert isinstance(known.find(name, NOW), VerifiedChain), "a rejection holds in its time only"
    known.reload(w.trust, [])
    assert isinstance(known.find(name, NOW), VerifiedChain)
    assert len(calls) == 4


def test_learning_one_more_signer_leaves_the_others_verified() -> None:
    w = world()
    known = directory(w.collector)
    before = known.find(w.collector.certificate.fingerprint(), NOW)
    assert known.learn([w.meter.certificate.encoding], NOW)
    assert known.find(w.collector.certificate.fingerprint(), NOW) is before


def test_a_ca_that_comes_later_is_heeded_at_once() -> None:
    w = world()
    known = Directory(w.trust)
    known.add([w.collector.certificate])
    name = w.collector.certificate.fingerprint()
    assert isinstance(known.find(name, NOW), Distrusted)
    known.add([w.ca.certificate])
    assert isinstance(known.find(name, NOW), VerifiedChain)


def test_a_rejection_is_not_computed_for_each_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    w = world()
    known = directory(crls=(w.crl(w.collector),))
    name = w.collector.certificate.fingerprint()
    first = known.find(name, NOW)
    monkeypatch.setattr(
        "meterseal.collection.station.directory.verify_chain",
        lambda *_, **__: pytest.fail("verified again"),
    )
    assert known.find(name, NOW + 59_000) is first


def test_a_list_of_tomorrow_is_awaited() -> None:
    """A list that becomes valid later must not be passed over by a remembered answer."""
    w = world()
    known = directory(crls=(w.crl(), w.crl(w.collector, at=START + timedelta(days=3))))
    name = w.collector.certificate.fingerprint()
    assert isinstance(known.find(name, NOW), VerifiedChain)
    found = known.find(name, NOW + 3 * DAY)
    assert isinstance(found, Distrusted)
    assert found.verdict is Verdict.REVOKED

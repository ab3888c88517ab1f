"""What was verified once is not computed again, and nothing that differs passes for it."""

from __future__ import annotations

import contextlib
import inspect
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import CertificateRejected, InvalidSignature, RejectionReason
from meterseal.x509 import (
    Extension,
    KeyRole,
    Limits,
    Purpose,
    RevocationPolicy,
    Strictness,
    TrustStore,
    verify,
    verify_chain,
)
from meterseal.x509.remembered import Remembered
from meterseal.x509.signature import Sm2Scheme
from meterseal.x509.spki import SubjectPublicKeyInfo
from support import pki
from support.crls import crl, line
from support.pki import LAST, NOW

if TYPE_CHECKING:
    from datetime import datetime

    from meterseal.x509 import VerifiedChain

SECOND = timedelta(seconds=1)
NAME = "meter.example.com"
ROOT = pki.root()
CA = pki.intermediate("ca", ROOT)
LEAF = pki.server(CA)
PRESENTED = (LEAF.certificate, CA.certificate)


def named(value: object) -> str:
    return ", ".join(value) if isinstance(value, dict) else str(value)


@pytest.fixture
def store() -> TrustStore:
    return TrustStore([ROOT.certificate])


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When a whole verification ran."""
    ran: list[datetime] = []
    honest = verify._Search.verify

    def counted(search: Any, *arguments: Any) -> Any:  # noqa: ANN401
        ran.append(search.at)
        return honest(search, *arguments)

    monkeypatch.setattr(verify._Search, "verify", counted)
    return ran


def verified(store: TrustStore, **changes: Any) -> VerifiedChain:  # noqa: ANN401
    asked = {"at": NOW, "purpose": Purpose.SERVER, "server_name": NAME, **changes}
    return verify_chain(asked.pop("presented", PRESENTED), store, **asked)


def test_the_same_question_is_answered_once(store: TrustStore, searches: list[datetime]) -> None:
    first = verified(store)
    assert verified(store) is first
    assert verified(store, at=NOW + timedelta(days=1)) is first
    assert verified(store, presented=first.chain) is first
    assert len(searches) == 1


OTHER_QUESTIONS: list[dict[str, Any]] = [
    {"purpose": Purpose.ANY},
    {"server_name": "192.0.2.7"},
    {"server_name": None},
    {"role": KeyRole.SIGNING, "common_name_fallback": True},
    {"revocation": RevocationPolicy.NONE},
    {"crls": (crl(ROOT),)},
    {"limits": Limits(path_length=3)},
    {"scheme": Sm2Scheme()},
    {"presented": (*PRESENTED, pki.root("another").certificate)},
    {"at": NOW - SECOND},
    {"strictness": Strictness.STRICT},
]


@pytest.mark.parametrize("changes", OTHER_QUESTIONS, ids=named)
def test_another_question_is_asked_anew(
    store: TrustStore, searches: list[datetime], changes: dict[str, Any]
) -> None:
    verified(store)
    with contextlib.suppress(CertificateRejected):  # whatever the answer is
        verified(store, **changes)
    assert len(searches) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"purpose": Purpose.CLIENT}, RejectionReason.WRONG_EXTENDED_KEY_USAGE),
        ({"server_name": "other.example.com"}, RejectionReason.WRONG_NAME),
        ({"role": KeyRole.ENCRYPTION}, RejectionReason.WRONG_KEY_USAGE),
        ({"revocation": RevocationPolicy.REQUIRED}, RejectionReason.REVOCATION_UNKNOWN),
        ({"crls": (crl(CA, line(LEAF.certificate.serial_number)),)}, RejectionReason.REVOKED),
        ({"at": LAST + SECOND}, RejectionReason.EXPIRED),
        ({"presented": PRESENTED[:1]}, RejectionReason.UNKNOWN_ISSUER),
    ],
    ids=named,
)
def test_what_has_changed_is_refused_though_the_chain_was_good(
    store: TrustStore, changes: dict[str, Any], reason: RejectionReason
) -> None:
    verified(store)
    for _ in range(2):
        with pytest.raises(CertificateRejected) as refused:
            verified(store, **changes)
        assert refused.value.reason is reason
    verified(store)


def test_there_is_nothing_to_ask_that_is_not_remembered_with_the_answer() -> None:
    """Whoever gives `verify_chain` another argument has to come by here."""
    asked = {name for question in OTHER_QUESTIONS for name in question}
    assert asked | {"trust"} == set(inspect.signature(verify_chain).parameters)


def test_another_store_knows_nothing_of_it(store: TrustStore) -> None:
    verified(store)
    with pytest.raises(CertificateRejected):
        verified(TrustStore([pki.root("stranger").certificate]))


def test_it_holds_to_the_last_second_of_the_first_that_expires(
    store: TrustStore, searches: list[datetime]
) -> None:
    end = NOW + timedelta(hours=1)
    short = pki.intermediate("short", ROOT, last=end)
    presented = (pki.server(short).certificate, short.certificate)
    first = verified(store, presented=presented)
    assert verified(store, presented=presented, at=end) is first
    assert len(searches) == 1
    with pytest.raises(CertificateRejected) as refused:
        verified(store, presented=presented, at=end + SECOND)
    assert refused.value.reason is RejectionReason.EXPIRED


def test_a_list_that_ends_or_begins_is_looked_at_again(
    store: TrustStore, searches: list[datetime]
) -> None:
    begins, ends = NOW + timedelta(hours=1), NOW + timedelta(hours=3)
    good = crl(CA, first=NOW - SECOND, last=ends)
    bad = crl(CA, line(LEAF.certificate.serial_number), first=begins, last=ends)
    first = verified(store, crls=(good,))
    assert verified(store, crls=(good,), at=ends - SECOND) is first
    with pytest.raises(CertificateRejected) as refused:
        verified(store, crls=(good,), at=ends + SECOND)
    assert refused.value.reason is RejectionReason.REVOCATION_UNKNOWN
    both = verified(store, crls=(good, bad))
    searches.clear()
    assert verified(store, crls=(good, bad), at=begins - SECOND) is both
    assert not searches
    with pytest.raises(CertificateRejected) as refused:
        verified(store, crls=(good, bad), at=begins)
    assert refused.value.reason is RejectionReason.REVOKED


def test_a_peer_that_presents_much_is_not_remembered(store: TrustStore) -> None:
    stuffing = pki.root("stuffed", extra=(Extension("1.2.3.4", critical=False, value=bytes(8192)),))
    verified(store, presented=(*PRESENTED, stuffing.certificate))
    assert len(store.remembered) == 0
    verified(store)
    assert len(store.remembered) == 2, "as presented, and with its anchor as sessions keep it"


def test_a_refusal_is_not_remembered(store: TrustStore) -> None:
    with pytest.raises(CertificateRejected):
        verified(store, server_name="other.example.com")
    assert len(store.remembered) == 0


# --- signatures --------------------------------------------------------------------------


def test_a_good_signature_is_computed_once_and_no_other_passes_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheme, computed = Sm2Scheme(), []
    honest = SubjectPublicKeyInfo.public_key

    def public_key(info: SubjectPublicKeyInfo) -> Any:  # noqa: ANN401
        computed.append(info)
        return honest(info)

    monkeypatch.setattr(SubjectPublicKeyInfo, "public_key", public_key)
    spki, signature, tbs = CA.certificate.spki, LEAF.certificate.signature, LEAF.certificate.tbs
    for _ in range(3):
        scheme.verify(spki, signature, tbs)
    assert len(computed) == 1
    altered = signature[:-1] + bytes((signature[-1] ^ 1,))
    for wrong in [
        (ROOT.certificate.spki, signature, tbs),
        (spki, altered, tbs),
        (spki, signature, tbs + b"\0"),
    ]:
        for _ in range(2):
            with pytest.raises(InvalidSignature):
                scheme.verify(*wrong)
    assert len(computed) == 7


def test_a_long_message_is_not_remembered() -> None:
    scheme, key = Sm2Scheme(), pki.key("ca")
    spki = SubjectPublicKeyInfo.of(key.public_key())
    for message in (bytes(4096), bytes(4097)):
        scheme.verify(spki, key.sign(message), message)
    assert len(scheme._good) == 1


def test_the_memory_is_bounded_and_the_oldest_goes_first() -> None:
    memory: Remembered[int, str] = Remembered(2)
    memory.keep(1, "one")
    memory.keep(2, "two")
    memory.keep(3, "three")
    assert (memory.find(1), memory.find(2), memory.find(3)) == (None, "two", "three")
    assert len(memory) == 2


def test_the_key_of_a_peer_that_comes_often_is_prepared_once() -> None:
    scheme, prepared = Sm2Scheme(), []
    spki = SimpleNamespace(
        encoding=b"a key",
        public_key=lambda: SimpleNamespace(prepare=lambda: prepared.append(True)),
    )
    for times in range(1, 20):
        scheme.verifier(spki)
        assert len(prepared) == (times >= 8)

"""Revocation lists: decoded strictly, issued, and believed only when they may be."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.asn1 import der
from meterseal.asn1.times import encode_time
from meterseal.errors import (
    AlertDescription,
    CertificateRejected,
    MalformedData,
    RejectionReason,
    UsageError,
)
from meterseal.x509 import (
    CertificateRevocationList,
    Extension,
    KeyUsage,
    Limits,
    Purpose,
    RevocationPolicy,
    RevocationReason,
    RevokedCertificate,
    TrustStore,
    dump_crls,
    issue_crl,
    load_crls,
    verify_chain,
)
from meterseal.x509.spki import AlgorithmIdentifier
from support.crls import DAY, crl, encoded, line
from support.pki import NOW, Entity, entity, intermediate, key, name, root, server

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = root()
CA = intermediate("issuing", ROOT, serial=77)
LEAF = server(CA, serial=4711)
P = RevocationPolicy
R = RejectionReason


def verify(
    *crls: CertificateRevocationList,
    policy: RevocationPolicy = P.IF_AVAILABLE,
    presented: Sequence[Entity] = (LEAF, CA),
    **options: Any,  # noqa: ANN401
) -> None:
    verify_chain(
        [link.certificate for link in presented],
        TrustStore([ROOT.certificate]),
        **{"at": NOW, "purpose": Purpose.SERVER, "crls": crls, "revocation": policy, **options},
    )


def refused(*crls: CertificateRevocationList, **options: Any) -> CertificateRejected:  # noqa: ANN401
    with pytest.raises(CertificateRejected) as caught:
        verify(*crls, **options)
    return caught.value


# --- what lists say --------------------------------------------------------------------------


def test_a_listed_certificate_is_refused_with_its_own_alert() -> None:
    error = refused(crl(CA, line(1), line(4711), line(2)))
    assert error.reason is R.REVOKED
    assert error.description is AlertDescription.CERTIFICATE_REVOKED
    assert "2026-05-31 12:00:00 UTC, key compromise" in str(error)
    assert "CN = server" in str(error)


def test_a_certificate_that_is_not_listed_is_accepted() -> None:
    verify(crl(CA, line(1), line(4712)), crl(ROOT), policy=P.REQUIRED)
    verify(crl(CA), crl(ROOT, line(4711)), policy=P.REQUIRED)


def test_a_revoked_ca_takes_its_certificates_along() -> None:
    error = refused(crl(ROOT, line(77)), crl(CA))
    assert error.reason is R.REVOKED
    assert "CN = issuing" in str(error)


def test_the_policy_says_which_lists_must_be_there() -> None:
    leaf, ca = crl(CA), crl(ROOT)
    verify(policy=P.NONE)
    verify(policy=P.IF_AVAILABLE)
    verify(leaf, policy=P.REQUIRED_FOR_LEAF)
    verify(leaf, ca, policy=P.REQUIRED)
    for crls, policy in (
        ((), P.REQUIRED_FOR_LEAF),
        ((ca,), P.REQUIRED_FOR_LEAF),
        ((leaf,), P.REQUIRED),
        ((ca,), P.REQUIRED),
    ):
        error = refused(*crls, policy=policy)
        assert error.reason is R.REVOCATION_UNKNOWN
        assert error.description is AlertDescription.CERTIFICATE_UNKNOWN
        assert "no list of its issuer" in str(error)


def test_no_policy_no_question() -> None:
    verify(crl(CA, line(4711)), policy=P.NONE)


def test_the_newest_usable_list_decides() -> None:
    held = crl(CA, line(4711, RevocationReason.CERTIFICATE_HOLD), first=NOW - 2 * DAY, number=1)
    released = crl(CA, number=2)
    for order in ((held, released), (released, held)):
        verify(*order)
    future = crl(CA, first=NOW + timedelta(hours=1), number=3)
    assert refused(held, future).reason is R.REVOKED
    same_moment = crl(CA, line(4711), number=3)
    assert refused(released, same_moment).reason is R.REVOKED


# --- lists that are no use --------------------------------------------------------------------

UNKNOWN = Extension("1.2.3.4", critical=True, value=der.null())


def useless() -> dict[str, tuple[CertificateRevocationList, str]]:
    other = AlgorithmIdentifier("1.2.840.10045.4.3.2")

    def marked(identifier: str, *, critical: bool = True) -> dict[str, object]:
        extension = Extension(identifier, critical=critical, value=der.sequence())
        return {"extra": (extension,)}

    def of_line(extension: Extension) -> CertificateRevocationList:
        return crl(CA, line(9, extra=(extension,)))

    return {
        "expired": (crl(CA, last=NOW - timedelta(seconds=1)), "good until"),
        "from the future": (crl(CA, first=NOW + timedelta(seconds=1)), "future"),
        "without an end": (crl(CA, last=None), "how long"),
        "signed by another": (crl(CA, signer=key("stranger")), "did not sign"),
        "another algorithm": (crl(CA, inner=other), "unsupported signature algorithm"),
        "two algorithms": (crl(CA, outer=other), "differ"),
        "unknown critical extension": (crl(CA, extra=(UNKNOWN,)), "1.2.3.4"),
        "of distribution points": (crl(CA, **marked("2.5.29.28")), "indirect or covers a part"),
        "not even critical": (crl(CA, **marked("2.5.29.28", critical=False)), "indirect"),
        "a delta": (crl(CA, **marked("2.5.29.27")), "delta"),
        "unknown critical extension of a line": (of_line(UNKNOWN), "a line has the unknown"),
        "certificates of others": (
            of_line(Extension("2.5.29.29", critical=False, value=der.sequence())),
            "certificates of other issuers",
        ),
        "takes back": (crl(CA, line(9, RevocationReason.REMOVE_FROM_CRL)), "takes another back"),
    }


@pytest.mark.parametrize("case", useless())
def test_a_list_that_cannot_be_used_is_not_passed_over(case: str) -> None:
    bad, words = useless()[case]
    error = refused(bad)
    assert error.reason is R.REVOCATION_UNKNOWN
    assert words in str(error)
    verify(bad, crl(CA, first=NOW - 3 * DAY))


def test_a_list_of_another_issuer_says_nothing() -> None:
    stranger = root("stranger")
    renamed = crl(stranger, line(4711))
    verify(renamed)
    assert refused(renamed, policy=P.REQUIRED).reason is R.REVOCATION_UNKNOWN
    same_name = crl(stranger, line(4711), name=CA.certificate.subject)
    verify(same_name)  # its key identifier is of another key
    pretends = crl(CA, line(1), signer=stranger.key, identifier=False)
    assert "did not sign" in str(refused(pretends))


def test_a_ca_that_may_not_sign_lists_gives_none() -> None:
    ca = intermediate("no lists", ROOT, usage=KeyUsage.KEY_CERT_SIGN)
    leaf = server(ca, serial=5)
    error = refused(crl(ca), presented=(leaf, ca))
    assert "may not sign lists" in str(error)
    unsaid = intermediate("usage unsaid", ROOT, usage=None)
    verify(crl(unsaid), presented=(server(unsaid), unsaid))


def test_a_list_is_good_to_its_last_second() -> None:
    exact = crl(CA, first=NOW, last=NOW)
    verify(exact)
    for at in (NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)):
        assert refused(exact, at=at).reason is R.REVOCATION_UNKNOWN


def test_lists_cost_signatures_of_the_same_budget() -> None:
    bad = [crl(CA, signer=key("stranger"), number=n) for n in range(40)]
    assert refused(*bad).reason is R.TOO_MUCH_WORK
    verify(crl(CA), crl(ROOT), limits=Limits(signature_checks=4))
    limits = Limits(signature_checks=3)
    assert refused(crl(CA), crl(ROOT), limits=limits).reason is R.TOO_MUCH_WORK


def test_another_path_that_is_not_revoked_is_taken() -> None:
    twin = intermediate("issuing", ROOT, serial=78)
    verify(crl(ROOT, line(77)), presented=(LEAF, CA, twin))
    assert refused(crl(ROOT, line(77), line(78)), presented=(LEAF, CA, twin)).reason is R.REVOKED


# --- encoding ---------------------------------------------------------------------------------


def test_what_is_issued_is_what_is_read() -> None:
    lines = [
        RevokedCertificate.of(serial, NOW, reason)
        for serial, reason in enumerate(RevocationReason, start=1)
    ]
    made = issue_crl(
        lines,
        ca_certificate=CA.certificate,
        ca_key=CA.key,
        this_update=NOW,
        days=7,
        number=300,
    )
    pem = dump_crls([made, made])
    assert load_crls(pem) == [made, made]
    assert load_crls(made.encode()) == [made]
    assert (made.number, made.this_update, made.next_update) == (300, NOW, NOW + 7 * DAY)
    assert made.revoked == tuple(lines)
    assert [entry.reason for entry in made.revoked] == list(RevocationReason)
    assert made.find(2) == lines[1]
    assert made.find(99) is None


def test_issues_only_what_may_be_issued() -> None:
    def issue(ca: Entity = CA, signer: Entity = CA, **changes: Any) -> None:  # noqa: ANN401
        given = {"this_update": NOW, "days": 1, "number": 1, "revoked": (), **changes}
        lines = given.pop("revoked")
        issue_crl(lines, ca_certificate=ca.certificate, ca_key=signer.key, **given)

    issue()
    bad_usage = intermediate("no lists", ROOT, usage=KeyUsage.KEY_CERT_SIGN)
    for options, words in (
        ({"signer": ROOT}, "does not belong"),
        ({"ca": LEAF, "signer": LEAF}, "not that of a CA"),
        ({"ca": bad_usage, "signer": bad_usage}, "does not allow to sign CRLs"),
        ({"days": 0}, "at least 1"),
        ({"days": 10**9}, "beyond the calendar"),
        ({"number": -1}, "number of a CRL"),
        ({"number": 1 << 160}, "number of a CRL"),
        ({"revoked": (line(1), line(1))}, "stands twice"),
    ):
        with pytest.raises(UsageError, match=words):
            issue(**options)


def test_no_prefix_and_no_longer_form_decodes() -> None:
    data = encoded(CA, line(1), line(2))
    CertificateRevocationList.decode(data)
    for length in range(len(data)):
        with pytest.raises(MalformedData):
            CertificateRevocationList.decode(data[:length])
    with pytest.raises(MalformedData):
        CertificateRevocationList.decode(data + b"\0")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": der.integer(0)}, "version"),
        ({"version": der.integer(2)}, "version"),
        ({"version": b""}, "version 1 has extensions"),
        ({"revoked": der.sequence()}, "missing"),
        ({"revoked": der.sequence(der.sequence(der.integer(1)))}, "missing"),
        (
            {"revoked": der.sequence(der.sequence(der.integer(1), encode_time(NOW), der.null()))},
            "expected tag 30",
        ),
        ({"number": -1}, "CRL number"),
        ({"number": 1 << 160}, "CRL number"),
        ({"extra": (UNKNOWN, UNKNOWN)}, "twice"),
    ],
)
def test_refuses_what_does_not_follow_its_structure(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(MalformedData, match=words):
        crl(CA, **changes)


@pytest.mark.parametrize("value", [b"\x0a\x01\x07", b"\x0a\x01\x0b", b"\x02\x01\x01", b"\x0a\x00"])
def test_refuses_a_reason_that_has_no_meaning(value: bytes) -> None:
    reason = Extension("2.5.29.21", critical=False, value=value)
    with pytest.raises(MalformedData):
        crl(CA, line(1, RevocationReason.UNSPECIFIED, (reason,)))


def test_a_line_says_since_when_a_key_is_not_to_be_believed() -> None:
    reason = RevocationReason.KEY_COMPROMISE
    for since, believed_until in ((NOW - DAY, NOW - DAY), (NOW + DAY, NOW), (None, NOW)):
        made = RevokedCertificate.of(1, NOW, reason, since)
        read = RevokedCertificate.read(der.Reader(made.encode(), "a line"))
        assert (read, read.reason, read.invalid_since) == (made, reason, believed_until)


@pytest.mark.parametrize("value", [b"\x18\x0d20261123000Z", b"\x17\x0d261123000000Z", b"\x18\x00"])
def test_refuses_an_invalidity_date_that_is_none(value: bytes) -> None:
    since = Extension("2.5.29.24", critical=False, value=value)
    with pytest.raises(MalformedData):
        crl(CA, line(1, RevocationReason.UNSPECIFIED, (since,)))


def test_pem_without_a_list_is_refused() -> None:
    with pytest.raises(MalformedData, match="no X509 CRL block"):
        load_crls(CA.certificate.to_pem().encode())


def test_a_list_of_ten_thousand_lines_is_read() -> None:
    big = crl(CA, *(line(serial) for serial in range(10_000, 20_000)))
    verify(big)
    assert refused(big, presented=(entity("x", CA, serial=15_000, subject=name("x")), CA))

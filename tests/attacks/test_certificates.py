"""Paths made to keep a verifier busy or to lead it astray, and clocks at the edge."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import CertificateRejected, MeterSealError, RejectionReason
from meterseal.transport import ClientAuthentication, Credential
from meterseal.x509 import Certificate, Limits, Purpose, TrustStore, verify_chain
from meterseal.x509.signature import Sm2Scheme
from support import pki
from support.crls import crl, line
from support.identities import DAY, credential, world
from support.pki import NOW, Entity, entity, intermediate, root, server
from support.tls13 import client13, link13, server13
from support.wire import SERVER_NAME, client_config, link, provider, server_config

if TYPE_CHECKING:
    from meterseal.x509.spki import SubjectPublicKeyInfo

R = RejectionReason
SECOND = timedelta(seconds=1)
ROOT = root()
MANY = Limits(presented=200, path_length=20)


class Counting(Sm2Scheme):
    """Counts the signatures it is asked to check."""

    def __init__(self) -> None:
        super().__init__()
        self.checked = 0

    def verify(self, spki: SubjectPublicKeyInfo, signature: bytes, message: bytes) -> None:
        self.checked += 1
        super().verify(spki, signature, message)


def work_on(presented: list[Certificate], limits: Limits) -> tuple[RejectionReason, int]:
    """Why the chain is refused, and after how many signatures."""
    scheme = Counting()
    with pytest.raises(CertificateRejected) as caught:
        verify_chain(
            presented,
            TrustStore([ROOT.certificate]),
            at=NOW,
            purpose=Purpose.SERVER,
            limits=limits,
            scheme=scheme,
        )
    return caught.value.reason, scheme.checked


def levels(*, one_key: bool) -> list[Certificate]:
    """Ten levels of ten CAs each, and a leaf; no way leads to the root.

    The CAs of a level share their name; with one key for all of them every one of 10^10 paths
    verifies, with ten keys only one does.
    """
    above = [root("level 10", subject_key=pki.key(f"10-{n * (not one_key)}")) for n in range(10)]
    presented = []
    for depth in range(9, -1, -1):
        above = [
            intermediate(
                f"level {depth}",
                above[n],
                subject_key=pki.key(f"{depth}-{n * (not one_key)}"),
                serial=n + 1,
                identifiers=False,
            )
            for n in range(10)
        ]
        presented += [entry.certificate for entry in above]
    return [server(above[0], identifiers=False).certificate, *presented]


@pytest.mark.parametrize("one_key", [True, False], ids=["one key", "ten keys"])
def test_ten_wide_and_ten_deep_is_refused_by_number_or_within_the_budget(one_key: bool) -> None:
    presented = levels(one_key=one_key)
    assert work_on(presented, Limits()) == (R.TOO_MUCH_WORK, 0)  # more than 16 of them
    reason, checked = work_on(presented, MANY)
    assert reason is R.TOO_MUCH_WORK
    assert checked <= Limits().signature_checks


@pytest.mark.parametrize("one_key", [True, False], ids=["one key", "ten keys"])
def test_what_sixteen_certificates_can_cost_is_bounded(one_key: bool) -> None:
    """Three wide and five deep: as ambiguous as a message may be."""
    every = levels(one_key=one_key)
    presented = [every[0], *(every[1 + 10 * depth + n] for depth in range(5, 10) for n in range(3))]
    assert len(presented) == 16
    _, checked = work_on(presented, Limits())
    assert checked <= Limits().signature_checks


def ring(size: int) -> list[Certificate]:
    """CAs that certify each other in a circle, in both directions, and a leaf below the first."""
    cas = [root(f"ring {n}") for n in range(size)]
    crossed = [
        intermediate(f"ring {n}", cas[(n + step) % size], serial=step + 2)
        for n in range(size)
        for step in (1, -1)
    ]
    return [server(cas[0]).certificate, *(entry.certificate for entry in crossed)]


@pytest.mark.parametrize("size", [2, 3, 7, 20])
def test_a_ring_of_cross_signed_authorities_ends(size: int) -> None:
    reason, checked = work_on(ring(size), MANY)
    assert reason in {R.UNKNOWN_ISSUER, R.PATH_TOO_LONG, R.TOO_MUCH_WORK}
    assert checked <= Limits().signature_checks


def test_a_ring_with_one_way_out_is_found() -> None:
    out = intermediate("ring 1", ROOT)
    presented = [*ring(3), out.certificate]
    verified = verify_chain(
        presented, TrustStore([ROOT.certificate]), at=NOW, purpose=Purpose.SERVER, limits=MANY
    )
    assert verified.anchor == ROOT.certificate


def test_an_issuer_of_the_right_name_and_identifier_with_another_key_is_refused() -> None:
    """The identifier is a claim: the impostor copies it."""
    honest = intermediate("issuing", ROOT)
    impostor = intermediate("issuing", ROOT, subject_key=pki.key("impostor"))
    claimed = honest.certificate.subject_key_identifier
    assert claimed is not None
    forged = entity(
        "server",
        Entity(honest.certificate, impostor.key),
        names=("DNS:meter.example.com",),
    )
    reason, _ = work_on([forged.certificate, honest.certificate], Limits())
    assert reason in {R.BAD_SIGNATURE, R.UNKNOWN_ISSUER}


# --- clocks, through whole handshakes --------------------------------------------------------

LAST = datetime.fromtimestamp(1_800_000_000, tz=NOW.tzinfo)


def mortal() -> Credential:
    """A server's certificate that ends in the last second."""
    w = world()
    start = LAST - 30 * DAY
    return credential(w.root, w.root_key, "station", host=SERVER_NAME, not_before=start, days=30)


@pytest.mark.parametrize("protocol", ["tls12", "tls13"])
def test_a_certificate_is_good_in_its_last_second_and_not_in_the_next(protocol: str) -> None:
    shown = mortal()
    last = shown.chain[0].not_after
    for at, is_good in ((last, True), (last + 0.999 * SECOND, True), (last + SECOND, False)):
        now = {"provider": provider(at.timestamp())}
        if protocol == "tls12":
            both = link(client_config(**now), server_config(credential=shown, **now))
        else:
            both = link13(client13(**now), server13(credential=shown, **now))
        assert bool(both.errors) != is_good, at
        if not is_good:
            error = both.errors["client"]
            assert isinstance(error, CertificateRejected)
            assert error.reason is R.EXPIRED


@pytest.mark.parametrize("protocol", ["tls12", "tls13"])
def test_a_session_does_not_outlive_the_certificate_it_was_made_with(protocol: str) -> None:
    shown = mortal()
    last = shown.chain[0].not_after

    def ends(at: datetime) -> dict[str, object]:
        now = {"provider": provider(at.timestamp())}
        if protocol == "tls12":
            return {
                "client": client_config(**now),
                "server": server_config(credential=shown, **now),
            }
        return {"client": client13(**now), "server": server13(credential=shown, **now)}

    run = link if protocol == "tls12" else link13
    before = ends(last - 60 * SECOND)
    session = run(**before).client.session
    assert session is not None
    assert run(**before, session=session).client.established.resumed
    after = {**ends(last + SECOND), "server": before["server"]}
    error = run(**after, session=session).errors["client"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is R.EXPIRED


def judged(at: datetime, *lists: object) -> RejectionReason | None:
    ca = intermediate("issuing", ROOT)
    leaf = server(ca, serial=666)
    try:
        verify_chain(
            [leaf.certificate, ca.certificate],
            TrustStore([ROOT.certificate]),
            at=at,
            purpose=Purpose.SERVER,
            crls=lists,  # type: ignore[arg-type]
        )
    except CertificateRejected as error:
        return error.reason
    return None


def test_lists_of_wrong_issuers_neither_revoke_nor_acquit() -> None:
    ca = intermediate("issuing", ROOT)
    stranger = root("issuing", subject_key=pki.key("stranger"))  # of the same name
    sibling = intermediate("issuing too", ROOT)
    assert judged(NOW, crl(ca, line(666))) is R.REVOKED
    assert judged(NOW, crl(sibling, line(666))) is None
    assert judged(NOW, crl(stranger, line(666))) is None  # another key identifier
    forged = crl(ca, line(1), signer=stranger.key)
    assert judged(NOW, forged) is R.REVOCATION_UNKNOWN
    assert judged(NOW, crl(ca, line(666)), forged) is R.REVOKED


def test_a_list_is_good_in_its_last_second_and_not_in_the_next() -> None:
    ca = intermediate("issuing", ROOT)
    last = NOW.replace(microsecond=0)
    short = crl(ca, line(1), first=NOW - DAY, last=last)
    assert judged(last, short) is None
    assert judged(last + 0.999 * SECOND, short) is None
    assert judged(last + SECOND, short) is R.REVOCATION_UNKNOWN
    assert judged(NOW - DAY - SECOND, short) is R.REVOCATION_UNKNOWN


def test_a_clock_far_off_is_an_error_that_names_the_time() -> None:
    """A meter whose battery died says 1970: it must be told why nobody is trusted."""
    for seconds in (0, 4_102_444_800):
        now = {"provider": provider(float(seconds))}
        asks = {"trust": world().trust, "client_authentication": ClientAuthentication.REQUIRED}
        both = link(client_config(**now), server_config(**now, **asks))
        error = both.errors["client"]
        assert isinstance(error, MeterSealError)
        assert "valid from 2026" in str(error) or "valid until 20" in str(error)

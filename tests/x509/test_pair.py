"""Certificate pairs: sorted from any order; what is missing is named."""

from __future__ import annotations

from itertools import permutations

import pytest

from meterseal.errors import InvalidKey, UsageError
from meterseal.transport import Credential
from meterseal.x509 import GeneralName, KeyUsage, create_request, issue_pair, sort_own, sort_pair
from support.pki import NOW, Entity, entity, intermediate, name, root

ROOT = root()
CA = intermediate("issuing", ROOT)
SIGN = KeyUsage.DIGITAL_SIGNATURE
SEAL = KeyUsage.KEY_ENCIPHERMENT | KeyUsage.KEY_AGREEMENT


def half(label: str, usage: KeyUsage | None, owner: str = "station", key: str = "") -> Entity:
    if key:
        return entity(label, CA, usage=usage, subject=name(owner), subject_key=half(key, SIGN).key)
    return entity(label, CA, usage=usage, subject=name(owner))


SIGNING, ENCRYPTION = half("sign", SIGN), half("seal", SEAL)


def test_sorts_a_bundle_of_any_order() -> None:
    bundle = [entity.certificate for entity in (SIGNING, ENCRYPTION, CA, ROOT)]
    for order in permutations(bundle):
        pair = sort_pair([*order, order[0]])
        assert (pair.signing, pair.encryption) == (SIGNING.certificate, ENCRYPTION.certificate)
        assert set(pair.issuers) == {CA.certificate, ROOT.certificate}
        credential = Credential.of_pair(order, SIGNING.key, ENCRYPTION.key)
        assert credential.chain == (pair.signing, *pair.issuers)
        assert credential.encryption is not None
        assert credential.encryption.certificate == pair.encryption


@pytest.mark.parametrize(
    ("entities", "words"),
    [
        ((SIGNING, CA), "encryption certificate of the pair is missing"),
        ((ENCRYPTION, CA), "signing certificate of the pair is missing"),
        ((CA, ROOT), "signing certificate of the pair is missing"),
        ((SIGNING, ENCRYPTION, half("third", SEAL)), "2 encryption certificates"),
        ((SIGNING, half("both", SIGN | SEAL)), "for signing and for encryption"),
        ((SIGNING, half("neither", KeyUsage.NON_REPUDIATION)), "neither signing nor encryption"),
        ((SIGNING, half("unsaid", None)), "no Key Usage"),
        ((SIGNING, half("elsewhere", SEAL, "somebody")), "two owners"),
        ((SIGNING, half("one key", SEAL, key="sign")), "the same key"),
    ],
)
def test_names_what_keeps_certificates_from_being_a_pair(
    entities: tuple[Entity, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        sort_pair([entity.certificate for entity in entities])


def test_refuses_keys_of_other_certificates() -> None:
    bundle = (ENCRYPTION.certificate, SIGNING.certificate)
    with pytest.raises(InvalidKey, match=r"key of the encryption certificate .* to sign"):
        Credential.of_pair(bundle, ENCRYPTION.key, SIGNING.key)
    with pytest.raises(InvalidKey, match="does not belong"):
        Credential.of_pair(bundle, SIGNING.key, SIGNING.key)


# --- by the keys that are there ------------------------------------------------------------


def test_sorts_what_belongs_to_the_keys_that_are_there() -> None:
    bundle = [entity.certificate for entity in (SIGNING, ENCRYPTION, CA, ROOT)]
    sign, seal = SIGNING.key.public_key(), ENCRYPTION.key.public_key()
    for order in permutations(bundle):
        both = sort_own([*order, order[0]], [seal, sign])
        assert (both.signing, both.encryption) == (SIGNING.certificate, ENCRYPTION.certificate)
        assert set(both.issuers) == {CA.certificate, ROOT.certificate}
        one = sort_own(order, [sign])
        assert (one.signing, one.encryption) == (SIGNING.certificate, None)
        assert ENCRYPTION.certificate not in one.issuers
    assert sort_own(bundle, []).signing is None


def test_a_certificate_that_may_sign_is_for_signing_even_if_it_is_that_of_a_ca() -> None:
    for own in (half("both", SIGN | SEAL), half("unsaid", None), ROOT):
        found = sort_own([CA.certificate, own.certificate], [own.key.public_key()])
        assert (found.signing, found.encryption) == (own.certificate, None)
        assert found.issuers == (CA.certificate,)


def test_two_certificates_for_one_use_are_refused() -> None:
    twice = (SIGNING, half("again", SIGN))
    with pytest.raises(UsageError, match="2 signing certificates"):
        sort_own([e.certificate for e in twice], [e.key.public_key() for e in twice])


# --- issuing -------------------------------------------------------------------------------

NAMES = [GeneralName.parse("DNS:station.example")]
TERMS = {"ca_certificate": ROOT.certificate, "ca_key": ROOT.key, "not_before": NOW}


def test_issues_both_halves_with_the_same_names() -> None:
    asking = create_request(SIGNING.key, name("station"), alt_names=NAMES)
    silent = create_request(ENCRYPTION.key, name("station"))
    for requests in ((asking, silent), (silent, asking)):
        signing = SIGNING if requests[0] is asking else ENCRYPTION
        pair = issue_pair(*requests, **TERMS)
        assert pair.signing.public_key() == signing.key.public_key()
        assert pair.signing.key_usage == SIGN | KeyUsage.NON_REPUDIATION
        for certificate in (pair.signing, pair.encryption):
            assert certificate.subject == name("station")
            assert certificate.subject_alt_name is not None
            assert certificate.subject_alt_name.names == tuple(NAMES)


def test_names_given_to_a_pair_replace_those_asked_for() -> None:
    requests = [
        create_request(key, name(owner), alt_names=[GeneralName.parse(f"DNS:{owner}.example")])
        for key, owner in ((SIGNING.key, "one"), (ENCRYPTION.key, "other"))
    ]
    pair = issue_pair(*requests, name("station"), alt_names=[], **TERMS)
    assert pair.encryption.subject == name("station")
    assert pair.encryption.subject_alt_name is None
    with pytest.raises(UsageError, match="ask for different names"):
        issue_pair(*requests, **TERMS)
    with pytest.raises(UsageError, match="two owners"):
        issue_pair(*requests, alt_names=[], **TERMS)


def test_one_key_makes_no_pair() -> None:
    key = SIGNING.key.public_key()
    with pytest.raises(UsageError, match="the same key"):
        issue_pair(key, key, name("station"), **TERMS)

"""Certificate pairs: sorted from any order; what is missing is named."""

from __future__ import annotations

from itertools import permutations

import pytest

from meterseal.errors import InvalidKey, UsageError
from meterseal.transport import Credential
from meterseal.x509 import KeyUsage, sort_pair
from support.pki import Entity, entity, intermediate, name, root

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

"""C2SP's x509-limbo judges our path validation, with P-256 as it is and with SM2 in its place.

The cases are at hand where METERSEAL_LIMBO names a limbo.json (docs/guide/outside-suites.md). They
are verified with `Strictness.STRICT`: they hold the rules of RFC 5280 and the CA/Browser Forum.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meterseal.x509.signature import SM2_SCHEME
from support.limbo import Case, load_cases, rekey
from support.nist import NIST_ALGORITHMS

if TYPE_CHECKING:
    from meterseal.x509.signature import SignatureScheme

P256 = NIST_ALGORITHMS.certificates
LEAST_CASES, LEAST_REKEYED = 190, 155

# What we refuse though limbo accepts it.
STRICTER = {
    "cve::cve-2024-0567": "a cross-signed root in it has no Authority Key Identifier",
    "pathlen::max-chain-depth-1-self-issued": "self-issued CAs count against our limit too",
    "pathlen::validation-ignores-pathlen-in-leaf": "a CA stands as end entity",
    "rfc5280::ca-as-leaf": "a CA stands as end entity",
    "rfc5280::eku::ee-without-eku": "webpki::eku::ee-without-eku demands the contrary",
    "webpki::nc::permitted-dns-match-noncritical": "RFC 5280, 4.2.1.10 demands it critical",
    **dict.fromkeys(
        (
            "rfc5280::nc::permitted-dn-match",
            "rfc5280::nc::permitted-dns-match-more",
            "rfc5280::nc::permitted-ipv4-match",
            "rfc5280::nc::permitted-ipv6-match",
            "webpki::nc::nc-permits-dns-san-pattern",
            "webpki::san::exact-localhost-ip-san",
            "webpki::san::leftmost-wildcard-san",
        ),
        "the common name is not among the alternative names, which webpki::cn::* demands",
    ),
}
OTHER_KEYS = {"webpki::cryptographydotio-chain": "RSA keys of a real chain"}


@cache
def cases() -> list[Case]:
    named = os.environ.get("METERSEAL_LIMBO")
    if not named:
        pytest.skip("METERSEAL_LIMBO does not name a limbo.json")
    return load_cases(Path(named))


def deviations(some: list[Case], scheme: SignatureScheme) -> dict[str, str]:
    """The cases with another outcome than limbo's, and what we said."""
    found = {}
    for case in some:
        refusal = case.refusal(scheme)
        if (refusal is None) != case.should_pass:
            found[case.name] = str(refusal or "accepted")
    return found


def test_every_verdict_is_limbos_or_a_listed_stricter_one() -> None:
    assert len(cases()) >= LEAST_CASES
    found = deviations(cases(), P256)
    assert "accepted" not in found.values(), found
    assert found.keys() == STRICTER.keys() | OTHER_KEYS.keys(), found


def test_the_same_cases_with_sm2_have_the_same_verdicts() -> None:
    rekeyed = [made for case in cases() if (made := rekey(case, P256))]
    assert len(rekeyed) >= LEAST_REKEYED
    found = deviations(rekeyed, SM2_SCHEME)
    assert found.keys() == STRICTER.keys(), found

"""What `Strictness.STRICT` refuses and the default accepts; and AIA, which both read."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.errors import CertificateRejected, MalformedData, RejectionReason
from meterseal.x509 import (
    BasicConstraints,
    Certificate,
    Extension,
    GeneralName,
    Name,
    Purpose,
    Strictness,
    SubjectAltName,
    TrustStore,
    verify_chain,
)
from meterseal.x509.extensions import (
    AuthorityKeyIdentifier,
    ExtendedKeyUsage,
    SubjectKeyIdentifier,
)
from meterseal.x509.information_access import AuthorityInformationAccess
from meterseal.x509.issue import key_identifier
from support.crls import crl
from support.identities import world
from support.pki import NOW, Entity, entity, extension, intermediate, key, name, root, server

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
HOST = "meter.example.com"
CRITICAL_PURPOSE = Extension(
    oids.EXTENDED_KEY_USAGE, critical=True, value=ExtendedKeyUsage((SERVER_AUTH,)).encode()
)
CRITICAL_NAME = Extension(
    oids.SUBJECT_ALT_NAME,
    critical=True,
    value=SubjectAltName((GeneralName.parse("DNS:" + HOST),)).encode(),
)
LAX_CONSTRAINTS = extension(BasicConstraints(ca=True))


def verify(*chain: Entity, strictness: Strictness, **options: Any) -> None:  # noqa: ANN401
    verify_chain(
        [link.certificate for link in chain[:-1]],
        TrustStore([chain[-1].certificate]),
        **{"at": NOW, "purpose": Purpose.SERVER, "strictness": strictness, **options},
    )


def good(issuer: Entity, **changes: Any) -> Entity:  # noqa: ANN401
    return server(issuer, **{"subject": name(HOST), **changes})


@dataclass(frozen=True)
class Case:
    id: str
    chain: tuple[Entity, ...]
    words: str


def leaf(id: str, words: str, /, **changes: Any) -> Case:  # noqa: A002, ANN401
    return Case(id, (good(ROOT, **changes), ROOT), words)


def below(id: str, words: str, issuer: Entity, /) -> Case:  # noqa: A002
    return Case(id, (good(issuer), issuer), words)


def root_with(authority: AuthorityKeyIdentifier) -> Entity:
    own = extension(SubjectKeyIdentifier(OWN))
    return root(identifiers=False, extra=(own, extension(authority)))


OWN = key_identifier(key("root").public_key())
ROOT = root()
BARE = intermediate("middle", ROOT, identifiers=False)
CASES = [
    leaf("no authority key identifier", "no Authority Key Identifier", identifiers=False),
    Case("nor one of an intermediate", (good(BARE), BARE, ROOT), "no Subject Key Identifier"),
    below("a root without key identifier", "no Subject Key", root(identifiers=False)),
    below(
        "a root with another's identifier",
        "is not its own",
        root_with(AuthorityKeyIdentifier(b"stranger")),
    ),
    below(
        "a root that names a certificate",
        "names a certificate",
        root_with(AuthorityKeyIdentifier(OWN, (GeneralName.parse("DNS:x"),), 1)),
    ),
    below(
        "a root whose identifier says nothing",
        "does not identify a key",
        root_with(AuthorityKeyIdentifier(None, (GeneralName.parse("DNS:x"),), 1)),
    ),
    below("a root for a purpose", "limited to purposes", root(purposes=(SERVER_AUTH,))),
    below(
        "constraints that are not critical",
        "are not critical",
        entity("root", usage=ROOT.certificate.key_usage, extra=(LAX_CONSTRAINTS,)),
    ),
    leaf("an underscore", "no host name", names=("DNS:" + HOST, "DNS:meter_1.example.com")),
    leaf("critical names beside a subject", "critical beside", names=(), extra=(CRITICAL_NAME,)),
    leaf("a common name that is no other", "common name", subject=name("meter-1")),
    leaf("a common name in other letters", "common name", subject=name(HOST.upper())),
    leaf("for nothing", "what it is for", purposes=()),
    leaf("for anything", "any purpose", purposes=(SERVER_AUTH, oids.ANY_EXTENDED_KEY_USAGE)),
    leaf("a critical purpose", "is critical", purposes=(), extra=(CRITICAL_PURPOSE,)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_default_accepts_what_the_strict_way_refuses(case: Case) -> None:
    verify(*case.chain, strictness=Strictness.TOLERANT)
    with pytest.raises(CertificateRejected, match=case.words) as caught:
        verify(*case.chain, strictness=Strictness.STRICT)
    assert caught.value.reason is RejectionReason.MALFORMED


def test_a_chain_that_was_accepted_once_is_judged_again_by_the_strict() -> None:
    chain = [good(ROOT, purposes=()).certificate]
    trust = TrustStore([ROOT.certificate])
    for strictness, refuses in ((Strictness.TOLERANT, False), (Strictness.STRICT, True)) * 2:
        expectation = pytest.raises(CertificateRejected) if refuses else contextlib.nullcontext()
        with expectation:
            verify_chain(chain, trust, at=NOW, purpose=Purpose.SERVER, strictness=strictness)


def test_the_strict_way_accepts_what_keeps_the_rules() -> None:
    middle = intermediate("middle", ROOT)
    for chain in (
        (good(ROOT), ROOT),
        (good(middle), middle, ROOT),
        (good(ROOT, names=("DNS:*.example.com", "DNS:" + HOST)), ROOT),
        (good(ROOT, subject=Name.parse("/C=CN/O=Grid")), ROOT),
    ):
        verify(*chain, strictness=Strictness.STRICT, server_name=HOST)


def test_a_client_may_have_a_common_name_alone() -> None:
    client = entity("meter-1", ROOT, purposes=("1.3.6.1.5.5.7.3.2",))
    verify(client, ROOT, strictness=Strictness.STRICT, purpose=Purpose.CLIENT)


def test_what_we_issue_ourselves_keeps_the_strict_rules() -> None:
    w = world()
    verify_chain(
        w.client.chain,
        w.trust,
        at=w.client.chain[0].not_before,
        purpose=Purpose.CLIENT,
        strictness=Strictness.STRICT,
    )


def test_a_list_without_a_number_is_no_use_to_the_strict() -> None:
    for without in (crl(ROOT, number=None), crl(ROOT)):
        verify(good(ROOT), ROOT, strictness=Strictness.TOLERANT, crls=(without,))
    verify(good(ROOT), ROOT, strictness=Strictness.STRICT, crls=(crl(ROOT),))
    with pytest.raises(CertificateRejected, match="no number") as caught:
        verify(good(ROOT), ROOT, strictness=Strictness.STRICT, crls=(crl(ROOT, number=None),))
    assert caught.value.reason is RejectionReason.REVOCATION_UNKNOWN


# --- Authority Information Access --------------------------------------------------------

OCSP = "1.3.6.1.5.5.7.48.1"
ACCESS = AuthorityInformationAccess(((OCSP, GeneralName.parse("URI:http://ca.example/ocsp")),))


def with_access(value: bytes, *, critical: bool = False) -> Certificate:
    access = Extension(oids.AUTHORITY_INFORMATION_ACCESS, critical, value)
    return good(ROOT, extra=(access,)).certificate


def test_authority_information_access_is_read_and_written_the_same() -> None:
    certificate = with_access(ACCESS.encode())
    assert AuthorityInformationAccess.decode(ACCESS.encode()) == ACCESS
    verify(Entity(certificate, key("server")), ROOT, strictness=Strictness.STRICT)


@pytest.mark.parametrize(
    "value",
    [
        b"\x00\x01\x02",
        der.sequence(),
        der.sequence(der.sequence(der.object_identifier(OCSP))),
        ACCESS.encode() + b"\0",
    ],
    ids=["no DER", "empty", "without a place", "with a byte after it"],
)
def test_malformed_authority_information_access_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedData):
        with_access(value)


def test_critical_authority_information_access_is_refused() -> None:
    certificate = with_access(ACCESS.encode(), critical=True)
    with pytest.raises(CertificateRejected, match="must not be critical"):
        verify(Entity(certificate, key("server")), ROOT, strictness=Strictness.TOLERANT)

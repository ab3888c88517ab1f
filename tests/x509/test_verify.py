"""Path validation: a table of chains, each with the reason it is refused for, or none."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.errors import (
    AlertDescription,
    CertificateRejected,
    InternalError,
    MalformedData,
    RejectionReason,
    UsageError,
)
from meterseal.x509 import (
    Certificate,
    Extension,
    GeneralName,
    GeneralNameKind,
    KeyRole,
    KeyUsage,
    Limits,
    Name,
    Purpose,
    SubjectAltName,
    TrustStore,
    VerifiedChain,
    verify_chain,
)
from meterseal.x509.extensions import NameConstraints
from meterseal.x509.spki import SM2_WITH_SM3, AlgorithmIdentifier
from support import pki
from support.pki import NOW, entity, intermediate, root, server

if TYPE_CHECKING:
    from collections.abc import Callable

Reason = RejectionReason
SECOND = timedelta(seconds=1)
CLIENT = "1.3.6.1.5.5.7.3.2"
P256_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def spki_with(parameters: bytes, point: bytes | None = None) -> bytes:
    algorithm = AlgorithmIdentifier(oids.EC_PUBLIC_KEY, parameters)
    point = point or pki.key("server").public_key().to_bytes()
    return der.sequence(algorithm.encode(), der.bit_string(point))


def curve(identifier: str) -> bytes:
    return der.object_identifier(identifier)


def dns(text: str) -> GeneralName:
    return GeneralName(GeneralNameKind.DNS, text)


def network(text: bytes) -> GeneralName:
    reader = der.Reader(der.implicit(7, text))
    return GeneralName.read(reader, constraint=True)


def directory(text: str) -> GeneralName:
    return GeneralName(GeneralNameKind.DIRECTORY, Name.parse(text))


UNKNOWN_EXTENSION = Extension("1.2.3.4", critical=True, value=b"\x05\x00")
CRITICAL_NAME = Extension(
    oids.SUBJECT_ALT_NAME, critical=True, value=SubjectAltName((dns("meter.example.com"),)).encode()
)
EXPLICIT_CURVE = der.sequence(der.integer(1), der.sequence())
ROOT = root()


@dataclass
class Case:
    """`chain` gives the presented certificates and the anchors."""

    id: str
    chain: Callable[[], tuple[list[Certificate], list[Certificate]]]
    reason: RejectionReason | None = None
    options: dict[str, object] = field(default_factory=dict)


def leaf(id: str, reason: RejectionReason | None = None, /, **changes: object) -> Case:  # noqa: A002
    """A leaf directly below the root; `at`, `server_name` and so on go to verify_chain."""
    known = ("at", "server_name", "purpose", "role", "common_name_fallback", "limits")
    options = {option: changes.pop(option) for option in known if option in changes}
    return Case(
        id,
        lambda: ([server(ROOT, **changes).certificate], [ROOT.certificate]),
        reason,
        options,
    )


def under(
    id: str,  # noqa: A002
    reason: RejectionReason | None = None,
    /,
    options: dict[str, object] | None = None,
    leaf_changes: dict[str, object] | None = None,
    **changes: object,
) -> Case:
    """A leaf below an intermediate with changes below the root."""

    def chain() -> tuple[list[Certificate], list[Certificate]]:
        middle = intermediate("middle", ROOT, **changes)
        end = server(middle, **(leaf_changes or {}))
        return [end.certificate, middle.certificate], [ROOT.certificate]

    return Case(id, chain, reason, options or {})


def rooted(
    id: str,  # noqa: A002
    reason: RejectionReason | None = None,
    /,
    leaf_changes: dict[str, object] | None = None,
    options: dict[str, object] | None = None,
    **changes: object,
) -> Case:
    """A leaf below a root with changes."""

    def chain() -> tuple[list[Certificate], list[Certificate]]:
        anchor = root("other root", **changes)
        return [server(anchor, **(leaf_changes or {})).certificate], [anchor.certificate]

    return Case(id, chain, reason, options or {})


def without_intermediate() -> tuple[list[Certificate], list[Certificate]]:
    middle = intermediate("middle", ROOT)
    return [server(middle).certificate], [ROOT.certificate]


def with_trusted_intermediate() -> tuple[list[Certificate], list[Certificate]]:
    middle = intermediate("middle", ROOT)
    return [server(middle).certificate], [middle.certificate]


def below_a_leaf() -> tuple[list[Certificate], list[Certificate]]:
    first = server(ROOT, "first")
    return [server(first).certificate, first.certificate], [ROOT.certificate]


def three_deep(first: int | None, second: int | None) -> Callable[[], tuple[list, list]]:
    def chain() -> tuple[list[Certificate], list[Certificate]]:
        upper = intermediate("upper", ROOT, path_length=first)
        lower = intermediate("lower", upper, path_length=second)
        end = server(lower)
        return [end.certificate, lower.certificate, upper.certificate], [ROOT.certificate]

    return chain


def shuffled_with_strangers() -> tuple[list[Certificate], list[Certificate]]:
    upper = intermediate("upper", ROOT)
    lower = intermediate("lower", upper)
    stranger = root("stranger")
    end = server(lower)
    presented = [end, stranger, upper, ROOT, lower]
    return [link.certificate for link in presented], [ROOT.certificate]


def loop() -> tuple[list[Certificate], list[Certificate]]:
    """Two CAs that certify each other, and no anchor above."""
    a, b = root("a"), root("b")
    b_by_a = intermediate("b", a)
    a_by_b = intermediate("a", b)
    end = server(b_by_a)
    return [end.certificate, b_by_a.certificate, a_by_b.certificate], [ROOT.certificate]


def cross_signed_with_expired_path() -> tuple[list[Certificate], list[Certificate]]:
    """Two certificates for one CA key: the expired one must not hide the good one."""
    other = root("other")
    old = intermediate("middle", other, last=NOW - SECOND, identifiers=False)
    new = intermediate("middle", ROOT, identifiers=False)
    end = server(new)
    return (
        [end.certificate, old.certificate, new.certificate],
        [other.certificate, ROOT.certificate],
    )


def same_name_other_key() -> tuple[list[Certificate], list[Certificate]]:
    """A stranger of the root's name issued the leaf."""
    stranger = root("root", subject_key=pki.key("stranger"))
    return [server(stranger).certificate], [ROOT.certificate]


def same_name_other_key_without_identifiers() -> tuple[list[Certificate], list[Certificate]]:
    anchor = root(identifiers=False)
    stranger = root("root", subject_key=pki.key("stranger"), identifiers=False)
    return [server(stranger, identifiers=False).certificate], [anchor.certificate]


def self_signed(**changes: object) -> Callable[[], tuple[list, list]]:
    """The paper's kind of certificate: one, self-signed, trusted itself."""

    def chain() -> tuple[list[Certificate], list[Certificate]]:
        one = entity("meter.example.com", ca=True, **changes)
        return [one.certificate], [one.certificate]

    return chain


def untrusted_self_signed() -> tuple[list[Certificate], list[Certificate]]:
    one = entity("x", names=("DNS:meter.example.com",))
    return [one.certificate], [ROOT.certificate]


def ca_as_leaf() -> tuple[list[Certificate], list[Certificate]]:
    return [server(ROOT, ca=True).certificate], [ROOT.certificate]


def issuer_in_other_letters() -> tuple[list[Certificate], list[Certificate]]:
    """Issuer and subject differ in case, spaces and string type only (RFC 5280, 7.1)."""
    anchor = root()
    alias = pki.Entity(root(subject=Name.parse("/C=CN/O=gRID/CN=  ROOT ")).certificate, anchor.key)
    return [server(alias).certificate], [anchor.certificate]


def too_many_presented() -> tuple[list[Certificate], list[Certificate]]:
    return [server(ROOT).certificate] * 17, [ROOT.certificate]


TABLE = [
    # Accepted: the honest chains that all others differ from in one thing.
    leaf("a leaf below the root"),
    under("a leaf below an intermediate"),
    leaf("no key usage at all, as GmSSL 2 has it", usage=None),
    leaf("no extended key usage", purposes=()),
    leaf("several purposes", purposes=(CLIENT, "1.3.6.1.5.5.7.3.1")),
    leaf("no key identifiers", identifiers=False),
    leaf("the first second of validity", first=NOW),
    leaf("the last second of validity", last=NOW),
    leaf("within the last second", last=NOW, at=NOW + timedelta(microseconds=999_999)),
    leaf("no name asked for", server_name=None),
    leaf("an address", server_name="192.0.2.7"),
    leaf("an address of version 6", server_name="2001:0DB8::0:7"),
    leaf("a name in other letters and with a final dot", server_name="METER.Example.com."),
    leaf("a wildcard", names=("DNS:*.example.com",)),
    leaf("a client", purpose=Purpose.CLIENT, purposes=(CLIENT,), server_name=None),
    leaf("any purpose", purpose=Purpose.ANY, purposes=("1.3.6.1.5.5.7.3.8",)),
    leaf(
        "an encryption certificate",
        usage=KeyUsage.KEY_ENCIPHERMENT | KeyUsage.DATA_ENCIPHERMENT,
        role=KeyRole.ENCRYPTION,
    ),
    leaf(
        "a common name, when asked for",
        names=(),
        subject=pki.name("meter.example.com"),
        common_name_fallback=True,
    ),
    Case("an intermediate that is trusted itself", with_trusted_intermediate),
    Case("path lengths that suffice", three_deep(1, 0)),
    Case("a shuffled chain with strangers in it", shuffled_with_strangers),
    Case("a cross-signed CA with an expired path", cross_signed_with_expired_path),
    Case("an issuer in other letters", issuer_in_other_letters),
    Case("the paper's certificate", self_signed(names=("DNS:meter.example.com",))),
    Case(
        "the paper's certificate by its common name",
        self_signed(),
        options={"common_name_fallback": True},
    ),
    rooted("permitted names", permitted=(dns("example.com"), network(b"\xc0\0\2\0\xff\xff\xff\0"),
           network(bytes(32)))),
    rooted("every host permitted, another mailbox excluded",
           leaf_changes={"names": ("DNS:meter.example.com", "email:a@example.com")},
           permitted=(dns(""), GeneralName(GeneralNameKind.EMAIL, "")),
           excluded=(GeneralName(GeneralNameKind.EMAIL, "b@example.com"),)),
    rooted("a permitted e-mail address",
           leaf_changes={"names": ("DNS:meter.example.com", "email:a@EXAMPLE.com")},
           permitted=(GeneralName(GeneralNameKind.EMAIL, "example.com"),)),
    leaf("a critical alternative name instead of a subject", subject=Name(), names=(),
         extra=(CRITICAL_NAME,)),
    rooted("a permitted directory", permitted=(directory("/C=CN/O=grid"),)),
    # Refused: the leaf by itself.
    leaf("not yet valid", Reason.NOT_YET_VALID, first=NOW + SECOND),
    leaf("expired", Reason.EXPIRED, last=NOW - SECOND),
    leaf("altered after signing", Reason.BAD_SIGNATURE, signer=pki.key("stranger")),
    leaf("signed under another identifier", Reason.BAD_SIGNATURE, distinguishing_id=b"other"),
    leaf(
        "signed under the identifier of TLS 1.3",
        Reason.BAD_SIGNATURE,
        distinguishing_id=b"TLSv1.3+GM+Cipher+Suite",
    ),
    leaf("no digital signature", Reason.WRONG_KEY_USAGE, usage=KeyUsage.KEY_ENCIPHERMENT),
    leaf("a signing key to encrypt", Reason.WRONG_KEY_USAGE, role=KeyRole.ENCRYPTION),
    leaf("no usage at all", Reason.WRONG_KEY_USAGE, usage=KeyUsage(0)),
    leaf("only for clients", Reason.WRONG_EXTENDED_KEY_USAGE, purposes=(CLIENT,)),
    leaf("any purpose is none", Reason.WRONG_EXTENDED_KEY_USAGE, purposes=("2.5.29.37.0",)),
    leaf("a server as client", Reason.WRONG_EXTENDED_KEY_USAGE, purpose=Purpose.CLIENT),
    leaf("unknown critical extension", Reason.UNKNOWN_CRITICAL_EXTENSION,
         extra=(UNKNOWN_EXTENSION,)),
    leaf("version 1", Reason.MALFORMED, version=1),
    leaf("serial number 0", Reason.MALFORMED, serial=0),
    leaf("negative serial number", Reason.MALFORMED, serial=-5),
    leaf("serial number of 21 bytes", Reason.MALFORMED, serial=1 << 160),
    leaf("parameters NULL", Reason.UNSUPPORTED_ALGORITHM,
         inner=AlgorithmIdentifier(oids.SM2_WITH_SM3, der.null())),
    leaf("algorithms differ", Reason.UNSUPPORTED_ALGORITHM,
         inner=AlgorithmIdentifier(oids.SM2_WITH_SM3, der.null()), outer=SM2_WITH_SM3),
    leaf("signed with ECDSA", Reason.UNSUPPORTED_ALGORITHM,
         inner=AlgorithmIdentifier("1.2.840.10045.4.3.2")),
    leaf("a key on P-256", Reason.UNSUPPORTED_KEY, spki=spki_with(curve(oids.P256_CURVE),
         P256_POINT)),
    leaf("a point of P-256 under the name of SM2", Reason.UNSUPPORTED_KEY,
         spki=spki_with(curve(oids.SM2_CURVE), P256_POINT)),
    leaf("a point of SM2 under the name of P-256", Reason.UNSUPPORTED_KEY,
         spki=spki_with(curve(oids.P256_CURVE))),
    leaf("explicit curve parameters", Reason.UNSUPPORTED_KEY, spki=spki_with(EXPLICIT_CURVE)),
    leaf("the point at infinity", Reason.UNSUPPORTED_KEY,
         spki=spki_with(curve(oids.SM2_CURVE), b"\0")),
    leaf("many names, none of them right", Reason.WRONG_NAME,
         names=tuple(f"DNS:meter-{number}.example.com" for number in range(40))),
    leaf("an empty subject and no critical name", Reason.MALFORMED, subject=Name()),
    leaf("a critical key identifier", Reason.MALFORMED, identifiers=False,
         extra=(Extension(oids.SUBJECT_KEY_IDENTIFIER, critical=True, value=b"\x04\x01x"),)),
    leaf("name constraints of a leaf", Reason.MALFORMED, permitted=(dns("example.com"),)),
    leaf("a leaf that may sign certificates", Reason.WRONG_KEY_USAGE,
         usage=KeyUsage.DIGITAL_SIGNATURE | KeyUsage.KEY_CERT_SIGN),
    rooted("name constraints that are not critical", Reason.MALFORMED,
           extra=(Extension(oids.NAME_CONSTRAINTS, critical=False,
                            value=NameConstraints((dns("example.com"),)).encode()),)),
    Case("a CA as leaf", ca_as_leaf, Reason.WRONG_KEY_USAGE),
    # Refused: names.
    leaf("another name", Reason.WRONG_NAME, server_name="other.example.com"),
    leaf("a parent of the name", Reason.WRONG_NAME, server_name="example.com"),
    leaf("another address", Reason.WRONG_NAME, server_name="192.0.2.8"),
    leaf("an address written as a name", Reason.WRONG_NAME, names=("DNS:192.0.2.7",),
         server_name="192.0.2.7"),
    leaf("a wildcard for two labels", Reason.WRONG_NAME, names=("DNS:*.com", "DNS:*.example.com"),
         server_name="a.b.example.com"),
    leaf("a wildcard for no label", Reason.WRONG_NAME, names=("DNS:*.example.com",),
         server_name="example.com"),
    leaf("a wildcard right under the top", Reason.WRONG_NAME, names=("DNS:*.com",),
         server_name="example.com"),
    leaf("a wildcard within a label", Reason.WRONG_NAME, names=("DNS:m*.example.com",)),
    leaf("a wildcard in the middle", Reason.WRONG_NAME, names=("DNS:meter.*.com",)),
    leaf("a common name alone", Reason.WRONG_NAME, names=(),
         subject=pki.name("meter.example.com")),
    leaf("a common name beside alternative names", Reason.WRONG_NAME, names=("DNS:a.example.com",),
         subject=pki.name("meter.example.com"), common_name_fallback=True),
    # Refused: issuers.
    Case("no intermediate", without_intermediate, Reason.UNKNOWN_ISSUER),
    Case("self-signed and not trusted", untrusted_self_signed, Reason.UNKNOWN_ISSUER),
    Case("a loop", loop, Reason.UNKNOWN_ISSUER),
    Case("a stranger of the same name", same_name_other_key, Reason.UNKNOWN_ISSUER),
    Case("a stranger of the same name, without identifiers",
         same_name_other_key_without_identifiers, Reason.BAD_SIGNATURE),
    Case("issued by a leaf", below_a_leaf, Reason.NOT_A_CA),
    under("intermediate expired", Reason.EXPIRED, last=NOW - SECOND),
    under("intermediate not yet valid", Reason.NOT_YET_VALID, first=NOW + SECOND),
    under("intermediate without CA flag", Reason.NOT_A_CA, ca=False),
    under("intermediate that may not sign", Reason.WRONG_KEY_USAGE, usage=KeyUsage.CRL_SIGN),
    under("intermediate for clients only", Reason.WRONG_EXTENDED_KEY_USAGE, purposes=(CLIENT,)),
    under("intermediate with an unknown critical extension", Reason.UNKNOWN_CRITICAL_EXTENSION,
          extra=(UNKNOWN_EXTENSION,)),
    under("intermediate signed by a stranger", Reason.BAD_SIGNATURE, signer=pki.key("stranger")),
    under("intermediate of version 1", Reason.MALFORMED, version=1),
    under("intermediate signed with ECDSA", Reason.UNSUPPORTED_ALGORITHM,
          inner=AlgorithmIdentifier("1.2.840.10045.4.3.2")),
    Case("path length of the first CA", three_deep(0, None), Reason.PATH_TOO_LONG),
    Case("our own limit of the path", three_deep(None, None), Reason.PATH_TOO_LONG,
         {"limits": Limits(path_length=2)}),
    rooted("root expired", Reason.EXPIRED, last=NOW - SECOND),
    rooted("root without CA flag", Reason.NOT_A_CA, ca=False),
    rooted("root that may not sign", Reason.WRONG_KEY_USAGE, usage=KeyUsage.CRL_SIGN),
    Case("the paper's certificate, expired", self_signed(last=NOW - SECOND), Reason.EXPIRED,
         {"server_name": None}),
    Case("too many certificates", too_many_presented, Reason.TOO_MUCH_WORK),
    # Refused: name constraints.
    rooted("a name not permitted", Reason.NAME_CONSTRAINT, permitted=(dns("example.org"),)),
    rooted("a name excluded", Reason.NAME_CONSTRAINT, excluded=(dns("example.com"),)),
    rooted("a name that only ends alike", Reason.NAME_CONSTRAINT, permitted=(dns("ample.com"),)),
    rooted("an address excluded", Reason.NAME_CONSTRAINT,
           excluded=(network(b"\xc0\0\2\0\xff\xff\xff\0"),)),
    rooted("an address not permitted", Reason.NAME_CONSTRAINT,
           permitted=(network(b"\x0a\0\0\0\xff\0\0\0"),)),
    rooted("a directory not permitted", Reason.NAME_CONSTRAINT,
           permitted=(directory("/C=CN/O=Water"),)),
    rooted("a directory excluded", Reason.NAME_CONSTRAINT, excluded=(directory("/C=CN"),)),
    rooted("a wildcard that reaches an excluded name", Reason.NAME_CONSTRAINT,
           leaf_changes={"names": ("DNS:*.example.com",)}, excluded=(dns("secret.example.com"),)),
    rooted("a common name that is excluded", Reason.NAME_CONSTRAINT,
           leaf_changes={"names": (), "subject": pki.name("meter.example.com")},
           options={"common_name_fallback": True}, excluded=(dns("example.com"),)),
    rooted("an e-mail address not permitted", Reason.NAME_CONSTRAINT,
           leaf_changes={"names": ("DNS:meter.example.com", "email:a@example.com")},
           permitted=(GeneralName(GeneralNameKind.EMAIL, "b@example.com"),)),
    rooted("an e-mail address below an excluded domain", Reason.NAME_CONSTRAINT,
           leaf_changes={"names": ("DNS:meter.example.com", "email:a@x.example.com")},
           excluded=(GeneralName(GeneralNameKind.EMAIL, ".example.com"),)),
    rooted("every host excluded", Reason.NAME_CONSTRAINT, excluded=(dns(""),)),
    rooted("a constraint that is no host name", Reason.NAME_CONSTRAINT,
           permitted=(dns(".example.com"),)),
    rooted("a constrained name that is no host name", Reason.NAME_CONSTRAINT,
           leaf_changes={"names": ("DNS:meter.example.com", "DNS:a..b")},
           permitted=(dns("example.com"),)),
    rooted("an e-mail address that is none", Reason.NAME_CONSTRAINT,
           leaf_changes={"names": ("DNS:meter.example.com", "email:a@b@example.com")},
           excluded=(GeneralName(GeneralNameKind.EMAIL, "example.org"),)),
    rooted("an e-mail address in the subject", Reason.NAME_CONSTRAINT,
           leaf_changes={"subject": Name.parse("CN=x,emailAddress=a@example.com")},
           excluded=(GeneralName(GeneralNameKind.EMAIL, "example.com"),)),
    rooted("a kind of name that we cannot constrain", Reason.NAME_CONSTRAINT,
           leaf_changes={"names": ("DNS:meter.example.com", "URI:https://example.com/")},
           excluded=(GeneralName(GeneralNameKind.URI, "example.org"),)),
    under("an intermediate with an excluded name", Reason.NAME_CONSTRAINT,
          excluded=(dns("meter.example.com"),)),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_accepts_or_refuses_for_the_expected_reason(case: Case) -> None:
    presented, anchors = case.chain()
    options = {"at": NOW, "purpose": Purpose.SERVER, "server_name": "meter.example.com"}
    options.update(case.options)
    if case.reason is None:
        verified = verify_chain(presented, TrustStore(anchors), **options)
        assert verified.leaf == presented[0]
        assert verified.anchor in anchors
        return
    with pytest.raises(CertificateRejected) as caught:
        verify_chain(presented, TrustStore(anchors), **options)
    assert caught.value.reason is case.reason, caught.value


def test_self_issued_intermediates_are_exempt_from_constraints_and_path_length() -> None:
    """covers: RFC 5280, 6.1.4

    A CA renews its key: the link between old and new key bears its own, excluded name.
    """
    old = root("ca", excluded=(directory("/C=CN/O=Grid/CN=ca"),), path_length=0)
    link = intermediate("new", old, subject=old.certificate.subject)
    end = server(link)
    verified = verify_chain(
        [end.certificate, link.certificate],
        TrustStore([old.certificate]),
        at=NOW,
        purpose=Purpose.SERVER,
    )
    assert len(verified.chain) == 3
    assert repr(verified).startswith("<VerifiedChain C = CN, O = Grid, CN = server <- ")


def test_a_trust_store_lists_each_anchor_once() -> None:
    store = TrustStore([ROOT.certificate, ROOT.certificate])
    assert list(store) == [ROOT.certificate]
    assert len(store) == 1


def test_refuses_an_empty_issuer() -> None:
    anonymous = root(subject=Name())
    with pytest.raises(CertificateRejected, match="its issuer is empty") as caught:
        verify_chain(
            [server(anonymous).certificate],
            TrustStore([anonymous.certificate]),
            at=NOW,
            purpose=Purpose.SERVER,
        )
    assert caught.value.reason is Reason.MALFORMED


def test_gives_the_chain_from_leaf_to_anchor() -> None:
    presented, anchors = three_deep(1, 0)()
    verified = verify_chain(presented, TrustStore(anchors), at=NOW, purpose=Purpose.SERVER)
    assert verified.chain == (*presented, *anchors)
    assert verified.public_key().to_bytes() == pki.key("server").public_key().to_bytes()


def test_refuses_an_empty_chain() -> None:
    with pytest.raises(CertificateRejected) as caught:
        verify_chain([], TrustStore(), at=NOW, purpose=Purpose.SERVER)
    assert caught.value.reason is Reason.MISSING


def test_only_verification_makes_a_verified_chain() -> None:
    with pytest.raises(InternalError):
        VerifiedChain((ROOT.certificate,), NOW, NOW, object())


def test_refuses_a_clock_without_time_zone() -> None:
    with pytest.raises(UsageError):
        verify_chain(
            [server(ROOT).certificate],
            TrustStore([ROOT.certificate]),
            at=NOW.replace(tzinfo=None),
            purpose=Purpose.SERVER,
        )


@pytest.mark.parametrize("wrong", ["", "*.example.com", "a..b", "münchen.de", "a b", "-a.com"])
def test_refuses_a_server_name_that_is_none(wrong: str) -> None:
    with pytest.raises(UsageError):
        verify_chain(
            [server(ROOT).certificate],
            TrustStore([ROOT.certificate]),
            at=NOW,
            purpose=Purpose.SERVER,
            server_name=wrong,
        )


def test_names_reason_certificate_and_alert() -> None:
    presented, anchors = without_intermediate()
    with pytest.raises(CertificateRejected) as caught:
        verify_chain(presented, TrustStore(anchors), at=NOW, purpose=Purpose.SERVER)
    assert caught.value.subject == "C = CN, O = Grid, CN = server"
    assert caught.value.description is AlertDescription.UNKNOWN_CA


def test_ambiguous_paths_end_within_the_budget() -> None:
    """Four levels of three CAs with one name and different keys each, and no way to the root."""
    presented: list[Certificate] = []
    level = [root("deep-4", subject_key=pki.key(f"4-{n}"), identifiers=False) for n in range(3)]
    for depth in range(3, -1, -1):
        level = [
            intermediate(
                f"deep-{depth}", level[n], subject_key=pki.key(f"{depth}-{n}"), identifiers=False
            )
            for n in range(3)
        ]
        presented += [link.certificate for link in level]
    end = server(level[0], identifiers=False)
    started = time.perf_counter()
    with pytest.raises(CertificateRejected) as caught:
        verify_chain(
            [end.certificate, *presented],
            TrustStore([ROOT.certificate]),
            at=NOW,
            purpose=Purpose.SERVER,
            limits=Limits(signature_checks=5),
        )
    assert caught.value.reason is Reason.TOO_MUCH_WORK
    assert time.perf_counter() - started < 1


def test_candidates_are_bounded_even_when_signatures_are_remembered() -> None:
    middle = [intermediate("middle", ROOT, serial=serial + 1) for serial in range(10)]
    stranger = server(middle[0], signer=pki.key("stranger"))
    with pytest.raises(CertificateRejected) as caught:
        verify_chain(
            [stranger.certificate, *(link.certificate for link in middle)],
            TrustStore([ROOT.certificate]),
            at=NOW,
            purpose=Purpose.SERVER,
            limits=Limits(candidates=5),
        )
    assert caught.value.reason is Reason.TOO_MUCH_WORK


def test_large_name_constraints_end_within_the_budget() -> None:
    many = tuple(dns(f"h{index}.example.com") for index in range(400))
    anchor = root("other root", excluded=many)
    end = server(anchor, names=tuple(f"DNS:m{index}.example.net" for index in range(400)))
    with pytest.raises(CertificateRejected) as caught:
        verify_chain(
            [end.certificate], TrustStore([anchor.certificate]), at=NOW, purpose=Purpose.SERVER
        )
    assert caught.value.reason is Reason.TOO_MUCH_WORK


def test_a_scheme_can_be_injected() -> None:
    """Verification asks one object about keys, algorithms and signatures."""

    class Recording:
        def __init__(self) -> None:
            self.asked: list[str] = []

        def require_key(self, spki: object) -> None:
            del spki
            self.asked.append("key")

        def require_algorithm(self, algorithm: object) -> None:
            del algorithm
            self.asked.append("algorithm")

        def verify(self, spki: object, signature: bytes, message: bytes) -> None:
            del spki, signature, message
            self.asked.append("signature")

    scheme = Recording()
    forged = server(ROOT, spki=spki_with(curve(oids.P256_CURVE), P256_POINT),
                    inner=AlgorithmIdentifier("1.2.840.10045.4.3.2"))  # fmt: skip
    verify_chain(
        [forged.certificate],
        TrustStore([ROOT.certificate]),
        at=NOW,
        purpose=Purpose.SERVER,
        scheme=scheme,
    )
    assert scheme.asked == ["key", "algorithm", "key", "signature"]


@pytest.mark.parametrize(
    "signature", [b"", b"\x30\x00", bytes(70), b"\xff" * 200, der.sequence(der.integer(0)) * 2]
)
def test_refuses_signatures_that_are_none(signature: bytes) -> None:
    honest = server(ROOT).certificate
    outer = der.sequence(honest.tbs, SM2_WITH_SM3.encode(), der.bit_string(signature))
    with pytest.raises(CertificateRejected) as caught:
        verify_chain(
            [Certificate.decode(outer)],
            TrustStore([ROOT.certificate]),
            at=NOW,
            purpose=Purpose.SERVER,
        )
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_no_altered_certificate_verifies() -> None:
    """A change of any byte is refused, and only ever with a declared error."""
    honest = server(ROOT).certificate
    encoding = honest.encode()
    trust = TrustStore([ROOT.certificate])
    for position in range(len(encoding)):
        changed = bytearray(encoding)
        changed[position] ^= 0x04
        with pytest.raises((MalformedData, CertificateRejected)):
            verify_chain([Certificate.decode(changed)], trust, at=NOW, purpose=Purpose.SERVER)

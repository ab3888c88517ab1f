"""Every way in which a TLCP pair can be wrong, shown by a server and by a client.

Whoever accepts gives a reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.asn1 import der
from meterseal.errors import CertificateRejected, RejectionReason
from meterseal.transport import TLCP_SUITES, ClientAuthentication, ClientConfig, ServerConfig
from meterseal.transport.codepoints import TLCP
from meterseal.transport.identity import verify_client, verify_server
from meterseal.x509 import Extension, GeneralName, KeyUsage, TrustStore
from support.crls import crl, line
from support.pki import NOW, Entity, entity, intermediate, key, name, root
from support.wire import Link, link, provider

if TYPE_CHECKING:
    from meterseal.crypto import sm2
    from meterseal.x509 import Certificate

HOST = "station.example"
R = RejectionReason
U = KeyUsage
SECOND = timedelta(seconds=1)
REVOKED = 666
CLIENT_AUTH, SERVER_AUTH = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"
ECC = tuple(suite for suite in TLCP_SUITES if suite.code == 0xE053)
P256_KEY = der.sequence(
    der.sequence(
        der.object_identifier("1.2.840.10045.2.1"), der.object_identifier("1.2.840.10045.3.1.7")
    ),
    der.bit_string(
        bytes.fromhex(
            "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
        )
    ),
)
UNKNOWN = Extension("1.2.3.4", critical=True, value=der.null())

ROOT, STRANGER = root(), root("stranger")
CA = intermediate("issuing", ROOT)
OTHER_CA = intermediate("issuing too", ROOT)
NARROW_CA = intermediate("narrow", ROOT, excluded=(GeneralName.parse("DNS:bad.example"),))
LAST_CA = intermediate("last", ROOT, path_length=0)
BELOW_LAST = intermediate("below last", LAST_CA)
LISTS = (crl(CA, line(REVOKED)),)


def sign(label: str = "sign", issuer: Entity | None = CA, **changes: Any) -> Entity:  # noqa: ANN401
    defaults = {"usage": U.DIGITAL_SIGNATURE, "names": (f"DNS:{HOST}",), "subject": name("owner")}
    return entity(label, issuer, **{**defaults, **changes})


def seal(label: str = "seal", issuer: Entity | None = CA, **changes: Any) -> Entity:  # noqa: ANN401
    return sign(label, issuer, **{"usage": U.KEY_ENCIPHERMENT | U.KEY_AGREEMENT, **changes})


S, E = sign(), seal()


@dataclass(frozen=True)
class Row:
    """What is shown, what to answer to a server and to a client (None accepts), and why accept."""

    shown: tuple[Entity, ...]
    server: RejectionReason | None
    client: RejectionReason | None
    why: str = ""


@dataclass
class Table:
    rows: dict[str, Row] = field(default_factory=dict)

    def refuse(self, what: str, reason: RejectionReason, *shown: Entity) -> None:
        self.rows[what] = Row(shown, reason, reason)

    def accept(self, what: str, why: str, *shown: Entity) -> None:
        self.rows[what] = Row(shown, None, None, why)

    def differ(
        self,
        what: str,
        why: str,
        *shown: Entity,
        server: RejectionReason | None = None,
        client: RejectionReason | None = None,
    ) -> None:
        self.rows[what] = Row(shown, server, client, why)


def table() -> dict[str, Row]:  # noqa: PLR0915
    t = Table()
    alone = "a client may show its signing chain alone; what is no encryption certificate is none"
    usage = "any one of the three bits says that the key is there to encrypt to"
    unnamed = "nobody asks for the name of a client"

    # Which certificates, in which order. What stands second is no issuer: so a server that shows
    # its CA there shows no CA.
    t.accept("a pair and its CA", "this is what the standard asks for", S, E, CA)
    t.refuse("nothing", R.MISSING)
    t.refuse("order swapped", R.WRONG_KEY_USAGE, E, S, CA)
    t.differ("signing twice", alone, S, S, CA, server=R.WRONG_KEY_USAGE)
    t.refuse("encryption twice", R.WRONG_KEY_USAGE, E, E, CA)
    t.differ("signing alone", alone, S, CA, server=R.UNKNOWN_ISSUER)
    t.refuse("encryption alone", R.WRONG_KEY_USAGE, E, CA)
    t.differ("the CA in between", alone, S, CA, E, server=R.UNKNOWN_ISSUER)
    t.refuse("the CA first", R.WRONG_KEY_USAGE, CA, S, E)
    t.refuse("no CA", R.UNKNOWN_ISSUER, S, E)
    t.accept("others behind", "what leads nowhere is not looked at", S, E, STRANGER, CA, OTHER_CA)
    t.accept("the root too", "it is compared with ours and trusted as ours", S, E, CA, ROOT)

    # One owner, two keys, any issuers that we trust.
    t.refuse("two owners", R.PAIR_MISMATCH, S, seal(subject=name("somebody")), CA)
    t.refuse("one key", R.PAIR_MISMATCH, S, seal(subject_key=S.key), CA)
    other_issuer = seal(issuer=OTHER_CA)
    t.accept("two issuers", "our root vouches for both", S, other_issuer, CA, OTHER_CA)
    t.refuse("signing by a stranger", R.UNKNOWN_ISSUER, sign(issuer=STRANGER), E, CA, STRANGER)
    t.refuse("encryption by a stranger", R.UNKNOWN_ISSUER, S, seal(issuer=STRANGER), CA, STRANGER)
    t.refuse("signing self-signed", R.UNKNOWN_ISSUER, sign(issuer=None), E, CA)
    t.refuse("encryption self-signed", R.UNKNOWN_ISSUER, S, seal(issuer=None), CA)
    forger = key("forger")
    t.refuse("signing forged", R.BAD_SIGNATURE, sign(signer=forger), E, CA)
    t.refuse("encryption forged", R.BAD_SIGNATURE, S, seal(signer=forger), CA)
    bare = sign(identifiers=False), seal(identifiers=False)
    t.accept("no key identifiers", "they help to find an issuer, they prove nothing", *bare, CA)

    # Key usage.
    for what, bits in (
        ("no signature", U.NON_REPUDIATION),
        ("key encipherment only", U.KEY_ENCIPHERMENT),
        ("certificates too", U.DIGITAL_SIGNATURE | U.KEY_CERT_SIGN),
    ):
        t.refuse(f"signing for {what}", R.WRONG_KEY_USAGE, sign(usage=bits), E, CA)
    for bit in (U.KEY_ENCIPHERMENT, U.DATA_ENCIPHERMENT, U.KEY_AGREEMENT):
        t.accept(f"encryption for {bit.name} only", usage, S, seal(usage=bit), CA)
    signs = seal(usage=U.DIGITAL_SIGNATURE)
    t.differ("encryption for signatures only", alone, S, signs, CA, server=R.WRONG_KEY_USAGE)
    lists = seal(usage=U.CRL_SIGN)
    t.differ("encryption for none of it", alone, S, lists, CA, server=R.WRONG_KEY_USAGE)
    issues = seal(usage=U.KEY_ENCIPHERMENT | U.KEY_CERT_SIGN)
    t.refuse("encryption for certificates too", R.WRONG_KEY_USAGE, S, issues, CA)
    both = sign(usage=U.DIGITAL_SIGNATURE | U.KEY_ENCIPHERMENT)
    t.accept("signing for both", "its use for signatures is allowed", both, E, CA)
    unsaid = "without a Key Usage nothing is forbidden (RFC 5280, 4.2.1.3)"
    t.accept("signing without usage", unsaid, sign(usage=None), E, CA)
    t.accept("encryption without usage", unsaid, S, seal(usage=None), CA)
    t.refuse("signing is a CA", R.WRONG_KEY_USAGE, sign(ca=True), E, CA)
    t.refuse("encryption is a CA", R.WRONG_KEY_USAGE, S, seal(ca=True), CA)

    # Purposes, names, constraints.
    for half, make in (("signing", sign), ("encryption", seal)):
        for purpose, wrong in ((CLIENT_AUTH, "server"), (SERVER_AUTH, "client")):
            odd = make(purposes=(purpose,))
            shown = (odd, E, CA) if half == "signing" else (S, odd, CA)
            what, why = f"{half} not for a {wrong}", "the purpose is that of this end"
            t.differ(what, why, *shown, **{wrong: R.WRONG_EXTENDED_KEY_USAGE})
    elsewhere = ("DNS:elsewhere.example",)
    t.differ("name in encryption only", unnamed, sign(names=elsewhere), E, CA, server=R.WRONG_NAME)
    t.differ("name in signing only", unnamed, S, seal(names=elsewhere), CA, server=R.WRONG_NAME)
    nameless = sign(names=()), seal(names=())
    t.differ("no name at all", unnamed, *nameless, CA, server=R.WRONG_NAME)
    bad = (f"DNS:{HOST}", "DNS:bad.example")
    narrow_s, narrow_e = sign(issuer=NARROW_CA), seal(issuer=NARROW_CA)
    t.accept("names inside of constraints", "none is excluded", narrow_s, narrow_e, NARROW_CA)
    bad_s, bad_e = sign(issuer=NARROW_CA, names=bad), seal(issuer=NARROW_CA, names=bad)
    t.refuse("constraint hit by signing", R.NAME_CONSTRAINT, bad_s, narrow_e, NARROW_CA)
    t.refuse("constraint hit by encryption", R.NAME_CONSTRAINT, narrow_s, bad_e, NARROW_CA)
    deep = sign(issuer=BELOW_LAST), seal(issuer=BELOW_LAST)
    t.refuse("path too long", R.PATH_TOO_LONG, *deep, BELOW_LAST, LAST_CA)
    long_e = seal(issuer=BELOW_LAST)
    t.refuse("encryption's path too long", R.PATH_TOO_LONG, S, long_e, CA, BELOW_LAST, LAST_CA)

    # Time, revocation, keys, extensions.
    for what, reason, changes in (
        ("expired", R.EXPIRED, {"last": NOW - SECOND}),
        ("not yet valid", R.NOT_YET_VALID, {"first": NOW + SECOND}),
        ("revoked", R.REVOKED, {"serial": REVOKED}),
        ("on P-256", R.UNSUPPORTED_KEY, {"spki": P256_KEY}),
        ("with an unknown critical extension", R.UNKNOWN_CRITICAL_EXTENSION, {"extra": (UNKNOWN,)}),
        ("of version 1", R.MALFORMED, {"version": 1}),
        ("with the serial number 0", R.MALFORMED, {"serial": 0}),
        ("under another identifier", R.BAD_SIGNATURE, {"distinguishing_id": b"other"}),
    ):
        t.refuse(f"signing {what}", reason, sign(**changes), E, CA)
        if what != "of version 1":
            t.refuse(f"encryption {what}", reason, S, seal(**changes), CA)
    old = seal(version=1)
    t.differ("encryption of version 1", alone, S, old, CA, server=R.MALFORMED)
    last = sign(last=NOW), seal(last=NOW)
    t.accept("in the last second", "a certificate is good to the second it names", *last, CA)
    first = sign(first=NOW), seal(first=NOW)
    t.accept("in the first second", "a certificate is good from the second it names", *first, CA)
    return t.rows


ROWS = table()
every_row = pytest.mark.parametrize("what", ROWS)
every_end = pytest.mark.parametrize("end", ["server", "client"])


def client_config(credential: object) -> ClientConfig:
    return ClientConfig(
        trust=TrustStore([ROOT.certificate]),
        suites=ECC,
        credential=credential,  # type: ignore[arg-type]
        crls=LISTS,
        provider=provider(NOW.timestamp()),
    )


def server_config(credential: object) -> ServerConfig:
    return ServerConfig(
        credential=credential,  # type: ignore[arg-type]
        suites=ECC,
        trust=TrustStore([ROOT.certificate]),
        client_authentication=ClientAuthentication.REQUIRED,
        crls=LISTS,
        provider=provider(NOW.timestamp()),
    )


@dataclass(frozen=True)
class Half:
    certificate: Certificate
    key: sm2.PrivateKey


class Shown:
    """A credential that shows any certificates in any order; the keys are those of the pair."""

    def __init__(self, shown: tuple[Entity, ...]) -> None:
        first, second, *others = shown
        self.key = first.key
        self.encryption = Half(second.certificate, second.key)
        self.chain = (first.certificate, *(other.certificate for other in others))


HONEST = Shown((S, E, CA))


def verdict(row: Row, end: str) -> RejectionReason | None:
    """Ask the check of certificates itself."""
    entries = [shown.certificate.encode() for shown in row.shown]
    try:
        if end == "server":
            verify_server(entries, client_config(None), HOST, TLCP)
        else:
            verify_client(entries, server_config(HONEST), TLCP)
    except CertificateRejected as error:
        return error.reason
    return None


def handshake(row: Row, end: str) -> Link:
    odd = Shown(row.shown)
    client, server = (HONEST, odd) if end == "server" else (odd, HONEST)
    return link(client_config(client), server_config(server), server_name=HOST)


@every_end
@every_row
def test_the_check_of_certificates_answers_as_the_table_says(what: str, end: str) -> None:
    row = ROWS[what]
    assert verdict(row, end) is (row.server if end == "server" else row.client)


@every_end
@pytest.mark.parametrize("what", [what for what, row in ROWS.items() if len(row.shown) > 1])
def test_a_handshake_answers_as_the_table_says(what: str, end: str) -> None:
    row = ROWS[what]
    expected = row.server if end == "server" else row.client
    both = handshake(row, end)
    judge = "client" if end == "server" else "server"
    if expected is None:
        assert not both.errors
        assert both.client.is_established
        assert both.server.is_established
        return
    error = both.errors[judge]
    assert isinstance(error, CertificateRejected)
    assert error.reason is expected
    assert not both.client.is_established
    assert not both.server.is_established


def test_whoever_accepts_says_why() -> None:
    assert len(ROWS) >= 64
    for what, row in ROWS.items():
        accepts = row.server is None or row.client is None
        assert bool(row.why) == accepts, what


def test_a_lone_signing_chain_is_never_taken_for_a_pair() -> None:
    """Where a client is accepted with less than a pair, no encryption key of it is used."""
    for what in ("signing twice", "signing alone", "the CA in between"):
        entries = [shown.certificate.encode() for shown in ROWS[what].shown]
        assert verify_client(entries, server_config(HONEST), TLCP).encryption is None

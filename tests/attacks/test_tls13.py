"""TLS 1.3 with SM suites: foreign certificates, groups nobody configured, hybrid shares.

Tongsuo took RSA and ECDSA certificates under SM4 suites, and groups that were switched off
(Tongsuo-Project/Tongsuo#491).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from meterseal.asn1 import der
from meterseal.crypto import mlkem, sm2
from meterseal.errors import (
    AlertDescription,
    BadRecord,
    CertificateRejected,
    IllegalParameter,
    Incompatible,
    PeerError,
    RejectionReason,
    UnexpectedMessage,
)
from meterseal.lab.attack.wire import message, with_client_hello, with_server_hello
from meterseal.transport import (
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    EncryptionCredential,
    SessionCache,
)
from meterseal.transport.extensions_tls13 import (
    decode_key_share,
    decode_key_shares,
    encode_key_share,
    encode_key_shares,
    encode_uint16,
)
from meterseal.x509 import Certificate, KeyUsage, TrustStore
from meterseal.x509.spki import AlgorithmIdentifier
from support import pki
from support.identities import NOW, world
from support.shared import shared
from support.tlcp import ECC
from support.tls13 import client13, link13, server13
from support.wire import SERVER_NAME, client_config, link, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.transport.messages import ClientHello, ServerHello

A = AlertDescription
R = RejectionReason
SHARES, GROUPS = 51, 10
SM2, SM2_OF_TLS12, P256, X25519, HYBRID = 41, 30, 23, 29, 4590
VECTORS = shared("vectors/mlkem_768_test.json")


# --- certificates of other families ----------------------------------------------------------


@dataclass(frozen=True)
class Foreign:
    """A trusted root of another family and what it issued."""

    root: Certificate
    leaf: Certificate


def issue(
    key: Any,  # noqa: ANN401
    issuer: Any = None,  # noqa: ANN401
    signer: Any = None,  # noqa: ANN401
) -> x509.Certificate:
    """A certificate of `cryptography`; a root without issuer."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf" if issuer else "root")])
    day = timedelta(days=1)
    builder = x509.CertificateBuilder(
        issuer_name=issuer.subject if issuer else subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=NOW - day,
        not_valid_after=NOW + day,
    ).add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
    if issuer:
        names = x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer or key, hashes.SHA256())


@cache
def foreign(family: str) -> Foreign:
    if family == "RSA":
        ca_key: Any = rsa.generate_private_key(65_537, 2048)
        key: Any = rsa.generate_private_key(65_537, 2048)
    else:
        ca_key, key = (
            ec.generate_private_key(ec.SECP256R1()),
            ec.generate_private_key(ec.SECP256R1()),
        )
    root = issue(ca_key)
    leaf = issue(key, root, ca_key)
    as_der = [c.public_bytes(serialization.Encoding.DER) for c in (root, leaf)]
    return Foreign(*map(Certificate.decode, as_der))


ECDSA_SHA256 = AlgorithmIdentifier("1.2.840.10045.4.3.2")
RSA_SHA256 = AlgorithmIdentifier("1.2.840.113549.1.1.11", der.null())


def mixed(**changes: Any) -> Foreign:  # noqa: ANN401
    """A leaf of an SM2 root, with parts of another family."""
    root = pki.root(first=NOW - timedelta(days=1), last=NOW + timedelta(days=1))
    leaf = pki.entity(
        "leaf",
        root,
        usage=KeyUsage.DIGITAL_SIGNATURE,
        names=(f"DNS:{SERVER_NAME}",),
        first=NOW - timedelta(days=1),
        last=NOW + timedelta(days=1),
        **changes,
    )
    return Foreign(root.certificate, leaf.certificate)


FOREIGN: dict[str, tuple[Callable[[], Foreign], RejectionReason]] = {
    "ECDSA": (lambda: foreign("ECDSA"), R.UNSUPPORTED_KEY),
    "RSA": (lambda: foreign("RSA"), R.UNSUPPORTED_KEY),
    "an ECDSA key signed with SM2": (
        lambda: mixed(spki=foreign("ECDSA").leaf.spki.encoding),
        R.UNSUPPORTED_KEY,
    ),
    "an RSA key signed with SM2": (
        lambda: mixed(spki=foreign("RSA").leaf.spki.encoding),
        R.UNSUPPORTED_KEY,
    ),
    "an SM2 key signed with ECDSA": (lambda: mixed(inner=ECDSA_SHA256), R.UNSUPPORTED_ALGORITHM),
    "an SM2 key signed with RSA": (lambda: mixed(inner=RSA_SHA256), R.UNSUPPORTED_ALGORITHM),
}


class Shown:
    """A credential that shows this certificate and signs with whatever key it has."""

    def __init__(self, leaf: Certificate) -> None:
        self.chain = (leaf,)
        self.key = sm2.PrivateKey.generate()
        self.scheme = world().server.scheme
        self.ocsp_response = None
        ours = world().server_pair.encryption
        assert isinstance(ours, EncryptionCredential)
        self.encryption = ours


SUITES = {"tls13": TLS13_SUITES, "tls12": TLS12_SUITES, "tlcp": (ECC,)}


@pytest.mark.parametrize("protocol", SUITES)
@pytest.mark.parametrize("family", FOREIGN)
@pytest.mark.parametrize("who", ["server", "client"])
def test_certificates_of_other_families_do_not_mix_with_sm4_suites(
    who: str, family: str, protocol: str
) -> None:
    """Their roots are trusted: it is their kind that is refused."""
    make, reason = FOREIGN[family]
    held = make()
    suites = SUITES[protocol]
    both_roots = TrustStore([world().root, held.root])
    pair = protocol == "tlcp"
    honest = world().server_pair if pair else world().server
    own = world().client_pair if pair else world().client
    client = client_config(
        suites=suites, trust=both_roots, credential=Shown(held.leaf) if who == "client" else own
    )
    server = server_config(
        suites=suites,
        trust=both_roots,
        client_authentication=ClientAuthentication.REQUIRED,
        credential=Shown(held.leaf) if who == "server" else honest,
    )
    both = link(client, server)
    error = both.errors["client" if who == "server" else "server"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is reason
    assert not both.server.is_established


# --- what follows the handshake ---------------------------------------------------------------


def test_tickets_without_end_are_refused() -> None:
    """Each costs the client a derivation and an event."""
    both = link13(None, server13(session_cache=SessionCache()))
    ticket = message(4, bytes.fromhex("00001c20 00000000 00 0001 78 0000"))
    for _ in range(2):
        for _ in range(31):
            both.server._driver.send_encoded(ticket)
        both.server.send_data(b"1 kWh")  # what is between them is worth the work
        both.client.receive_data(both.server.data_to_send())
    for _ in range(33):
        both.server._driver.send_encoded(ticket)
    with pytest.raises(UnexpectedMessage, match="more than 32 tickets"):
        both.client.receive_data(both.server.data_to_send())


# --- groups that nobody configured -----------------------------------------------------------


def asks_for(group: int) -> Callable[[ServerHello], dict[str, Any]]:
    """A HelloRetryRequest for another group."""
    return lambda hello: {"extensions": {**hello.extensions, SHARES: encode_uint16(group)}}


def answers_with(group: int, share: bytes) -> Callable[[ServerHello], dict[str, Any]]:
    return lambda hello: {
        "extensions": {**hello.extensions, SHARES: encode_key_share(group, share)}
    }


POINT = sm2.PrivateKey.generate().public_key().to_bytes()


@pytest.mark.parametrize("group", [SM2, SM2_OF_TLS12, P256, X25519, 4588])
def test_a_client_of_the_hybrid_alone_is_forced_to_no_other_group(group: int) -> None:
    client = client13(groups=(HYBRID,), key_shares=())
    retry = with_server_hello(asks_for(group))
    error = link13(client, change=retry).errors["client"]
    assert isinstance(error, IllegalParameter)
    answer = with_server_hello(answers_with(group, POINT))
    error = link13(client13(groups=(HYBRID,)), change=answer).errors["client"]
    assert isinstance(error, IllegalParameter)


def test_a_group_that_was_offered_without_a_share_must_be_asked_for() -> None:
    client = client13(groups=(HYBRID, SM2), key_shares=(HYBRID,))
    answer = with_server_hello(answers_with(SM2, POINT))
    assert isinstance(link13(client, change=answer).errors["client"], IllegalParameter)


@pytest.mark.parametrize("group", [SM2, SM2_OF_TLS12, P256, X25519])
def test_a_server_of_the_hybrid_alone_takes_no_share_of_another_group(group: int) -> None:
    def only(hello: ClientHello) -> dict[str, Any]:
        groups = b"\0\2" + group.to_bytes(2, "big")
        shares = encode_key_shares({group: POINT})
        return {"extensions": {**hello.extensions, GROUPS: groups, SHARES: shares}}

    both = link13(None, server13(groups=(HYBRID,)), change=with_client_hello(only))
    assert isinstance(both.errors["server"], Incompatible)


def test_a_share_of_an_unconfigured_group_leads_to_a_retry_for_the_configured_one() -> None:
    both = link13(client13(key_shares=(SM2,)), server13(groups=(HYBRID,)))
    assert not both.errors
    assert both.client.established is not None
    assert both.server.established is not None
    assert both.client.established.group == both.server.established.group == HYBRID


@pytest.mark.parametrize("group", [SM2_OF_TLS12, P256])
def test_the_curve_under_the_number_of_tls12_is_no_group_of_tls13(group: int) -> None:
    """Our provider would compute it; TLS 1.3 does not ask it to."""

    def only(hello: ClientHello) -> dict[str, Any]:
        groups = b"\0\4\0\x29" + group.to_bytes(2, "big")
        shares = encode_key_shares({group: POINT})
        return {"extensions": {**hello.extensions, GROUPS: groups, SHARES: shares}}

    both = link13(change=with_client_hello(only))
    first = both.seen["server"][0]
    assert first[5] == 2
    assert first[11:43].hex().startswith("cf21ad74")  # it asks for a share of its own group


# --- the hybrid share ------------------------------------------------------------------------


def unreduced(public: bytes, index: int, value: int) -> bytes:
    """The key with one coefficient set to `value`, 12 bits (FIPS 203, 7.2: must be below 3329)."""
    start, high = 3 * (index // 2), index % 2
    packed = int.from_bytes(public[start : start + 3], "little")
    mask = 0xFFF << 12 * high
    packed = packed & ~mask | value << 12 * high
    return public[:start] + packed.to_bytes(3, "little") + public[start + 3 :]


LATTICE = mlkem.MlKem768PrivateKey.generate().public_bytes()
VALUES = (3329, 3330, 4095)


def with_lattice(lattice: bytes) -> Callable[[str, int, bytes], bytes]:
    def change(hello: ClientHello) -> dict[str, Any]:
        shares = {**decode_key_shares(hello.extensions[SHARES]), HYBRID: POINT + lattice}
        return {"extensions": {**hello.extensions, SHARES: encode_key_shares(shares)}}

    return with_client_hello(change)


def test_132_encapsulation_keys_that_are_not_reduced_are_refused_inside_a_hello() -> None:
    keys = [unreduced(LATTICE, 17 * n + 3, value) for n in range(44) for value in VALUES]
    assert len(set(keys)) == 132
    for key in keys:
        error = link13(change=with_lattice(key)).errors["server"]
        assert isinstance(error, PeerError)
        assert error.description is A.ILLEGAL_PARAMETER


def test_the_largest_reduced_coefficient_is_taken() -> None:
    """The control: the server goes on; only the client knows that this is not its share."""
    both = link13(change=with_lattice(unreduced(LATTICE, 3, 3328)))
    assert both.seen["server"]
    assert isinstance(both.errors["client"], BadRecord)


@pytest.mark.skipif(not VECTORS.exists(), reason=f"{VECTORS.name} of Wycheproof is not at hand")
def test_every_ciphertext_of_wycheproof_inside_a_hello_is_refused() -> None:
    """Those of a wrong length at once; the others lead to other keys, and to nothing sooner."""
    groups = json.loads(VECTORS.read_text())["testGroups"]
    counted = {"valid": 0, "invalid": 0}
    for case in (case for group in groups for case in group["tests"]):
        ciphertext = bytes.fromhex(case["c"])

        def alter(hello: ServerHello, text: bytes = ciphertext) -> dict[str, Any]:
            _, share = decode_key_share(hello.extensions[SHARES])
            forged = encode_key_share(HYBRID, share[:65] + text)
            return {"extensions": {**hello.extensions, SHARES: forged}}

        both = link13(change=with_server_hello(alter))
        counted[case["result"]] += 1
        is_long = len(ciphertext) == mlkem.CIPHERTEXT_LENGTH
        expected = BadRecord if is_long else IllegalParameter
        assert isinstance(both.errors["client"], expected), case["tcId"]
    assert counted == {"valid": 153, "invalid": 40}


def test_every_changed_part_of_the_hybrid_answer_ends_alike() -> None:
    """Implicit rejection: a changed ciphertext shows where a point of somebody else does."""
    other = sm2.PrivateKey.generate().public_key().to_bytes()
    changes: dict[str, Callable[[bytes], bytes]] = {
        "point": lambda share: other + share[65:],
        "first byte": lambda share: share[:65] + bytes((share[65] ^ 1,)) + share[66:],
        "last byte": lambda share: share[:-1] + bytes((share[-1] ^ 1,)),
        "zeros": lambda share: share[:65] + bytes(len(share) - 65),
        "both": lambda share: other + bytes(len(share) - 65),
    }
    outcomes = set()
    for change in changes.values():

        def alter(hello: ServerHello, by: Callable[[bytes], bytes] = change) -> dict[str, Any]:
            group, share = decode_key_share(hello.extensions[SHARES])
            return {"extensions": {**hello.extensions, SHARES: encode_key_share(group, by(share))}}

        both = link13(change=with_server_hello(alter))
        error = both.errors["client"]
        assert isinstance(error, PeerError)
        outcomes.add((error.description, str(error), len(both.seen["client"])))
    assert len(outcomes) == 1
    assert next(iter(outcomes))[0] is A.BAD_RECORD_MAC

"""A family with several suites, signature schemes, groups and lengths of hash."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from meterseal.errors import IllegalParameter, Incompatible
from meterseal.transport import (
    ClientAuthentication,
    ClientConfig,
    Credential,
    ServerConfig,
    TicketKeys,
)
from meterseal.transport.algorithms import find_signature
from meterseal.transport.codepoints import TLS12, TLS13
from meterseal.transport.messages import CertificateVerify, ServerKeyExchange
from meterseal.transport.wire import Cursor
from meterseal.x509 import TrustStore
from support.nist import NistProvider
from support.nist.families import SUITES, family, with_suites
from support.nist.groups import P256, P384, X25519, X25519MLKEM768
from support.nist.identities import HOST, Held, make
from support.nist.signing import AnyScheme, AnySigner, of_tls12, of_tls13
from support.wire import link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.transport.algorithms import Algorithms
    from support.wire import Link

P256_SHA256, P384_SHA384 = 0x0403, 0x0503
RSA_PSS = 0x0804
GROUPS = (X25519MLKEM768, X25519, P256)
OF_ECDSA = [suite for suite in SUITES.values() if suite.authentication != "RSA"]


@cache
def root() -> Held:
    return make("root")


@cache
def held(curve: type[ec.EllipticCurve]) -> Held:
    return make("station", root(), ExtendedKeyUsageOID.SERVER_AUTH, curve=curve())


@cache
def meter() -> Held:
    return make("meter-1", root(), ExtendedKeyUsageOID.CLIENT_AUTH, curve=ec.SECP384R1())


def credential(held: Held) -> Credential:
    return Credential((held.ours,), AnySigner(held.key), scheme=AnyScheme())


def both(algorithms: Algorithms) -> dict[str, Any]:
    return {
        "algorithms": algorithms,
        "suites": tuple(algorithms.suites.values()),
        "provider": NistProvider(),
        "groups": GROUPS,
        "trust": TrustStore([root().ours]),
    }


def client(algorithms: Algorithms, **changes: Any) -> ClientConfig:  # noqa: ANN401
    return ClientConfig(**{**both(algorithms), **changes})


def server(
    algorithms: Algorithms,
    curve: type[ec.EllipticCurve] = ec.SECP256R1,
    **changes: Any,  # noqa: ANN401
) -> ServerConfig:
    own = {"credential": credential(held(curve))}
    return ServerConfig(**{**both(algorithms), **own, **changes})


def connect(client: ClientConfig, server: ServerConfig, **options: Any) -> Link:  # noqa: ANN401
    return link(client, server, server_name=HOST, **options)


def assert_refused(pair: Link, end: str, kind: type[Exception], words: str) -> None:
    assert isinstance(pair.errors[end], kind)
    assert words in str(pair.errors[end])


def wide(*schemes: int, suites: Sequence[int] = (), groups: Sequence[int] = GROUPS) -> Algorithms:
    algorithms = family(schemes or (P256_SHA256, P384_SHA384), groups)
    return with_suites(algorithms, *suites) if suites else algorithms


@pytest.mark.parametrize("suite", OF_ECDSA, ids=lambda suite: suite.name)
def test_every_suite_carries_data_and_resumes(suite: Any) -> None:  # noqa: ANN401
    algorithms = wide(suites=(suite.code,))
    keys = TicketKeys(NistProvider(), suites=algorithms.suites)
    theirs = server(algorithms, ticket_keys=keys)
    session = None
    for resumed in (False, True):
        pair = connect(client(algorithms), theirs, session=session)
        assert pair.client.established is not None
        assert pair.client.established.suite == suite
        assert pair.client.established.resumed is resumed
        pair.client.send_data(b"1 kWh" * 5000)
        pair.server.receive_data(pair.client.data_to_send())
        assert pair.server.read() == b"1 kWh" * 5000
        session = pair.client.session


def test_a_session_goes_on_under_suites_of_its_hash_alone() -> None:
    keys = TicketKeys(NistProvider(), suites=SUITES)
    ours, session = client(wide()), None
    for code, resumed in ((0x1301, False), (0x1303, True), (0x1302, False)):
        theirs = server(wide(), suites=(SUITES[code],), ticket_keys=keys)
        pair = connect(ours, theirs, session=session)
        assert pair.client.established is not None
        assert pair.client.established.suite.code == code
        assert pair.client.established.resumed is resumed
        session = pair.client.session


def signed_with(version: int, *offered: int, curve: type[ec.EllipticCurve]) -> int:
    """The scheme that a server signs with."""
    schemes = []

    def see(_direction: str, _content_type: int, raw: bytes) -> None:
        kind = {made.TYPE: made for made in (ServerKeyExchange, CertificateVerify)}.get(raw[0])
        if kind is not None:
            schemes.append(kind.decode(Cursor(raw, 4)).algorithm)

    codes = [suite.code for suite in OF_ECDSA if suite.version == version]
    connect(
        client(wide(*offered, suites=codes), observer=see),
        server(wide(P256_SHA256, P384_SHA384, suites=codes), curve),
    )
    return schemes[0]


def test_a_server_signs_by_the_first_of_its_schemes_that_key_and_client_know() -> None:
    all_of_them = (P384_SHA384, P256_SHA256)
    assert signed_with(TLS13, *all_of_them, curve=ec.SECP256R1) == P256_SHA256
    assert signed_with(TLS13, *all_of_them, curve=ec.SECP384R1) == P384_SHA384
    assert signed_with(TLS12, *all_of_them, curve=ec.SECP384R1) == P256_SHA256
    assert signed_with(TLS12, P384_SHA384, curve=ec.SECP256R1) == P384_SHA384


def test_a_server_whose_key_makes_nothing_that_is_offered_says_so() -> None:
    pair = connect(client(wide(P256_SHA256)), server(wide(), ec.SECP384R1))
    assert_refused(pair, "server", Incompatible, "key")


def test_a_client_signs_by_the_first_of_its_schemes_that_key_and_server_know() -> None:
    for version in (TLS12, TLS13):
        codes = [suite.code for suite in OF_ECDSA if suite.version == version]
        algorithms = wide(suites=codes)
        asking = server(algorithms, client_authentication=ClientAuthentication.REQUIRED)
        pair = connect(client(algorithms, credential=credential(meter())), asking)
        assert pair.server.established is not None
        assert pair.server.established.peer is not None


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_scheme_of_another_kind_of_key_is_refused(version: int) -> None:
    known = (P256_SHA256, RSA_PSS)
    offered = of_tls12(known) if version == TLS12 else of_tls13(known, client_signs=False)
    key = held(ec.SECP256R1).ours.spki.algorithm
    assert find_signature(offered, P256_SHA256, key).code == P256_SHA256
    with pytest.raises(IllegalParameter, match="not made by"):
        find_signature(offered, RSA_PSS, key)
    with pytest.raises(IllegalParameter, match="not offered"):
        find_signature(offered, P384_SHA384, key)


def test_a_server_of_tls12_chooses_a_suite_that_its_key_signs_for() -> None:
    algorithms = wide(suites=(0xC02F, 0xC02B))
    pair = connect(client(algorithms), server(algorithms))
    assert pair.client.established is not None
    assert pair.client.established.suite.code == 0xC02B
    of_rsa = wide(suites=(0xC02F,))
    assert_refused(connect(client(of_rsa), server(of_rsa)), "server", Incompatible, "suite")


def test_a_client_of_tls12_refuses_a_signature_that_does_not_go_with_the_suite() -> None:
    honest = wide(suites=(0xC02F,))
    lying = replace(SUITES[0xC02F], authentication="ECDSA")
    pair = connect(client(honest), server(replace(honest, suites={lying.code: lying})))
    assert_refused(pair, "client", IllegalParameter, "do not go with")


def test_a_server_of_tls12_chooses_the_first_of_its_groups_that_the_client_knows() -> None:
    groups = []

    def see(_direction: str, _content_type: int, raw: bytes) -> None:
        if raw[0] == ServerKeyExchange.TYPE:
            groups.append(ServerKeyExchange.decode(Cursor(raw, 4)).group)

    ours = wide(suites=(0xC02B,), groups=(X25519, P256))
    theirs = wide(suites=(0xC02B,), groups=(P384, P256, X25519))
    connect(client(ours, observer=see), server(theirs))
    assert groups == [P256]
    pair = connect(client(ours), server(wide(suites=(0xC02B,), groups=(P384,))))
    assert_refused(pair, "server", Incompatible, "group")

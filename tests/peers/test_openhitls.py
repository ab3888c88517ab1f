"""openHiTLS agrees with ours: TLCP in four suites, TLS 1.3 in two, both roles, and refusals.

It runs where METERSEAL_OPENHITLS names its program (docs/guide/outside-suites.md).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import AlertReceived, CertificateRejected, MeterSealError
from meterseal.transport import (
    TLCP_SUITES,
    TLS13_SUITES,
    CipherSuite,
    ClientAuthentication,
    ClientConfig,
    Compatibility,
    Credential,
    ServerConfig,
)
from meterseal.x509 import TrustStore, load_certificates, load_private_key
from support import openhitls
from support.command_line import ANSWER, GONE, dial, welcome
from support.contexts import files
from support.identities import world

if TYPE_CHECKING:
    from meterseal.net import SecureSocket

pytestmark = pytest.mark.skipif(
    not openhitls.PROGRAM, reason="METERSEAL_OPENHITLS names no hitls program of openHiTLS"
)

ECDHE = tuple(suite for suite in TLCP_SUITES if suite.name.startswith("ECDHE"))
ECC = tuple(suite for suite in TLCP_SUITES if suite not in ECDHE)
GCM, CCM = TLS13_SUITES
REQUIRED = {"client_authentication": ClientAuthentication.REQUIRED}


def over(*suites: CipherSuite) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("suite", suites, ids=lambda suite: suite.name)


def trust() -> TrustStore:
    return TrustStore(load_certificates((files().folder / "ca.pem").read_bytes()))


def own(owner: str, suite: CipherSuite) -> Credential:
    """What we show in a role: a pair under TLCP."""
    halves = [(files().folder / f"{owner}_{half}.pem").read_bytes() for half in ("sign", "enc")]
    keys = [(files().folder / f"{owner}_{half}.key").read_bytes() for half in ("sign", "enc")]
    if suite in TLS13_SUITES:
        return Credential(tuple(load_certificates(halves[0])), load_private_key(keys[0]))
    certificates = [each for half in halves for each in load_certificates(half)]
    return Credential.of_pair(certificates, *map(load_private_key, keys))


def visiting(port: int, suite: CipherSuite, **changes: Any) -> SecureSocket:  # noqa: ANN401
    options = {name: changes.pop(name) for name in ("server_name", "session") if name in changes}
    settings = {"suites": (suite,), "credential": own("client", suite), **changes}
    return dial(port, ClientConfig(**{"trust": trust(), **settings}), **options)


def serving(suite: CipherSuite, **changes: Any) -> ServerConfig:  # noqa: ANN401
    settings = {"suites": (*TLCP_SUITES, *TLS13_SUITES), "trust": trust(), **REQUIRED, **changes}
    return ServerConfig(credential=own("server", suite), **settings)


@over(*TLCP_SUITES, *TLS13_SUITES)
def test_our_client_and_their_server_agree_and_resume(suite: CipherSuite) -> None:
    session = None
    with openhitls.serve(suite, mutual=True) as port:
        for attempt in range(2):
            with visiting(port, suite, session=session) as secure:
                secure.sendall(bytes(500))
                assert secure.recv().endswith(b"Hello World!")
                assert secure.session.suite == suite
                assert secure.session.resumed == bool(attempt)
                session = secure.resumable


@over(*TLCP_SUITES, *TLS13_SUITES)
def test_our_server_and_their_client_agree(suite: CipherSuite) -> None:
    session, output = welcome(serving(suite), partial(openhitls.visit, suite=suite))
    assert ANSWER.strip() in output
    assert session.suite == suite
    assert session.peer is not None
    assert "meter-1" in str(session.peer.leaf.subject)


@over(*ECC, *TLS13_SUITES)
def test_without_client_authentication_both_roles_agree(suite: CipherSuite) -> None:
    with openhitls.serve(suite, mutual=False) as port:
        with visiting(port, suite, credential=None) as secure:
            secure.sendall(bytes(500))
            assert secure.recv().endswith(b"Hello World!")
    config = serving(suite, client_authentication=ClientAuthentication.NONE)
    session, output = welcome(config, partial(openhitls.visit, suite=suite, shows=False))
    assert ANSWER.strip() in output
    assert session.peer is None


@over(*ECDHE)
def test_it_refuses_the_standards_length_before_the_point(suite: CipherSuite) -> None:
    prefix = Compatibility(ecdhe_length_prefix=True)
    with openhitls.serve(suite, mutual=True) as port, pytest.raises(AlertReceived):
        visiting(port, suite, compatibility=prefix)


@over(ECC[0], GCM)
def test_our_client_and_their_server_refuse(suite: CipherSuite) -> None:
    other = ECC[1] if suite in ECC else CCM
    stranger = world().client_pair if suite in ECC else world().client
    wrong: list[tuple[dict[str, Any], Any, str | None]] = [
        ({"server_name": "other.example"}, CertificateRejected, "wrong name"),
        ({"trust": world().trust}, CertificateRejected, "unknown issuer"),
        ({"suites": (other,)}, AlertReceived, None),
        ({"credential": stranger}, GONE, None),
        ({"credential": None}, GONE, None),
    ]
    with openhitls.serve(suite, mutual=True) as port:
        for changes, error, text in wrong:
            with pytest.raises(error, match=text), visiting(port, suite, **changes) as secure:
                secure.recv()


@over(ECC[0], GCM)
def test_their_client_refuses_another_root(suite: CipherSuite) -> None:
    with pytest.raises(AlertReceived):
        welcome(serving(suite), partial(openhitls.visit, suite=suite, roots="stranger"))


@over(ECC[0], GCM)
def test_our_server_refuses_their_client(suite: CipherSuite) -> None:
    others = tuple(each for each in (*ECC, *TLS13_SUITES) if each != suite)
    with pytest.raises(MeterSealError, match="no cipher suite"):
        welcome(serving(suite, suites=others), partial(openhitls.visit, suite=suite))
    with pytest.raises(CertificateRejected, match="unknown issuer"):
        welcome(serving(suite, trust=world().trust), partial(openhitls.visit, suite=suite))
    with pytest.raises(CertificateRejected, match="no certificate"):
        welcome(serving(suite), partial(openhitls.visit, suite=suite, shows=False))

"""GmSSL 3.3 agrees with ours: TLCP in four suites, TLS 1.3 in two, both roles, and refusals.

It runs where METERSEAL_GMSSL3 names its program (docs/guide/outside-suites.md), and shows that the
settings of `Compatibility` which name it are right: with them it agrees, without them it does not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import (
    AlertReceived,
    CertificateRejected,
    HandshakeProofFailed,
    MeterSealError,
)
from meterseal.transport import (
    TLCP_SUITES,
    TLS13_SUITES,
    CertificateVerifyForm,
    CipherSuite,
    ClientAuthentication,
    ClientConfig,
    Compatibility,
    Credential,
    ServerConfig,
)
from support import command_line
from support.command_line import ANSWER, GONE
from support.gmssl33 import PROGRAM, GmSsl33
from support.identities import world

if TYPE_CHECKING:
    from meterseal.net import SecureSocket
    from meterseal.transport import HandshakeCompleted

pytestmark = pytest.mark.skipif(
    not PROGRAM, reason="METERSEAL_GMSSL3 names no gmssl program of GmSSL 3.3"
)

SETTINGS = Compatibility(
    ecdhe_length_prefix=True,
    certificate_verify=(CertificateVerifyForm.WHOLE_TRANSCRIPT,),
    middleboxes=False,
)
ECDHE = tuple(suite for suite in TLCP_SUITES if suite.name.startswith("ECDHE"))
ECC = tuple(suite for suite in TLCP_SUITES if suite not in ECDHE)
GCM, CCM = TLS13_SUITES
SIZES = (1, 15, 16, 17, 1000)


def over(*suites: CipherSuite) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("suite", suites, ids=lambda suite: suite.name)


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> GmSsl33:
    return GmSsl33.at(tmp_path_factory.mktemp("gmssl33"))


def own(theirs: GmSsl33, suite: CipherSuite) -> Credential:
    """What our client shows: it wants a pair where the encryption certificate is needed only."""
    return theirs.client_pair if suite in ECDHE else theirs.client


def dial(theirs: GmSsl33, port: int, suite: CipherSuite, **changes: Any) -> SecureSocket:  # noqa: ANN401
    name = changes.pop("server_name", "station.example")
    settings: dict[str, Any] = {"trust": theirs.trust, "compatibility": SETTINGS, **changes}
    config = ClientConfig(**{"suites": (suite,), **settings})
    return command_line.dial(port, config, server_name=name)


def converse(secure: SecureSocket) -> None:
    for size in SIZES:
        secure.sendall(bytes(size))
        received = b""
        while len(received) < size:
            received += secure.recv()
        assert received == bytes(size)


@over(*TLCP_SUITES, *TLS13_SUITES)
def test_our_client_and_their_server_agree(suite: CipherSuite, theirs: GmSsl33) -> None:
    with theirs.serve(suite, mutual=True) as port:
        with dial(theirs, port, suite, credential=own(theirs, suite)) as secure:
            converse(secure)
            assert secure.session.suite == suite
            assert secure.resumable is None


@over(*ECC, *TLS13_SUITES)
def test_without_client_authentication_no_setting_is_needed(
    suite: CipherSuite, theirs: GmSsl33
) -> None:
    with theirs.serve(suite, mutual=False) as port:
        with dial(theirs, port, suite, compatibility=Compatibility()) as secure:
            converse(secure)
    config = our_server(theirs, suite, compatibility=Compatibility())
    session, output = visit(theirs, config, suite)
    assert ANSWER in output
    assert session.peer is None


def our_server(theirs: GmSsl33, suite: CipherSuite, **changes: object) -> ServerConfig:
    pair = theirs.server
    single = Credential(pair.chain, pair.key)
    return ServerConfig(
        **{
            "credential": single if suite in TLS13_SUITES else pair,
            "suites": (*TLCP_SUITES, *TLS13_SUITES),
            "trust": theirs.trust,
            "compatibility": SETTINGS,
            **changes,
        }  # type: ignore[arg-type]
    )


REQUIRED = {"client_authentication": ClientAuthentication.REQUIRED}


def visit(
    theirs: GmSsl33, config: ServerConfig, suite: CipherSuite, **options: str
) -> tuple[HandshakeCompleted, bytes]:
    """Let their client visit our server; raises what our server raises."""
    return command_line.welcome(config, lambda port: theirs.visit(port, suite, **options))


@over(*TLCP_SUITES, *TLS13_SUITES)
def test_our_server_and_their_client_agree(suite: CipherSuite, theirs: GmSsl33) -> None:
    shows = "client-pair" if suite in ECDHE else "client"
    session, output = visit(theirs, our_server(theirs, suite, **REQUIRED), suite, shows=shows)
    assert ANSWER in output
    assert session.suite == suite
    assert session.peer is not None
    assert "meter-1" in str(session.peer.leaf.subject)


# --- each setting, left out ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("suite", "setting", "usual"),
    [
        (ECDHE[0], "ecdhe_length_prefix", False),
        (ECC[0], "certificate_verify", (CertificateVerifyForm.HASHED_TWICE,)),
        (GCM, "middleboxes", True),
    ],
    ids=["bare point", "transcript hashed twice", "ChangeCipherSpec before a certificate"],
)
def test_their_server_refuses_what_every_other_stack_takes(
    suite: CipherSuite, setting: str, usual: object, theirs: GmSsl33
) -> None:
    changed = replace(SETTINGS, **{setting: usual})  # type: ignore[arg-type]
    settings = {"credential": own(theirs, suite), "compatibility": changed}
    with theirs.serve(suite, mutual=True) as port, pytest.raises(GONE):
        with dial(theirs, port, suite, **settings) as secure:
            converse(secure)


@over(ECC[0], ECDHE[0])
def test_their_signature_is_not_the_standards(suite: CipherSuite, theirs: GmSsl33) -> None:
    shows = "client-pair" if suite in ECDHE else "client"
    config = our_server(theirs, suite, compatibility=Compatibility(), **REQUIRED)
    with pytest.raises(HandshakeProofFailed, match="CertificateVerify"):
        visit(theirs, config, suite, shows=shows)


def test_their_server_takes_no_pair_where_one_certificate_will_do(theirs: GmSsl33) -> None:
    with theirs.serve(ECC[0], mutual=True) as port, pytest.raises(GONE):
        with dial(theirs, port, ECC[0], credential=theirs.client_pair) as secure:
            converse(secure)


# --- refusals ------------------------------------------------------------------------------


@over(ECC[0], GCM)
def test_our_client_and_their_server_refuse(suite: CipherSuite, theirs: GmSsl33) -> None:
    other = ECC[1] if suite in ECC else CCM
    # Told the name, as under TLS 1.3, it goes away itself.
    misnamed = (CertificateRejected, "wrong name") if suite in ECC else (GONE, None)
    wrong: list[tuple[dict[str, Any], Any, str | None]] = [
        ({"server_name": "other.example"}, *misnamed),
        ({"trust": world().trust}, CertificateRejected, "unknown issuer"),
        ({"suites": (other,)}, GONE, None),
        ({"credential": world().client}, GONE, None),
        ({"credential": None}, GONE, None),
    ]
    for changes, error, text in wrong:
        settings = {"credential": theirs.client, **changes}
        with theirs.serve(suite, mutual=True) as port, pytest.raises(error, match=text):
            with dial(theirs, port, suite, **settings) as secure:
                converse(secure)


@over(ECC[0], GCM)
def test_their_client_refuses_another_root(suite: CipherSuite, theirs: GmSsl33) -> None:
    with pytest.raises(GONE):
        visit(theirs, our_server(theirs, suite), suite, roots="client")


@over(ECC[0], GCM)
def test_our_server_refuses_their_client(suite: CipherSuite, theirs: GmSsl33) -> None:
    others = tuple(each for each in (*ECC, *TLS13_SUITES) if each != suite)
    with pytest.raises(MeterSealError, match="no cipher suite"):
        visit(theirs, our_server(theirs, suite, suites=others), suite)
    # One certificate it does not show because our server names another root; and one it has not.
    strange = our_server(theirs, suite, trust=world().trust, **REQUIRED)
    for config, shows in ((strange, "client"), (our_server(theirs, suite, **REQUIRED), "")):
        with pytest.raises((CertificateRejected, AlertReceived)):
            visit(theirs, config, suite, shows=shows)

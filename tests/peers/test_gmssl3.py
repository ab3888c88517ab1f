"""GmSSL 3.1.1 agrees with ours under TLCP, in the one suite it has: both roles, refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import (
    AlertReceived,
    BadRecord,
    CertificateRejected,
    MeterSealError,
)
from meterseal.net import listen
from meterseal.transport import TLCP_SUITES, ClientAuthentication, ClientConfig, ServerConfig
from support import command_line
from support.gmssl3 import GmSsl3, is_there
from support.identities import world

if TYPE_CHECKING:
    from meterseal.net import SecureListener, SecureSocket
    from meterseal.transport import HandshakeCompleted

pytestmark = pytest.mark.skipif(
    not is_there(), reason="no GmSSL 3.1.1: `pip install easy_gmssl` builds it"
)
THEIR_SUITE = next(suite for suite in TLCP_SUITES if suite.code == 0xE013)
OTHER_SUITES = tuple(suite for suite in TLCP_SUITES if suite.code != 0xE013)
mutual_or_not = pytest.mark.parametrize("mutual", [False, True], ids=["plain", "mutual"])


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> GmSsl3:
    return GmSsl3(tmp_path_factory.mktemp("gmssl3")).make()


def dial(theirs: GmSsl3, port: int, **changes: object) -> SecureSocket:
    name = str(changes.pop("server_name", "station.example"))
    settings = {"trust": theirs.trust, "suites": TLCP_SUITES, **changes}
    return command_line.dial(port, ClientConfig(**settings), server_name=name)  # type: ignore[arg-type]


@mutual_or_not
def test_our_client_and_their_server_agree(mutual: bool, theirs: GmSsl3) -> None:
    credential = theirs.client if mutual else None
    with theirs.serve(mutual=mutual) as port:
        for size in (1, 15, 16, 17, 4000):
            with dial(theirs, port, credential=credential) as secure:
                secure.sendall(bytes(size))
                received = b""
                while len(received) < size:
                    received += secure.recv()
                assert received == bytes(size)
                assert secure.session.suite == THEIR_SUITE
                assert secure.session.session is None, "it gives no session identifier"


def test_our_client_refuses_their_server(theirs: GmSsl3) -> None:
    with theirs.serve(mutual=False) as port:
        with pytest.raises(CertificateRejected, match="wrong name"):
            dial(theirs, port, server_name="other.example")
    with theirs.serve(mutual=False) as port:
        with pytest.raises(CertificateRejected, match="unknown issuer"):
            dial(theirs, port, trust=world().trust)


def test_their_server_refuses_our_client(theirs: GmSsl3) -> None:
    with theirs.serve(mutual=False) as port:
        with pytest.raises(AlertReceived, match="insufficient_security"):
            dial(theirs, port, suites=OTHER_SUITES)
    with theirs.serve(mutual=True) as port:
        with pytest.raises(AlertReceived, match="bad_certificate"):
            dial(theirs, port)


def serve(listener: SecureListener) -> tuple[HandshakeCompleted, bytes, MeterSealError | None]:
    """Answer one client once; return the session, its text, and how it took its leave."""
    secure, _ = listener.accept()
    with secure:
        session = secure.handshake(10)
        text = secure.recv()
        secure.sendall(b"welcome\n")
        try:
            secure.recv()
        except MeterSealError as error:
            return session, text, error
        return session, text, None


def our_server(theirs: GmSsl3, **changes: object) -> ServerConfig:
    settings = {"credential": theirs.server, "suites": TLCP_SUITES, "trust": theirs.trust}
    return ServerConfig(**{**settings, **changes})  # type: ignore[arg-type]


@mutual_or_not
def test_our_server_and_their_client_agree(mutual: bool, theirs: GmSsl3) -> None:
    required = ClientAuthentication.REQUIRED if mutual else ClientAuthentication.NONE
    config = our_server(theirs, client_authentication=required)
    with listen("127.0.0.1", 0, config) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, listener)
        output = theirs.visit(listener.address[1], b"reading\n", mutual=mutual)
        session, text, farewell = served.result(60)
    assert b"welcome" in output
    assert text == b"reading\n"
    assert session.suite == THEIR_SUITE
    assert (session.peer is not None) == mutual
    # It closes with an alert in the clear, which anybody on the way could have written.
    assert isinstance(farewell, BadRecord)


@pytest.mark.parametrize(
    ("changes", "roots", "error"),
    [
        ({}, "client", AlertReceived),
        ({"suites": OTHER_SUITES}, "ca", MeterSealError),
        ({"client_authentication": ClientAuthentication.REQUIRED}, "ca", AlertReceived),
    ],
    ids=["unknown root", "no common suite", "no certificate"],
)
def test_no_session_with_their_client(
    changes: dict[str, object], roots: str, error: type[MeterSealError], theirs: GmSsl3
) -> None:
    with listen("127.0.0.1", 0, our_server(theirs, **changes)) as listener:
        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(serve, listener)
            assert b"welcome" not in theirs.visit(listener.address[1], b"reading\n", roots=roots)
            with pytest.raises(error):
                served.result(60)


def test_their_client_shows_no_certificate_to_roots_that_are_not_its_own(theirs: GmSsl3) -> None:
    config = our_server(
        theirs, trust=world().trust, client_authentication=ClientAuthentication.REQUIRED
    )
    with listen("127.0.0.1", 0, config) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, listener)
        theirs.visit(listener.address[1], b"reading\n", mutual=True)
        with pytest.raises(AlertReceived, match="unsupported_certificate"):
            served.result(60)

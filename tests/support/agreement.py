"""What is asked of every peer that is a program: to agree with us in both roles, and to refuse.

Each function takes the program in one role and raises `AssertionError` where the two sides differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import AlertReceived, CertificateRejected, MeterSealError
from meterseal.net import connect
from meterseal.transport import (
    TLCP_SUITES,
    TLS13_SUITES,
    CipherSuite,
    ClientAuthentication,
    Credential,
    ServerConfig,
    TicketKeys,
)
from meterseal.x509 import TrustStore, dump_private_key
from support.identities import credential, pair, world
from support.peer_program import SIZES, exchange, visit
from support.wire import SERVER_NAME, client_config, provider, server_config

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.net import SecureSocket
    from meterseal.transport import HandshakeCompleted, Session
    from support.peer_program import PeerProgram


@dataclass(frozen=True)
class Side:
    """Our side of one protocol; `stranger` is a client whose root nobody trusts."""

    suites: tuple[CipherSuite, ...]
    server: Credential
    client: Credential
    stranger: Credential

    def dial(self, port: int, *, session: Session | None = None, **changes: Any) -> SecureSocket:  # noqa: ANN401
        """Connect to their server, by default with the client's certificate."""
        name = changes.pop("server_name", SERVER_NAME)
        config = client_config(**{"suites": self.suites, "credential": self.client, **changes})
        return connect("127.0.0.1", port, config, server_name=name, session=session)

    def serving(self, **changes: Any) -> ServerConfig:  # noqa: ANN401
        """A server that demands a certificate and resumes sessions."""
        return server_config(
            **{
                "credential": self.server,
                "suites": self.suites,
                "trust": world().trust,
                "client_authentication": ClientAuthentication.REQUIRED,
                "ticket_keys": TicketKeys(provider()),
                **changes,
            }
        )


@cache
def tlcp() -> Side:
    """TLCP, with pairs of certificates."""
    strange = pair(world().stranger, world().stranger_key, "meter-1")
    return Side(TLCP_SUITES, world().server_pair, world().client_pair, strange)


@cache
def tls13() -> Side:
    """TLS 1.3, with one certificate each."""
    strange = credential(world().stranger, world().stranger_key, "meter-1", profile="client")
    return Side(TLS13_SUITES, world().server, world().client, strange)


def write_files(folder: Path, side: Side) -> Path:
    """Write ca.pem, other-ca.pem and the folders server, client and stranger; return `folder`.

    An identity is sign.pem with sign.key and, of a pair, enc.pem with enc.key.
    """
    for name in ("server", "client", "stranger"):
        (folder / name).mkdir()
        write_identity(folder / name, getattr(side, name))
    (folder / "ca.pem").write_text(world().root.to_pem())
    (folder / "other-ca.pem").write_text(world().stranger.to_pem())
    return folder


def write_identity(folder: Path, identity: Credential) -> None:
    """Write a certificate or a pair of them, and their keys, into a folder of its own."""
    certificates = {"sign": (identity.chain[0], identity.key)}
    if encryption := identity.encryption:
        certificates["enc"] = (encryption.certificate, encryption.key)
    for kind, (certificate, key) in certificates.items():
        (folder / f"{kind}.pem").write_text(certificate.to_pem())
        (folder / f"{kind}.key").write_bytes(dump_private_key(key))  # type: ignore[arg-type]


# --- agreement -----------------------------------------------------------------------------


def our_client_and(
    their_server: PeerProgram, side: Side, suite: CipherSuite, *, resumes: bool = True
) -> None:
    """Two mutual connections to their server, the second of which resumes, or does not."""
    session, sessions = None, []
    with their_server.server(suite=suite.name, client_auth=True, connections=2) as served:
        for _ in range(2):
            with side.dial(served.port, suites=(suite,), session=session) as secure:
                exchange(secure)
                sessions.append(secure.session)
                session = secure.resumable
    assert [each.suite for each in sessions] == [suite, suite]
    assert [each.resumed for each in sessions] == [False, resumes]
    _both_said(served.reports, suite, resumes=resumes)
    assert served.reports[0]["peer_certificates"] == (2 if side.client.encryption else 1)


def our_server_and(
    their_client: PeerProgram, side: Side, suite: CipherSuite, *, resumes: bool = True
) -> None:
    """Two mutual connections of their client, the second of which resumes, or does not."""
    reports, sessions = visit(side.serving(), their_client, suite=suite.name, connections=2)
    _both_said(reports, suite, resumes=resumes)
    assert isinstance(sessions, list), sessions
    assert [each.suite for each in sessions] == [suite, suite]
    assert [each.resumed for each in sessions] == [False, resumes]
    for each in sessions:
        assert each.peer is not None
        assert "meter-1" in str(each.peer.leaf.subject)


def _both_said(reports: list[dict[str, Any]], suite: CipherSuite, *, resumes: bool) -> None:
    assert [report["error"] for report in reports] == ["", ""]
    assert [report["suite"] for report in reports] == [suite.name] * 2
    assert [report["bytes"] for report in reports] == [sum(SIZES)] * 2
    assert [report["resumed"] for report in reports] == [False, resumes]


def without_client_authentication(
    their_server: PeerProgram, their_client: PeerProgram, side: Side, suite: CipherSuite
) -> HandshakeCompleted:
    """Both roles, the client showing nothing; return how our server saw it."""
    with their_server.server(suite=suite.name) as served:
        with side.dial(served.port, suites=(suite,), credential=None) as secure:
            exchange(secure)
    config = side.serving(client_authentication=ClientAuthentication.NONE)
    reports, sessions = visit(config, replace(their_client, identity=None), suite=suite.name)
    assert [report["error"] for report in served.reports + reports] == ["", ""]
    assert served.reports[0]["peer_certificates"] == 0
    assert isinstance(sessions, list), sessions
    assert sessions[0].peer is None
    return sessions[0]


# --- refusals ------------------------------------------------------------------------------


def our_client_is_refused_or_refuses(
    their_server: PeerProgram, side: Side, suite: CipherSuite, other: CipherSuite
) -> None:
    """Another name, another root, no common suite, and clients they must not let in."""
    wrong = [
        ({"server_name": "other.example"}, CertificateRejected, "wrong name"),
        ({"trust": TrustStore([world().stranger])}, CertificateRejected, "unknown issuer"),
        ({"suites": (other,)}, AlertReceived, "handshake_failure"),
        ({"credential": side.stranger}, AlertReceived, "certificate|unknown_ca"),
        ({"credential": None}, AlertReceived, "certificate|handshake_failure"),
    ]
    with their_server.server(suite=suite.name, client_auth=True, connections=len(wrong)) as served:
        for changes, error, text in wrong:
            settings: dict[str, Any] = {"suites": (suite,), **changes}
            with pytest.raises(error, match=text), side.dial(served.port, **settings) as secure:
                secure.recv()
    assert [bool(report["error"]) for report in served.reports] == [True] * len(wrong)


def their_client_refuses(
    their_client: PeerProgram, side: Side, suite: CipherSuite, other_roots: Path
) -> None:
    """Another name, and a root that is not theirs."""
    stranger = replace(their_client, roots=other_roots)
    for client, name in ((their_client, "other.example"), (stranger, SERVER_NAME)):
        (report,), error = visit(side.serving(), client, suite=suite.name, name=name)
        assert report["error"]
        assert isinstance(error, AlertReceived), error


def our_server_refuses(
    their_client: PeerProgram, side: Side, suite: CipherSuite, strange: Path, *, withheld: bool
) -> None:
    """A client of another root, one that shows nothing, and one without a common suite.

    `withheld`: it shows no certificate whose issuer is not among those that a server names.
    """
    others = tuple(each for each in side.suites if each != suite)
    wrong: list[tuple[dict[str, Any], Path | None, str]] = [
        ({}, strange, "no certificate" if withheld else "unknown issuer"),
        ({}, None, "no certificate"),
        ({"suites": others}, their_client.identity, "no cipher suite"),
    ]
    for changes, identity, text in wrong:
        client = replace(their_client, identity=identity)
        (report,), error = visit(side.serving(**changes), client, suite=suite.name)
        assert report["error"]
        assert isinstance(error, MeterSealError), error
        assert text in str(error), error

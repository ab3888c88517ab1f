"""Resumption computes no signature again, and asks again whenever anything has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.errors import CertificateRejected, RejectionReason
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    ClientAuthentication,
    ClientConfig,
    ServerConfig,
    TicketKeys,
)
from meterseal.x509 import (
    RevocationReason,
    RevokedCertificate,
    TrustStore,
    issue_crl,
    verify,
)
from support.identities import DAY, NOW, credential, world
from support.wire import Link, client_config, link, provider, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.transport import CipherSuite, Session
    from meterseal.x509 import Certificate, CertificateRevocationList

Ends = tuple[ClientConfig, ServerConfig]
HOUR = 3600.0

every_protocol = pytest.mark.parametrize(
    "suites", [TLS12_SUITES, TLS13_SUITES, TLCP_SUITES], ids=["TLS 1.2", "TLS 1.3", "TLCP"]
)


def ends(suites: tuple[CipherSuite, ...], *, tickets: bool = False) -> Ends:
    """Both show certificates; a session lives longer than an hour."""
    w = world()
    return (
        client_config(suites=suites, credential=w.client_pair),
        server_config(
            suites=suites,
            credential=w.server_pair,
            trust=w.trust,
            client_authentication=ClientAuthentication.REQUIRED,
            ticket_keys=TicketKeys(provider()) if tickets else None,
        ),
    )


def session_of(both: Link) -> Session:
    assert not both.errors
    session = both.client.session
    assert session is not None
    return session


def is_resumed(both: Link) -> bool:
    assert not both.errors
    assert both.client.established is not None
    return both.client.established.resumed


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every whole verification of a chain that runs."""
    ran: list[object] = []
    honest = verify._Search.verify

    def counted(search: Any, *arguments: Any) -> Any:  # noqa: ANN401
        ran.append(search)
        return honest(search, *arguments)

    monkeypatch.setattr(verify._Search, "verify", counted)
    return ran


@every_protocol
@pytest.mark.parametrize("tickets", [False, True], ids=["cache", "tickets"])
def test_nothing_is_verified_twice_while_nothing_changes(
    suites: tuple[CipherSuite, ...], searches: list[object], *, tickets: bool
) -> None:
    client, server = ends(suites, tickets=tickets)
    first = link(client, server)
    assert not is_resumed(first)
    assert searches
    searches.clear()
    again = link(client, server, session=session_of(first))
    assert is_resumed(again)
    assert again.client.established is not None
    assert again.client.established.peer is not None
    assert searches == []


def listing(revoked: Certificate) -> tuple[CertificateRevocationList, ...]:
    w = world()
    lines = [
        RevokedCertificate.of(revoked.serial_number, NOW - DAY, RevocationReason.KEY_COMPROMISE)
    ]
    made = issue_crl(
        lines, ca_certificate=w.root, ca_key=w.root_key, this_update=NOW - DAY, days=7, number=1
    )
    return (made,)


def other_store() -> TrustStore:
    return TrustStore([world().root, world().stranger])


def client_trusts_others(client: ClientConfig, server: ServerConfig) -> Ends:
    return replace(client, trust=other_store()), server


def server_trusts_others(client: ClientConfig, server: ServerConfig) -> Ends:
    return client, replace(server, trust=other_store())


@every_protocol
@pytest.mark.parametrize("change", [client_trusts_others, server_trusts_others])
def test_another_trust_store_means_a_full_handshake(
    suites: tuple[CipherSuite, ...], change: Callable[[ClientConfig, ServerConfig], Ends]
) -> None:
    client, server = ends(suites)
    session = session_of(link(client, server))
    assert not is_resumed(link(*change(client, server), session=session))
    assert is_resumed(link(client, server, session=session))


@every_protocol
@pytest.mark.parametrize("revoked", ["client", "server"])
def test_who_is_revoked_between_is_refused(suites: tuple[CipherSuite, ...], revoked: str) -> None:
    client, server = ends(suites)
    session = session_of(link(client, server))
    if revoked == "server":
        client = replace(client, crls=listing(world().server_pair.chain[0]))
    else:
        server = replace(server, crls=listing(world().client_pair.chain[0]))
    both = link(client, server, session=session)
    error = both.errors["client" if revoked == "server" else "server"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.REVOKED


@pytest.mark.parametrize("suites", [TLS12_SUITES, TLS13_SUITES], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("short", ["client", "server"])
def test_a_chain_that_expires_between_means_a_full_handshake(
    suites: tuple[CipherSuite, ...], short: str
) -> None:
    """With the certificate that took its place, which a stored chain could not show."""
    w = world()
    profile, host = ("client", None) if short == "client" else ("server", "station.example")
    ending, renewed = (
        credential(w.root, w.root_key, "short", profile=profile, host=host, **validity)
        for validity in ({"not_before": NOW - DAY + DAY / 24, "days": 1}, {})
    )
    client, server = ends(suites)
    if short == "client":
        client = replace(client, credential=ending)
    else:
        server = replace(server, credential=ending)
    session = session_of(link(client, server))
    later = provider(NOW.timestamp() + 1.5 * HOUR)
    client, server = replace(client, provider=later), replace(server, provider=later)
    expired = link(client, server, session=session)
    error = expired.errors["server" if short == "client" else "client"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.EXPIRED
    if short == "server":
        renewal = link(client, replace(server, credential=renewed), session=session)
        assert not is_resumed(renewal)


@every_protocol
def test_a_session_of_another_name_is_not_offered(suites: tuple[CipherSuite, ...]) -> None:
    client, server = ends(suites)
    session = session_of(link(client, server))
    renamed = link(client, server, server_name="other.example", session=session)
    error = renamed.errors["client"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.WRONG_NAME
    unchecked = replace(client, check_name=False)
    assert not is_resumed(link(unchecked, server, server_name="other.example", session=session))

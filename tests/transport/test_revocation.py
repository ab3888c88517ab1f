"""Revocation lists in a configuration: who is revoked is refused, resumed or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.errors import AlertReceived, CertificateRejected, RejectionReason
from meterseal.transport import TLCP_SUITES, TLS12_SUITES, TLS13_SUITES, ClientAuthentication
from meterseal.x509 import RevocationPolicy, RevocationReason, RevokedCertificate, issue_crl
from support.identities import DAY, NOW, world
from support.wire import Link, client_config, link, server_config

if TYPE_CHECKING:
    from meterseal.transport import CipherSuite, ClientConfig, ServerConfig
    from meterseal.x509 import Certificate, CertificateRevocationList

every_protocol = pytest.mark.parametrize(
    "suites", [TLS12_SUITES, TLS13_SUITES, TLCP_SUITES], ids=["TLS 1.2", "TLS 1.3", "TLCP"]
)


def listing(*revoked: Certificate) -> tuple[CertificateRevocationList, ...]:
    lines = [
        RevokedCertificate.of(entry.serial_number, NOW - DAY, RevocationReason.KEY_COMPROMISE)
        for entry in revoked
    ]
    w = world()
    made = issue_crl(
        lines,
        ca_certificate=w.root,
        ca_key=w.root_key,
        this_update=NOW - DAY,
        days=7,
        number=1,
    )
    return (made,)


def configurations(
    suites: tuple[CipherSuite, ...], client: dict[str, object], server: dict[str, object]
) -> tuple[ClientConfig, ServerConfig]:
    w = world()
    asks = {"client_authentication": ClientAuthentication.REQUIRED, "trust": w.trust}
    return (
        client_config(**{"suites": suites, "credential": w.client_pair, **client}),
        server_config(**{"suites": suites, "credential": w.server_pair, **asks, **server}),
    )


def require_revoked(both: Link, who: str) -> None:
    error = both.errors[who]
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.REVOKED
    told = both.errors["client" if who == "server" else "server"]
    assert isinstance(told, AlertReceived)
    assert told.code == 44


@every_protocol
def test_a_revoked_server_is_refused(suites: tuple[CipherSuite, ...]) -> None:
    revoked = listing(world().server_pair.chain[0])
    require_revoked(link(*configurations(suites, {"crls": revoked}, {})), "client")
    off = {"crls": revoked, "revocation": RevocationPolicy.NONE}
    assert not link(*configurations(suites, off, {})).errors


@every_protocol
def test_a_revoked_client_is_refused(suites: tuple[CipherSuite, ...]) -> None:
    revoked = listing(world().client_pair.chain[0])
    require_revoked(link(*configurations(suites, {}, {"crls": revoked})), "server")


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_pair_is_refused_if_its_encryption_half_is_revoked(who: str) -> None:
    owner = world().server_pair if who == "client" else world().client_pair
    assert owner.encryption is not None
    given = {"crls": listing(owner.encryption.certificate)}
    client, server = (given, {}) if who == "client" else ({}, given)
    require_revoked(link(*configurations(TLCP_SUITES, client, server)), who)
    assert not link(*configurations(TLS12_SUITES, client, server)).errors


@every_protocol
def test_a_list_may_be_demanded(suites: tuple[CipherSuite, ...]) -> None:
    demands = {"revocation": RevocationPolicy.REQUIRED}
    both = link(*configurations(suites, demands, {}))
    error = both.errors["client"]
    assert isinstance(error, CertificateRejected)
    assert error.reason is RejectionReason.REVOCATION_UNKNOWN
    given = {**demands, "crls": listing()}
    assert not link(*configurations(suites, given, given)).errors


@every_protocol
def test_a_session_ends_with_the_certificate(suites: tuple[CipherSuite, ...]) -> None:
    """A list that arrives after the first handshake stops the second, though it would resume."""
    client, server = configurations(suites, {}, {})
    first = link(client, server)
    assert first.client.established is not None
    session = first.client.established.session
    revoked = listing(world().client_pair.chain[0])
    strict = configurations(suites, {}, {"crls": revoked, "session_cache": server.session_cache})[1]
    if session is not None:
        assert not link(client, server, session=session).errors
    require_revoked(link(client, strict, session=session), "server")

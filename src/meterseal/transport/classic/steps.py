"""The steps that both flows are made of.

A check that must not be skipped returns a token, which a later step demands. Only this module,
`exchange`, `identity` and `x509.verify` make them.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meterseal.errors import HandshakeProofFailed
from meterseal.transport.classic.exporter import Exporter
from meterseal.transport.events import HandshakeCompleted
from meterseal.transport.flow import receive
from meterseal.transport.messages import ChangeCipherSpec, Finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import MasterSecret, Opener, Provider, Sealer
    from meterseal.transport.classic.exchange import Randoms
    from meterseal.transport.classic.offer import Choice
    from meterseal.transport.driver import Driver
    from meterseal.transport.flow import Flow
    from meterseal.transport.identity import Peer
    from meterseal.transport.session import Session

CLIENT_FINISHED = b"client finished"
SERVER_FINISHED = b"server finished"


@dataclass(frozen=True, slots=True)
class FinishedValid:
    """Token: the peer's Finished proved the whole handshake."""


# --- secrets -----------------------------------------------------------------------------


def derive_master_secret(
    driver: Driver, provider: Provider, choice: Choice, pre_master: bytes, randoms: Randoms
) -> MasterSecret:
    """Derive the master secret once ClientKeyExchange is in the transcript (RFC 7627, 4)."""
    name = choice.suite.hash_name
    if choice.extended_master_secret:
        session_hash = driver.transcript.digest()
        return provider.extended_master_secret(name, pre_master, session_hash)
    return provider.master_secret(name, pre_master, randoms.client, randoms.server)


def derive_protection(
    provider: Provider,
    master_secret: MasterSecret,
    choice: Choice,
    randoms: Randoms,
    *,
    is_client: bool,
) -> tuple[Sealer, Opener]:
    """Derive our record keys."""
    suite = choice.suite
    return provider.record_protection(
        suite.protection, master_secret, randoms.both, suite.version, is_client=is_client
    )


def release_keys(
    driver: Driver,
    key_log: Callable[[str], None] | None,
    choice: Choice,
    randoms: Randoms,
    master_secret: MasterSecret,
) -> None:
    """Make keys for other uses possible where a master secret belongs to one session alone.

    Also write the line that lets a protocol analyser decrypt the session, if it was asked for.
    """
    if choice.extended_master_secret:  # RFC 7627, 5.4 and 6.3
        driver.export = Exporter(master_secret, randoms.both).export
    if key_log is not None:
        key_log(f"CLIENT_RANDOM {randoms.client.hex()} {master_secret.to_bytes().hex()}")


# --- Finished ----------------------------------------------------------------------------


def send_finished(
    driver: Driver, sealer: Sealer, master_secret: MasterSecret, label: bytes
) -> None:
    """Change the write keys and prove the handshake."""
    driver.change_write_keys(sealer)
    driver.send(Finished(master_secret.verify_data(label, driver.transcript.digest())))


def receive_finished(
    driver: Driver, opener: Opener, master_secret: MasterSecret, label: bytes
) -> Flow[FinishedValid]:
    """Wait for new read keys and the peer's proof."""
    yield from receive(ChangeCipherSpec)
    driver.change_read_keys(opener)
    expected = master_secret.verify_data(label, driver.transcript.digest())
    finished = yield from receive(Finished)
    if not hmac.compare_digest(finished.verify_data, expected):
        raise HandshakeProofFailed("the peer's Finished does not fit this handshake")
    return FinishedValid()


def complete(  # noqa: PLR0913  (the sum of the handshake)
    driver: Driver,
    proof: FinishedValid,  # noqa: ARG001  (nobody completes a handshake without it)
    *,
    choice: Choice,
    peer: Peer | None,
    server_name: str | None,
    session: Session | None,
    ocsp_response: bytes | None = None,
) -> None:
    """Tell the owner of the connection that the session is established."""
    driver.events.append(
        HandshakeCompleted(
            suite=choice.suite,
            peer=peer.signing if peer else None,
            peer_encryption=peer.encryption if peer else None,
            server_name=server_name,
            resumed=choice.is_resumed,
            extended_master_secret=choice.extended_master_secret,
            session=session,
            application_protocol=choice.application_protocol,
            ocsp_response=ocsp_response,
        )
    )

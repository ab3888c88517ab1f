"""After the handshake: tickets and new keys (RFC 8446, 4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Never

from meterseal.errors import IllegalParameter
from meterseal.transport.events import SessionReceived
from meterseal.transport.flow import receive, receive_either
from meterseal.transport.messages import KeyUpdate, Tls13NewSessionTicket
from meterseal.transport.session import DEFAULT_LIFETIME, Tls13Session

if TYPE_CHECKING:
    from meterseal.crypto.provider import Resumption
    from meterseal.transport.config import ClientConfig
    from meterseal.transport.driver import Driver
    from meterseal.transport.flow import Flow
    from meterseal.transport.suites import CipherSuite

_MAX_LIFETIME: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a client keeps of the handshake."""

    suite: CipherSuite
    server_name: str | None
    peer_chain: tuple[bytes, ...]
    resumption: Resumption


def continue_client(driver: Driver, config: ClientConfig, kept: Continuation) -> Flow[Never]:
    """Take tickets and key updates for as long as the session lasts."""
    while True:
        message = yield from receive_either(Tls13NewSessionTicket, KeyUpdate)
        if isinstance(message, KeyUpdate):
            _update_keys(driver, message)
        else:
            _take_ticket(driver, config, kept, message)


def continue_server(driver: Driver) -> Flow[Never]:
    """Take key updates for as long as the session lasts."""
    while True:
        _update_keys(driver, (yield from receive(KeyUpdate)))


def _update_keys(driver: Driver, update: KeyUpdate) -> None:
    driver.update_read_keys()
    if update.update_requested:
        driver.update_write_keys(request_peer=False)


def _take_ticket(
    driver: Driver, config: ClientConfig, kept: Continuation, message: Tls13NewSessionTicket
) -> None:
    driver.count_ticket()
    if message.ticket_lifetime > _MAX_LIFETIME:
        raise IllegalParameter(f"a ticket for {message.ticket_lifetime} seconds")
    if message.ticket_lifetime == 0:
        return  # RFC 8446, 4.6.1: to be discarded at once
    session = Tls13Session(
        suite=kept.suite.code,
        psk=kept.resumption.psk(message.ticket_nonce),
        age_add=message.ticket_age_add,
        created=config.provider.now().timestamp(),
        lifetime=min(message.ticket_lifetime, DEFAULT_LIFETIME),
        policy=config.policy_digest(),
        server_name=kept.server_name,
        peer_chain=kept.peer_chain,
        ticket=message.ticket,
    )
    driver.events.append(SessionReceived(session))

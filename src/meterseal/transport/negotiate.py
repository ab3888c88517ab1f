"""Which protocol is spoken: TLCP, TLS 1.2 or TLS 1.3 (RFC 8446, 4.1.3 and 4.2.1).

A server goes by the ClientHello. A client offers TLS 1.3 and TLS 1.2 in one hello; TLCP, whose
hello has another version and no extensions, stands alone. Nobody falls back silently: a server that
could speak TLS 1.3 says so in the random of a TLS 1.2 ServerHello, and a client that offered it
looks there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meterseal.errors import (
    IllegalParameter,
    InappropriateFallback,
    PeerError,
    UnsupportedVersion,
    UsageError,
)
from meterseal.transport import ext
from meterseal.transport.classic import client as classic_client
from meterseal.transport.classic import server as classic_server
from meterseal.transport.classic.offer import Offer as ClassicOffer
from meterseal.transport.classic.offer import make_offer as make_classic_offer
from meterseal.transport.codepoints import (
    FALLBACK_SCSV,
    HEADER_LENGTH,
    TLCP,
    TLS12,
    TLS13,
    ContentType,
    HandshakeType,
)
from meterseal.transport.config import versions
from meterseal.transport.extensions import (
    decode_supported_versions,
    decode_uint16_list,
    encode_supported_versions,
    encode_uint16_list,
)
from meterseal.transport.flow import receive
from meterseal.transport.hello import DOWNGRADE_SENTINELS, requested_server_name
from meterseal.transport.messages import ClientHello, ServerHello
from meterseal.transport.tls13 import client as tls13_client
from meterseal.transport.tls13 import server as tls13_server
from meterseal.transport.tls13.after import continue_client, continue_server
from meterseal.transport.tls13.offer import Offer, encode_hello, make_offer
from meterseal.transport.wire import Cursor

if TYPE_CHECKING:
    from meterseal.transport.config import ClientConfig, ServerConfig
    from meterseal.transport.driver import Driver
    from meterseal.transport.flow import Flow
    from meterseal.transport.session import Session
    from meterseal.transport.tls13.after import Continuation

_MESSAGE_HEADER = 4

# --- server ------------------------------------------------------------------------------


def server_flow(driver: Driver, config: ServerConfig) -> Flow[None]:
    """Shake hands as a server, then serve the session."""
    is_tls13 = yield from _serve(driver, config)
    if is_tls13:
        yield from continue_server(driver)


def _serve(driver: Driver, config: ServerConfig) -> Flow[bool]:
    hello = yield from receive(ClientHello)
    if config.select is not None:
        config = config.select(requested_server_name(hello))
    spoken = versions(config)
    if TLS13 in spoken and _offers_tls13(hello):
        yield from tls13_server.shake_hands(driver, config, hello)
        return True
    if spoken == {TLS13}:
        raise UnsupportedVersion("the client does not offer TLS 1.3")
    if TLS13 in spoken and FALLBACK_SCSV in hello.cipher_suites:
        raise InappropriateFallback("the client fell back, but TLS 1.3 is spoken here")
    yield from classic_server.shake_hands(driver, config, hello)
    return False


def speaks_with(stream: bytes, config: ServerConfig) -> bool | None:
    """Whether a client whose stream begins so offers a suite of ours; None while it is not clear.

    What is no hello at all counts as ours, to be refused in our way.
    """
    message = bytearray()
    while len(stream) >= HEADER_LENGTH:
        length = int.from_bytes(stream[3:HEADER_LENGTH], "big")
        if stream[0] != ContentType.HANDSHAKE or not length:
            return True
        message += stream[HEADER_LENGTH : HEADER_LENGTH + length]
        stream = stream[HEADER_LENGTH + length :]
        if len(message) >= _MESSAGE_HEADER:
            end = _MESSAGE_HEADER + int.from_bytes(message[1:_MESSAGE_HEADER], "big")
            if message[0] != HandshakeType.CLIENT_HELLO or end > config.limits.handshake_message:
                return True
            if len(message) >= end:
                return _offers_ours(bytes(message[_MESSAGE_HEADER:end]), config)
    return None


def _offers_ours(body: bytes, config: ServerConfig) -> bool:
    try:
        hello = ClientHello.decode(Cursor(body))
    except PeerError:
        return True
    return any(suite.code in hello.cipher_suites for suite in config.suites)


def _offers_tls13(hello: ClientHello) -> bool:
    body = hello.extensions.get(ext.SUPPORTED_VERSIONS)
    if body is None or hello.client_version == TLCP:
        return False
    return TLS13 in decode_supported_versions(body)


# --- client ------------------------------------------------------------------------------


def client_flow(
    driver: Driver, config: ClientConfig, server_name: str | None, session: Session | None
) -> Flow[None]:
    """Shake hands as a client, then keep the session; `session` is resumed if it may be."""
    spoken = versions(config)
    if TLS13 not in spoken:
        yield from classic_client.client_flow(driver, config, server_name, session)
        return
    if TLCP in spoken:
        raise UsageError("a client offers TLCP alone or TLS alone")
    kept = yield from _offer_tls13(driver, config, server_name, session)
    if kept is not None:
        yield from continue_client(driver, config, kept)


def _offer_tls13(
    driver: Driver, config: ClientConfig, server_name: str | None, session: Session | None
) -> Flow[Continuation | None]:
    offer = make_offer(config, server_name, session)
    classic: ClassicOffer | None = None
    if TLS12 in versions(config):
        offer, classic = _join(offer, make_classic_offer(config, server_name, session), config)
    driver.send_encoded(encode_hello(offer, config, None))
    hello = yield from receive(ServerHello)
    if ext.SUPPORTED_VERSIONS in hello.extensions or hello.is_retry_request:
        return (yield from tls13_client.shake_hands(driver, config, server_name, offer, hello))
    if classic is None:
        raise UnsupportedVersion(f"the server chose version {hello.server_version:#06x}")
    if hello.server_version == TLS12:
        driver.agree_version(TLS12)  # an alert about this hello must look like its version
    if hello.random.endswith(DOWNGRADE_SENTINELS):
        raise IllegalParameter("the server could speak TLS 1.3: somebody talked it down")
    yield from classic_client.shake_hands(driver, config, server_name, classic, hello)
    return None


def _join(offer: Offer, classic: ClassicOffer, config: ClientConfig) -> tuple[Offer, ClassicOffer]:
    """Make one hello of two: lists that both have are joined, TLS 1.3 first."""
    first, second = offer.hello.extensions, classic.hello.extensions
    extensions = {**second, **first}
    for number in (ext.SUPPORTED_GROUPS, ext.SIGNATURE_ALGORITHMS):
        both = (*decode_uint16_list(first[number]), *decode_uint16_list(second[number]))
        extensions[number] = encode_uint16_list(dict.fromkeys(both))
    extensions[ext.SUPPORTED_VERSIONS] = encode_supported_versions((TLS13, TLS12))
    hello = replace(
        offer.hello,
        session_id=classic.hello.session_id or offer.hello.session_id,
        cipher_suites=tuple(suite.code for suite in config.suites),
        extensions=extensions,
    )
    return replace(offer, hello=hello), replace(classic, hello=hello)

"""The client's hello, and whether the server's answer fits it (RFC 8446, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from meterseal.errors import (
    IllegalParameter,
    InvalidKey,
    MissingExtension,
    UnexpectedMessage,
    UnsupportedExtension,
    UsageError,
)
from meterseal.transport import ext, identity
from meterseal.transport.algorithms import signature_codes
from meterseal.transport.codepoints import (
    NULL_COMPRESSION,
    PSK_DHE_KE,
    TLS12,
    TLS13,
)
from meterseal.transport.driver import encode_message
from meterseal.transport.extensions import (
    encode_supported_versions,
    encode_uint8_list,
    encode_uint16_list,
)
from meterseal.transport.extensions_tls13 import (
    OfferedPsks,
    decode_cookie,
    decode_key_share,
    decode_uint16,
    encode_key_shares,
)
from meterseal.transport.hello import fresh_random, naming_extensions
from meterseal.transport.messages import ClientHello
from meterseal.transport.once import once
from meterseal.transport.session import Tls13Session

if TYPE_CHECKING:
    from meterseal.crypto.provider import Hash, KeyShare
    from meterseal.transport.algorithms import Algorithms
    from meterseal.transport.config import ClientConfig
    from meterseal.transport.extensions import Extensions
    from meterseal.transport.messages import ServerHello
    from meterseal.transport.session import Session
    from meterseal.transport.suites import CipherSuite

_SESSION_ID_LENGTH: Final = 32
_IN_SERVER_HELLO: Final = frozenset({ext.SUPPORTED_VERSIONS, ext.KEY_SHARE, ext.PRE_SHARED_KEY})
_IN_RETRY_REQUEST: Final = frozenset({ext.SUPPORTED_VERSIONS, ext.KEY_SHARE, ext.COOKIE})


@dataclass(frozen=True, slots=True)
class Offer:
    """The client's hello, the keys behind its shares, and the session it would resume with whom."""

    hello: ClientHello
    shares: dict[int, KeyShare]
    session: Tls13Session | None
    peer: identity.Peer | None
    algorithms: Algorithms


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ServerHello settled."""

    suite: CipherSuite
    group: int
    shared_secret: bytes
    is_resumed: bool


def make_offer(config: ClientConfig, server_name: str | None, session: Session | None) -> Offer:
    """Write the hello; `session` is offered only if this configuration made it."""
    constant = once(config, _constant_part)
    usable = session if isinstance(session, Tls13Session) else None
    peer = None if usable is None else identity.may_offer(usable, config, server_name)
    shares = {group: config.provider.key_share(group) for group in constant.with_share}
    hello = ClientHello(
        client_version=TLS12,
        random=fresh_random(config.provider, with_time=False),
        session_id=_session_id(config),
        cipher_suites=constant.cipher_suites,
        extensions={
            **naming_extensions(config, server_name),
            **constant.extensions,
            ext.KEY_SHARE: _encode_shares(shares),
        },
    )
    return Offer(hello, shares, usable if peer else None, peer, config.algorithms)


@dataclass(frozen=True, slots=True)
class _Constant:
    """What every hello of one configuration says."""

    cipher_suites: tuple[int, ...]
    with_share: tuple[int, ...]
    extensions: Extensions


def _constant_part(config: ClientConfig) -> _Constant:
    """Raises `UsageError` for groups that cannot be offered."""
    if not config.groups:
        raise UsageError("TLS 1.3 needs at least one group")
    with_share = config.groups if config.key_shares is None else config.key_shares
    if not set(with_share) <= set(config.groups):
        raise UsageError("a key share of a group that is not among the groups")
    schemes = signature_codes(config.algorithms.signatures_tls13)
    return _Constant(
        cipher_suites=tuple(suite.code for suite in config.suites if suite.version == TLS13),
        with_share=tuple(int(group) for group in with_share),
        extensions={
            ext.SUPPORTED_GROUPS: encode_uint16_list(config.groups),
            ext.SIGNATURE_ALGORITHMS: encode_uint16_list(schemes),
            ext.SUPPORTED_VERSIONS: encode_supported_versions((TLS13,)),
            ext.PSK_KEY_EXCHANGE_MODES: encode_uint8_list(bytes((PSK_DHE_KE,))),
        },
    )


def _session_id(config: ClientConfig) -> bytes:
    """What a server echoes to please middleboxes (RFC 8446, D.4)."""
    if not config.compatibility.middleboxes:
        return b""
    return config.provider.random_bytes(_SESSION_ID_LENGTH)


def encode_hello(offer: Offer, config: ClientConfig, before: Hash | None) -> bytes:
    """Return the whole message; the pre-shared key comes last and is bound to what precedes it.

    `before` is the running hash before this hello, `None` if it is the first message.
    """
    session = offer.session
    if session is None:
        return encode_message(offer.hello)
    suite = config.algorithms.suites[session.suite]
    milliseconds = round((config.provider.now().timestamp() - session.created) * 1000)
    age = (milliseconds + session.age_add) & 0xFFFFFFFF
    running = config.provider.new_hash(suite.hash_name) if before is None else before
    length = len(running.digest())
    unproven = OfferedPsks(((session.ticket, age),), (bytes(length),))
    raw = encode_message(offer.hello.with_extension(ext.PRE_SHARED_KEY, unproven.encode()))
    covered = raw[: -unproven.binders_length]
    running.update(covered)
    binder = config.provider.key_schedule(suite.protection, session.psk).binder(running.digest())
    return covered + raw[-unproven.binders_length : -length] + binder


def _encode_shares(shares: dict[int, KeyShare]) -> bytes:
    return encode_key_shares({group: share.public for group, share in shares.items()})


# --- the server's answer -----------------------------------------------------------------


def answer_retry(
    request: ServerHello, offer: Offer, config: ClientConfig
) -> tuple[Offer, CipherSuite]:
    """Check a HelloRetryRequest and return the second hello (RFC 8446, 4.1.4)."""
    suite = _check_common(request, offer, _IN_RETRY_REQUEST)
    extensions = dict(offer.hello.extensions)
    shares = offer.shares
    if ext.KEY_SHARE in request.extensions:
        group = decode_uint16(request.extensions[ext.KEY_SHARE])
        if group not in config.groups or group in offer.shares:
            raise IllegalParameter(f"the server asks for a key share of group {group}")
        shares = {group: config.provider.key_share(group)}
        extensions[ext.KEY_SHARE] = _encode_shares(shares)
    elif ext.COOKIE not in request.extensions:
        raise IllegalParameter("the server asks for the same hello again")
    if ext.COOKIE in request.extensions:
        cookie = request.extensions[ext.COOKIE]
        decode_cookie(cookie)
        extensions[ext.COOKIE] = cookie
    session = offer.session
    if session is not None and offer.algorithms.suites[session.suite].hash_name != suite.hash_name:
        session = None
    hello = replace(offer.hello, extensions=extensions)
    return replace(offer, hello=hello, shares=shares, session=session), suite


def accept_server_hello(hello: ServerHello, offer: Offer, retried: CipherSuite | None) -> Answer:
    """Check the answer against what was offered, and agree on the secret."""
    if hello.is_retry_request:
        raise UnexpectedMessage("a second HelloRetryRequest")
    suite = _check_common(hello, offer, _IN_SERVER_HELLO)
    if retried is not None and suite != retried:
        raise IllegalParameter("the server changed its mind about the suite")
    if ext.KEY_SHARE not in hello.extensions:
        raise MissingExtension("a ServerHello without a key share")
    group, public = decode_key_share(hello.extensions[ext.KEY_SHARE])
    if group not in offer.shares:
        raise IllegalParameter(f"the server answers a key share of group {group}, not offered")
    return Answer(
        suite=suite,
        group=group,
        shared_secret=_agree(offer.shares[group], public),
        is_resumed=_accept_psk(hello, offer, suite),
    )


def _accept_psk(hello: ServerHello, offer: Offer, suite: CipherSuite) -> bool:
    body = hello.extensions.get(ext.PRE_SHARED_KEY)
    if body is None:
        return False
    if offer.session is None or decode_uint16(body) != 0:
        raise IllegalParameter("the server chose a pre-shared key that was not offered")
    if offer.algorithms.suites[offer.session.suite].hash_name != suite.hash_name:
        raise IllegalParameter("the server resumes a session with another hash")
    return True


def _check_common(hello: ServerHello, offer: Offer, allowed: frozenset[int]) -> CipherSuite:
    """What holds for a ServerHello and a HelloRetryRequest (RFC 8446, 4.1.3)."""
    _check_places(hello.extensions, offer, allowed)
    if hello.extensions.get(ext.SUPPORTED_VERSIONS) != TLS13.to_bytes(2, "big"):
        raise IllegalParameter("the server chose a version that was not offered")
    if hello.server_version != TLS12:
        raise IllegalParameter(f"a legacy version of {hello.server_version:#06x}")
    if hello.session_id != offer.hello.session_id:
        raise IllegalParameter("the server did not echo the session identifier")
    if hello.compression_method != NULL_COMPRESSION:
        raise IllegalParameter(f"the server chose compression {hello.compression_method}")
    suite = offer.algorithms.suites.get(hello.cipher_suite)
    if suite is None or suite.version != TLS13 or suite.code not in offer.hello.cipher_suites:
        raise IllegalParameter(f"the server chose suite {hello.cipher_suite:#06x}, not offered")
    return suite


def _check_places(answered: Extensions, offer: Offer, allowed: frozenset[int]) -> None:
    for number in answered:
        is_offered = number in offer.hello.extensions or (
            number == ext.COOKIE or (number == ext.PRE_SHARED_KEY and offer.session is not None)
        )
        if not is_offered:
            raise UnsupportedExtension(f"the server answers extension {number}, not offered")
        if number not in allowed:
            raise IllegalParameter(f"extension {number} does not belong into this message")


def _agree(share: KeyShare, public: bytes) -> bytes:
    try:
        return share.agree(public)
    except InvalidKey as error:
        raise IllegalParameter(f"the server's key share: {error}") from None

"""Hellos: what a client offers, what a server chooses, and whether each may (RFC 5246, 7.4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import (
    DecodeError,
    IllegalParameter,
    Incompatible,
    InsufficientSecurity,
    RenegotiationMismatch,
    UnsupportedExtension,
    UnsupportedVersion,
    UsageError,
)
from meterseal.transport import ext, identity
from meterseal.transport.algorithms import name_signatures, signature_codes, usable_signatures
from meterseal.transport.codepoints import (
    NULL_COMPRESSION,
    RENEGOTIATION_SCSV,
    TLCP,
    TLS12,
    UNCOMPRESSED,
)
from meterseal.transport.config import ClientAuthentication
from meterseal.transport.extensions import (
    decode_supported_versions,
    decode_uint8_list,
    decode_uint16_list,
    encode_uint8_list,
    encode_uint16_list,
)
from meterseal.transport.hello import (
    accept_protocol,
    fresh_random,
    naming_extensions,
)
from meterseal.transport.messages import ClientHello, ServerHello
from meterseal.transport.once import once
from meterseal.transport.session import ClassicSession
from meterseal.transport.suites import Agreement, CipherSuite

if TYPE_CHECKING:
    from meterseal.crypto.provider import Provider
    from meterseal.transport.algorithms import Algorithms, Group, Signature
    from meterseal.transport.config import ClientConfig, ServerConfig
    from meterseal.transport.extensions import Extensions
    from meterseal.transport.session import Session

_SESSION_ID_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Offer:
    """The client's side: its hello, and the session it would resume, with whom."""

    hello: ClientHello
    session: ClassicSession | None
    peer: identity.Peer | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What both sides now know."""

    suite: CipherSuite
    extended_master_secret: bool
    expects_ticket: bool
    is_resumed: bool
    expects_status: bool = False
    application_protocol: str | None = None


# --- client ------------------------------------------------------------------------------


def make_offer(config: ClientConfig, server_name: str | None, session: Session | None) -> Offer:
    """Write the ClientHello; `session` is offered only if this configuration made it."""
    usable = session if isinstance(session, ClassicSession) else None
    peer = None if usable is None else _may_offer(usable, config, server_name)
    if peer is None:
        usable = None
    suites = once(config, _usable_suites)
    hello = ClientHello(
        client_version=suites[0].version,
        random=fresh_random(config.provider, with_time=config.time_in_random),
        session_id=_offered_session_id(config.provider, usable),
        cipher_suites=tuple(suite.code for suite in suites),
    )
    if suites[0].version == TLS12:
        hello.extensions = _client_extensions(config, server_name, usable)
    return Offer(hello, usable, peer)


def _may_offer(
    session: ClassicSession, config: ClientConfig, server_name: str | None
) -> identity.Peer | None:
    if session.ticket and not config.offer_tickets:
        return None
    return identity.may_offer(session, config, server_name)


def _usable_suites(config: ClientConfig) -> list[CipherSuite]:
    """The suites of TLCP or TLS 1.2 for which we have what they need."""
    has_pair = config.credential is not None and config.credential.encryption is not None
    needs_pair = {Agreement.TLS13} if has_pair else {Agreement.TLS13, Agreement.TLCP_ECDHE}
    suites = [suite for suite in config.suites if suite.agreement not in needs_pair]
    if not suites:
        raise UsageError("no suite is left to offer: ECDHE suites of TLCP need a client pair")
    if len({suite.version for suite in suites}) > 1:
        raise UsageError("a client offers the suites of one protocol: TLCP or TLS")
    return suites


def _offered_session_id(provider: Provider, session: Session | None) -> bytes:
    if session is None:
        return b""
    if session.ticket:  # RFC 5077, 3.4: an identifier of our own tells us whether it was taken
        return provider.random_bytes(_SESSION_ID_LENGTH)
    return session.session_id


def _client_extensions(
    config: ClientConfig, server_name: str | None, session: Session | None
) -> Extensions:
    groups = [group.code for group in config.algorithms.groups_tls12]
    schemes = signature_codes(config.algorithms.signatures_tls12)
    extensions = naming_extensions(config, server_name)
    extensions[ext.EC_POINT_FORMATS] = encode_uint8_list(bytes((UNCOMPRESSED,)))
    extensions[ext.SUPPORTED_GROUPS] = encode_uint16_list(groups)
    if config.offer_tickets:
        extensions[ext.SESSION_TICKET] = session.ticket if session else b""
    extensions[ext.SIGNATURE_ALGORITHMS] = encode_uint16_list(schemes)
    if config.offer_extended_master_secret:
        extensions[ext.EXTENDED_MASTER_SECRET] = b""
    extensions[ext.RENEGOTIATION_INFO] = encode_uint8_list(b"")
    return extensions


def accept_server_hello(hello: ServerHello, offer: Offer, config: ClientConfig) -> Choice:
    """Check the answer against what was offered."""
    if hello.server_version != offer.hello.client_version:
        raise UnsupportedVersion(f"the server chose version {hello.server_version:#06x}")
    suite = config.algorithms.suites.get(hello.cipher_suite)
    if (
        suite is None
        or suite.version != hello.server_version
        or suite.code not in offer.hello.cipher_suites
    ):
        raise IllegalParameter(f"the server chose suite {hello.cipher_suite:#06x}, not offered")
    if hello.compression_method != NULL_COMPRESSION:
        raise IllegalParameter(f"the server chose compression {hello.compression_method}")
    _check_answered_extensions(hello.extensions, offer.hello.extensions)
    extended = ext.EXTENDED_MASTER_SECRET in hello.extensions
    if hello.server_version == TLS12:
        _check_required_extensions(hello.extensions, config)
    return Choice(
        suite=suite,
        extended_master_secret=extended,
        expects_ticket=ext.SESSION_TICKET in hello.extensions,
        is_resumed=_check_resumption(hello, offer, extended=extended),
        expects_status=ext.STATUS_REQUEST in hello.extensions,
        application_protocol=accept_protocol(hello.extensions, config),
    )


def _check_resumption(hello: ServerHello, offer: Offer, *, extended: bool) -> bool:
    session = offer.session
    if not hello.session_id or hello.session_id != offer.hello.session_id:
        return False
    if session is None:  # the identifier was there for middleboxes (RFC 8446, D.4)
        raise IllegalParameter("the server resumes a session that was not offered")
    if hello.cipher_suite != session.suite:
        raise IllegalParameter("the server resumes a session with another suite")
    if extended != session.extended:  # RFC 7627, 5.3
        raise Incompatible("the server resumes a session with another kind of master secret")
    return True


def _check_answered_extensions(answered: Extensions, offered: Extensions) -> None:
    for number, body in answered.items():
        if number not in offered:
            raise UnsupportedExtension(f"the server answers extension {number}, not offered")
        _check_answered_extension(number, body)


def _check_required_extensions(answered: Extensions, config: ClientConfig) -> None:
    extended = ext.EXTENDED_MASTER_SECRET in answered
    if config.require_extended_master_secret and not extended:
        raise InsufficientSecurity("the server does not know extended master secrets")
    if config.require_secure_renegotiation and ext.RENEGOTIATION_INFO not in answered:
        raise InsufficientSecurity("the server does not know secure renegotiation (RFC 5746)")


def _check_answered_extension(number: int, body: bytes) -> None:
    if number == ext.RENEGOTIATION_INFO:
        if decode_uint8_list(body, least=0):  # RFC 5746, 3.4
            raise RenegotiationMismatch("renegotiation_info is not empty in a first handshake")
    elif number == ext.EC_POINT_FORMATS:
        if UNCOMPRESSED not in decode_uint8_list(body):
            raise IllegalParameter("the server cannot read uncompressed points")
    elif number in _EMPTY_ANSWERS and body:
        raise DecodeError(f"the answer to extension {number} is not empty")


_EMPTY_ANSWERS: Final = (
    ext.SERVER_NAME,
    ext.STATUS_REQUEST,
    ext.SESSION_TICKET,
    ext.EXTENDED_MASTER_SECRET,
)


# --- server ------------------------------------------------------------------------------


def check_client_hello(hello: ClientHello, config: ServerConfig) -> CipherSuite:
    """Choose the suite, or say why there is none."""
    if NULL_COMPRESSION not in hello.compression_methods:
        raise IllegalParameter("the client does not offer null compression")
    is_tlcp = hello.client_version == TLCP
    if not is_tlcp:
        _check_version(hello)
        _check_extensions(hello.extensions, config)
    version = TLCP if is_tlcp else TLS12
    spoken = [suite for suite in config.suites if suite.version == version]
    if not spoken:
        raise UnsupportedVersion(f"the client speaks {'TLCP' if is_tlcp else 'TLS'}, we do not")
    for suite in spoken:
        if suite.code in hello.cipher_suites and _can_serve(suite, hello, config):
            return suite
    raise Incompatible("no cipher suite in common")


def _can_serve(suite: CipherSuite, hello: ClientHello, config: ServerConfig) -> bool:
    """TLCP needs our encryption certificate, its ECDHE suites the client's too."""
    if suite.agreement is Agreement.ECDHE:
        return bool(signatures_for(suite, hello.extensions, config))
    if suite.agreement is Agreement.TLCP_ECDHE:
        asks = config.client_authentication is not ClientAuthentication.NONE
        return asks and config.credential.encryption is not None
    return config.credential.encryption is not None


def _check_extensions(extensions: Extensions, config: ServerConfig) -> None:
    _check_point_formats(extensions)
    choose_group(extensions, config.algorithms)
    _check_signature_schemes(extensions, config)
    _check_renegotiation_info(extensions)
    if ext.EXTENDED_MASTER_SECRET in extensions:
        if extensions[ext.EXTENDED_MASTER_SECRET]:
            raise DecodeError("extended_master_secret is not empty")
    elif config.require_extended_master_secret:
        raise InsufficientSecurity("the client does not know extended master secrets")


def _check_version(hello: ClientHello) -> None:
    """The extension, where it stands, is all that counts (RFC 8446, 4.2.1)."""
    versions = hello.extensions.get(ext.SUPPORTED_VERSIONS)
    if versions is not None:
        if TLS12 not in decode_supported_versions(versions):
            raise UnsupportedVersion("the client does not offer TLS 1.2")
    elif hello.client_version < TLS12:
        raise UnsupportedVersion(f"the client offers at most version {hello.client_version:#06x}")


def _check_point_formats(extensions: Extensions) -> None:
    formats = extensions.get(ext.EC_POINT_FORMATS)
    if formats is not None and UNCOMPRESSED not in decode_uint8_list(formats):
        raise IllegalParameter("the client cannot read uncompressed points")


def choose_group(extensions: Extensions, algorithms: Algorithms) -> Group:
    """Return the first of our groups that the client knows; it may leave the choice to us."""
    body = extensions.get(ext.SUPPORTED_GROUPS)
    ours = algorithms.groups_tls12
    if body is None:
        return ours[0]
    offered = decode_uint16_list(body)
    for group in ours:
        if group.code in offered:
            return group
    raise Incompatible(f"no group in common: the client does not offer {ours[0]}")


def signatures_for(
    suite: CipherSuite, extensions: Extensions, config: ServerConfig
) -> list[Signature]:
    """Return what we may sign with under this suite, best first."""
    return [
        scheme
        for scheme in _common_signatures(extensions, config)
        if scheme.authentication == suite.authentication
    ]


def _common_signatures(extensions: Extensions, config: ServerConfig) -> list[Signature]:
    schemes = extensions.get(ext.SIGNATURE_ALGORITHMS)
    offered = () if schemes is None else decode_uint16_list(schemes)
    key = config.credential.chain[0].spki.algorithm
    return usable_signatures(config.algorithms.signatures_tls12, offered, key)


def _check_signature_schemes(extensions: Extensions, config: ServerConfig) -> None:
    if not _common_signatures(extensions, config):
        ours = name_signatures(config.algorithms.signatures_tls12)
        raise Incompatible(f"the client does not offer {ours}, or our key does not make them")


def _check_renegotiation_info(extensions: Extensions) -> None:
    info = extensions.get(ext.RENEGOTIATION_INFO)
    if info is not None and decode_uint8_list(info, least=0):  # RFC 5746, 3.6
        raise RenegotiationMismatch("renegotiation_info is not empty in a first handshake")


def answer_extensions(
    hello: ClientHello, names: Extensions, *, with_ticket: bool, with_status: bool
) -> Extensions:
    """Return the extensions of the ServerHello: only answers, and none at all under TLCP."""
    extensions: Extensions = {}
    if hello.client_version == TLCP:
        return extensions
    asked = hello.extensions
    if ext.RENEGOTIATION_INFO in asked or RENEGOTIATION_SCSV in hello.cipher_suites:
        extensions[ext.RENEGOTIATION_INFO] = encode_uint8_list(b"")
    if ext.EC_POINT_FORMATS in asked:
        extensions[ext.EC_POINT_FORMATS] = encode_uint8_list(bytes((UNCOMPRESSED,)))
    if with_status:
        extensions[ext.STATUS_REQUEST] = b""
    if with_ticket:
        extensions[ext.SESSION_TICKET] = b""
    if ext.EXTENDED_MASTER_SECRET in asked:
        extensions[ext.EXTENDED_MASTER_SECRET] = b""
    return {**extensions, **names}

"""What a server reads in a ClientHello, and what it chooses (RFC 8446, 4.1 and 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import (
    IllegalParameter,
    Incompatible,
    MissingExtension,
    UnsupportedVersion,
)
from meterseal.transport import ext
from meterseal.transport.algorithms import name_signatures, usable_signatures
from meterseal.transport.codepoints import (
    NULL_COMPRESSION,
    PSK_DHE_KE,
    TLS13,
)
from meterseal.transport.extensions import decode_uint8_list, decode_uint16_list
from meterseal.transport.extensions_tls13 import (
    OfferedPsks,
    decode_authorities,
    decode_key_shares,
)
from meterseal.transport.hello import choose_protocol, requested_server_name

if TYPE_CHECKING:
    from meterseal.transport.algorithms import Signature
    from meterseal.transport.config import ServerConfig
    from meterseal.transport.extensions import Extensions
    from meterseal.transport.messages import ClientHello
    from meterseal.transport.suites import CipherSuite
    from meterseal.transport.wire import Uint16s

_SSL3: Final = 0x0300
_MAY_CHANGE: Final = frozenset(
    {
        ext.KEY_SHARE,
        ext.PRE_SHARED_KEY,
        ext.EARLY_DATA,
        ext.COOKIE,
        ext.PADDING,
    }
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What we chose. `share` is the client's, or `None` if it must be asked for."""

    suite: CipherSuite
    group: int
    share: bytes | None
    psks: OfferedPsks | None
    takes_tickets: bool
    server_name: str | None
    application_protocol: str | None


def choose(hello: ClientHello, config: ServerConfig) -> Choice:
    """Choose suite, group and names, or say why there is no choice."""
    _check_form(hello)
    extensions = hello.extensions
    suite = _choose_suite(hello, config)
    group, share = _choose_group(extensions, config)
    modes = extensions.get(ext.PSK_KEY_EXCHANGE_MODES)
    takes_tickets = modes is not None and PSK_DHE_KE in decode_uint8_list(modes)
    psks = _offered_psks(extensions)
    if psks is not None and modes is None:
        raise MissingExtension("a pre-shared key without psk_key_exchange_modes")
    if ext.CERTIFICATE_AUTHORITIES in extensions:
        decode_authorities(extensions[ext.CERTIFICATE_AUTHORITIES])
    return Choice(
        suite=suite,
        group=group,
        share=share,
        psks=psks if takes_tickets else None,
        takes_tickets=takes_tickets,
        server_name=requested_server_name(hello),
        application_protocol=choose_protocol(hello, config),
    )


def choose_signature(hello: ClientHello, config: ServerConfig) -> Signature:
    """A certificate will have to be shown: the client must take a signature of ours."""
    body = hello.extensions.get(ext.SIGNATURE_ALGORITHMS)
    if body is None:
        raise MissingExtension("the client does not say which signatures it takes")
    ours = config.algorithms.signatures_tls13
    key = config.credential.chain[0].spki.algorithm
    usable = usable_signatures(ours, decode_uint16_list(body), key)
    if not usable:
        named = name_signatures(ours)
        raise Incompatible(f"the client does not take {named}, or our key does not make them")
    return usable[0]


def check_second_hello(second: ClientHello, first: ClientHello, group: int) -> None:
    """After a HelloRetryRequest the client says the same, but with the share (4.1.2)."""
    if _constant(second) != _constant(first):
        raise IllegalParameter("the second ClientHello differs from the first")
    if ext.COOKIE in second.extensions:
        raise IllegalParameter("a cookie that we did not give")
    if list(decode_key_shares(second.extensions.get(ext.KEY_SHARE, b"\0\0"))) != [group]:
        raise IllegalParameter(f"the second ClientHello has not the one share of group {group}")


def _constant(hello: ClientHello) -> tuple[object, ...]:
    kept = {n: body for n, body in hello.extensions.items() if n not in _MAY_CHANGE}
    return (
        hello.client_version,
        hello.random,
        hello.session_id,
        hello.cipher_suites,
        hello.compression_methods,
        kept,
    )


def _check_form(hello: ClientHello) -> None:
    if hello.client_version <= _SSL3:  # RFC 8446, D.5
        raise UnsupportedVersion(f"the client offers version {hello.client_version:#06x}")
    if hello.compression_methods != bytes((NULL_COMPRESSION,)):
        raise IllegalParameter("a compression method other than null")


def _choose_suite(hello: ClientHello, config: ServerConfig) -> CipherSuite:
    for suite in config.suites:
        if suite.version == TLS13 and suite.code in hello.cipher_suites:
            return suite
    raise Incompatible("no cipher suite in common")


def _choose_group(extensions: Extensions, config: ServerConfig) -> tuple[int, bytes | None]:
    """Prefer a group whose share is there; else ask for the first that both know."""
    groups, shares = _groups_and_shares(extensions)
    for group in config.groups:
        if group in shares:
            return group, shares[group]
    for group in config.groups:
        if group in groups:
            return group, None
    expected = config.algorithms.group_tls13
    raise Incompatible(f"no group in common: the client does not offer {expected}")


def _groups_and_shares(extensions: Extensions) -> tuple[Uint16s, dict[int, bytes]]:
    body = extensions.get(ext.SUPPORTED_GROUPS)
    shared = extensions.get(ext.KEY_SHARE)
    if body is None or shared is None:
        raise MissingExtension("a hello without groups or without key shares")
    groups, shares = decode_uint16_list(body), decode_key_shares(shared)
    for group in shares:
        if group not in groups:
            raise IllegalParameter(f"a key share of group {group}, which is not offered")
    return groups, shares


def _offered_psks(extensions: Extensions) -> OfferedPsks | None:
    body = extensions.get(ext.PRE_SHARED_KEY)
    if body is None:
        return None
    if list(extensions)[-1] != ext.PRE_SHARED_KEY:
        raise IllegalParameter("pre_shared_key is not the last extension")
    return OfferedPsks.decode(body)

"""A readable account of a handshake, message by message, as it happens.

    config = ClientConfig(trust=…, observer=Trace(print))

The trace reads messages in the clear, before they are sealed or after they were opened, so it shows
the protected part of TLS 1.3 too. It prints public facts: names, numbers and lengths; no secret, no
signature, no key beyond its length. What it cannot read it names and counts; it never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from meterseal.errors import AlertDescription, MalformedData, PeerError
from meterseal.transport.codepoints import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    LEVEL_FATAL,
    TLCP,
    TLS12,
    TLS13,
    CipherSuiteCode,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
)
from meterseal.transport.events import SENT
from meterseal.transport.extensions import decode_server_name, decode_uint16_list
from meterseal.transport.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    KeyUpdate,
    Message,
    NewSessionTicket,
    ServerHello,
    ServerKeyExchange,
    Tls13Certificate,
)
from meterseal.transport.wire import Cursor
from meterseal.x509 import Certificate as X509Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from enum import IntEnum

    from meterseal.transport.extensions import Extensions

M = TypeVar("M", bound=Message)

_HEADER: Final = 4
_ARROWS: Final = {True: "->", False: "<-"}
_PROTOCOLS: Final = {TLCP: "TLCP 1.1", TLS12: "TLS 1.2", TLS13: "TLS 1.3"}


class Trace:
    """An observer that writes one line for each thing said, and indented lines of detail."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._version = 0

    def __call__(self, direction: str, content_type: int, raw: bytes) -> None:
        """Take note of one message, alert or ChangeCipherSpec."""
        arrow = _ARROWS[direction == SENT]
        if content_type == CHANGE_CIPHER_SPEC:
            self._write(f"{arrow} ChangeCipherSpec")
        elif content_type == ALERT:
            self._write(f"{arrow} Alert: {_alert(raw)}")
        else:
            self._write(f"{arrow} {_message_name(raw[0])}, {len(raw) - _HEADER} bytes")
            for line in self._details(raw):
                self._write(f"     {line}")

    def _details(self, raw: bytes) -> Iterator[str]:
        try:
            yield from self._describe(raw[0], raw)
        except (PeerError, MalformedData) as error:
            yield f"not readable: {error}"

    def _describe(self, number: int, raw: bytes) -> Iterator[str]:
        if number == HandshakeType.CLIENT_HELLO:
            yield from _client_hello(_decode(ClientHello, raw))
        elif number == HandshakeType.SERVER_HELLO:
            hello = _decode(ServerHello, raw)
            self._version = _chosen_version(hello)
            yield from _server_hello(hello, self._version)
        elif number == HandshakeType.CERTIFICATE:
            yield from _certificates(_chain(raw, self._version))
        elif number == HandshakeType.ENCRYPTED_EXTENSIONS:
            yield from _extensions(_decode(EncryptedExtensions, raw).extensions)
        elif number == HandshakeType.KEY_UPDATE:
            asked = _decode(KeyUpdate, raw).update_requested
            yield "the peer is asked for new keys too" if asked else "the peer's keys stay"
        elif self._version == TLS12:
            yield from _tls12_details(number, raw)


def _decode(kind: type[M], raw: bytes) -> M:
    cursor = Cursor(raw, _HEADER)
    message = kind.decode(cursor)
    cursor.finish()
    return message


def _client_hello(hello: ClientHello) -> Iterator[str]:
    yield f"random {hello.random.hex()}"
    yield f"session identifier of {len(hello.session_id)} bytes"
    yield "suites " + _names(CipherSuiteCode, hello.cipher_suites)
    yield from _extensions(hello.extensions)


def _server_hello(hello: ServerHello, version: int) -> Iterator[str]:
    if hello.is_retry_request:
        yield "asks for another hello"
    yield f"protocol {_PROTOCOLS.get(version, f'{version:#06x}')}"
    yield f"random {hello.random.hex()}"
    yield "suite " + _name(CipherSuiteCode, hello.cipher_suite)
    yield from _extensions(hello.extensions)


def _tls12_details(number: int, raw: bytes) -> Iterator[str]:
    if number == HandshakeType.SERVER_KEY_EXCHANGE:
        exchange = _decode(ServerKeyExchange, raw)
        yield "group " + _name(NamedGroup, exchange.group)
        yield "signed with " + _name(SignatureScheme, exchange.algorithm)
    elif number == HandshakeType.CERTIFICATE_REQUEST:
        request = _decode(CertificateRequest, raw)
        yield "accepts " + _names(SignatureScheme, request.supported_signature_algorithms)
        yield f"{len(request.certificate_authorities)} certificate authorities"
    elif number == HandshakeType.CERTIFICATE_VERIFY:
        yield "signed with " + _name(SignatureScheme, _decode(CertificateVerify, raw).algorithm)
    elif number == HandshakeType.NEW_SESSION_TICKET:
        ticket = _decode(NewSessionTicket, raw)
        yield f"ticket of {len(ticket.ticket)} bytes for {ticket.ticket_lifetime_hint} s"


def _chosen_version(hello: ServerHello) -> int:
    chosen = hello.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
    return int.from_bytes(chosen, "big") if chosen else hello.server_version


def _chain(raw: bytes, version: int) -> Iterable[bytes]:
    if version == TLS13:
        entries = _decode(Tls13Certificate, raw).certificate_list
        return [entry.certificate for entry in entries]
    return _decode(Certificate, raw).certificate_list


def _certificates(chain: Iterable[bytes]) -> Iterator[str]:
    empty = True
    for encoding in chain:
        empty = False
        certificate = X509Certificate.decode(encoding)
        yield f"subject {certificate.subject}, issuer {certificate.issuer}"
    if empty:
        yield "none"


def _extensions(extensions: Extensions) -> Iterator[str]:
    for number, body in extensions.items():
        yield f"{_name(ExtensionType, number).lower()}: {_extension(number, body)}"


def _extension(number: int, body: bytes) -> str:
    if number == ExtensionType.SERVER_NAME and body:
        return decode_server_name(body) or "no host name"
    if number == ExtensionType.SUPPORTED_GROUPS:
        return _names(NamedGroup, decode_uint16_list(body))
    if number == ExtensionType.SIGNATURE_ALGORITHMS:
        return _names(SignatureScheme, decode_uint16_list(body))
    return f"{len(body)} bytes" if body else "empty"


def _alert(raw: bytes) -> str:
    if len(raw) != 2:  # noqa: PLR2004  (an alert is level and description)
        return "not readable"
    level = "fatal" if raw[0] == LEVEL_FATAL else "warning"
    return f"{level} {_name(AlertDescription, raw[1]).lower()}"


def _message_name(number: int) -> str:
    name = _name(HandshakeType, number)
    return "".join(word.capitalize() for word in name.split("_"))


def _names(kind: type[IntEnum], numbers: Iterable[int]) -> str:
    return ", ".join(_name(kind, number) for number in numbers)


def _name(kind: type[IntEnum], number: int) -> str:
    try:
        return kind(number).name
    except ValueError:
        return f"{number:#06x}"

"""A readable account of a session, message by message, as it happens or from a recording.

    config = ClientConfig(trust=…, observer=Trace(print))

The trace reads messages in the clear, before they are sealed or after they were opened, so it shows
the protected part of TLS 1.3 too. It prints public facts: names, numbers and lengths; no secret, no
signature, no key beyond its length. What it cannot read it names and counts; it never raises.
`recording.py` brings it the messages of sessions that were captured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from meterseal.errors import AlertDescription, MalformedData, PeerError
from meterseal.transport.codepoints import (
    ALERT,
    APPLICATION_DATA,
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
from meterseal.transport.extensions import (
    decode_protocols,
    decode_server_name,
    decode_supported_versions,
    decode_uint16_list,
)
from meterseal.transport.extensions_tls13 import decode_key_shares
from meterseal.transport.messages import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateStatus,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    KeyUpdate,
    Message,
    NewSessionTicket,
    ServerHello,
    ServerKeyExchange,
    TlcpCertificateRequest,
    Tls13Certificate,
    Tls13CertificateRequest,
    Tls13NewSessionTicket,
)
from meterseal.transport.wire import Cursor
from meterseal.x509 import Certificate as X509Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from enum import IntEnum

    from meterseal.transport.extensions import Extensions

M = TypeVar("M", bound=Message)

_HEADER: Final = 4
_ARROWS: Final = {True: "->", False: "<-"}
_PROTOCOLS: Final = {TLCP: "TLCP 1.1", TLS12: "TLS 1.2", TLS13: "TLS 1.3"}


_SHOWN_DATA: Final = 256


class Trace:
    """An observer that writes one line for each thing said, and indented lines of detail.

    Application data, which recordings have, is counted; with `show_data` its beginning is shown.
    """

    def __init__(self, write: Callable[[str], None], *, show_data: bool = False) -> None:
        self._write = write
        self._show_data = show_data
        self._version = 0

    def __call__(self, direction: str, content_type: int, raw: bytes) -> None:
        """Take note of one message, alert or ChangeCipherSpec."""
        arrow = _ARROWS[direction == SENT]
        if content_type == CHANGE_CIPHER_SPEC:
            self._write(f"{arrow} ChangeCipherSpec")
        elif content_type == ALERT:
            self._write(f"{arrow} Alert: {_alert(raw)}")
        elif content_type == APPLICATION_DATA:
            self._write(f"{arrow} application data, {len(raw)} bytes")
            if self._show_data:
                self._write(f"     {_printable(raw)}")
        else:
            self._write(f"{arrow} {_message_name(raw[0])}, {len(raw) - _HEADER} bytes")
            for line in self._details(raw):
                self._write(f"     {line}")

    def note(self, direction: str, text: str) -> None:
        """Write a line that is no message: what stays closed, what went wrong."""
        self._write(f"{_ARROWS[direction == SENT]} ({text})")

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
            self._version = hello.version
            yield from _server_hello(hello, self._version)
        elif number == HandshakeType.CERTIFICATE:
            yield from _certificates(_entries(raw, self._version))
        elif number == HandshakeType.ENCRYPTED_EXTENSIONS:
            yield from _extensions(_decode(EncryptedExtensions, raw).extensions)
        elif number == HandshakeType.KEY_UPDATE:
            asked = _decode(KeyUpdate, raw).update_requested
            yield "the peer is asked for new keys too" if asked else "the peer's keys stay"
        elif self._version in _DETAILS:
            yield from _DETAILS[self._version](number, raw)


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
    yield f"protocol {_protocol(version)}"
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
    elif number == HandshakeType.CERTIFICATE_STATUS:
        yield f"OCSP response of {len(_decode(CertificateStatus, raw).ocsp_response)} bytes"
    elif number == HandshakeType.NEW_SESSION_TICKET:
        ticket = _decode(NewSessionTicket, raw)
        yield f"ticket of {len(ticket.ticket)} bytes for {ticket.ticket_lifetime_hint} s"


def _tlcp_details(number: int, raw: bytes) -> Iterator[str]:
    if number == HandshakeType.CERTIFICATE_REQUEST:
        request = _decode(TlcpCertificateRequest, raw)
        yield f"{len(request.certificate_authorities)} certificate authorities"


def _tls13_details(number: int, raw: bytes) -> Iterator[str]:
    if number == HandshakeType.CERTIFICATE_REQUEST:
        yield from _extensions(_decode(Tls13CertificateRequest, raw).extensions)
    elif number == HandshakeType.CERTIFICATE_VERIFY:
        yield "signed with " + _name(SignatureScheme, _decode(CertificateVerify, raw).algorithm)
    elif number == HandshakeType.NEW_SESSION_TICKET:
        ticket = _decode(Tls13NewSessionTicket, raw)
        yield f"ticket of {len(ticket.ticket)} bytes for {ticket.ticket_lifetime} s"


_DETAILS: Final = {TLCP: _tlcp_details, TLS12: _tls12_details, TLS13: _tls13_details}


def _entries(raw: bytes, version: int) -> Sequence[CertificateEntry]:
    if version == TLS13:
        return _decode(Tls13Certificate, raw).certificate_list
    return [CertificateEntry(encoding) for encoding in _decode(Certificate, raw).certificate_list]


def _certificates(entries: Sequence[CertificateEntry]) -> Iterator[str]:
    for entry in entries:
        certificate = X509Certificate.decode(entry.certificate)
        yield f"subject {certificate.subject}, issuer {certificate.issuer}"
        yield from _extensions(entry.extensions)
    if not entries:
        yield "none"


def _extensions(extensions: Extensions) -> Iterator[str]:
    for number, body in extensions.items():
        yield f"{_name(ExtensionType, number).lower()}: {_extension(number, body)}"


def _extension(number: int, body: bytes) -> str:
    if not body:
        return "empty"
    read = _EXTENSIONS.get(number)
    return read(body) if read else f"{len(body)} bytes"


def _versions(body: bytes) -> str:
    """The client's list, or the one that the server chose."""
    chosen = (int.from_bytes(body, "big"),)
    versions = chosen if len(body) == 2 else decode_supported_versions(body)  # noqa: PLR2004
    return ", ".join(map(_protocol, versions))


def _key_share(body: bytes) -> str:
    """The client's list, the server's one share, or the group that a HelloRetryRequest names."""
    group = int.from_bytes(body[:2], "big")
    if group == len(body) - 2:
        shares = decode_key_shares(body).items()
        return ", ".join(f"{_name(NamedGroup, n)} {len(public)} bytes" for n, public in shares)
    length = f" {len(body) - 4} bytes" if len(body) > 4 else ""  # noqa: PLR2004
    return _name(NamedGroup, group) + length


_EXTENSIONS: Final[dict[int, Callable[[bytes], str]]] = {
    ExtensionType.SERVER_NAME: lambda body: decode_server_name(body) or "no host name",
    ExtensionType.SUPPORTED_GROUPS: lambda body: _names(NamedGroup, decode_uint16_list(body)),
    ExtensionType.SIGNATURE_ALGORITHMS: lambda body: _names(
        SignatureScheme, decode_uint16_list(body)
    ),
    ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: lambda body: ", ".join(
        _printable(name.encode("latin-1")) for name in decode_protocols(body)
    ),
    ExtensionType.SUPPORTED_VERSIONS: _versions,
    ExtensionType.KEY_SHARE: _key_share,
}


def _protocol(version: int) -> str:
    return _PROTOCOLS.get(version, f"{version:#06x}")


def _printable(data: bytes) -> str:
    """The beginning of the data as ASCII, what cannot be printed as a dot."""
    text = data[:_SHOWN_DATA].decode("latin-1")
    shown = "".join(c if c.isascii() and c.isprintable() else "." for c in text)
    return shown + ("..." if len(data) > _SHOWN_DATA else "")


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

"""Every field of a handshake and every bit of a record, altered on its way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from meterseal.lab.attack import weak
from meterseal.lab.attack.ends import (
    PROTOCOLS,
    READING,
    Meeting,
    Protocol,
    data_number,
    meet,
    meet_often,
)
from meterseal.lab.attack.notes import Attack, Notes
from meterseal.lab.attack.wire import (
    CLIENT,
    SERVER,
    flipped,
    in_message,
    with_client_hello,
    with_server_hello,
)
from meterseal.transport import ClientAuthentication
from meterseal.transport.codepoints import (
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_LENGTH,
    ExtensionType,
    HandshakeType,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.lab.attack.wire import Change

__all__ = ["ATTACKS"]

_PLACES: Final = 40
"""Bytes of one record that are altered, spread over its length."""
_VERSION: Final = {1, 2}
_TRIED: Final = ("TLS 1.3", "TLS 1.2", "TLCP ECC", "TLCP ECDHE")
_SHORT: Final = b"42 kWh"


# --- fields --------------------------------------------------------------------------------


def _hello_fields(protocol: Protocol) -> Iterator[tuple[str, Change]]:
    """Each field of both hellos, with another value."""
    changes: dict[str, Any] = {
        "random": lambda hello: {"random": flipped(hello.random, 250)},
        "session_id": lambda hello: {"session_id": flipped(hello.session_id or bytes(32), 0)},
        "a number of another suite at the end of cipher_suites": lambda hello: {
            "cipher_suites": (*hello.cipher_suites, 0xC02B)
        },
        "client_version": lambda hello: {"client_version": hello.client_version ^ 1},
        "compression_methods": lambda _: {"compression_methods": b"\x01\x00"},
        "an extension that nobody knows": lambda hello: {
            "extensions": {0xFAFA: b"", **hello.extensions}
        },
    }
    for field, change in changes.items():
        yield f"ClientHello: {field}", with_client_hello(change)
    changes = {
        "random": lambda hello: {"random": flipped(hello.random, 0)},
        "session_id": lambda hello: {"session_id": flipped(hello.session_id or bytes(32), 0)},
        "cipher_suite": lambda _: {"cipher_suite": 0xC02B},
        "server_version": lambda hello: {"server_version": hello.server_version ^ 1},
        "compression_method": lambda _: {"compression_method": 1},
        "an extension that was not offered": lambda hello: {
            "extensions": {**hello.extensions, 0xFAFA: b""}
        },
    }
    for field, change in changes.items():
        yield f"ServerHello: {field}", with_server_hello(change)
    for number in _extensions(protocol):
        yield f"ClientHello: {number.name.lower()} altered", with_client_hello(_altered(number))


def _extensions(protocol: Protocol) -> list[ExtensionType]:
    seen: list[ExtensionType] = []

    def look(hello: Any) -> dict[str, Any]:  # noqa: ANN401
        seen.extend(ExtensionType(number) for number in hello.extensions)
        return {}

    meet(protocol.client(), protocol.server(), with_client_hello(look))
    return seen


def _altered(number: int) -> Any:  # noqa: ANN401
    def change(hello: Any) -> dict[str, Any]:  # noqa: ANN401
        body = hello.extensions[number]
        other = flipped(body, 8 * len(body) - 8) if body else b"\0"
        return {"extensions": {**hello.extensions, number: other}}

    return change


_MESSAGES: Final = (
    (SERVER, HandshakeType.CERTIFICATE),
    (SERVER, HandshakeType.SERVER_KEY_EXCHANGE),
    (SERVER, HandshakeType.CERTIFICATE_REQUEST),
    (SERVER, HandshakeType.SERVER_HELLO_DONE),
    (CLIENT, HandshakeType.CERTIFICATE),
    (CLIENT, HandshakeType.CLIENT_KEY_EXCHANGE),
    (CLIENT, HandshakeType.CERTIFICATE_VERIFY),
)


def _message_parts(protocol: Protocol) -> Iterator[tuple[str, Change]]:
    """Messages in the clear: emptied, cut, longer, their last byte altered."""
    seen = meet(protocol.client(), protocol.server()).seen
    for sender, kind in _MESSAGES:
        if not any(it[0] == HANDSHAKE and it[HEADER_LENGTH] == kind for it in seen[sender]):
            continue
        yield f"{kind.name}: a byte more", in_message(sender, kind, lambda body: body + b"\0")
        if kind is not HandshakeType.SERVER_HELLO_DONE:
            yield f"{kind.name}: nothing in it", in_message(sender, kind, lambda _: b"")
            yield f"{kind.name}: a byte less", in_message(sender, kind, lambda body: body[:-1])
            last = in_message(sender, kind, lambda body: flipped(body, 8 * len(body) - 8))
            yield f"{kind.name}: its last byte", last


def _bytes_of_handshake(protocol: Protocol) -> list[Change]:
    """A bit in bytes of each record until the session stands, each in a handshake of its own."""
    seen = meet(protocol.client(), protocol.server()).seen
    changes: list[Change] = []
    for sender in (CLIENT, SERVER):
        for number in range(data_number(protocol, sender)):
            length = len(seen[sender][number])
            step = max(1, length // _PLACES)
            places = set(range(0, length, step)) | set(range(min(length, 12)))
            if _has_free_version(seen[sender][number], number):
                places -= _VERSION
            changes += [_flip_in(sender, number, 8 * place) for place in sorted(places)]
    return changes


def _has_free_version(record: bytes, number: int) -> bool:
    """Whether the version in the record's header means nothing.

    It does not before one is agreed, nor under TLS 1.3 ever (RFC 5246, E.1; RFC 8446, 5.1), where
    it is authenticated in records that are protected. ChangeCipherSpec is not.
    """
    return number == 0 or record[0] == CHANGE_CIPHER_SPEC


def _flip_in(sender: str, number: int, bit: int) -> Change:
    """Turn a bit of one record, or the last one if it is shorter: signatures vary in length."""

    def change(who: str, n: int, record: bytes) -> bytes:
        if (who, n) != (sender, number):
            return record
        return flipped(record, min(bit, 8 * len(record) - 1))

    return change


def handshake(notes: Notes) -> None:
    """Alter each field of a handshake, and bytes of each of its records."""
    for name in _TRIED:
        protocol = PROTOCOLS[name]
        parts = dict([*_hello_fields(protocol), *_message_parts(protocol)])
        for what, met in zip(parts, meet_often(protocol, parts.values()), strict=True):
            notes.tried(f"{name}: {what}", str(met), held=_is_noticed(met))
        changes = _bytes_of_handshake(protocol)
        met_all = list(meet_often(protocol, changes))
        fell = [met for met in met_all if not _is_noticed(met)]
        said = str(fell[0]) if fell else _tally(met_all)
        what = f"{name}: a bit in bytes of each record of the handshake"
        notes.tried(what, said, held=not fell, count=len(changes))
    _handshake_control(notes)


def _handshake_control(notes: Notes) -> None:
    protocol = PROTOCOLS["TLCP ECC"]
    nothing = weak.BoundToNothing()
    client = protocol.client(provider=nothing, credential=None)  # a CertificateVerify covers it too
    server = protocol.server(provider=nothing, client_authentication=ClientAuthentication.NONE)
    more = with_client_hello(lambda hello: {"cipher_suites": (*hello.cipher_suites, 0xC02B)})
    met = meet(client, server, more)
    who = "TLCP ECC, two ends whose Finished covers nothing, a suite put into the hello"
    notes.control(who, str(met), fell=met.server.data == READING)


def _is_noticed(met: Meeting) -> bool:
    """Whether one end ended it, and nobody took anything that was not said."""
    unsaid = {met.client.data, met.server.data} - {b"", READING}
    return (met.client.error is not None or met.server.error is not None) and not unsaid


def _tally(meetings: list[Meeting]) -> str:
    """Say how often each kind of error ended it, at the end that noticed first."""
    first = Counter(
        type(met.server.error or met.client.error).__name__
        if type(met.client.error).__name__ in {"AlertReceived", "NoneType", "Truncated"}
        else type(met.client.error).__name__
        for met in meetings
    )
    return ", ".join(f"{name} {count}" for name, count in first.most_common())


# --- records -------------------------------------------------------------------------------


def record(notes: Notes) -> None:
    """Turn each bit of a record of data, each in a session of its own."""
    for protocol in PROTOCOLS.values():
        number = data_number(protocol)
        honest = meet(protocol.client(), protocol.server(), say=_SHORT)
        changes = [
            _flip_in(CLIENT, number, bit) for bit in range(8 * len(honest.seen[CLIENT][number]))
        ]
        met_all = list(meet_often(protocol, changes, say=_SHORT))
        fell = [met for met in met_all if met.server.data or met.server.error is None]
        said = f"server {fell[0].server}" if fell else _tally(met_all)
        what = f"{protocol.name}: each bit of a record of data"
        notes.tried(what, said, held=not fell, count=len(changes))
    protocol = PROTOCOLS["TLCP ECC"]
    number = data_number(protocol)
    at = 8 * (HEADER_LENGTH + 8)  # the first byte behind the explicit nonce
    blind = protocol.server(provider=weak.WeakRecords(weak.UnauthenticatedOpener))
    met = meet(protocol.client(), blind, _flip_in(CLIENT, number, at), say=_SHORT)
    who = "TLCP ECC, a server that decrypts and does not authenticate"
    notes.control(who, f"server {met.server}", fell=met.server.data == flipped(_SHORT, 0))


ATTACKS = (
    Attack(
        "tamper-handshake",
        "alters each field of a handshake, and bytes of each of its records",
        "GB/T 38636-2020, 6.4.5.10; RFC 5246, 7.4.9; RFC 8446, 4.4.4",
        handshake,
    ),
    Attack(
        "tamper-record",
        "turns each bit of a record of data, each in a session of its own",
        "RFC 5246, 6.2.3; RFC 8446, 5.2",
        record,
    ),
)

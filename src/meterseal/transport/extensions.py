"""Hello extensions: the block, and the body of each extension that we understand.

A block is a dict from number to body; unknown numbers are kept as bytes. Codecs decide no policy.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from meterseal.errors import DecodeError, IllegalParameter
from meterseal.transport.codepoints import STATUS_OCSP
from meterseal.transport.wire import Cursor, Uint16s, uint16s, vector8, vector16

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Extensions = dict[int, bytes]

_PREFIX: Final = Struct(">HH").pack  # number, length of the body

_HOST_NAME: Final = 0
_MAX_EXTENSIONS: Final = 64
_MAX_PROTOCOLS: Final = 256
_MAX_HOST_NAME: Final = 255  # RFC 1035, 2.3.4


def decode_extensions(cursor: Cursor) -> Extensions:
    """Read an optional block; duplicates are refused (RFC 5246, 7.4.1.4)."""
    return decode_block(cursor) if cursor.more() else {}


def decode_block(cursor: Cursor, most: int = _MAX_EXTENSIONS) -> Extensions:
    """Read a block that must be there, though it may be empty (RFC 8446, 4.2)."""
    extensions: Extensions = {}
    body = cursor.vector16()
    if not body:
        return extensions
    block = Cursor(body)
    while block.more():
        number = block.uint16()
        if number in extensions:
            raise IllegalParameter(f"extension {number} stands twice")
        if len(extensions) == most:
            raise DecodeError(f"more than {most} extensions")
        extensions[number] = block.vector16()
    return extensions


def encode_extensions(extensions: Extensions) -> bytes:
    """Write the block; nothing at all if there is no extension."""
    return encode_block(extensions) if extensions else b""


def encode_block(extensions: Extensions) -> bytes:
    """Write the block, empty or not."""
    return vector16(
        b"".join([_PREFIX(number, len(body)) + body for number, body in extensions.items()])
    )


def encode_server_name(host: str) -> bytes:
    """server_name with one host_name (RFC 6066, 3)."""
    return vector16(bytes((_HOST_NAME,)) + vector16(host.encode("ascii")))


def decode_server_name(body: bytes) -> str | None:
    """Return the host_name of a ClientHello's server_name, if it holds one (RFC 6066, 3)."""
    outer = Cursor(body)
    names = Cursor(outer.vector16(least=1))
    outer.finish()
    host: str | None = None
    while names.more():
        kind, name = names.uint8(), names.vector16(least=1)
        if kind != _HOST_NAME:
            continue
        if host is not None:
            raise IllegalParameter("two host names in server_name")
        host = _host_name(name)
    return host


def _host_name(name: bytes) -> str:
    if len(name) > _MAX_HOST_NAME:
        raise IllegalParameter(f"a host name of {len(name)} bytes")
    if not name.isascii() or not name.decode("ascii").isprintable() or b" " in name:
        raise IllegalParameter("server_name is not a host name in ASCII")
    return name.decode("ascii")


def encode_status_request() -> bytes:
    """status_request for OCSP, from any responder, without extensions (RFC 6066, 8)."""
    return bytes((STATUS_OCSP,)) + vector16(b"") + vector16(b"")


def decode_status_request(body: bytes) -> bool:
    """Whether a ClientHello asks for OCSP; other kinds of status are nobody's (RFC 6066, 8)."""
    cursor = Cursor(body)
    if cursor.uint8() != STATUS_OCSP:
        return False
    responders = Cursor(cursor.vector16())
    while responders.more():
        responders.vector16(least=1)
    cursor.vector16()
    cursor.finish()
    return True


def encode_protocols(protocols: Sequence[str]) -> bytes:
    """application_layer_protocol_negotiation (RFC 7301, 3.1)."""
    return vector16(b"".join(vector8(protocol.encode("latin-1")) for protocol in protocols))


def decode_protocols(body: bytes) -> tuple[str, ...]:
    """Read the twin of `encode_protocols`; at least one name, at most 256, none of them empty."""
    outer = Cursor(body)
    names = Cursor(outer.vector16(least=2))
    outer.finish()
    protocols: list[str] = []
    while names.more():
        if len(protocols) == _MAX_PROTOCOLS:
            raise DecodeError(f"more than {_MAX_PROTOCOLS} application protocols")
        protocols.append(names.vector8(least=1).decode("latin-1"))
    return tuple(protocols)


def encode_uint16_list(values: Iterable[int]) -> bytes:
    """supported_groups (RFC 8422, 5.1.1) and signature_algorithms (RFC 5246, 7.4.1.4.1)."""
    return uint16s(values)


def decode_uint16_list(body: bytes) -> Uint16s:
    """Read the twin of `encode_uint16_list`."""
    cursor = Cursor(body)
    values = cursor.uint16s(least=1)
    cursor.finish()
    return values


def decode_supported_versions(body: bytes) -> Uint16s:
    """Read the list in a ClientHello (RFC 8446, 4.2.1)."""
    cursor = Cursor(body)
    raw = cursor.vector8(least=2)
    cursor.finish()
    return Uint16s(raw)


def encode_supported_versions(versions: tuple[int, ...]) -> bytes:
    """supported_versions of a ClientHello (RFC 8446, 4.2.1)."""
    return vector8(b"".join(version.to_bytes(2, "big") for version in versions))


def encode_uint8_list(values: bytes) -> bytes:
    """ec_point_formats (RFC 8422, 5.1.2) and renegotiation_info (RFC 5746, 3.2)."""
    return vector8(values)


def decode_uint8_list(body: bytes, least: int = 1) -> bytes:
    """Read the twin of `encode_uint8_list`; only renegotiation_info may be empty."""
    cursor = Cursor(body)
    values = cursor.vector8(least)
    cursor.finish()
    return values

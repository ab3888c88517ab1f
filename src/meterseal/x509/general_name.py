"""GeneralName (RFC 5280, 4.2.1.6): the kinds of names outside of the distinguished name."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Self, TypeAlias

from meterseal.asn1 import der
from meterseal.errors import MalformedData, UsageError
from meterseal.x509.name import Name

if TYPE_CHECKING:
    from meterseal.asn1.der import Reader

__all__ = ["GeneralName", "GeneralNameKind", "IpAddress"]

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network
Value: TypeAlias = str | Name | IpAddress | IpNetwork | bytes

_ADDRESS_SIZES = (4, 16)


class GeneralNameKind(IntEnum):
    """The alternatives, by their tag numbers."""

    OTHER = 0
    EMAIL = 1
    DNS = 2
    X400 = 3
    DIRECTORY = 4
    EDI_PARTY = 5
    URI = 6
    IP = 7
    REGISTERED_ID = 8


_TEXTS = (GeneralNameKind.EMAIL, GeneralNameKind.DNS, GeneralNameKind.URI)
_PREFIXES = {
    "DNS": GeneralNameKind.DNS,
    "IP": GeneralNameKind.IP,
    "EMAIL": GeneralNameKind.EMAIL,
    "URI": GeneralNameKind.URI,
}
_LABELS = {
    GeneralNameKind.DNS: "DNS",
    GeneralNameKind.IP: "IP Address",
    GeneralNameKind.EMAIL: "email",
    GeneralNameKind.URI: "URI",
    GeneralNameKind.DIRECTORY: "DirName",
}


@dataclass(frozen=True, slots=True)
class GeneralName:
    """One name. The value is text, a Name, an address (in constraints a network), or raw DER."""

    kind: GeneralNameKind
    value: Value

    @classmethod
    def read(cls, reader: Reader, *, constraint: bool = False) -> Self:
        """Read a GeneralName that stands next in a reader; in constraints an IP is a network."""
        element = reader.element()
        try:
            kind = GeneralNameKind(element.tag & 0x1F)
        except ValueError:
            raise MalformedData(f"{reader.where}: an unknown kind of name") from None
        if element.tag != der.context_tag(kind, constructed=_is_constructed(kind)):
            raise MalformedData(f"{reader.where}: expected a GeneralName, found {element.tag:02x}")
        if kind in _TEXTS:
            return cls(kind, _decode_text(element.contents, reader.where))
        if kind is GeneralNameKind.IP:
            decode = _decode_network if constraint else _decode_address
            return cls(kind, decode(element.contents, reader.where))
        if kind is GeneralNameKind.DIRECTORY:
            return cls(kind, Name.decode(element.contents))
        return cls(kind, element.encoding)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `DNS:host`, `IP:10.0.0.1`, `email:a@b`, `URI:...`, or a bare host name or address.

        Raises UsageError.
        """
        prefix, colon, rest = text.partition(":")
        kind = _PREFIXES.get(prefix.strip().upper()) if colon else None
        rest = rest.strip() if kind is not None else text.strip()
        try:
            address = ipaddress.ip_address(rest)
        except ValueError:
            if kind is GeneralNameKind.IP:
                raise UsageError(f"{rest!r} is no IP address") from None
        else:
            if kind in {None, GeneralNameKind.IP}:
                return cls(GeneralNameKind.IP, address)
        if not rest or not rest.isascii() or not rest.isprintable() or " " in rest:
            raise UsageError(f"{text!r} is no alternative name; names are ASCII without spaces")
        return cls(kind or GeneralNameKind.DNS, rest)

    def encode(self) -> bytes:
        """Encode the GeneralName."""
        value = self.value
        if isinstance(value, bytes):
            return value
        tag = der.context_tag(self.kind, constructed=_is_constructed(self.kind))
        if isinstance(value, Name):
            return der.encode(tag, value.encode())
        if isinstance(value, str):
            return der.encode(tag, value.encode("ascii"))
        if isinstance(value, IPv4Network | IPv6Network):
            return der.encode(tag, value.network_address.packed, value.netmask.packed)
        return der.encode(tag, value.packed)

    def __str__(self) -> str:
        label = _LABELS.get(self.kind, self.kind.name.lower())
        value = self.value
        if isinstance(value, bytes):
            return f"{label}:<{len(value)} bytes>"
        if isinstance(value, IPv4Network | IPv6Network):
            return f"IP:{_plain(value.network_address)}/{_plain(value.netmask)}"
        text = str(value) if isinstance(value, str | Name) else _plain(value)
        return label + ":" + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _plain(address: IpAddress) -> str:
    """Write an address as GmSSL does: the groups of version 6 in full."""
    if isinstance(address, IPv4Address):
        return str(address)
    packed = address.packed
    return ":".join(f"{packed[at] << 8 | packed[at + 1]:X}" for at in range(0, len(packed), 2))


def _is_constructed(kind: GeneralNameKind) -> bool:
    return kind in {
        GeneralNameKind.OTHER,
        GeneralNameKind.X400,
        GeneralNameKind.DIRECTORY,
        GeneralNameKind.EDI_PARTY,
    }


def _decode_text(contents: bytes, where: str) -> str:
    try:
        return contents.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedData(f"{where}: a name is not ASCII") from None


def _decode_address(contents: bytes, where: str) -> IpAddress:
    if len(contents) not in _ADDRESS_SIZES:
        raise MalformedData(f"{where}: an IP address of {len(contents)} bytes")
    return ipaddress.ip_address(contents)


def _decode_network(contents: bytes, where: str) -> IpNetwork:
    half = len(contents) // 2
    if half not in _ADDRESS_SIZES or len(contents) != 2 * half:
        raise MalformedData(f"{where}: an IP range of {len(contents)} bytes")
    mask = int.from_bytes(contents[half:])
    prefix = mask.bit_count()
    if mask != ((1 << prefix) - 1) << (half * 8 - prefix):
        raise MalformedData(f"{where}: the mask of an IP range has gaps")
    try:
        return ipaddress.ip_network((contents[:half], prefix))
    except ValueError:
        raise MalformedData(f"{where}: an IP range has bits set outside of its mask") from None

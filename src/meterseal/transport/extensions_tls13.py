"""The extensions of TLS 1.3 alone: key shares, pre-shared keys, cookies (RFC 8446, 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meterseal.errors import DecodeError, IllegalParameter
from meterseal.transport.wire import Cursor, vector8, vector16

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_SHARES: Final = 16
_MAX_IDENTITIES: Final = 16
_LEAST_BINDER: Final = 32


def encode_key_shares(shares: Mapping[int, bytes]) -> bytes:
    """key_share of a ClientHello, by group (4.2.8)."""
    return vector16(b"".join(encode_key_share(group, public) for group, public in shares.items()))


def decode_key_shares(body: bytes) -> dict[int, bytes]:
    """Read the shares of a ClientHello, in their order; a group may stand there once."""
    outer = Cursor(body)
    entries = Cursor(outer.vector16())
    outer.finish()
    shares: dict[int, bytes] = {}
    while entries.more():
        group, public = entries.uint16(), entries.vector16(least=1)
        if group in shares:
            raise IllegalParameter(f"two key shares of group {group}")
        if len(shares) == _MAX_SHARES:
            raise DecodeError(f"more than {_MAX_SHARES} key shares")
        shares[group] = public
    return shares


def encode_key_share(group: int, public: bytes) -> bytes:
    """key_share of a ServerHello."""
    return encode_uint16(group) + vector16(public)


def decode_key_share(body: bytes) -> tuple[int, bytes]:
    """Read the server's one share."""
    cursor = Cursor(body)
    group, public = cursor.uint16(), cursor.vector16(least=1)
    cursor.finish()
    return group, public


def encode_uint16(value: int) -> bytes:
    """Write one number: the version or the identity chosen, the group asked for."""
    return value.to_bytes(2, "big")


def decode_uint16(body: bytes) -> int:
    """Read the twin of `encode_uint16`."""
    cursor = Cursor(body)
    value = cursor.uint16()
    cursor.finish()
    return value


def decode_authorities(body: bytes) -> tuple[bytes, ...]:
    """Read certificate_authorities: at least one name, none of them empty (4.2.4)."""
    outer = Cursor(body)
    names = Cursor(outer.vector16(least=3))
    outer.finish()
    authorities: list[bytes] = []
    while names.more():
        authorities.append(names.vector16(least=1))
    return tuple(authorities)


def decode_cookie(body: bytes) -> bytes:
    """Read the cookie of a HelloRetryRequest (4.2.2)."""
    cursor = Cursor(body)
    cookie = cursor.vector16(least=1)
    cursor.finish()
    return cookie


# struct {
#     PskIdentity identities<7..2^16-1>;
#     PskBinderEntry binders<33..2^16-1>;
# } OfferedPsks;
@dataclass(frozen=True, slots=True)
class OfferedPsks:
    """The pre-shared keys that a client offers (4.2.11): each with the age of its ticket."""

    identities: tuple[tuple[bytes, int], ...]
    binders: tuple[bytes, ...]

    @classmethod
    def decode(cls, body: bytes) -> OfferedPsks:
        """Read both lists; they are of one length."""
        cursor = Cursor(body)
        entries, proofs = Cursor(cursor.vector16(least=7)), Cursor(cursor.vector16(least=33))
        cursor.finish()
        identities: list[tuple[bytes, int]] = []
        binders: list[bytes] = []
        while entries.more():
            if len(identities) == _MAX_IDENTITIES:
                raise DecodeError(f"more than {_MAX_IDENTITIES} pre-shared keys")
            identities.append((entries.vector16(least=1), entries.uint32()))
        while proofs.more():
            binders.append(proofs.vector8(least=_LEAST_BINDER))
        if len(identities) != len(binders):
            raise IllegalParameter(f"{len(identities)} identities and {len(binders)} binders")
        return cls(tuple(identities), tuple(binders))

    def encode(self) -> bytes:
        """Write the body of the extension."""
        identities = b"".join(
            vector16(identity) + age.to_bytes(4, "big") for identity, age in self.identities
        )
        return vector16(identities) + self._encode_binders()

    @property
    def binders_length(self) -> int:
        """Bytes at the end of the hello that no binder covers (4.2.11.2)."""
        return len(self._encode_binders())

    def _encode_binders(self) -> bytes:
        return vector16(b"".join(vector8(binder) for binder in self.binders))

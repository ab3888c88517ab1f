"""ServerKeyExchange, ServerHelloDone and ClientKeyExchange of ECDHE (RFC 8422, 5.4 and 5.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from meterseal.errors import IllegalParameter
from meterseal.transport.codepoints import NAMED_CURVE, HandshakeType
from meterseal.transport.wire import vector8, vector16

if TYPE_CHECKING:
    from meterseal.transport.wire import Cursor


# struct {
#     ECCurveType curve_type;                             named_curve(3)
#     NamedCurve namedcurve;
#     ECPoint public;                                     opaque point <1..2^8-1>
#     SignatureAndHashAlgorithm algorithm;
#     opaque signature<0..2^16-1>;
# } ServerKeyExchange;
@dataclass(slots=True)
class ServerKeyExchange:
    """The server's ephemeral public value, signed with its certificate's key."""

    TYPE: ClassVar[int] = HandshakeType.SERVER_KEY_EXCHANGE
    group: int
    public: bytes
    algorithm: int
    signature: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard; only named curves are accepted."""
        curve_type = body.uint8()
        if curve_type != NAMED_CURVE:
            raise IllegalParameter(f"expected a named curve (3), received curve type {curve_type}")
        return cls(
            group=body.uint16(),
            public=body.vector8(least=1),
            algorithm=body.uint16(),
            signature=body.vector16(least=1),
        )

    def encode(self) -> bytes:
        """Write the body of the message."""
        return (
            ecdh_parameters(self.group, self.public)
            + self.algorithm.to_bytes(2, "big")
            + vector16(self.signature)
        )


def ecdh_parameters(group: int, public: bytes) -> bytes:
    """ServerECDHParams, the part of ServerKeyExchange that is signed (RFC 8422, 5.4)."""
    return bytes((NAMED_CURVE,)) + group.to_bytes(2, "big") + vector8(public)


# struct {} ServerHelloDone;
@dataclass(slots=True)
class ServerHelloDone:
    """The end of the server's first flight (RFC 5246, 7.4.5)."""

    TYPE: ClassVar[int] = HandshakeType.SERVER_HELLO_DONE

    @classmethod
    def decode(cls, body: Cursor) -> Self:  # noqa: ARG003  (an empty message has nothing to read)
        """Read nothing: the message is empty."""
        return cls()

    def encode(self) -> bytes:
        """Write nothing."""
        return b""


# struct { ECPoint ecdh_Yc; } ClientECDiffieHellmanPublic;
@dataclass(slots=True)
class ClientKeyExchange:
    """The client's ephemeral public value (RFC 8422, 5.7)."""

    TYPE: ClassVar[int] = HandshakeType.CLIENT_KEY_EXCHANGE
    public: bytes

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the point."""
        return cls(public=body.vector8(least=1))

    def encode(self) -> bytes:
        """Write the body of the message."""
        return vector8(self.public)

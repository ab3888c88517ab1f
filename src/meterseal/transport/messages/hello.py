"""ClientHello, ServerHello and HelloRequest (RFC 5246, 7.4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from meterseal.transport import ext
from meterseal.transport.codepoints import HandshakeType
from meterseal.transport.extensions import Extensions, decode_extensions, encode_extensions
from meterseal.transport.wire import uint16s, vector8

if TYPE_CHECKING:
    from collections.abc import Collection

    from meterseal.transport.wire import Cursor


# struct {} HelloRequest;
@dataclass(slots=True)
class HelloRequest:
    """The server asks for a new handshake (RFC 5246, 7.4.1.1); we never grant it."""

    TYPE: ClassVar[int] = HandshakeType.HELLO_REQUEST

    @classmethod
    def decode(cls, body: Cursor) -> Self:  # noqa: ARG003  (an empty message has nothing to read)
        """Read nothing: the message is empty."""
        return cls()

    def encode(self) -> bytes:
        """Write nothing."""
        return b""


# struct {
#     ProtocolVersion client_version;
#     Random random;
#     SessionID session_id;                               <0..32>
#     CipherSuite cipher_suites<2..2^16-2>;
#     CompressionMethod compression_methods<1..2^8-1>;
#     Extension extensions<0..2^16-1>;                    optional
# } ClientHello;
@dataclass(slots=True)
class ClientHello:
    """What the client can do (RFC 5246, 7.4.1.2)."""

    TYPE: ClassVar[int] = HandshakeType.CLIENT_HELLO
    client_version: int
    random: bytes
    session_id: bytes
    cipher_suites: Collection[int]
    compression_methods: bytes = b"\0"
    extensions: Extensions = field(default_factory=dict)

    def with_extension(self, number: int, body: bytes) -> ClientHello:
        """Return the same hello with one extension more, at the end."""
        return ClientHello(
            self.client_version,
            self.random,
            self.session_id,
            self.cipher_suites,
            self.compression_methods,
            {**self.extensions, number: body},
        )

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(
            client_version=body.uint16(),
            random=body.fixed(32),
            session_id=body.vector8(most=32),
            cipher_suites=body.uint16s(),
            compression_methods=body.vector8(least=1),
            extensions=decode_extensions(body),
        )

    def encode(self) -> bytes:
        """Write the body of the message."""
        return (
            self.client_version.to_bytes(2, "big")
            + self.random
            + vector8(self.session_id)
            + uint16s(self.cipher_suites)
            + vector8(self.compression_methods)
            + encode_extensions(self.extensions)
        )


RETRY_RANDOM: Final = bytes.fromhex(  # SHA-256("HelloRetryRequest") (RFC 8446, 4.1.3)
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)


# struct {
#     ProtocolVersion server_version;
#     Random random;
#     SessionID session_id;
#     CipherSuite cipher_suite;
#     CompressionMethod compression_method;
#     Extension extensions<0..2^16-1>;                    optional
# } ServerHello;
@dataclass(slots=True)
class ServerHello:
    """What the server chose (RFC 5246, 7.4.1.3), or what it asks for first (RFC 8446, 4.1.4)."""

    TYPE: ClassVar[int] = HandshakeType.SERVER_HELLO
    server_version: int
    random: bytes
    session_id: bytes
    cipher_suite: int
    compression_method: int = 0
    extensions: Extensions = field(default_factory=dict)

    @classmethod
    def decode(cls, body: Cursor) -> Self:
        """Read the fields in the order of the standard."""
        return cls(
            server_version=body.uint16(),
            random=body.fixed(32),
            session_id=body.vector8(most=32),
            cipher_suite=body.uint16(),
            compression_method=body.uint8(),
            extensions=decode_extensions(body),
        )

    def encode(self) -> bytes:
        """Write the body of the message."""
        return (
            self.server_version.to_bytes(2, "big")
            + self.random
            + vector8(self.session_id)
            + self.cipher_suite.to_bytes(2, "big")
            + bytes((self.compression_method,))
            + encode_extensions(self.extensions)
        )

    @property
    def version(self) -> int:
        """The version that is spoken: under TLS 1.3 an extension says it (RFC 8446, 4.2.1)."""
        chosen = self.extensions.get(ext.SUPPORTED_VERSIONS)
        return int.from_bytes(chosen, "big") if chosen else self.server_version

    @property
    def is_retry_request(self) -> bool:
        """Whether this is a HelloRetryRequest."""
        return self.random == RETRY_RANDOM

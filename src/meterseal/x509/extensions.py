"""The extensions of certificates that we understand (RFC 5280, 4.2.1).

Each class encodes and decodes the value that stands inside the OCTET STRING of an `Extension`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.errors import MalformedData
from meterseal.x509.general_name import GeneralName, GeneralNameKind
from meterseal.x509.information_access import AuthorityInformationAccess

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.asn1.der import Buffer, Reader

__all__ = [
    "AuthorityKeyIdentifier",
    "BasicConstraints",
    "ExtendedKeyUsage",
    "Extension",
    "KeyUsage",
    "NameConstraints",
    "SubjectAltName",
    "SubjectKeyIdentifier",
    "decode_extensions",
    "encode_extensions",
]

_MAX_EXTENSIONS = 64
_MAX_NAMES = 512
_MAX_PURPOSES = 64
_MAX_PATH_LENGTH = 255
_KEY_USAGE_BITS = 9


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension as it stands in a certificate; `value` is the DER inside its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read an Extension that stands next in a reader.

        An explicit critical FALSE, which GmSSL 3 can write, is accepted.
        """
        body = reader.sequence("extension")
        identifier = body.object_identifier()
        critical = body.next_is(der.BOOLEAN) and body.boolean()
        value = body.octet_string()
        body.finish()
        return cls(identifier, critical, value)

    def encode(self) -> bytes:
        """Encode the Extension."""
        return der.sequence(
            der.object_identifier(self.oid),
            der.boolean(True) if self.critical else b"",
            der.octet_string(self.value),
        )


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """Whether the subject is a CA, and how many CAs may follow below it (4.2.1.9)."""

    OID: ClassVar[str] = oids.BASIC_CONSTRAINTS
    ca: bool = False
    path_length: int | None = None

    @classmethod
    def decode(cls, value: Buffer) -> Self:
        """Decode the value. An explicit FALSE, which GmSSL 3 writes, is accepted."""
        reader = der.Reader(value, "Basic Constraints")
        body = reader.sequence("Basic Constraints")
        reader.finish()
        ca = body.next_is(der.BOOLEAN) and body.boolean()
        path_length = None if body.at_end else body.small_integer(_MAX_PATH_LENGTH)
        body.finish()
        if path_length is not None and not ca:
            raise MalformedData("Basic Constraints: a path length stands without the CA flag")
        return cls(ca, path_length)

    def encode(self) -> bytes:
        """Encode the value."""
        length = b"" if self.path_length is None else der.integer(self.path_length)
        return der.sequence(der.boolean(True) if self.ca else b"", length)


class KeyUsage(IntFlag):
    """What the key may be used for (4.2.1.3); bit 0 of the standard is the lowest here."""

    DIGITAL_SIGNATURE = 1 << 0
    NON_REPUDIATION = 1 << 1
    KEY_ENCIPHERMENT = 1 << 2
    DATA_ENCIPHERMENT = 1 << 3
    KEY_AGREEMENT = 1 << 4
    KEY_CERT_SIGN = 1 << 5
    CRL_SIGN = 1 << 6
    ENCIPHER_ONLY = 1 << 7
    DECIPHER_ONLY = 1 << 8

    @classmethod
    def decode(cls, value: Buffer) -> KeyUsage:
        """Decode the value. Trailing zero bits, which some CAs write, are accepted."""
        reader = der.Reader(value, "Key Usage")
        bits, unused = der.decode_bit_string(reader.element(der.BIT_STRING).contents, reader.where)
        reader.finish()
        count = len(bits) * 8 - unused
        number = int.from_bytes(bits) >> unused
        flags = sum(1 << index for index in range(count) if number >> (count - 1 - index) & 1)
        if flags >> _KEY_USAGE_BITS:
            raise MalformedData("Key Usage: a bit is set that has no meaning")
        return cls(flags)

    def encode(self) -> bytes:
        """Encode the value, without trailing zero bits."""
        count = int(self).bit_length()
        size = (count + 7) // 8
        number = sum(1 << (size * 8 - 1 - index) for index in range(count) if self >> index & 1)
        return der.bit_string(number.to_bytes(size), size * 8 - count)


@dataclass(frozen=True, slots=True)
class ExtendedKeyUsage:
    """The purposes of the key, as identifiers (4.2.1.12)."""

    OID: ClassVar[str] = oids.EXTENDED_KEY_USAGE
    purposes: tuple[str, ...]

    @classmethod
    def decode(cls, value: Buffer) -> Self:
        """Decode the value."""
        reader = der.Reader(value, "Extended Key Usage")
        body = reader.sequence("Extended Key Usage")
        reader.finish()
        purposes = [body.object_identifier()]
        while not body.at_end:
            if len(purposes) == _MAX_PURPOSES:
                raise MalformedData(f"Extended Key Usage: more than {_MAX_PURPOSES} purposes")
            purposes.append(body.object_identifier())
        return cls(tuple(purposes))

    def encode(self) -> bytes:
        """Encode the value."""
        return der.sequence(*map(der.object_identifier, self.purposes))


@dataclass(frozen=True, slots=True)
class SubjectAltName:
    """The names of the subject beside its distinguished name (4.2.1.6)."""

    OID: ClassVar[str] = oids.SUBJECT_ALT_NAME
    names: tuple[GeneralName, ...]

    @classmethod
    def decode(cls, value: Buffer) -> Self:
        """Decode the value."""
        reader = der.Reader(value, "Subject Alternative Name")
        body = reader.sequence("Subject Alternative Name")
        reader.finish()
        if body.at_end:
            raise MalformedData("Subject Alternative Name: it is empty")
        return cls(tuple(_read_names(body)))

    def encode(self) -> bytes:
        """Encode the value."""
        return der.sequence(*(name.encode() for name in self.names))

    def of(self, kind: GeneralNameKind) -> list[GeneralName]:
        """Return the names of one kind, in order."""
        return [name for name in self.names if name.kind is kind]


@dataclass(frozen=True, slots=True)
class SubjectKeyIdentifier:
    """A short name of the subject's key (4.2.1.2)."""

    OID: ClassVar[str] = oids.SUBJECT_KEY_IDENTIFIER
    key_identifier: bytes

    @classmethod
    def decode(cls, value: Buffer) -> Self:
        """Decode the value."""
        reader = der.Reader(value, "Subject Key Identifier")
        identifier = reader.octet_string()
        reader.finish()
        if not identifier:
            raise MalformedData("Subject Key Identifier: it is empty")
        return cls(identifier)

    def encode(self) -> bytes:
        """Encode the value."""
        return der.octet_string(self.key_identifier)


@dataclass(frozen=True, slots=True)
class AuthorityKeyIdentifier:
    """A short name of the issuer's key, or its issuer and serial number (4.2.1.1)."""

    OID: ClassVar[str] = oids.AUTHORITY_KEY_IDENTIFIER
    key_identifier: bytes | None = None
    issuer: tuple[GeneralName, ...] = ()
    serial_number: int | None = None

    @classmethod
    def decode(cls, value: Buffer) -> Self:
        """Decode the value."""
        where = "Authority Key Identifier"
        reader = der.Reader(value, where)
        body = reader.sequence(where)
        reader.finish()
        identifier = body.implicit(0)
        names = body.explicit(1, where)
        issuer = [] if names is None else _read_names(names)
        serial = body.implicit(2)
        body.finish()
        if (serial is None) != (not issuer):
            raise MalformedData(f"{where}: issuer and serial number stand only together")
        number = None if serial is None else der.decode_integer(serial, where)
        return cls(identifier, tuple(issuer), number)

    def encode(self) -> bytes:
        """Encode the value."""
        parts = []
        if self.key_identifier is not None:
            parts.append(der.implicit(0, self.key_identifier))
        if self.serial_number is not None:
            parts.append(der.explicit(1, *(name.encode() for name in self.issuer)))
            contents = der.Reader(der.integer(self.serial_number)).element().contents
            parts.append(der.implicit(2, contents))
        return der.sequence(*parts)


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """Where the names of all certificates below a CA must and must not lie (4.2.1.10)."""

    OID: ClassVar[str] = oids.NAME_CONSTRAINTS
    permitted: tuple[GeneralName, ...] = ()
    excluded: tuple[GeneralName, ...] = ()

    @classmethod
    def decode(cls, value: Buffer) -> Self:
        """Decode the value; `minimum` and `maximum` must be absent."""
        reader = der.Reader(value, "Name Constraints")
        body = reader.sequence("Name Constraints")
        reader.finish()
        permitted = cls._read_subtrees(body, 0)
        excluded = cls._read_subtrees(body, 1)
        body.finish()
        if not permitted and not excluded:
            raise MalformedData("Name Constraints: they constrain nothing")
        return cls(permitted, excluded)

    def encode(self) -> bytes:
        """Encode the value."""
        return der.sequence(
            *(
                der.explicit(number, *(der.sequence(base.encode()) for base in bases))
                for number, bases in enumerate((self.permitted, self.excluded))
                if bases
            )
        )

    @staticmethod
    def _read_subtrees(body: Reader, number: int) -> tuple[GeneralName, ...]:
        subtrees = body.explicit(number, "Name Constraints")
        if subtrees is None:
            return ()
        bases: list[GeneralName] = []
        while not subtrees.at_end:
            _require_room(bases, subtrees)
            subtree = subtrees.sequence("Name Constraints")
            bases.append(GeneralName.read(subtree, constraint=True))
            subtree.finish()
        if not bases:
            raise MalformedData("Name Constraints: a list of subtrees is empty")
        return tuple(bases)


Typed: TypeAlias = (
    BasicConstraints
    | KeyUsage
    | ExtendedKeyUsage
    | SubjectAltName
    | SubjectKeyIdentifier
    | AuthorityKeyIdentifier
    | NameConstraints
    | AuthorityInformationAccess
)

# Every extension that we understand, and so the only ones that may be critical.
DECODERS: dict[str, Callable[[bytes], Typed]] = {
    oids.BASIC_CONSTRAINTS: BasicConstraints.decode,
    oids.KEY_USAGE: KeyUsage.decode,
    oids.EXTENDED_KEY_USAGE: ExtendedKeyUsage.decode,
    oids.SUBJECT_ALT_NAME: SubjectAltName.decode,
    oids.SUBJECT_KEY_IDENTIFIER: SubjectKeyIdentifier.decode,
    oids.AUTHORITY_KEY_IDENTIFIER: AuthorityKeyIdentifier.decode,
    oids.NAME_CONSTRAINTS: NameConstraints.decode,
    oids.AUTHORITY_INFORMATION_ACCESS: AuthorityInformationAccess.decode,
}


def decode_extensions(reader: Reader) -> tuple[Extension, ...]:
    """Read Extensions, at least one and none twice, that stand next in a reader."""
    body = reader.sequence("extensions")
    extensions = [Extension.read(body)]
    while not body.at_end:
        if len(extensions) == _MAX_EXTENSIONS:
            raise MalformedData(f"more than {_MAX_EXTENSIONS} extensions")
        extensions.append(Extension.read(body))
    seen = {extension.oid for extension in extensions}
    if len(seen) < len(extensions):
        raise MalformedData("an extension stands twice")
    return tuple(extensions)


def encode_extensions(extensions: tuple[Extension, ...]) -> bytes:
    """Encode Extensions."""
    return der.sequence(*(extension.encode() for extension in extensions))


def _read_names(reader: Reader) -> list[GeneralName]:
    names: list[GeneralName] = []
    while not reader.at_end:
        _require_room(names, reader)
        names.append(GeneralName.read(reader))
    return names


def _require_room(names: list[GeneralName], reader: Reader) -> None:
    if len(names) == _MAX_NAMES:
        raise MalformedData(f"{reader.where}: more than {_MAX_NAMES} names")

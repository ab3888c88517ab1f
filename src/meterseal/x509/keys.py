"""Key files: SEC1, PKCS#8, encrypted PKCS#8, SubjectPublicKeyInfo and hexadecimal digits.

Loading recognises the form by itself. SEC1 (RFC 5915) is accepted with and without an
EC PARAMETERS block before it and with and without parameters inside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.crypto import sm2
from meterseal.errors import DecryptionFailed, InvalidKey, MalformedData, UsageError
from meterseal.x509 import pbes2, pem
from meterseal.x509.pbes2 import Encryption
from meterseal.x509.spki import SM2_KEY, AlgorithmIdentifier, SubjectPublicKeyInfo, require_sm2

if TYPE_CHECKING:
    from meterseal.asn1.der import Buffer

__all__ = [
    "KeyDescription",
    "PrivateKeyFormat",
    "describe_key",
    "dump_private_key",
    "dump_public_key",
    "load_private_key",
    "load_public_key",
]

MAX_KEY_SIZE = 1 << 16
_MAX_PASSWORD = 1024
_SCALAR_SIZE = 32
_HEX_SCALAR = re.compile(rb"(?:0[xX])?([0-9A-Fa-f]{64})")
_HEX_POINT = re.compile(rb"(?:0[xX])?(04[0-9A-Fa-f]{128}|0[23][0-9A-Fa-f]{64})")
_HEX_COORDINATES = re.compile(rb"(?:0[xX])?([0-9A-Fa-f]{128})")
_PRIVATE_LABELS = ("PRIVATE KEY", "EC PRIVATE KEY", "SM2 PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
_WRONG_PASSWORD = "wrong password, or a damaged key"  # noqa: S105


class PrivateKeyFormat(StrEnum):
    """How a private key is written."""

    PKCS8 = "pkcs8"
    PKCS8_DER = "pkcs8-der"
    SEC1 = "sec1"
    SEC1_DER = "sec1-der"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """What a key file is, as far as can be said without a password."""

    private: bool
    form: str
    encryption: str | None = None


def describe_key(data: Buffer) -> KeyDescription:
    """Say what kind of key file this is, without opening it.

    Raises MalformedData, and DecryptionFailed for an encryption that is not supported.
    """
    data = _bounded(data)
    if pem.is_pem(data):
        blocks = [block for block in pem.decode(data) if block.label.endswith("KEY")]
        if len(blocks) != 1:
            raise MalformedData(f"expected one key in the PEM data, found {len(blocks)}")
        label, contents = blocks[0].label, blocks[0].contents
        encrypted = label == "ENCRYPTED PRIVATE KEY"
        encryption = pbes2.describe(contents) if encrypted else None
        return KeyDescription(label != "PUBLIC KEY", f"PEM, {label}", encryption)
    digits = data.strip()
    if _HEX_SCALAR.fullmatch(digits):
        return KeyDescription(private=True, form="hexadecimal")
    if _HEX_POINT.fullmatch(digits) or _HEX_COORDINATES.fullmatch(digits):
        return KeyDescription(private=False, form="hexadecimal")
    return _describe_der(data)


def load_private_key(data: Buffer, password: str | Buffer | None = None) -> sm2.PrivateKey:
    """Load an SM2 private key from PEM, DER or 64 hexadecimal digits.

    Raises InvalidKey for other keys, MalformedData for what is no key file, DecryptionFailed for a
    wrong password, and UsageError if the key is encrypted and no password is given.
    """
    data = _bounded(data)
    if pem.is_pem(data):
        return _load_private_pem(data, password)
    hexadecimal = _HEX_SCALAR.fullmatch(data.strip())
    if hexadecimal:
        return sm2.PrivateKey.from_bytes(bytes.fromhex(hexadecimal[1].decode()))
    return _load_private_der(data, password)


def load_public_key(data: Buffer) -> sm2.PublicKey:
    """Load an SM2 public key: SubjectPublicKeyInfo in PEM or DER, or the point in hexadecimal.

    The point has its leading 04, is compressed, or is the bare 128 digits of both coordinates.
    Raises InvalidKey or MalformedData.
    """
    data = _bounded(data)
    if pem.is_pem(data):
        blocks = [block for block in pem.decode(data) if block.label == "PUBLIC KEY"]
        if len(blocks) != 1:
            raise MalformedData(f"expected one PUBLIC KEY block, found {len(blocks)}")
        return SubjectPublicKeyInfo.decode(blocks[0].contents).public_key()
    digits = data.strip()
    if point := _HEX_POINT.fullmatch(digits):
        return sm2.PublicKey.from_bytes(bytes.fromhex(point[1].decode()))
    if coordinates := _HEX_COORDINATES.fullmatch(digits):
        return sm2.PublicKey.from_bytes(b"\x04" + bytes.fromhex(coordinates[1].decode()))
    return SubjectPublicKeyInfo.decode(data).public_key()


def dump_private_key(
    key: sm2.PrivateKey,
    form: PrivateKeyFormat | str = PrivateKeyFormat.PKCS8,
    *,
    password: str | Buffer | None = None,
    encryption: Encryption | None = None,
) -> bytes:
    """Write a private key; with a password as encrypted PKCS#8.

    `sec1` writes an EC PARAMETERS block before the key, as `ecparam -genkey` does. Raises
    UsageError for a password with a form that cannot be encrypted.
    """
    try:
        form = PrivateKeyFormat(form)
    except ValueError:
        raise UsageError(
            f"unknown key format {str(form)!r}; one of {', '.join(PrivateKeyFormat)}"
        ) from None
    if password is not None:
        return _dump_encrypted(key, form, _password(password), encryption or Encryption())
    if encryption is not None:
        raise UsageError("an encryption needs a password")
    match form:
        case PrivateKeyFormat.PKCS8:
            return pem.encode("PRIVATE KEY", _encode_pkcs8(key)).encode()
        case PrivateKeyFormat.PKCS8_DER:
            return _encode_pkcs8(key)
        case PrivateKeyFormat.SEC1:
            parameters = pem.encode("EC PARAMETERS", der.object_identifier(oids.SM2_CURVE))
            return (parameters + pem.encode("EC PRIVATE KEY", _encode_sec1(key))).encode()
        case PrivateKeyFormat.SEC1_DER:
            return _encode_sec1(key)
        case PrivateKeyFormat.HEX:
            return key.to_bytes().hex().encode() + b"\n"


def dump_public_key(key: sm2.PublicKey, form: str = "pem") -> bytes:
    """Write a public key as `pem`, `der` (both SubjectPublicKeyInfo) or `hex` (the point)."""
    match form:
        case "pem":
            return pem.encode("PUBLIC KEY", SubjectPublicKeyInfo.of(key).encoding).encode()
        case "der":
            return SubjectPublicKeyInfo.of(key).encoding
        case "hex":
            return key.to_bytes().hex().encode() + b"\n"
    raise UsageError(f"unknown public key format {form!r}; one of pem, der, hex")


def _bounded(data: Buffer) -> bytes:
    if len(data) > MAX_KEY_SIZE:
        raise MalformedData(f"a key file of {len(data)} bytes; the limit is {MAX_KEY_SIZE}")
    return bytes(data)


def _password(password: str | Buffer) -> bytes:
    secret = password.encode() if isinstance(password, str) else bytes(password)
    if not 1 <= len(secret) <= _MAX_PASSWORD:
        raise UsageError(f"a password of {len(secret)} bytes; expected 1 to {_MAX_PASSWORD}")
    return secret


def _load_private_pem(data: bytes, password: str | Buffer | None) -> sm2.PrivateKey:
    blocks = pem.decode(data)
    keys = [block for block in blocks if block.label in _PRIVATE_LABELS]
    if len(keys) != 1:
        raise MalformedData(f"expected one private key in the PEM data, found {len(keys)}")
    for block in blocks:
        if block.label in {"EC PARAMETERS", "SM2 PARAMETERS"}:
            require_sm2(AlgorithmIdentifier(oids.EC_PUBLIC_KEY, block.contents))
    label, contents = keys[0].label, keys[0].contents
    if label == "ENCRYPTED PRIVATE KEY":
        return _load_encrypted(contents, password)
    return _decode_pkcs8(contents) if label == "PRIVATE KEY" else _decode_sec1(contents)


def _describe_der(data: bytes) -> KeyDescription:
    """Tell the DER forms apart by what stands first and second in their SEQUENCE."""
    body = der.Reader(data, "key").sequence("key")
    if body.next_is(der.INTEGER):
        body.integer()
        sec1 = body.next_is(der.OCTET_STRING)
        return KeyDescription(private=True, form="DER, SEC1" if sec1 else "DER, PKCS#8")
    body.element(der.SEQUENCE)
    if body.next_is(der.OCTET_STRING):
        return KeyDescription(True, "DER, encrypted PKCS#8", pbes2.describe(data))
    return KeyDescription(private=False, form="DER, SubjectPublicKeyInfo")


def _load_private_der(data: bytes, password: str | Buffer | None) -> sm2.PrivateKey:
    description = _describe_der(data)
    if not description.private:
        raise InvalidKey("expected a private key, found a public one")
    if description.encryption is not None:
        return _load_encrypted(data, password)
    return _decode_sec1(data) if description.form == "DER, SEC1" else _decode_pkcs8(data)


def _load_encrypted(data: bytes, password: str | Buffer | None) -> sm2.PrivateKey:
    if password is None:
        raise UsageError("the private key is encrypted: a password is needed")
    plaintext = pbes2.decrypt(data, _password(password))
    try:
        return _decode_pkcs8(plaintext)
    except MalformedData:
        raise DecryptionFailed(_WRONG_PASSWORD) from None


def _dump_encrypted(
    key: sm2.PrivateKey, form: PrivateKeyFormat, password: bytes, encryption: Encryption
) -> bytes:
    if form not in {PrivateKeyFormat.PKCS8, PrivateKeyFormat.PKCS8_DER}:
        raise UsageError(f"a key in the format {form} cannot be encrypted; use pkcs8")
    encrypted = pbes2.encrypt(_encode_pkcs8(key), password, encryption)
    if form is PrivateKeyFormat.PKCS8_DER:
        return encrypted
    return pem.encode("ENCRYPTED PRIVATE KEY", encrypted).encode()


def _decode_pkcs8(data: bytes) -> sm2.PrivateKey:
    """Decode PrivateKeyInfo (RFC 5208, 5); attributes and a public key after it are allowed."""
    reader = der.Reader(data, "PKCS#8 private key")
    body = reader.sequence("PKCS#8 private key")
    reader.finish()
    body.small_integer(1)
    require_sm2(AlgorithmIdentifier.read(body))
    key = _decode_sec1(body.octet_string())
    if body.next_is(der.context_tag(0)):
        body.element()
    public = body.implicit(1)
    body.finish()
    if public is not None:
        _require_pair(key, der.decode_bit_string(public, "PKCS#8 private key")[0])
    return key


def _decode_sec1(data: bytes) -> sm2.PrivateKey:
    """Decode ECPrivateKey (RFC 5915, 3). A shorter scalar is padded, as old writers need."""
    reader = der.Reader(data, "EC private key")
    body = reader.sequence("EC private key")
    reader.finish()
    if body.integer() != 1:
        raise MalformedData("the EC private key is not of version 1")
    scalar = body.octet_string()
    if not 1 <= len(scalar) <= _SCALAR_SIZE:
        raise InvalidKey(f"a private key of {len(scalar)} bytes; expected {_SCALAR_SIZE}")
    if parameters := body.explicit(0, "curve of a key"):
        require_sm2(AlgorithmIdentifier(oids.EC_PUBLIC_KEY, parameters.element().encoding))
        parameters.finish()
    public = body.explicit(1, "public key in a private key")
    body.finish()
    key = sm2.PrivateKey.from_bytes(scalar.rjust(_SCALAR_SIZE, b"\0"))
    if public is not None:
        _require_pair(key, public.bit_string())
        public.finish()
    return key


def _require_pair(key: sm2.PrivateKey, point: bytes) -> None:
    if sm2.PublicKey.from_bytes(point).to_bytes() != key.public_key().to_bytes():
        raise InvalidKey("the public key in the file does not belong to the private key")


def _encode_sec1(key: sm2.PrivateKey, *, with_parameters: bool = True) -> bytes:
    parameters = der.explicit(0, der.object_identifier(oids.SM2_CURVE))
    return der.sequence(
        der.integer(1),
        der.octet_string(key.to_bytes()),
        parameters if with_parameters else b"",
        der.explicit(1, der.bit_string(key.public_key().to_bytes())),
    )


def _encode_pkcs8(key: sm2.PrivateKey) -> bytes:
    inner = _encode_sec1(key, with_parameters=False)
    return der.sequence(der.integer(0), SM2_KEY.encode(), der.octet_string(inner))

"""COSE_Sign1 (RFC 9052, 4.2) signed with SM2 and SM3, in deterministic CBOR (RFC 8949, 4.2.1).

The protected header holds the algorithm and the key: `{1: -65537, 4: fingerprint}`, where -65537 is
from the private range of COSE algorithms and means SM2 with SM3 (GB/T 32918.2-2016) under the
default identifier, and the fingerprint is the SM3 digest of the signer's certificate in DER. The
signature is r and s, 32 bytes each. The unprotected header is empty.

What is signed carries a context (`external_aad`), so that a signature made over one kind of content
never holds for another. Only the one deterministic encoding is read: two encodings of one content
cannot exist, and whoever changes a byte breaks the signature or the form.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cbor2

from meterseal.crypto import sm2
from meterseal.errors import MalformedData, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from meterseal.x509 import Certificate

__all__ = [
    "SM2_WITH_SM3",
    "Envelope",
    "EnvelopeSigner",
    "decode",
    "encode",
    "open_envelope",
    "verify_all",
]

SM2_WITH_SM3: Final = -65537
_ALGORITHM: Final = 1
_KEY_ID: Final = 4
_SIGN1: Final = b"\xd2\x84"  # tag 18, a list of four
_PARTS_AT: Final = len(_SIGN1)
_NO_HEADER: Final = b"\xa0"  # an empty map
_BYTES: Final = 0x40
"""Major type 2; lengths below 24 stand in the same byte, others in the 1, 2 or 4 that follow."""
_LENGTHS: Final = {_BYTES + 24: (1, 24), _BYTES + 25: (2, 1 << 8), _BYTES + 26: (4, 1 << 16)}
"""By first byte: how many bytes the length has, and the least that needs so many."""
_KEY_ID_SIZE: Final = 32
_SIGNATURE_SIZE: Final = 64
_DEPTH: Final = 4
_HEADERS: Final = 4096  # one for each signer: they need not be decoded again and again


class Envelope(NamedTuple):
    """A signed content, taken apart and not yet verified.

    `message` is what the signature covers: hand (public key, `signature`, `message`) to
    `sm2.verify_batch(..., encoding="raw")`.
    """

    encoding: bytes
    key_id: bytes
    payload: bytes
    signature: bytes
    message: bytes

    def verify(self, key: sm2.PublicKey) -> None:
        """Raise `InvalidSignature` unless this key signed the content."""
        key.verify(self.signature, self.message, encoding="raw")


class EnvelopeSigner:
    """Signs contents with one SM2 key, named by its certificate."""

    def __init__(self, key: sm2.PrivateKey, certificate: Certificate, context: bytes) -> None:
        if key.public_key() != certificate.public_key():
            raise UsageError("the certificate belongs to another key")
        self.certificate = certificate
        self.key_id = certificate.fingerprint()
        self._key = key
        self._context = context
        self._protected = encode({_ALGORITHM: SM2_WITH_SM3, _KEY_ID: self.key_id})

    def sign(self, payload: bytes) -> bytes:
        """Return the payload as COSE_Sign1."""
        return self.sign_many((payload,))[0]

    def sign_many(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Return each payload as COSE_Sign1; other threads run meanwhile."""
        contents = [encode(payload) for payload in payloads]
        before = _before_payload(self._protected, self._context)
        requests = [(self._key, before + content) for content in contents]
        signatures = sm2.sign_batch(requests, encoding="raw")
        headers = b"".join((_SIGN1, encode(self._protected), _NO_HEADER))
        return [
            b"".join((headers, content, encode(signature)))
            for content, signature in zip(contents, signatures, strict=True)
        ]


def open_envelope(encoding: bytes, context: bytes, limit: int) -> Envelope:
    """Take a COSE_Sign1 apart. Raises `MalformedData` for any other form, or above `limit` bytes.

    The signature is not verified here: many are verified together.
    """
    if len(encoding) > limit:
        raise MalformedData(f"a signed content of {len(encoding)} bytes; {limit} are allowed")
    if not encoding.startswith(_SIGN1):
        raise MalformedData("not a COSE_Sign1 structure: tag 18 and a list of four are missing")
    encoding = bytes(encoding)
    protected, at = _take_bytes(encoding, _PARTS_AT)
    if encoding[at : at + 1] != _NO_HEADER:
        raise MalformedData("the headers of a COSE_Sign1 have the wrong form: unprotected ones")
    payload_at = at + 1
    payload, payload_end = _take_bytes(encoding, payload_at)
    signature, at = _take_bytes(encoding, payload_end)
    if len(signature) != _SIGNATURE_SIZE:
        raise MalformedData(f"an SM2 signature has {_SIGNATURE_SIZE} bytes")
    if at != len(encoding):
        raise MalformedData("a COSE_Sign1 structure has four parts")
    key_id = _key_id(protected)
    message = _before_payload(protected, context) + encoding[payload_at:payload_end]
    return Envelope(encoding, key_id, payload, signature, message)


def verify_all(items: Sequence[tuple[sm2.PublicKey, Envelope]]) -> list[bool]:
    """Say of each envelope whether its key signed it; all cores verify."""
    requests = [(key, envelope.signature, envelope.message) for key, envelope in items]
    return sm2.verify_batch(requests, encoding="raw")


def encode(item: Any) -> bytes:  # noqa: ANN401  (whatever CBOR can say)
    """Return deterministic CBOR; the keys of maps must come sorted."""
    return cbor2.dumps(item)


def decode(encoding: bytes) -> Any:  # noqa: ANN401  (whatever CBOR can say)
    """Read one item of deterministic CBOR without tags. Raises `MalformedData`."""
    try:
        item = cbor2.loads(
            encoding,
            max_depth=_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_NO_TAGS,
        )
        again = cbor2.dumps(item)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MalformedData(f"not CBOR: {error}") from None
    if again != encoding or not _is_plain(item):
        raise MalformedData("CBOR that is not in its deterministic form")
    return item


def _is_plain(item: object) -> bool:
    """Whether there are only whole numbers, strings, null, lists, and maps with rising keys."""
    if type(item) is dict:
        keys = list(item)
        if not set(map(type, keys)) <= {int} or keys != sorted(keys):
            return False
        parts: Collection[object] = item.values()
    elif type(item) is list:
        parts = item
    else:
        return type(item) in _PLAIN
    return _PLAIN.issuperset(map(type, parts)) or all(
        _is_plain(part) for part in parts if type(part) not in _PLAIN
    )


def _take_bytes(encoding: bytes, at: int) -> tuple[bytes, int]:
    """Read a byte string in its shortest form; returns it, and where it ends."""
    first = encoding[at] if at < len(encoding) else 0
    length, start = first - _BYTES, at + 1
    if first in _LENGTHS:
        size, least = _LENGTHS[first]
        start += size
        length = int.from_bytes(encoding[at + 1 : start], "big")
        if length < least:
            raise MalformedData("a length of a COSE_Sign1 is not in its deterministic form")
    elif not 0 <= length < 24:  # noqa: PLR2004  (RFC 8949, 3)
        raise MalformedData("a part of a COSE_Sign1 structure is missing or no byte string")
    end = start + length
    if end > len(encoding):
        raise MalformedData("a COSE_Sign1 structure ends within a part")
    return encoding[start:end], end


@lru_cache(_HEADERS)
def _key_id(protected: bytes) -> bytes:
    header = decode(protected)
    if not isinstance(header, dict) or list(header) != [_ALGORITHM, _KEY_ID]:
        raise MalformedData("the protected header names the algorithm and the key, nothing else")
    if header[_ALGORITHM] != SM2_WITH_SM3:
        raise MalformedData(f"signature algorithm {header[_ALGORITHM]!r} is not SM2 with SM3")
    key_id = header[_KEY_ID]
    if not isinstance(key_id, bytes) or len(key_id) != _KEY_ID_SIZE:
        raise MalformedData(f"a key id is an SM3 digest of {_KEY_ID_SIZE} bytes")
    return key_id


@lru_cache(_HEADERS)
def _before_payload(protected: bytes, context: bytes) -> bytes:
    """Return what is signed (Sig_structure of RFC 9052, 4.4) up to the payload, which ends it."""
    parts = map(encode, ("Signature1", protected, context))
    return b"\x84" + b"".join(parts)


def _refuse_tag(*_: object) -> None:
    raise MalformedData("CBOR tags are not allowed here")


_PLAIN: Final = frozenset({int, bytes, str, type(None)})
_BUILT_IN_TAGS: Final = (*range(6), *range(21, 38), 100, 258, 260, 261, 1004, 43000)
_NO_TAGS: Final = dict.fromkeys(_BUILT_IN_TAGS, _refuse_tag)

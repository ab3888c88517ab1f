"""The vocabulary of a handshake flow: what a generator may ask of the driver that runs it.

A flow reads from top to bottom like the figure in the standard. Where it waits, it yields a
`Receive`; what else may arrive there is refused by the driver, so a wrong order is impossible by
construction. A `Sign` lets the private key live elsewhere.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import InternalError
from meterseal.transport.messages import Message

if TYPE_CHECKING:
    from meterseal.crypto.provider import Decryptor, Signer

M = TypeVar("M", bound=Message)
N = TypeVar("N", bound=Message)
T = TypeVar("T")


@dataclass(slots=True)
class Receive:
    """Wait for a message of one of these types."""

    kinds: tuple[type[Message], ...]


@dataclass(slots=True)
class Sign:
    """Have `key` sign `content`: a message under an identifier, or a digest as it stands."""

    key: Signer
    content: bytes
    is_digest: bool
    identifier: bytes = DEFAULT_ID


@dataclass(slots=True)
class Decrypt:
    """Have `key` decrypt `ciphertext`; the answer is empty if it does not decrypt."""

    key: Decryptor
    ciphertext: bytes


Request = Receive | Sign | Decrypt
Answer = Message | bytes | None  # None begins the flow
Flow = Generator[Request, Answer, T]


def receive(kind: type[M]) -> Flow[M]:
    """Wait for exactly this message."""
    message = yield Receive((kind,))
    if not isinstance(message, kind):
        raise InternalError(f"the driver answered {kind.__name__} with something else")
    return message


def receive_either(first: type[M], second: type[N]) -> Flow[M | N]:
    """Wait for one of two messages."""
    message = yield Receive((first, second))
    if not isinstance(message, first | second):
        raise InternalError("the driver answered with another message")
    return message


def sign_message(key: Signer, content: bytes, identifier: bytes = DEFAULT_ID) -> Flow[bytes]:
    """Sign a message the way of GB/T 32918.2-2016, 6.1, with Z."""
    return _bytes((yield Sign(key, content, is_digest=False, identifier=identifier)))


def sign_digest(key: Signer, digest: bytes) -> Flow[bytes]:
    """Sign a 32-byte digest as it stands, without Z."""
    return _bytes((yield Sign(key, digest, is_digest=True)))


def decrypt(key: Decryptor, ciphertext: bytes) -> Flow[bytes]:
    """Decrypt; empty bytes for anything that does not, so that no step can tell why."""
    return _bytes((yield Decrypt(key, ciphertext)))


def _bytes(answer: Answer) -> bytes:
    if not isinstance(answer, bytes):
        raise InternalError("the driver answered a request of the key with a message")
    return answer

"""A signer that verifies what it has signed before anyone sees it.

The core notices most errors of memory and processor by itself; what it cannot notice, a point of
the curve that is not the nonce's, only verification does: docs/decisions/0006-faults-in-signing.md.
It takes three times as long as the signature. Certificates, requests and revocation lists are
always signed like this; for a handshake, give the `Credential` a `VerifyingSigner(key)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import FaultDetected, InvalidSignature

if TYPE_CHECKING:
    from meterseal.crypto.provider import Signer, Verifier

__all__ = ["VerifyingSigner"]


class VerifyingSigner:
    """A private key, here or in a security chip, whose signatures are verified on the way out."""

    __slots__ = ("_key", "_public")

    def __init__(self, key: Signer) -> None:
        self._key = key
        self._public = key.public_key()

    def public_key(self) -> Verifier:
        """Return the public half."""
        return self._public

    def sign(self, message: bytes, identifier: bytes = DEFAULT_ID, /) -> bytes:
        """Sign `message`. Raises FaultDetected if the signature does not verify."""
        if identifier == DEFAULT_ID:
            signature = self._key.sign(message)  # a key elsewhere may know no other identifier
        else:
            signature = self._key.sign(message, identifier)
        try:
            self._public.verify(signature, message, identifier)
        except InvalidSignature:
            raise FaultDetected(_WRONG) from None
        return signature

    def sign_digest(self, digest: bytes, /) -> bytes:
        """Sign a 32-byte digest. Raises FaultDetected if the signature does not verify."""
        signature = self._key.sign_digest(digest)
        try:
            self._public.verify_digest(signature, digest)
        except InvalidSignature:
            raise FaultDetected(_WRONG) from None
        return signature


_WRONG = "a signature just made does not verify; it is thrown away"

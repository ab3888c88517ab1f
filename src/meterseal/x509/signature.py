"""The one place through which certificates are verified: what may sign, and whether it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from meterseal.errors import CertificateRejected, InvalidKey, RejectionReason
from meterseal.x509.remembered import Remembered
from meterseal.x509.spki import SM2_WITH_SM3

if TYPE_CHECKING:
    from meterseal.crypto.provider import Verifier
    from meterseal.x509.spki import AlgorithmIdentifier, SubjectPublicKeyInfo

__all__ = ["SM2_SCHEME", "SignatureScheme", "Sm2Scheme"]


class SignatureScheme(Protocol):
    """What chain verification and handshakes ask of a kind of signature."""

    def verifier(self, spki: SubjectPublicKeyInfo) -> Verifier:
        """Return the public key; keys that are equal compare equal. Raises InvalidKey."""
        ...

    def require_key(self, spki: SubjectPublicKeyInfo) -> None:
        """Raise CertificateRejected unless the key is one of this scheme."""

    def require_algorithm(self, algorithm: AlgorithmIdentifier) -> None:
        """Raise CertificateRejected unless the algorithm is one of this scheme."""

    def verify(self, spki: SubjectPublicKeyInfo, signature: bytes, message: bytes) -> None:
        """Raise InvalidSignature unless the key signed the message."""


_REMEMBERED: Final = 1024
_REMEMBERED_LENGTH: Final = 4096  # of one message: at most 4 MiB in all
_OFTEN: Final = 8  # a table pays after three verifications


class Sm2Scheme:
    """SM2 with SM3 under the standard identifier (GB/T 32918.2-2016; GM/T 0015-2012).

    The algorithm has no parameters; a NULL is refused, as no writer we know sets one. Good
    signatures are remembered by key, signature and message: those of the same few CAs come again
    with every peer. The key of a peer that comes often is prepared, which takes 8 KiB: no more than
    1,024 keys are kept at a time.
    """

    def __init__(self) -> None:
        self._good: Remembered[tuple[bytes, bytes, bytes], bool] = Remembered(_REMEMBERED)
        self._asked: Remembered[bytes, int] = Remembered(_REMEMBERED)

    def verifier(self, spki: SubjectPublicKeyInfo) -> Verifier:
        """Return the SM2 key. Raises InvalidKey for any other."""
        key = spki.public_key()
        times = (self._asked.find(spki.encoding) or 0) + 1
        if times <= _OFTEN:
            self._asked.keep(spki.encoding, times)
        if times == _OFTEN:
            key.prepare()
        return key

    def require_key(self, spki: SubjectPublicKeyInfo) -> None:
        """Raise CertificateRejected unless this is a valid SM2 key on its named curve."""
        try:
            spki.public_key()
        except InvalidKey as error:
            raise CertificateRejected(RejectionReason.UNSUPPORTED_KEY, str(error)) from None

    def require_algorithm(self, algorithm: AlgorithmIdentifier) -> None:
        """Raise CertificateRejected unless this is SM2 with SM3, without parameters."""
        if algorithm != SM2_WITH_SM3:
            detail = f"expected {SM2_WITH_SM3} without parameters, found {algorithm}"
            if algorithm.parameters is not None:
                detail += " with parameters"
            raise CertificateRejected(RejectionReason.UNSUPPORTED_ALGORITHM, detail)

    def verify(self, spki: SubjectPublicKeyInfo, signature: bytes, message: bytes) -> None:
        """Raise InvalidSignature unless the key signed the message."""
        signed = (spki.encoding, signature, message)
        if self._good.find(signed):
            return
        spki.public_key().verify(signature, message)
        if len(message) <= _REMEMBERED_LENGTH:
            self._good.keep(signed, True)


SM2_SCHEME = Sm2Scheme()

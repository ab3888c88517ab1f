"""The key schedule and the records of TLS 1.3 with SM suites (RFC 8446, 5 and 7; RFC 8998).

Secrets stay inside these objects, which go from stage to stage as the handshake does:

    schedule = KeySchedule("sm4-gcm")
    sealer, opener = schedule.handshake_protection(shared_secret, hash_of_hellos, is_client=True)
    expected = schedule.verify_data(of_client=False, transcript_hash=hash_before_finished)
    sealer, opener = schedule.application_protection(hash_with_finished, is_client=True)

`TrafficOpener` reads a recorded session instead, with a secret out of a key log.
"""

from typing import Final

from meterseal._core import Exporter, KeySchedule, Psk, Resumption, Tls13Opener, Tls13Sealer
from meterseal.crypto.sm3 import hkdf_expand
from meterseal.crypto.sm4 import SM4CCM, SM4GCM
from meterseal.errors import UsageError

__all__ = [
    "Exporter",
    "KeySchedule",
    "Psk",
    "Resumption",
    "Tls13Opener",
    "Tls13Sealer",
    "TrafficOpener",
]

_AEADS: Final[dict[str, type[SM4GCM | SM4CCM]]] = {"sm4-gcm": SM4GCM, "sm4-ccm": SM4CCM}
_HEADER_LENGTH: Final = 5
_KEY_LENGTH: Final = 16
_NONCE_LENGTH: Final = 12
_SECRET_LENGTH: Final = 32


class TrafficOpener:
    """Opens the records of one direction with a traffic secret as a key log holds it.

    For recorded sessions alone: the secret is a plain `bytes`, which a live session never has.
    """

    def __init__(self, protection: str, secret: bytes) -> None:
        if protection not in _AEADS or len(secret) != _SECRET_LENGTH:
            raise UsageError(f"a traffic secret of {len(secret)} bytes for {protection}")
        self._protection = protection
        self._take(secret)

    def open(self, record: bytes, /) -> tuple[int, bytes]:
        """Return content type (0 for nothing but padding) and content (RFC 8446, 5.2).

        Raises `InvalidTag`.
        """
        header, body = record[:_HEADER_LENGTH], record[_HEADER_LENGTH:]
        nonce = (self._iv ^ self._sequence).to_bytes(_NONCE_LENGTH, "big")
        self._sequence += 1
        inner = self._aead.decrypt(nonce, body, header).rstrip(b"\0")
        return (inner[-1], inner[:-1]) if inner else (0, b"")

    def update(self) -> None:
        """Take the next keys (RFC 8446, 7.2)."""
        self._take(_expand_label(self._secret, b"traffic upd", _SECRET_LENGTH))

    def _take(self, secret: bytes) -> None:
        self._secret = secret
        self._aead = _AEADS[self._protection](_expand_label(secret, b"key", _KEY_LENGTH))
        self._iv = int.from_bytes(_expand_label(secret, b"iv", _NONCE_LENGTH), "big")
        self._sequence = 0


def _expand_label(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label without a context (RFC 8446, 7.1)."""
    name = b"tls13 " + label
    return hkdf_expand(
        secret, length.to_bytes(2, "big") + bytes((len(name),)) + name + b"\0", length
    )

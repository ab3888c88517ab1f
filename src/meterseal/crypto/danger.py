"""SM2 with nonces given from outside: for test vectors and the lab, dangerous anywhere else.

Whoever knows the nonce of one signature has the private key, and so has whoever sees two signatures
made with one nonce. Nothing but tests and the lab may import this module.
"""

from meterseal._core import (
    encrypt_with_nonce,
    exchange_with_ephemeral,
    sign_digest_with_generator,
    sign_digest_with_nonce,
)

__all__ = [
    "encrypt_with_nonce",
    "exchange_with_ephemeral",
    "sign_digest_with_generator",
    "sign_digest_with_nonce",
]

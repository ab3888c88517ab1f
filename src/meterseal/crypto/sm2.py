"""SM2: signatures, encryption and key exchange on the 256-bit curve (GB/T 32918-2016).

A private key is a number d of 1 to n-2, its public key the point P = [d]G. Keys are checked when
they come in, so that every key object is valid; private keys are wiped when they go.

A signature covers e = SM3(Z, message), where Z hashes the signer's distinguishing identifier, the
curve and the public key (`PublicKey.z_value`). `sign` and `verify` take messages; `sign_digest` and
`verify_digest` take e itself, for protocols that have hashed already. Whoever lets others choose e
proves nothing: signatures can be made for an e of which no message is known.

Whoever verifies many signatures of the same keys calls `PublicKey.prepare` once on each: 8 KiB a
key, for less than half the time a signature.

    key = PrivateKey.generate()
    signature = key.sign(b"reading")
    key.public_key().verify(signature, b"reading")
"""

from meterseal._core import (
    Agreement,
    KeyExchange,
    PrivateKey,
    PublicKey,
    Signer,
    exchange_ecdh_batch,
    generate_batch,
    sign_batch,
    verify_batch,
)

__all__ = [
    "DEFAULT_ID",
    "Agreement",
    "KeyExchange",
    "PrivateKey",
    "PublicKey",
    "Signer",
    "exchange_ecdh_batch",
    "generate_batch",
    "sign_batch",
    "verify_batch",
]

DEFAULT_ID = b"1234567812345678"
"""The distinguishing identifier where none was agreed (GB/T 35276-2017, 10)."""

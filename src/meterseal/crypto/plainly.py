"""SM2 by the standard's steps, one after the other: a yardstick for what optimisation brings.

Multiples of points are computed bit by bit, without tables, and nothing is kept with a key. The
nonce is the caller's, and how long it takes tells secrets: nothing but tests and the lab may import
this module.
"""

from meterseal._core import (
    exchange_ecdh_plainly,
    public_key_plainly,
    sign_digest_plainly,
    verify_digest_plainly,
)

__all__ = [
    "exchange_ecdh_plainly",
    "public_key_plainly",
    "sign_digest_plainly",
    "verify_digest_plainly",
]

"""Key derivation of the protocols: the KDF of SM2 and the pseudorandom function of TLS 1.2.

PBKDF2 and HKDF stand in `sm3`, beside the hash they are built on.
"""

from meterseal._core import sm2_kdf, tls12_prf

__all__ = ["sm2_kdf", "tls12_prf"]

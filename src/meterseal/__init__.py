"""Seal electricity-metering data with the Chinese commercial ciphers SM2, SM3 and SM4."""

from meterseal.crypto import sm2, sm3, sm4
from meterseal.errors import (
    DecryptionFailed,
    InvalidKey,
    InvalidSignature,
    InvalidTag,
    MalformedData,
    MeterSealError,
    PeerError,
    RandomnessFailure,
    UsageError,
)

__all__ = [
    "DecryptionFailed",
    "InvalidKey",
    "InvalidSignature",
    "InvalidTag",
    "MalformedData",
    "MeterSealError",
    "PeerError",
    "RandomnessFailure",
    "UsageError",
    "sm2",
    "sm3",
    "sm4",
]

__version__ = "0.1.0"

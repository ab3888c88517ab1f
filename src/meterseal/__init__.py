"""Seal electricity-metering data with the Chinese commercial ciphers SM2, SM3 and SM4."""

from importlib import import_module
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from meterseal.net.context import Purpose, SecureContext, create_default_context

__all__ = [
    "DecryptionFailed",
    "InvalidKey",
    "InvalidSignature",
    "InvalidTag",
    "MalformedData",
    "MeterSealError",
    "PeerError",
    "Purpose",
    "RandomnessFailure",
    "SecureContext",
    "UsageError",
    "create_default_context",
    "sm2",
    "sm3",
    "sm4",
]

__version__ = "0.1.0"

_OF_CONTEXT = ("Purpose", "SecureContext", "create_default_context")


def __getattr__(name: str) -> object:
    """Load what needs sockets only when it is asked for: the import stays quick."""
    if name not in _OF_CONTEXT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    context = import_module("meterseal.net.context")
    globals().update({each: getattr(context, each) for each in _OF_CONTEXT})
    return globals()[name]

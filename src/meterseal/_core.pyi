# Typed face of the compiled core; checked against the extension by stubtest.
from typing import TypeAlias

_Buffer: TypeAlias = bytes | bytearray | memoryview

# --- back-ends -------------------------------------------------------------------------------

def backend() -> str: ...
def available_backends() -> list[str]: ...
def force_backend(name: str) -> None: ...

# --- SM3, HMAC, key derivation ---------------------------------------------------------------

# --- SM4 -------------------------------------------------------------------------------------

# --- records of the TLS 1.2-shaped protocols -------------------------------------------------

# --- randomness ------------------------------------------------------------------------------

# --- SM2 -------------------------------------------------------------------------------------

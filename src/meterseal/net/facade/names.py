"""The server's name, in whichever form a library passes it."""

from __future__ import annotations

__all__ = ["normalized_host"]


def normalized_host(name: str | bytes | None) -> str | None:
    """Return the name in ASCII: text may be an IDN or an address, bytes are A-labels already.

    Raises `ValueError` for what can be no name of a host.
    """
    if name is None:
        return None
    if isinstance(name, bytes | bytearray):
        text = bytes(name).decode("ascii")
    elif isinstance(name, str):
        text = name if name.isascii() else name.encode("idna").decode("ascii")
    else:
        raise TypeError(f"expected a host name as str or bytes, received {type(name).__name__}")
    if not text or text.startswith("."):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    if not text.isprintable():
        raise ValueError("server_hostname holds characters that cannot stand in a name")
    return text.removesuffix(".")

"""Ports for programs that must be told one before they listen."""

from __future__ import annotations

import socket

from meterseal.crypto.random import random_bytes

__all__ = ["free_port", "is_free"]

_FIRST, _AFTER = 20_000, 32_768
_ATTEMPTS = 1_000
_given: set[int] = set()


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago, never the same again in a process.

    It is below those that a system gives to whoever calls: a client that calls one of those again
    and again until somebody listens may be given that very port for its own end, and meets itself.
    Raises OSError if there is none.
    """
    for _ in range(_ATTEMPTS):
        port = _FIRST + int.from_bytes(random_bytes(4), "big") % (_AFTER - _FIRST)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no port from {_FIRST} to {_AFTER - 1} is free")


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

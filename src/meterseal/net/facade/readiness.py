"""Waiting for a socket until a moment of the monotonic clock."""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["is_writable", "wait_readable", "wait_writable"]

# epoll and kqueue would open a descriptor for every wait
_Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def wait_readable(sock: socket.socket, deadline: float) -> bool:
    """Wait until something has arrived; false once `deadline` has passed."""
    return _wait(sock, selectors.EVENT_READ, deadline - time.monotonic())


def wait_writable(sock: socket.socket, deadline: float) -> bool:
    """Wait until something can be sent; false once `deadline` has passed."""
    return _wait(sock, selectors.EVENT_WRITE, deadline - time.monotonic())


def is_writable(sock: socket.socket) -> bool:
    """Whether something can be sent at once."""
    return _wait(sock, selectors.EVENT_WRITE, 0)


def _wait(sock: socket.socket, event: int, seconds: float) -> bool:
    if sock.fileno() < 0:
        return True  # the call that follows says what is wrong
    with _Selector() as selector:
        selector.register(sock, event)
        return bool(selector.select(max(0.0, seconds)))

"""Bulk data between two processes over loopback TCP."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from meterseal.net import connect, listen
from support.wire import SERVER_NAME

if TYPE_CHECKING:
    from ends import Ours

_PIECE = 1 << 20


def bulk_over_loopback(stack: Ours, size: int) -> tuple[float, float]:
    """MB per second of CPU time, user and system, that sender and receiver reach."""
    with listen("127.0.0.1", 0, stack.server_config) as listener:
        port = listener.address[1]
        if not (child := os.fork()):
            config, piece = stack.client_config, bytes(_PIECE)
            with connect("127.0.0.1", port, config, server_name=SERVER_NAME) as secure:
                for _ in range(size // _PIECE):
                    secure.sendall(piece)
                secure.recv()  # closing before everything is taken would reset the connection
            os._exit(0)
        secure, _ = listener.accept()
        with secure:
            secure.handshake()
            start, received = time.process_time(), 0
            while received < size:
                received += len(secure.recv(_PIECE))
            receiver = time.process_time() - start
            secure.sendall(b".")
    _, _, usage = os.wait4(child, 0)
    sender = usage.ru_utime + usage.ru_stime
    return size / 1e6 / sender, size / 1e6 / receiver

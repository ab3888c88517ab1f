"""Memory of connections that are held open and say nothing."""

from __future__ import annotations

import gc
import os
import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from ends import End, shake_hands

from meterseal.net import SecureSocket, connect, listen
from support.wire import SERVER_NAME

if TYPE_CHECKING:
    from ends import Ours

_held: list[End] = []  # all are kept, so that no memory is used twice


def memory_per_end(stack: Ours, pairs: int) -> float:
    """KiB of each end over memory, after so many pairs."""
    shake_hands(stack)
    before = resident()
    for _ in range(pairs):
        pair = shake_hands(stack)
        _held.extend((pair.client, pair.server))
    return (resident() - before) / (2 * pairs) / 1024


def memory_per_socket(stack: Ours, count: int) -> tuple[float, float]:
    """KiB of each client in one process and each server in another; the kernel's is not counted."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    here, there = socket.socketpair()
    with listen("127.0.0.1", 0, stack.server_config) as listener:
        port = listener.address[1]
        if not (child := os.fork()):
            here.close()
            grown = _hold(lambda: connect(
                "127.0.0.1", port, stack.client_config, server_name=SERVER_NAME
            ), count)  # fmt: skip
            there.sendall(b"%.3f\n" % grown)
            there.recv(1)
            os._exit(0)
        there.close()
        served = _hold(lambda: _serve(listener), count)
    clients = float(here.recv(64))
    here.sendall(b".")
    os.waitpid(child, 0)
    return clients, served


def _serve(listener) -> SecureSocket:  # noqa: ANN001
    secure, _ = listener.accept()
    secure.handshake()
    return secure


def _hold(make, count: int) -> float:  # noqa: ANN001
    held = [make()]
    before = resident()
    held += [make() for _ in range(count - 1)]
    return (resident() - before) / (count - 1) / 1024


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

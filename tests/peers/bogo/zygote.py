"""Serves the shim from one process that has imported everything: a fork for each case.

    python zygote.py SOCKET LOG

The runner starts `launcher.py` for each case, which hands its arguments and standard streams over.
LOG collects, a line each, why cases were not run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from peers.bogo.shim import UNIMPLEMENTED, run

_LONGEST = 1 << 20


def serve(path: str, log: str) -> None:
    """Fork for each launcher that connects, until the process is ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(64)
        os.write(1, b"ready\n")
        while True:
            launcher, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _serve_one(launcher, log)
            launcher.close()


def _serve_one(launcher: socket.socket, log: str) -> None:
    message, descriptors, _, _ = socket.recv_fds(launcher, _LONGEST, 2)
    for source, target in zip(descriptors, (1, 2), strict=True):
        os.dup2(source, target)
        os.close(source)
    arguments = json.loads(message)
    if "-is-handshaker-supported" in arguments:
        os.write(1, b"No\n")
        code, text = 0, ""
    else:
        code, text = _run(arguments)
    os.write(2, text.encode())
    if code == UNIMPLEMENTED:
        with Path(log).open("a") as lines:
            lines.write(text.splitlines()[0] + "\n")
    with contextlib.suppress(OSError):
        launcher.send(bytes((code,)))
    os._exit(0)


def _run(arguments: list[str]) -> tuple[int, str]:
    import io

    errors = io.StringIO()
    return run(arguments, errors), errors.getvalue()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])

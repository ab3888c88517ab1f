"""What every TCP end of the range does on loopback: listen, take connections, end."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final, Self

__all__ = ["SECONDS", "Listening"]

SECONDS: Final = 20.0


class Listening:
    """Listens on a free port while it is entered; a thread gives each connection to `take`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def take(self, connection: socket.socket) -> None:
        """Do what this end does with a connection; the next one waits until it returns."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.take(connection)

"""The man in the middle: a TCP service that passes records on, altered as an attack says."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from meterseal.lab.attack.listening import SECONDS, Listening
from meterseal.lab.attack.wire import CLIENT, SERVER, pass_on
from meterseal.transport.codepoints import HEADER_LENGTH

if TYPE_CHECKING:
    from meterseal.lab.attack.wire import Change

__all__ = ["Relay"]


class Relay(Listening):
    """Takes connections on loopback and carries their records to `target` and back.

    `seen` keeps what each side sent in the last connection, as it was sent. A direction whose
    `change` raises `EOFError` is cut there without a word, and so is one that says nothing for
    `patience` seconds, as when a length was altered and both ends wait.
    """

    def __init__(
        self, target: tuple[str, int], change: Change = pass_on, patience: float = SECONDS
    ) -> None:
        super().__init__()
        self._target = target
        self._patience = patience
        self.change = change
        self.seen: dict[str, list[bytes]] = {CLIENT: [], SERVER: []}
        self.connections = 0

    def take(self, connection: socket.socket) -> None:
        """Carry one connection to its end."""
        self.connections += 1
        self.seen = {CLIENT: [], SERVER: []}
        self._carry(connection)

    def _carry(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
            for each in (client, server):
                each.settimeout(self._patience)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pump, args=(SERVER, server, client), daemon=True)
            back.start()
            self._pump(CLIENT, client, server)
            back.join(SECONDS)

    def _pump(self, sender: str, source: socket.socket, target: socket.socket) -> None:
        seen = self.seen[sender]
        with contextlib.suppress(OSError, EOFError):
            while record := _read_record(source):
                seen.append(record)
                data = self.change(sender, len(seen) - 1, record)
                if data:
                    target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def _read_record(source: socket.socket) -> bytes:
    """Read one record; what is cut short is returned as it is."""
    head = _read(source, HEADER_LENGTH)
    if len(head) < HEADER_LENGTH:
        return head
    return head + _read(source, int.from_bytes(head[3:], "big"))


def _read(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := source.recv(size - len(data))):
        data += part
    return data

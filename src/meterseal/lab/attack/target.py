"""A server that is not ours: how to speak with it, and what it says."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from meterseal.errors import AlertDescription, MeterSealError
from meterseal.lab.attack.ends import Protocol, Visit, visit
from meterseal.lab.attack.wire import (
    CLIENT,
    messages,
    records,
    with_client_hello,
)
from meterseal.transport import ClientConfig, Connection
from meterseal.transport.codepoints import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_LENGTH,
    HandshakeType,
)
from meterseal.transport.messages import ServerHello
from meterseal.transport.wire import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meterseal.net import SecureSocket
    from meterseal.transport.messages import ClientHello

__all__ = ["CONNECT", "QUIET", "Answer", "Target", "listen"]

QUIET: Final = 3.0
"""Seconds without a word that count as silence."""
CONNECT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and how to speak with it honestly.

    `config` may lack trust or a certificate: what needs a session is then skipped. `floods` says
    that the owner agreed to many connections at once.
    """

    address: tuple[str, int]
    name: str
    protocol: Protocol
    config: ClientConfig
    floods: bool = False

    def hello(self, change: Callable[[ClientHello], dict[str, Any]] = lambda _: {}) -> bytes:
        """Return an honest hello, or one altered."""
        record = Connection.client(self.config, self.name).data_to_send()
        return with_client_hello(change)(CLIENT, 0, record)

    def ask(self, *parts: bytes) -> Answer:
        """Say something, each part after an answer to the one before; return what came at last."""
        with socket.create_connection(self.address, CONNECT) as raw:
            raw.settimeout(QUIET)
            answer = Answer(b"", is_closed=False)
            for part in parts:
                with contextlib.suppress(OSError):
                    raw.sendall(part)
                answer = listen(raw)
                if answer.is_closed:
                    break
            return answer

    def visit(self, act: Callable[[SecureSocket, bytearray], None]) -> Visit:
        """Have a whole session with it."""
        return visit(self.address, self.config, name=self.name, act=act)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said until it was silent or gone."""

    stream: bytes
    is_closed: bool

    @property
    def hello(self) -> ServerHello | None:
        """Its ServerHello, if it went on with the handshake."""
        body = b"".join(it[HEADER_LENGTH:] for it in self._records() if it[0] == HANDSHAKE)
        for each in messages(body):
            if each[0] == HandshakeType.SERVER_HELLO:
                with contextlib.suppress(MeterSealError):
                    return ServerHello.decode(Cursor(each, 4))
        return None

    @property
    def alert(self) -> int | None:
        """Its alert, if it said one in the clear."""
        for record in self._records():
            if record[0] == ALERT and len(record) == HEADER_LENGTH + 2:
                return record[-1]
        return None

    @property
    def has_changed_keys(self) -> bool:
        """Whether it said ChangeCipherSpec: it went on with the keys."""
        return any(record[0] == CHANGE_CIPHER_SPEC for record in self._records())

    def _records(self) -> Iterator[bytes]:
        return (it for it in records(self.stream) if len(it) > HEADER_LENGTH)

    def __str__(self) -> str:
        if self.hello is not None:
            said = f"ServerHello of {self.hello.version:#06x}, suite {self.hello.cipher_suite:#06x}"
        elif self.alert is not None:
            known = {it.value: it.name.lower() for it in AlertDescription}
            said = f"alert {known.get(self.alert, '?')} ({self.alert})"
        else:
            said = f"{len(self.stream)} bytes" if self.stream else "nothing"
        return f"server said {said}{' and closed' if self.is_closed else ''}"


def listen(raw: socket.socket) -> Answer:
    """Read until a server has said all, is silent, or is gone."""
    stream = b""
    with contextlib.suppress(TimeoutError):
        while True:
            try:
                part = raw.recv(65_536)
            except ConnectionError:
                part = b""
            if not part:
                return Answer(stream, is_closed=True)
            stream += part
            if _is_flight(stream):
                break
    return Answer(stream, is_closed=False)


def _is_flight(stream: bytes) -> bool:
    """Whether a server has said all that it says in one go: nobody need wait for silence."""
    body = b""
    for record in records(stream):
        if record[0] == CHANGE_CIPHER_SPEC:
            return True
        body += record[HEADER_LENGTH:] if record[0] == HANDSHAKE else b""
    return any(each[0] == HandshakeType.SERVER_HELLO_DONE for each in messages(body))

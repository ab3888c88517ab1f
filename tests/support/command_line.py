"""Peers that are another stack's own command line: no report, only what they say and send."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from meterseal.errors import MeterSealError
from meterseal.net import connect, listen
from support.wire import SERVER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.net import SecureListener, SecureSocket
    from meterseal.transport import ClientConfig, HandshakeCompleted, ServerConfig, Session

PATIENCE = 20  # seconds: a machine may be busy
GONE = (MeterSealError, ConnectionError)  # some close their socket without a word
LINE, ANSWER = b"reading\n", b"welcome\n"


def dial(
    port: int,
    config: ClientConfig,
    *,
    server_name: str = SERVER_NAME,
    session: Session | None = None,
) -> SecureSocket:
    """Connect as soon as their server listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connect(
                "127.0.0.1",
                port,
                config,
                server_name=server_name,
                session=session,
                timeout=PATIENCE,
            )
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def welcome(
    config: ServerConfig, visit: Callable[[int], bytes]
) -> tuple[HandshakeCompleted, bytes]:
    """Let a client that sends `LINE` visit our server; return how it went and what it printed.

    Raises what our server raises.
    """
    with listen("127.0.0.1", 0, config) as listener, ThreadPoolExecutor(1) as pool:
        listener.raw.settimeout(PATIENCE)
        served = pool.submit(_answer, listener)
        output = visit(listener.address[1])
        return served.result(3 * PATIENCE), output


def _answer(listener: SecureListener) -> HandshakeCompleted:
    secure, _ = listener.accept()
    with secure:
        session = secure.handshake(PATIENCE)
        assert secure.recv().rstrip() == LINE.rstrip()
        secure.sendall(ANSWER)
        return session

"""Two ends of TLS 1.3, and ways to make one of them say something else under its own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meterseal.lab.attack.wire import meddle, message
from meterseal.transport import TLS13_SUITES, ClientConfig, Connection, ServerConfig
from support.wire import SERVER_NAME, Link, client_config, server_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.transport import Session

COMPATIBILITY = bytes.fromhex("140303000101")


def client13(**changes: Any) -> ClientConfig:  # noqa: ANN401
    return client_config(**{"suites": TLS13_SUITES, **changes})


def server13(**changes: Any) -> ServerConfig:  # noqa: ANN401
    return server_config(**{"suites": TLS13_SUITES, **changes})


def link13(
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    *,
    session: Session | None = None,
    says: dict[str, Callable[[int, bytes], list[bytes]]] | None = None,
    **options: Any,  # noqa: ANN401
) -> Link:
    """Two ends that have exchanged all they had to say.

    `says["server"](n, message)` returns what the server says in place of its n-th message, under
    the keys of the moment; `says["client"]` counts from the client's second message.
    """
    pair = Link(
        Connection.client(client or client13(), SERVER_NAME, session),
        Connection.server(server or server13()),
        **options,
    )
    for who, change in (says or {}).items():
        meddle(pair.client if who == "client" else pair.server, change)
    return pair.run()


def in_record(kind: int, body: bytes) -> bytes:
    whole = message(kind, body)
    return b"\x16\x03\x03" + len(whole).to_bytes(2, "big") + whole

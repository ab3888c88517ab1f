"""Two connections back to back, and the records between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meterseal.crypto.sm_provider import SmProvider
from meterseal.errors import MeterSealError
from meterseal.lab.attack.wire import records
from meterseal.transport import ClientConfig, Connection, ServerConfig
from support.identities import NOW, world

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_NAME = "station.example"


def provider(at: float = NOW.timestamp()) -> SmProvider:
    return SmProvider(clock=lambda: at)


def client_config(**changes: Any) -> ClientConfig:  # noqa: ANN401
    return ClientConfig(**{"trust": world().trust, "provider": provider(), **changes})


def server_config(**changes: Any) -> ServerConfig:  # noqa: ANN401
    return ServerConfig(**{"credential": world().server, "provider": provider(), **changes})


@dataclass
class Link:
    """A client and a server; `change` may alter or drop each record on its way.

    `change(sender, number, record)` gets "client" or "server", the record's number in that
    direction, and returns the bytes to deliver.
    """

    client: Connection
    server: Connection
    change: Callable[[str, int, bytes], bytes] = lambda sender, number, record: record  # noqa: ARG005
    seen: dict[str, list[bytes]] = field(default_factory=lambda: {"client": [], "server": []})
    errors: dict[str, MeterSealError] = field(default_factory=dict)

    def run(self) -> Link:
        """Carry records to and fro until both are silent."""
        while self._carry("client") | self._carry("server"):
            pass
        return self

    def _carry(self, sender: str) -> bool:
        source = self.client if sender == "client" else self.server
        output = source.data_to_send()
        for record in records(output):
            number = len(self.seen[sender])
            self.seen[sender].append(record)
            self._deliver("server" if sender == "client" else "client", sender, number, record)
        return bool(output)

    def _deliver(self, receiver: str, sender: str, number: int, record: bytes) -> None:
        target = self.server if receiver == "server" else self.client
        data = self.change(sender, number, record)
        if not data or receiver in self.errors:
            return
        try:
            target.receive_data(data)
        except MeterSealError as error:
            self.errors[receiver] = error


def link(
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    *,
    server_name: str = SERVER_NAME,
    session: Any = None,  # noqa: ANN401
    **options: Any,  # noqa: ANN401
) -> Link:
    """Two ends that have exchanged all they had to say."""
    return Link(
        Connection.client(client or client_config(), server_name, session),
        Connection.server(server or server_config()),
        **options,
    ).run()

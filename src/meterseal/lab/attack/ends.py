"""The victims: our server and our client on loopback, and what each of them says and logs."""

from __future__ import annotations

import queue
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from meterseal.errors import MeterSealError
from meterseal.lab.attack.identities import SERVER_NAME, world
from meterseal.lab.attack.listening import SECONDS, Listening
from meterseal.lab.attack.relay import Relay
from meterseal.lab.attack.wire import CLIENT, pass_on
from meterseal.net import SecureSocket
from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    TLS13_SUITES,
    CipherSuite,
    ClientAuthentication,
    ClientConfig,
    Connection,
    HandshakeCompleted,
    ServerConfig,
)
from meterseal.transport.codepoints import ALERT, LEVEL_WARNING, CipherSuiteCode
from meterseal.transport.events import RECEIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meterseal.lab.attack.wire import Change
    from meterseal.transport import Session

    Act: TypeAlias = Callable[[SecureSocket, bytearray], None]
    Prepare: TypeAlias = Callable[[Connection], None]

__all__ = [
    "PROTOCOLS",
    "READING",
    "Meeting",
    "Protocol",
    "Server",
    "Visit",
    "data_number",
    "echo",
    "meet",
    "meet_often",
    "visit",
]

READING: Final = b"meter-1 2026-11-23 12:00 001234.56 kWh"
_PATIENCE: Final = 0.5
_AT_ONCE: Final = 16
_LONG: Final = 10_000  # longer than any message of a handshake


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol as both ends speak it by default."""

    name: str
    suites: tuple[CipherSuite, ...]
    has_pairs: bool = False

    def client(self, **changes: object) -> ClientConfig:
        """Return a meter's configuration, changed."""
        ours = world().client_pair if self.has_pairs else world().client
        config = ClientConfig(trust=world().trust, suites=self.suites, credential=ours)
        return replace(config, **changes)  # type: ignore[arg-type]

    def server(self, **changes: object) -> ServerConfig:
        """Return a station's configuration, which asks clients who they are, changed."""
        config = ServerConfig(
            credential=world().server_pair if self.has_pairs else world().server,
            suites=self.suites,
            trust=world().trust,
            client_authentication=ClientAuthentication.REQUIRED,
        )
        return replace(config, **changes)  # type: ignore[arg-type]


def _tlcp(*codes: int) -> tuple[CipherSuite, ...]:
    return tuple(suite for suite in TLCP_SUITES if suite.code in codes)


PROTOCOLS: Final = {
    it.name: it
    for it in (
        Protocol("TLS 1.3", TLS13_SUITES),
        Protocol("TLS 1.2", TLS12_SUITES),
        Protocol("TLCP ECC", _tlcp(CipherSuiteCode.ECC_SM4_GCM_SM3), has_pairs=True),
        Protocol("TLCP ECDHE", _tlcp(CipherSuiteCode.ECDHE_SM4_GCM_SM3), has_pairs=True),
        Protocol("TLCP CBC", _tlcp(CipherSuiteCode.ECC_SM4_CBC_SM3), has_pairs=True),
    )
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One connection as one end saw it: the session if there was one, the data, how it ended."""

    session: HandshakeCompleted | None = None
    data: bytes = b""
    error: Exception | None = None
    resumable: Session | None = None
    warnings: tuple[int, ...] = ()

    @property
    def is_established(self) -> bool:
        """Whether this end completed the handshake."""
        return self.session is not None

    def __str__(self) -> str:
        if self.error is not None:
            when = "in the session" if self.session else "in the handshake"
            end = f"ended {when}: {type(self.error).__name__}: {self.error}"
        else:
            end = "resumed" if self.session and self.session.resumed else "established"
            end += ", closed in order"
        return f"{end}; it took {self.data!r}" if self.data else end


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a client and a server each made of their connection, and what each sent."""

    client: Visit
    server: Visit
    seen: dict[str, list[bytes]]

    @property
    def is_refused(self) -> bool:
        """Whether nobody took any data, and one of them noticed."""
        noticed = self.client.error is not None or self.server.error is not None
        return noticed and not self.client.data and not self.server.data

    def __str__(self) -> str:
        return f"client {self.client}; server {self.server}"


class Server(Listening):
    """A station on loopback: takes connections, answers what it receives with the same bytes.

    How each connection went is to be had from `next_visit`, in the order in which they ended.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        act: Act | None = None,
        prepare: Prepare | None = None,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__()
        self.config = config
        self._act = act
        self._prepare = prepare
        self._seconds = seconds
        self._visits: queue.Queue[Visit] = queue.Queue()

    def next_visit(self) -> Visit:
        """Wait for a connection to end; raises `TimeoutError` if none does."""
        try:
            return self._visits.get(timeout=SECONDS + self._seconds)
        except queue.Empty:
            raise TimeoutError("the server's connection does not end") from None

    def take(self, connection: socket.socket) -> None:
        """Serve a connection beside others."""
        threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        def begin(config: ServerConfig) -> Connection:
            return _prepared(Connection.server(config), self._prepare)

        self._visits.put(_live(raw, self.config, begin, self._act or echo, self._seconds))


def visit(  # noqa: PLR0913  (what a visit consists of)
    address: tuple[str, int],
    config: ClientConfig,
    *,
    say: bytes = READING,
    name: str = SERVER_NAME,
    session: Session | None = None,
    act: Act | None = None,
    prepare: Prepare | None = None,
    seconds: float = SECONDS,
) -> Visit:
    """Be the meter: connect, say something, wait for the answer, leave."""
    try:
        raw = socket.create_connection(address, timeout=seconds)
    except OSError as error:
        return Visit(error=error)

    def begin(config: ClientConfig) -> Connection:
        return _prepared(Connection.client(config, name, session), prepare)

    return _live(raw, config, begin, act or _asking(say), seconds)


def meet(  # noqa: PLR0913  (what a meeting consists of)
    client: ClientConfig,
    server: ServerConfig,
    change: Change = pass_on,
    *,
    session: Session | None = None,
    say: bytes = READING,
    act: Act | None = None,
    server_act: Act | None = None,
    prepare: Prepare | None = None,
    patience: float = SECONDS,
) -> Meeting:
    """Let a client meet a server through a man in the middle; both of ours, on loopback."""
    with (
        Server(server, act=server_act) as station,
        Relay(station.address, change, patience) as relay,
    ):
        meter = visit(relay.address, client, session=session, say=say, act=act, prepare=prepare)
        return Meeting(meter, station.next_visit(), relay.seen)


def meet_often(
    protocol: Protocol, changes: Iterable[Change], say: bytes = READING
) -> Iterator[Meeting]:
    """Hold a meeting for each change, some at a time: those of altered lengths end by waiting."""

    def one(change: Change) -> Meeting:
        return meet(protocol.client(), protocol.server(), change, say=say, patience=_PATIENCE)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(one, changes)


def data_number(protocol: Protocol, sender: str = CLIENT) -> int:
    """Return the number of the first record with data in what one end sends."""
    seen = meet(protocol.client(), protocol.server(), say=bytes(_LONG)).seen[sender]
    return next(n for n, record in enumerate(seen) if len(record) > _LONG)


def _prepared(connection: Connection, prepare: Prepare | None) -> Connection:
    """Alter an end before its first byte."""
    if prepare is not None:
        prepare(connection)
    return connection


def _live(
    raw: socket.socket,
    config: ClientConfig | ServerConfig,
    begin: Callable[[Any], Connection],
    act: Act,
    seconds: float,
) -> Visit:
    """Shake hands, then act."""
    warnings: list[int] = []

    def note(direction: str, content_type: int, raw: bytes) -> None:
        if direction == RECEIVED and content_type == ALERT and raw[0] == LEVEL_WARNING:
            warnings.append(raw[1])

    connection = begin(replace(config, observer=note))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.settimeout(seconds)
    session, data, error = None, bytearray(), None
    with SecureSocket(raw, connection) as it:
        try:
            session = it.handshake(seconds)
            act(it, data)
        except (MeterSealError, OSError) as caught:
            error = caught
        return Visit(session, bytes(data), error, it.resumable, tuple(warnings))


def _asking(say: bytes) -> Act:
    """Send something and wait for as much to come back."""

    def act(it: SecureSocket, data: bytearray) -> None:
        it.sendall(say)
        while len(data) < len(say) and (part := it.recv()):
            data += part

    return act


def echo(it: SecureSocket, data: bytearray) -> None:
    """Send back whatever comes, until the end."""
    while part := it.recv():
        data += part
        it.sendall(part)

"""A secure connection without I/O: bytes in, bytes out.

    connection = Connection.client(config, server_name="station.example")
    transport.send(connection.data_to_send())
    events = connection.receive_data(transport.receive())
    data = connection.read()

This is the only place that turns an error into an alert. After an error the object answers every
call with the same error; what is left in `data_to_send` (the alert) may still be sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.errors import (
    AlertDescription,
    AlertReceived,
    ConnectionEnded,
    InternalError,
    KeyExhausted,
    MeterSealError,
    PeerError,
    Truncated,
    UsageError,
)
from meterseal.transport.codepoints import LEVEL_FATAL, TLCP
from meterseal.transport.config import versions
from meterseal.transport.driver import FIRST_VERSION, Driver
from meterseal.transport.events import HandshakeCompleted, SessionReceived
from meterseal.transport.negotiate import client_flow, server_flow

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from meterseal.transport.config import ClientConfig, ServerConfig
    from meterseal.transport.events import Event
    from meterseal.transport.flow import Flow
    from meterseal.transport.session import Session

    T = TypeVar("T")

_SILENT = (AlertReceived, Truncated)  # the peer is gone or has said its last word


class Connection:
    """One secure connection, as a client or as a server."""

    def __init__(
        self,
        driver: Driver,
        flow: Callable[[Driver], Flow[None]],
        forget: Callable[[Session], None],
    ) -> None:
        self._driver = driver
        self._error: MeterSealError | None = None
        self._forget = forget
        self._established: HandshakeCompleted | None = None
        self._session: Session | None = None
        self._guarded(lambda: driver.start(flow(driver)))

    @classmethod
    def client(
        cls, config: ClientConfig, server_name: str | None, session: Session | None = None
    ) -> Connection:
        """Connect to `server_name`; `session` is one that an earlier connection ended with.

        Raises `UsageError` if there is no name to check and `config.check_name` is on.
        """
        if config.check_name and not server_name:
            raise UsageError("a server name is needed to check the server's certificate")
        first_version = TLCP if TLCP in versions(config) else FIRST_VERSION
        driver = Driver(
            config.limits,
            is_client=True,
            first_version=first_version,
            observer=config.observer,
        )
        return cls(driver, lambda d: client_flow(d, config, server_name, session), _nothing)

    @classmethod
    def server(cls, config: ServerConfig) -> Connection:
        """Serve one client."""
        driver = Driver(config.limits, is_client=False, observer=config.observer)

        def forget(session: Session) -> None:
            if config.session_cache is not None:
                config.session_cache.remove(session.session_id)

        return cls(driver, lambda d: server_flow(d, config), forget)

    @property
    def is_established(self) -> bool:
        """Whether the handshake is complete."""
        return self._driver.is_established

    @property
    def established(self) -> HandshakeCompleted | None:
        """What the handshake settled, once it is complete."""
        return self._established

    @property
    def session(self) -> Session | None:
        """The newest session that a later connection to this server may offer."""
        return self._session

    @property
    def is_peer_closed(self) -> bool:
        """Whether the peer has said close_notify."""
        return self._driver.close_received

    def receive_data(self, data: bytes) -> list[Event]:
        """Take bytes from the peer; empty bytes mean that the stream has ended.

        Returns what happened; application data waits for `read`. Raises `PeerError` for an offence
        of the peer (the alert is then in `data_to_send`), `AlertReceived` for its fatal alert and
        `Truncated` for an end without close_notify.
        """
        if data:
            self._guarded(lambda: self._driver.receive_data(data))
        else:
            self._guarded(self._driver.receive_end)
        return self._take_events()

    def read(self) -> bytes:
        """Return the application data received so far, empty if there is none."""
        return self._driver.take_data()

    def send_data(self, data: bytes) -> None:
        """Queue application data; raises `ConnectionEnded` before and after the session."""
        if self._error is None and self._driver.close_sent:
            raise ConnectionEnded("the session is closed: nothing more can be sent")
        self._guarded(lambda: self._driver.send_data(data))

    def update_keys(self, *, request_peer: bool = False) -> None:
        """Change our write keys, and have the peer change its own if asked (RFC 8446, 4.6.3).

        Raises `UsageError` unless a session of TLS 1.3 is established.
        """
        if not self._driver.can_update_keys:
            raise UsageError("only an established session of TLS 1.3 changes its keys")
        self._guarded(lambda: self._driver.update_write_keys(request_peer=request_peer))

    def export_keying_material(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """Return `length` bytes that both ends can derive and nobody else (RFC 5705).

        TLS 1.2 alone tells no context from an empty one. Raises `UsageError` unless a session of
        TLS 1.3, or of TLS 1.2 with an extended master secret, is established.
        """
        if self._driver.export is None or not self._driver.is_established:
            raise UsageError("no session of TLS 1.3, or of TLS 1.2 with an extended master secret")
        return self._driver.export(label, context, length)

    def data_to_send(self) -> bytes:
        """Return the bytes for the peer; they are handed out once."""
        return self._driver.take_output()

    @property
    def has_output(self) -> bool:
        """Whether `data_to_send` would return anything."""
        return self._driver.has_output

    def take_rest(self) -> bytes:
        """Return the bytes that came after the peer's close_notify; they are handed out once."""
        return self._driver.take_rest()

    def close(self) -> None:
        """Queue close_notify; a session that failed or is closed already stays as it is."""
        if self._error is None:
            self._guarded(self._driver.close)

    def _take_events(self) -> list[Event]:
        events = self._driver.events
        if not events:
            return []
        self._driver.events = []
        for event in events:
            if isinstance(event, HandshakeCompleted):
                self._established = event
                self._session = event.session
            elif isinstance(event, SessionReceived):
                self._session = event.session
        return events

    def _guarded(self, step: Callable[[], T]) -> T:
        if self._error is not None:
            raise self._error
        try:
            return step()
        except ConnectionEnded:
            raise
        except MeterSealError as error:
            self._fail(error)
            raise
        except Exception as error:
            failure = InternalError("a defect of meterseal ended the session")
            self._fail(failure)
            raise failure from error

    def _fail(self, error: MeterSealError) -> None:
        self._error = error
        self._forget_session()
        if not isinstance(error, _SILENT):
            self._send_failure(_alert(error))

    def _forget_session(self) -> None:
        """A session that ended in a fatal error is not resumed (RFC 5246, 7.2.2).

        One whose stream was merely cut may be: so says 7.2.1.
        """
        self._take_events()
        if isinstance(self._error, Truncated):
            return
        if self._established and self._established.session:
            self._forget(self._established.session)

    def _send_failure(self, alert: AlertDescription) -> None:
        try:
            self._driver.send_alert(LEVEL_FATAL, alert)
        except KeyExhausted:  # the key that would protect the alert is used up
            return
        self._driver.close_sent = True


def _alert(error: MeterSealError) -> AlertDescription:
    return error.description if isinstance(error, PeerError) else AlertDescription.INTERNAL_ERROR


def _nothing(session: Session) -> None:
    """A client's session is a value in its owner's hands."""

"""The driver: runs one handshake flow and carries the session after it, without I/O.

It enforces what no flow should have to think of: the type is one that the flow waits for; the
message is whole and fully consumed; no bytes of an old epoch remain when the read keys change;
alerts, closure, renegotiation; limits on size and count. It raises; turning an error into an alert
is the connection's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meterseal.crypto.sm2 import DEFAULT_ID
from meterseal.errors import (
    AlertReceived,
    ConnectionEnded,
    DecodeError,
    DecryptionFailed,
    InternalError,
    NoRenegotiation,
    RecordOverflow,
    Truncated,
    UnexpectedMessage,
)
from meterseal.transport.channel import Channel
from meterseal.transport.codepoints import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    LEVEL_FATAL,
    LEVEL_WARNING,
    HandshakeType,
)
from meterseal.transport.events import RECEIVED, SENT, PeerClosed, WarningReceived
from meterseal.transport.flow import Decrypt, Receive, Sign
from meterseal.transport.messages import ChangeCipherSpec, HelloRequest, KeyUpdate
from meterseal.transport.transcript import Transcript
from meterseal.transport.wire import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from meterseal.crypto.provider import (
        Opener,
        Sealer,
        Tls13Opener,
        Tls13Sealer,
    )
    from meterseal.transport.config import Limits
    from meterseal.transport.events import Event, Observer
    from meterseal.transport.flow import Answer, Flow
    from meterseal.transport.messages import Message

_MESSAGE_HEADER: Final = 4
_CLOSE_NOTIFY: Final = 0
_USER_CANCELED: Final = 90
FIRST_VERSION: Final = 0x0301  # of a TLS client's first record: old servers choke on more
_NO_RENEGOTIATION: Final = 100


class Driver:
    """One end of one session: records in, records out, and the flow between them."""

    def __init__(
        self,
        limits: Limits,
        *,
        is_client: bool,
        first_version: int = FIRST_VERSION,
        observer: Observer | None = None,
    ) -> None:
        self.transcript = Transcript()
        self.events: list[Event] = []
        self.is_established = False
        self.close_received = False
        self.close_sent = False
        self.export: Callable[[bytes, bytes | None, int], bytes] | None = None
        self._limits = limits
        self._observe = observer or _see_nothing
        self._is_client = is_client
        self._flow: Flow[None] | None = None
        self._kinds: tuple[type[Message], ...] = ()
        self._channel = Channel(first_version)
        self._messages = bytearray()
        self._plaintext: list[bytes] = []
        self._drops_ccs = False
        self._dropped_ccs = 0
        self._warnings = 0
        self._empty_records = 0
        self._key_updates = 0
        self._tickets = 0

    # --- for the flow --------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Queue one handshake message and count it into the transcript."""
        self.send_encoded(encode_message(message))

    def send_encoded(self, raw: bytes) -> None:
        """Queue one handshake message that is encoded already, with its header.

        While the handshake runs it is our turn only when the peer's flight has ended.
        """
        if not self.is_established:
            self._require_message_boundary("when it is our turn")
        self.transcript.add(raw)
        self._observe(SENT, HANDSHAKE, raw)
        self._channel.write(HANDSHAKE, raw)

    def agree_version(self, version: int) -> None:
        """Every record from now on follows `version`, in both directions."""
        self._channel.agree_version(version)
        self._drops_ccs = self._channel.is_tls13

    def change_write_keys(self, sealer: Sealer) -> None:
        """Say ChangeCipherSpec; everything written afterwards is protected."""
        self.send_change_cipher_spec()
        self._channel.seal_with(sealer)

    def change_read_keys(self, opener: Opener) -> None:
        """Everything read from now on must be protected."""
        self._require_message_boundary("when the keys change")
        self._channel.open_with(opener)

    # --- for a flow of TLS 1.3 -----------------------------------------------------------

    def send_change_cipher_spec(self) -> None:
        """Say ChangeCipherSpec: under TLS 1.3 for middleboxes alone (RFC 8446, D.4)."""
        self._observe(SENT, CHANGE_CIPHER_SPEC, b"\x01")
        self._channel.write(CHANGE_CIPHER_SPEC, ChangeCipherSpec().encode())

    def protect_writing(self, sealer: Tls13Sealer) -> None:
        """Everything written from now on is protected."""
        self._channel.seal_with_tls13(sealer)

    def protect_reading(self, opener: Tls13Opener) -> None:
        """Everything read from now on must be protected."""
        self._require_message_boundary("when the keys change")
        self._channel.open_with_tls13(opener)

    def establish(self) -> None:
        """The handshake is over though the flow goes on."""
        self.is_established = True
        self._drops_ccs = False
        self._channel.expect_data()
        self.transcript.close()

    @property
    def can_update_keys(self) -> bool:
        """Whether a session of TLS 1.3 is established and still open for writing."""
        return self.is_established and self._channel.is_tls13 and not self.close_sent

    def update_read_keys(self) -> None:
        """Take the peer's next keys; too many of them without data in between are refused."""
        self._require_message_boundary("when the keys change")
        self._key_updates += 1
        if self._key_updates > self._limits.key_updates:
            raise UnexpectedMessage(f"more than {self._limits.key_updates} key updates")
        self._channel.update_opener()

    def count_ticket(self) -> None:
        """Take note of a ticket; too many of them without data in between are refused."""
        self._tickets += 1
        if self._tickets > self._limits.tickets:
            raise UnexpectedMessage(f"more than {self._limits.tickets} tickets")

    def update_write_keys(self, *, request_peer: bool) -> None:
        """Send KeyUpdate and go to our next keys (RFC 8446, 4.6.3)."""
        self.send(KeyUpdate(request_peer))
        self._channel.update_sealer()

    # --- for the connection --------------------------------------------------------------

    def start(self, flow: Flow[None]) -> None:
        """Run `flow` until it first waits."""
        self._flow = flow
        self._advance(None)

    def receive_data(self, data: bytes) -> None:
        """Take what arrived and act on every whole record in it."""
        self._channel.feed(data)
        while not self.close_received:
            record = self._channel.next()
            if record is None:
                return
            self._receive_record(*record)

    def receive_end(self) -> None:
        """Take note that the stream ended; raises `Truncated` without a close_notify before."""
        if self.close_received:
            return
        where = "after the handshake" if self.is_established else "during the handshake"
        raise Truncated(f"the stream ended {where} without close_notify")

    def send_data(self, data: bytes) -> None:
        """Queue application data."""
        if not self.is_established:
            raise ConnectionEnded("no data can be sent before the handshake is complete")
        if self._channel.is_sealer_worn:
            self.update_write_keys(request_peer=False)
        self._channel.write(APPLICATION_DATA, data)

    def send_alert(self, level: int, code: int) -> None:
        """Queue an alert."""
        self._observe(SENT, ALERT, bytes((level, code)))
        self._channel.write(ALERT, bytes((level, code)))

    def close(self) -> None:
        """Queue close_notify, once."""
        if not self.close_sent:
            self.close_sent = True
            self.send_alert(LEVEL_WARNING, _CLOSE_NOTIFY)

    def take_output(self) -> bytes:
        """Return and forget the bytes to be sent."""
        return self._channel.take_output()

    @property
    def has_output(self) -> bool:
        """Whether there are bytes to be sent."""
        return self._channel.has_output

    def take_rest(self) -> bytes:
        """Return and forget the bytes that came after the peer's close_notify."""
        return self._channel.take_rest() if self.close_received else b""

    def take_data(self) -> bytes:
        """Return and forget the application data received."""
        data = b"".join(self._plaintext)
        self._plaintext.clear()
        return data

    # --- records -------------------------------------------------------------------------

    def _receive_record(self, content_type: int, fragment: bytes) -> None:
        if content_type == APPLICATION_DATA:
            self._receive_application_data(fragment)
            return
        if not fragment:
            raise UnexpectedMessage("an empty record that carries no application data")
        if content_type == HANDSHAKE:
            self._receive_handshake(fragment)
        elif content_type == ALERT:
            self._require_message_boundary("before an alert")
            self._receive_alert(fragment)
        else:
            self._require_message_boundary("before ChangeCipherSpec")
            self._receive_change_cipher_spec(fragment)

    def _receive_application_data(self, data: bytes) -> None:
        if not self.is_established:
            raise UnexpectedMessage("application data before the end of the handshake")
        self._require_message_boundary("before application data")
        if data:
            self._empty_records = self._key_updates = self._tickets = 0
            self._plaintext.append(data)
            return
        self._empty_records += 1
        if self._empty_records > self._limits.empty_records:
            raise UnexpectedMessage(f"more than {self._limits.empty_records} empty records")

    def _receive_change_cipher_spec(self, fragment: bytes) -> None:
        self._observe(RECEIVED, CHANGE_CIPHER_SPEC, fragment)
        if self._drops_ccs and fragment == ChangeCipherSpec().encode():
            self._dropped_ccs += 1
            if self._dropped_ccs > self._limits.warnings:
                raise UnexpectedMessage(f"more than {self._limits.warnings} ChangeCipherSpecs")
            return
        if ChangeCipherSpec not in self._kinds:
            raise UnexpectedMessage(f"expected {self._expected()}, received ChangeCipherSpec")
        cursor = Cursor(fragment)
        message = ChangeCipherSpec.decode(cursor)
        cursor.finish()
        self._advance(message)

    def _receive_alert(self, fragment: bytes) -> None:
        if len(fragment) != 2:  # noqa: PLR2004  (an alert is level and description)
            raise DecodeError(f"expected an alert of 2 bytes, received {len(fragment)}")
        self._observe(RECEIVED, ALERT, fragment)
        level, code = fragment
        if code == _CLOSE_NOTIFY:
            self._receive_close()
        elif level == LEVEL_FATAL or (self._channel.is_tls13 and code != _USER_CANCELED):
            raise AlertReceived(code)  # RFC 8446, 6: the level says nothing any more
        elif level != LEVEL_WARNING:
            raise DecodeError(f"an alert of level {level}")
        else:
            self._count_nuisance()
            self.events.append(WarningReceived(code))

    def _receive_close(self) -> None:
        if not self.is_established:
            raise Truncated("the peer closed the session during the handshake")
        self.close_received = True
        self.events.append(PeerClosed())
        self.close()  # RFC 5246, 7.2.1: answered at once

    def _count_nuisance(self) -> None:
        """Warnings and HelloRequests cost us work and bring nothing: bounded."""
        self._warnings += 1
        if self._warnings > self._limits.warnings:
            raise UnexpectedMessage(f"more than {self._limits.warnings} warnings")

    # --- handshake messages --------------------------------------------------------------

    def _receive_handshake(self, fragment: bytes) -> None:
        if not self._messages and _is_one_message(fragment):  # as most senders cut them
            kind = self._begin_message(fragment[0], len(fragment) - _MESSAGE_HEADER)
            self._receive_message(kind, fragment)
            return
        self._messages += fragment
        while len(self._messages) >= _MESSAGE_HEADER:
            length = int.from_bytes(self._messages[1:_MESSAGE_HEADER], "big")
            kind = self._begin_message(self._messages[0], length)
            end = _MESSAGE_HEADER + length
            if len(self._messages) < end:
                return
            raw = bytes(self._messages[:end])
            del self._messages[:end]
            self._receive_message(kind, raw)

    def _begin_message(self, number: int, length: int) -> type[Message]:
        """Return the kind of message that `number` begins, if it may stand here, so long."""
        kind = self._awaited(number)
        limits = self._limits
        is_certificate = number == HandshakeType.CERTIFICATE
        most = limits.certificates if is_certificate else limits.handshake_message
        if length > most:
            raise RecordOverflow(f"handshake message of {length} bytes, expected at most {most}")
        return kind

    def _awaited(self, number: int) -> type[Message]:
        for kind in self._kinds:
            if number == kind.TYPE:
                return kind
        if self._is_nuisance(number):
            return HelloRequest
        if self.is_established:
            if number == HandshakeType.CLIENT_HELLO and not self._channel.is_tls13:
                raise NoRenegotiation("the client asked for a second handshake on this session")
            raise UnexpectedMessage(f"{_name(number)} after the handshake")
        raise UnexpectedMessage(f"expected {self._expected()}, received {_name(number)}")

    def _is_nuisance(self, number: int) -> bool:
        """A HelloRequest: ignored while a handshake runs (RFC 5246, 7.4.1.1)."""
        is_request = number == HandshakeType.HELLO_REQUEST
        return is_request and self._is_client and not self._channel.is_tls13

    def _receive_message(self, kind: type[Message], raw: bytes) -> None:
        self._observe(RECEIVED, HANDSHAKE, raw)
        cursor = Cursor(raw, _MESSAGE_HEADER)
        message = kind.decode(cursor)
        cursor.finish()
        if kind is HelloRequest:
            self._refuse_renegotiation()
            return
        self.transcript.add(raw)
        self._advance(message)

    def _refuse_renegotiation(self) -> None:
        self._count_nuisance()
        if self.is_established:
            self.send_alert(LEVEL_WARNING, _NO_RENEGOTIATION)

    def _require_message_boundary(self, when: str) -> None:
        if self._messages:
            raise UnexpectedMessage(f"a handshake message is begun {when}")

    # --- the flow ------------------------------------------------------------------------

    def _advance(self, answer: Answer) -> None:
        """Run the flow with what it waited for, until it waits for the peer or ends."""
        flow = self._flow
        if flow is None:
            raise InternalError("a message for a flow that has ended")
        self._kinds = ()
        try:
            request = flow.send(answer)
            while not isinstance(request, Receive):
                request = flow.send(_use_key(request))
        except StopIteration:
            self._require_message_boundary("at the end of the handshake")
            self._flow = None
            self.establish()
        else:
            self._kinds = request.kinds

    def _expected(self) -> str:
        return " or ".join(kind.__name__ for kind in self._kinds) or "nothing"


def _see_nothing(direction: str, content_type: int, raw: bytes) -> None:
    """Nobody watches."""


def encode_message(message: Message) -> bytes:
    """Return a handshake message with its header, type and length (RFC 5246, 7.4)."""
    body = message.encode()
    return (message.TYPE << 24 | len(body)).to_bytes(_MESSAGE_HEADER, "big") + body


def _is_one_message(fragment: bytes) -> bool:
    length = int.from_bytes(fragment[1:_MESSAGE_HEADER], "big")
    return len(fragment) == _MESSAGE_HEADER + length


def _use_key(request: Sign | Decrypt) -> bytes:
    if isinstance(request, Sign):
        key, content = request.key, request.content
        if request.is_digest:
            return key.sign_digest(content)
        if request.identifier == DEFAULT_ID:
            return key.sign(content)  # a key elsewhere may know no other identifier
        return key.sign(content, request.identifier)
    try:
        return request.key.decrypt(request.ciphertext)
    except DecryptionFailed:
        return b""


def _name(number: int) -> str:
    try:
        words = HandshakeType(number).name.split("_")
    except ValueError:
        return f"handshake message {number}"
    return "".join(word.capitalize() for word in words)

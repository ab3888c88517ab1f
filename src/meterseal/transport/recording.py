"""A recorded session, opened with the secrets of a key log and told message by message.

    recording = Recording(Trace(print), KeyLog.parse(text))
    recording.receive_data(SENT, bytes_of_the_client)
    recording.receive_data(RECEIVED, bytes_of_the_server)

It proves nothing: no certificate, signature or Finished is checked, only records are opened. What
cannot be opened is counted; it never raises for what is in a recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from meterseal.crypto.sm_provider import SmProvider
from meterseal.crypto.tls13 import TrafficOpener
from meterseal.errors import DecodeError, MalformedData, MeterSealError
from meterseal.transport.channel import Channel
from meterseal.transport.codepoints import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_LENGTH,
    TLS13,
    HandshakeType,
)
from meterseal.transport.events import SENT
from meterseal.transport.messages import ClientHello, ServerHello
from meterseal.transport.suites import SUITES
from meterseal.transport.wire import Cursor

if TYPE_CHECKING:
    from meterseal.crypto.provider import Opener, Provider
    from meterseal.transport.suites import CipherSuite
    from meterseal.transport.trace import Trace

__all__ = ["KeyLog", "Recording"]

_MESSAGE_HEADER: Final = 4
_MAX_MESSAGE: Final = 64 * 1024
_FIELDS: Final = 3
_EVERY_TYPE: Final = frozenset(range(CHANGE_CIPHER_SPEC, APPLICATION_DATA + 1))
_ROLES: Final = {True: "CLIENT", False: "SERVER"}


class KeyLog:
    """The secrets of sessions by their label and client random (NSS key log format)."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[str, str], bytes] = {}

    @classmethod
    def parse(cls, *texts: str) -> Self:
        """Read key logs. Raises `MalformedData` that names the line, not what stands there."""
        log = cls()
        for text in texts:
            for number, line in enumerate(text.splitlines(), 1):
                log._add(number, line)
        return log

    def _add(self, number: int, line: str) -> None:
        fields = line.split()
        if not fields or line.startswith("#"):
            return
        try:
            label, client_random, secret = fields
            self._secrets[label, client_random.lower()] = bytes.fromhex(secret)
        except ValueError:
            raise MalformedData(
                f"line {number} of the key log is not a label and two numbers in hex"
            ) from None

    def secret(self, label: str, client_random: bytes) -> bytes | None:
        """Return the secret of that name, if it is there."""
        return self._secrets.get((label, client_random.hex()))


class _Stream:
    """What one end said: its records, and the message that is not whole yet."""

    def __init__(self) -> None:
        self.channel = Channel(TLS13)
        self.messages = bytearray()
        self.sealed: frozenset[int] = frozenset()  # content types that stay closed to us
        self.is_over = False


class Recording:
    """Both streams of one session; `trace` is told what they say, the client's as sent."""

    def __init__(self, trace: Trace, key_log: KeyLog, provider: Provider | None = None) -> None:
        self._trace = trace
        self._key_log = key_log
        self._provider = provider or SmProvider()
        self._streams = {True: _Stream(), False: _Stream()}
        self._client_random = b""
        self._server_random = b""
        self._suite: CipherSuite | None = None
        self._is_tls13 = False

    def receive_data(self, direction: str, data: bytes) -> None:
        """Take bytes of the client (`SENT`) or of the server (`RECEIVED`)."""
        stream = self._streams[direction == SENT]
        if stream.is_over:
            return
        stream.channel.feed(data)
        try:
            while (record := stream.channel.next()) is not None:
                self._receive_record(direction, stream, *record)
        except MeterSealError as error:
            stream.is_over = True
            self._trace.note(direction, f"not readable from here on: {error}")

    def _receive_record(
        self, direction: str, stream: _Stream, content_type: int, content: bytes
    ) -> None:
        if content_type in stream.sealed:
            self._trace.note(direction, f"protected record of {len(content)} bytes")
        elif content_type == HANDSHAKE:
            self._receive_handshake(direction, stream, content)
        else:
            self._trace(direction, content_type, content)
            if content_type == CHANGE_CIPHER_SPEC and not self._is_tls13:
                self._enter_classic(direction, stream)

    def _receive_handshake(self, direction: str, stream: _Stream, content: bytes) -> None:
        stream.messages += content
        while len(stream.messages) >= _MESSAGE_HEADER:
            length = int.from_bytes(stream.messages[1:_MESSAGE_HEADER], "big")
            if length > _MAX_MESSAGE:
                raise DecodeError(f"handshake message of {length} bytes")
            end = _MESSAGE_HEADER + length
            if len(stream.messages) < end:
                return
            raw = bytes(stream.messages[:end])
            del stream.messages[:end]
            self._trace(direction, HANDSHAKE, raw)
            self._follow(direction, stream, raw)

    def _follow(self, direction: str, stream: _Stream, raw: bytes) -> None:
        """Change what a message changes."""
        number = raw[0]
        if number == HandshakeType.CLIENT_HELLO:
            self._client_random = ClientHello.decode(Cursor(raw, _MESSAGE_HEADER)).random
        elif number == HandshakeType.SERVER_HELLO:
            self._agree(ServerHello.decode(Cursor(raw, _MESSAGE_HEADER)))
        elif number == HandshakeType.FINISHED and self._is_tls13:
            self._enter_tls13(stream, direction == SENT, "TRAFFIC_SECRET_0")
        elif number == HandshakeType.KEY_UPDATE:
            stream.channel.update_opener()

    def _agree(self, hello: ServerHello) -> None:
        version = hello.version
        self._is_tls13 = version == TLS13
        for stream in self._streams.values():
            stream.channel.agree_version(version)
        if hello.is_retry_request:
            return
        self._server_random = hello.random
        suite = SUITES.get(hello.cipher_suite)
        self._suite = suite if suite is not None and suite.version == version else None
        if self._is_tls13:
            for is_client, stream in self._streams.items():
                self._enter_tls13(stream, is_client, "HANDSHAKE_TRAFFIC_SECRET")

    # --- keys --------------------------------------------------------------------------------

    def _enter_tls13(self, stream: _Stream, is_client: bool, stage: str) -> None:
        secret = self._key_log.secret(f"{_ROLES[is_client]}_{stage}", self._client_random)
        if secret is None or self._suite is None:
            stream.sealed = frozenset({APPLICATION_DATA})
            stream.channel.open_with_tls13(_Closed())
        else:
            stream.sealed = frozenset()
            stream.channel.open_with_tls13(TrafficOpener(self._suite.protection, secret))

    def _enter_classic(self, direction: str, stream: _Stream) -> None:
        secret = self._key_log.secret("CLIENT_RANDOM", self._client_random)
        if secret is None or self._suite is None:
            stream.sealed = _EVERY_TYPE
            stream.channel.open_with(_ClosedClassic())
        else:
            stream.channel.open_with(self._classic_opener(self._suite, secret, direction))

    def _classic_opener(self, suite: CipherSuite, secret: bytes, direction: str) -> Opener:
        master = self._provider.restore_master_secret(suite.hash_name, secret)
        randoms, reads_as_client = self._client_random + self._server_random, direction != SENT
        return self._provider.record_protection(
            suite.protection, master, randoms, suite.version, is_client=reads_as_client
        )[1]


class _ClosedClassic:
    """Stands for keys that we do not have."""

    def open(self, record: bytes, /) -> bytes:
        return record[HEADER_LENGTH:]


class _Closed:
    """Stands for keys of TLS 1.3 that we do not have."""

    def open(self, record: bytes, /) -> tuple[int, bytes]:
        return APPLICATION_DATA, record[HEADER_LENGTH:]

    def update(self) -> None:
        """Nothing changes."""

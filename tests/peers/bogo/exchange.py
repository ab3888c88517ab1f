"""One connection of a case: shake hands, check what the case expects, echo, close."""

from __future__ import annotations

import base64
import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from meterseal.errors import PeerError
from meterseal.transport.codepoints import HANDSHAKE, ExtensionType, HandshakeType
from meterseal.transport.events import RECEIVED
from meterseal.transport.extensions import decode_protocols, decode_uint16_list
from meterseal.transport.messages import (
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    ServerHello,
    ServerKeyExchange,
    Tls13CertificateRequest,
)
from meterseal.transport.wire import Cursor
from meterseal.x509 import load_certificates
from peers.bogo.options import TLS13, Options, Unimplemented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.transport import Connection, HandshakeCompleted, Session

_SIZES = (0, 1, 255, 256, 257, 16383, 16384, 16385, 32767, 32768, 32769)


class Failed(Exception):
    """An expectation of the case is not met."""


class Watcher:
    """Keeps of the hellos what cases ask about."""

    def __init__(self) -> None:
        self.was_retried = False
        self.client_hello: ClientHello | None = None
        self.group = self.signature = 0
        self.has_session_id = False
        self.peer_schemes: list[int] = []

    def __call__(self, direction: str, content_type: int, raw: bytes) -> None:
        if content_type != HANDSHAKE:
            return
        if raw[0] == HandshakeType.CLIENT_HELLO and self.client_hello is None:
            self.client_hello = ClientHello.decode(Cursor(raw, 4))
        elif raw[0] == HandshakeType.SERVER_HELLO:
            hello = ServerHello.decode(Cursor(raw, 4))
            self.was_retried |= hello.is_retry_request
            is_tls13 = ExtensionType.SUPPORTED_VERSIONS in hello.extensions
            self.has_session_id = bool(hello.session_id) and not is_tls13
        elif raw[0] == HandshakeType.CERTIFICATE_REQUEST and direction == RECEIVED:
            self.peer_schemes = _asked(raw)
        elif raw[0] == HandshakeType.SERVER_KEY_EXCHANGE:
            message = ServerKeyExchange.decode(Cursor(raw, 4))
            self.group = message.group
            if direction == RECEIVED:
                self.signature = message.algorithm
        elif raw[0] == HandshakeType.CERTIFICATE_VERIFY and direction == RECEIVED:
            self.signature = CertificateVerify.decode(Cursor(raw, 4)).algorithm

    def extension(self, number: int) -> bytes | None:
        """The body of an extension of the ClientHello."""
        return self.client_hello.extensions.get(number) if self.client_hello else None


def _asked(raw: bytes) -> list[int]:
    """The signature schemes of a CertificateRequest."""
    try:
        request = Tls13CertificateRequest.decode(Cursor(raw, 4))
        body = request.extensions[ExtensionType.SIGNATURE_ALGORITHMS]
    except (PeerError, KeyError):
        return list(CertificateRequest.decode(Cursor(raw, 4)).supported_signature_algorithms)
    return list(decode_uint16_list(body))


class Exchange:
    """One connection: shake hands, check, echo every byte inverted, close."""

    def __init__(
        self,
        peer: socket.socket,
        connection: Connection,
        options: Options,
        watcher: Watcher,
    ) -> None:
        self.peer, self.connection, self.options = peer, connection, options
        self.watcher = watcher
        self.is_over = False

    def run(self) -> Session | None:
        """Run to the end; return the session that the next connection may offer."""
        while self.connection.established is None:
            self._receive()
        self._flush()
        self._check()
        self._write_first()
        if not self.options.shim_shuts_down:
            self._echo()
        self._check_session()
        session = self.connection.session
        self._close()
        return session

    def leave(self) -> None:
        """Send what is left and wait until the runner has read it."""
        try:
            self._flush()
            self.peer.shutdown(socket.SHUT_WR)
            while self.peer.recv(1 << 16):
                pass
        except OSError:
            return

    # --- data ----------------------------------------------------------------------------

    def _receive(self) -> None:
        self._flush()
        data = self.peer.recv(1 << 16)
        is_end = not data
        if is_end and self.connection.established and not self.options.check_close_notify:
            self.is_over = True
            return
        step = 1 if self.options.asynchronous and data else max(len(data), 1)
        for start in range(0, max(len(data), 1), step):
            self.connection.receive_data(data[start : start + step])

    def _flush(self) -> None:
        if data := self.connection.data_to_send():
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.peer.sendall(data)

    def _write(self, data: bytes) -> None:
        self.connection.send_data(data)
        self._flush()

    def _write_first(self) -> None:
        options = self.options
        if options.export_keying_material:
            self._write(self._export())
        if options.write_different_record_sizes:
            for size in _SIZES:
                self._write(b"\x42" * size)
        elif options.shim_writes_first:
            for _ in range(options.repeat_shim_initial_write):
                self._write(options.shim_initial_write.encode("latin-1"))

    def _export(self) -> bytes:
        options = self.options
        label = _raw(options.export_label)
        context = _raw(options.export_context) if options.use_export_context else None
        return self.connection.export_keying_material(
            label, context, options.export_keying_material
        )

    def _echo(self) -> None:
        while True:
            if self.options.key_update_before_read:
                self._update_keys()
            while data := self.connection.read():
                for start in range(0, len(data), self.options.read_size):
                    self._answer(data[start : start + self.options.read_size])
            if self.is_over or self.connection.is_peer_closed:
                return
            self._receive()

    def _answer(self, part: bytes) -> None:
        if self.options.key_update:
            self._update_keys()
        if not self.connection.is_peer_closed:
            self._write(bytes(byte ^ 0xFF for byte in part))

    def _update_keys(self) -> None:
        self.connection.update_keys()
        self._flush()

    def _close(self) -> None:
        self.connection.close()
        self._flush()
        if self.options.shim_shuts_down and self.options.check_close_notify:
            while not self.connection.is_peer_closed:
                self._receive()

    # --- expectations --------------------------------------------------------------------

    def _check(self) -> None:
        for what, expected, found in self._expectations():
            if expected != found:
                raise Failed(f"{what}: expected {expected!r}, found {found!r}")

    def _expectations(self) -> Iterator[tuple[str, object, object]]:
        """What, what the case expects of it, what it is; expectations not set are not met here."""
        options, established = self.options, self.connection.established
        if established is None:
            raise Failed("not established")
        should_resume = options.is_resumption and not options.expect_session_miss
        yield "resumed", should_resume, established.resumed
        asks = options.expect_session_id or options.expect_no_session_id
        if asks and not established.resumed:  # then the client's is echoed (RFC 5077, 3.4)
            yield "session identifier", options.expect_session_id, self.watcher.has_session_id
        if options.expect_early_data_reason not in {"", "disabled"}:
            raise Unimplemented("0-RTT is absent on purpose")
        protocol = options.select_alpn if options.server else options.expect_alpn
        yield "protocol", protocol or None, established.application_protocol
        if options.expect_no_peer_cert:
            yield "peer", None, established.peer
        elif not options.server or options.require_any_client_certificate:
            yield "has a peer", True, established.peer is not None
        if options.expect_no_server_name:
            yield "server name", None, established.server_name
        if options.expect_hrr or options.expect_no_hrr:
            yield "retried", options.expect_hrr, self.watcher.was_retried
        yield from ((what, *pair) for what, pair in self._values(established).items() if pair[0])

    def _values(self, established: HandshakeCompleted) -> dict[str, tuple[object, object]]:
        options, watcher = self.options, self.watcher
        advertised = watcher.extension(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)
        suite = options.expect_cipher or options.expect_cipher_aes
        expected_signature = options.expect_peer_signature_algorithm
        expected_response = b""
        if not established.resumed:  # then no certificate is shown, and no response with it
            expected_response = base64.b64decode(options.expect_ocsp_response)
        schemes, shown = watcher.peer_schemes, b""
        if options.expect_peer_cert_file and established.peer is not None:
            shown = b"".join(certificate.encode() for certificate in established.peer.chain[:-1])
        if options.server:
            body = watcher.extension(ExtensionType.SIGNATURE_ALGORITHMS)
            schemes = list(decode_uint16_list(body)) if body else []
        return {
            "the peer's chain": (_load_chain(options.expect_peer_cert_file), shown),
            "the peer's schemes": (options.expect_peer_verify_pref, schemes),
            "OCSP response": (expected_response, established.ocsp_response),
            "version": (options.expect_version, established.suite.version),
            "server name": (options.expect_server_name, established.server_name),
            "extended master secret": (
                options.expect_extended_master_secret,
                established.extended_master_secret,
            ),
            "group": (
                options.expect_curve_id,
                established.group
                or watcher.group
                or (established.resumed and options.expect_curve_id),
            ),
            "suite": (suite, established.suite.code),
            "signature": (
                expected_signature,
                watcher.signature or (established.resumed and expected_signature),
            ),
            "advertised protocols": (
                protocols(options.expect_advertised_alpn),
                list(decode_protocols(advertised)) if advertised else [],
            ),
            "secure renegotiation": (
                options.expect_secure_renegotiation,
                watcher.extension(ExtensionType.RENEGOTIATION_INFO) is not None,
            ),
        }

    def _check_session(self) -> None:
        """A client of TLS 1.3 has a new session in the end, unless the case says otherwise."""
        options, established = self.options, self.connection.established
        if options.server or established is None or options.shim_shuts_down:
            return
        if established.suite.version == TLS13:
            has_one = self.connection.session is not None
            if has_one == options.expect_no_session:
                raise Failed(f"a new session: {has_one}, expected the opposite")


def _load_chain(path: str) -> bytes:
    if not path:
        return b""
    chain = load_certificates(Path(path).read_bytes())
    return b"".join(certificate.encode() for certificate in chain)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def protocols(encoded: str) -> list[str]:
    data = _raw(encoded)
    names = []
    while data:
        names.append(data[1 : 1 + data[0]].decode("latin-1"))
        data = data[1 + data[0] :]
    return names

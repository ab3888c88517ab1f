"""One case of BoringSSL's test runner: connect to it, and be the end that it tests.

The shim drives a `Connection` as any owner would; the engine under it is the package's, unchanged.
One rule is lifted: the runner's end entities have an empty subject beside an alternative name that
is not critical, which RFC 5280, 4.1.2.6 forbids and we refuse.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cryptography import x509 as reference
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import meterseal.x509.verify as verification
from meterseal.errors import CertificateRejected, MeterSealError, PeerError
from meterseal.transport import (
    ClientAuthentication,
    ClientConfig,
    Connection,
    Credential,
    ServerConfig,
    SessionCache,
    TicketKeys,
)
from meterseal.transport.codepoints import HANDSHAKE, ExtensionType, HandshakeType
from meterseal.transport.extensions import decode_protocols
from meterseal.transport.messages import ClientHello, ServerHello
from meterseal.transport.wire import Cursor
from meterseal.x509 import TrustStore, load_certificates
from peers.bogo.options import TLS12, TLS13, Options, Unimplemented, parse
from support.nist import EcdsaSigner
from support.nist.families import ECDSA, GROUPS, P256, P384, RSA, X25519, RsaSigner, RunnerProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meterseal.transport import HandshakeCompleted, Session
    from meterseal.transport.algorithms import Algorithms
    from support.nist.families import Family

UNIMPLEMENTED = 89
_PATIENCE = 30
_SIZES = (0, 1, 255, 256, 257, 16383, 16384, 16385, 32767, 32768, 32769)


class Failed(Exception):
    """An expectation of the case is not met."""


def run(arguments: list[str], errors: TextIO) -> int:
    """Serve one case and return the exit code; `errors` takes what the runner reads."""
    try:
        Shim(arguments).run()
    except Unimplemented as reason:
        print(f"unimplemented: {reason}", file=errors)
        return UNIMPLEMENTED
    except PeerError as error:
        name = type(error).__name__
        print(f":{name}: alert {error.description.name.lower()}: {error}", file=errors)
        return 1
    except MeterSealError as error:
        print(f":{type(error).__name__}: {error}", file=errors)
        return 1
    except Failed as error:
        print(error, file=errors)
        return 1
    except Exception:  # noqa: BLE001  (the runner shows what we print)
        traceback.print_exc(file=errors)
        return 1
    return 0


class Shim:
    """The connections of one case, and what lives across them."""

    def __init__(self, arguments: list[str]) -> None:
        first = parse(arguments, 0)
        self.plans = [parse(arguments, number) for number in range(first.resume_count + 1)]
        self.provider = RunnerProvider()
        self.cache = SessionCache()
        self.tickets: TicketKeys | None = None
        self.session: Session | None = None

    def run(self) -> None:
        """Make one connection after the other."""
        for options in self.plans:
            if options.is_resumption and not options.server and self.session is None:
                raise Failed("No session to offer.")
            self._connect(options)
            self.provider.delay += options.resumption_delay

    def _connect(self, options: Options) -> None:
        family = _family(options)
        groups = _groups(options)
        first = P256 if options.server and P256 in groups else groups[0]
        algorithms = family.with_group(first)
        watcher = Watcher()
        connection = self._connection(options, algorithms, watcher)
        address = "::1" if options.ipv6 else "127.0.0.1"
        with socket.create_connection((address, options.port), timeout=_PATIENCE) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(options.shim_id.to_bytes(8, "little"))
            exchange = Exchange(peer, connection, options, watcher, algorithms)
            try:
                self.session = exchange.run()
            finally:
                exchange.leave()

    def _connection(self, options: Options, algorithms: Algorithms, watcher: Watcher) -> Connection:
        common = {
            "provider": self.provider,
            "algorithms": algorithms,
            "suites": _suites(options, algorithms),
            "groups": _groups(options),
            "credential": _credential(options, algorithms),
            "trust": _trust(options),
            "observer": watcher,
        }
        if options.server:
            return Connection.server(self._server_config(options, algorithms, common))
        protocols = tuple(_protocols(options.advertise_alpn))
        config = ClientConfig(
            **common,  # type: ignore[arg-type]
            check_name=False,
            key_shares=_key_shares(options),
            offer_tickets=not options.no_ticket,
            request_ocsp=options.enable_ocsp_stapling,
            require_secure_renegotiation=options.no_legacy_server_connect,
            application_protocols=protocols,
        )
        return Connection.client(config, options.host_name or None, self.session)

    def _server_config(
        self, options: Options, algorithms: Algorithms, common: dict[str, object]
    ) -> ServerConfig:
        if common["credential"] is None:
            raise Unimplemented("a server without a certificate is absent")
        asked = ClientAuthentication.NONE
        if options.require_any_client_certificate:
            asked = ClientAuthentication.REQUIRED
        elif options.verify_peer:
            asked = ClientAuthentication.OPTIONAL
        if self.tickets is None:
            self.tickets = TicketKeys(self.provider, suites=algorithms.suites)
        protocols = (options.select_alpn,) if options.select_alpn else ()
        if options.reject_alpn:
            protocols = ("a protocol that nobody offers",)
        return ServerConfig(
            **common,  # type: ignore[arg-type]
            client_authentication=asked,
            session_cache=self.cache,
            ticket_keys=None if options.no_ticket else self.tickets,
            application_protocols=protocols,
        )


class Watcher:
    """Keeps of the hellos what cases ask about."""

    def __init__(self) -> None:
        self.was_retried = False
        self.client_hello: ClientHello | None = None

    def __call__(self, _direction: str, content_type: int, raw: bytes) -> None:
        if content_type != HANDSHAKE:
            return
        if raw[0] == HandshakeType.CLIENT_HELLO and self.client_hello is None:
            self.client_hello = ClientHello.decode(Cursor(raw, 4))
        elif raw[0] == HandshakeType.SERVER_HELLO:
            self.was_retried |= ServerHello.decode(Cursor(raw, 4)).is_retry_request

    def extension(self, number: int) -> bytes | None:
        """The body of an extension of the ClientHello."""
        return self.client_hello.extensions.get(number) if self.client_hello else None


class Exchange:
    """One connection: shake hands, check, echo every byte inverted, close."""

    def __init__(
        self,
        peer: socket.socket,
        connection: Connection,
        options: Options,
        watcher: Watcher,
        algorithms: Algorithms,
    ) -> None:
        self.peer, self.connection, self.options = peer, connection, options
        self.watcher, self.algorithms = watcher, algorithms
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
        options, established = self.options, self.connection.established
        if established is None or established.suite.version != TLS13:
            raise Unimplemented("keys are exported from TLS 1.3 alone")
        label, context = _raw(options.export_label), _raw(options.export_context)
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
        expected_response = b""
        if not established.resumed:  # then no certificate is shown, and no response with it
            expected_response = base64.b64decode(options.expect_ocsp_response)
        return {
            "OCSP response": (expected_response, established.ocsp_response),
            "version": (options.expect_version, established.suite.version),
            "server name": (options.expect_server_name, established.server_name),
            "extended master secret": (
                options.expect_extended_master_secret,
                established.extended_master_secret,
            ),
            "group": (
                options.expect_curve_id,
                established.group or self.algorithms.group_tls12.code,
            ),
            "suite": (suite, established.suite.code),
            "signature": (
                options.expect_peer_signature_algorithm,
                self.algorithms.signature_tls13.code,
            ),
            "advertised protocols": (
                _protocols(options.expect_advertised_alpn),
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


# --- from flags to configurations --------------------------------------------------------


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _protocols(encoded: str) -> list[str]:
    data = _raw(encoded)
    names = []
    while data:
        names.append(data[1 : 1 + data[0]].decode("latin-1"))
        data = data[1 + data[0] :]
    return names


def _family(options: Options) -> Family:
    """One family signs with one kind of key: that of our certificate and of those we verify."""
    needed = []
    if options.cert_file:
        needed.append(_kind(_load_key(options).public_key()))
    if options.trust_cert and (not options.server or _asks_for_certificate(options)):
        needed.append(_kind(_load_root(options).public_key()))
    if len({id(family) for family in needed}) > 1:
        raise Unimplemented("both ends of a family sign with one kind of key")
    family = needed[0] if needed else RSA
    scheme = family.algorithms.signature_tls13.code
    for preferences in (options.verify_prefs, options.signing_prefs):
        if preferences and preferences != [scheme]:
            raise Unimplemented("a family has one signature scheme")
    return family


def _asks_for_certificate(options: Options) -> bool:
    return options.verify_peer or options.require_any_client_certificate


def _kind(key: object) -> Family:
    if isinstance(key, rsa.RSAPublicKey):
        return RSA
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return ECDSA
    raise Unimplemented("keys are RSA or on P-256")


def _load_key(options: Options) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        data = Path(options.key_file).read_bytes()
        key = serialization.load_pem_private_key(data, None)
    except ValueError:
        raise Unimplemented("keys are RSA or on P-256") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Unimplemented("keys are RSA or on P-256")
    return key


def _load_root(options: Options) -> reference.Certificate:
    return reference.load_pem_x509_certificate(Path(options.trust_cert).read_bytes())


def _credential(options: Options, algorithms: Algorithms) -> Credential | None:
    if not options.cert_file:
        return None
    key = _load_key(options)
    signer = RsaSigner(key) if isinstance(key, rsa.RSAPrivateKey) else EcdsaSigner(key)
    chain = load_certificates(Path(options.cert_file).read_bytes())
    response = None
    if options.ocsp_response and not options.decline_ocsp_callback:
        response = base64.b64decode(options.ocsp_response)
    return Credential(tuple(chain), signer, scheme=algorithms.certificates, ocsp_response=response)


def _trust(options: Options) -> TrustStore:
    if options.verify_fail:
        if options.is_resumption and not options.reverify_on_resume:
            raise Unimplemented("who is resumed is always verified again")
        return TrustStore([])
    if not options.trust_cert:
        return TrustStore([])
    return TrustStore.load(Path(options.trust_cert).read_bytes())


def _suites(options: Options, algorithms: Algorithms) -> tuple[object, ...]:
    versions = {
        version
        for version, is_off in ((TLS13, options.no_tls13), (TLS12, options.no_tls12))
        if not is_off and options.min_version <= version <= options.max_version
    }
    suites = tuple(suite for suite in algorithms.suites.values() if suite.version in versions)
    if not suites:
        raise Unimplemented("versions before TLS 1.2 are absent")
    return suites


def _groups(options: Options) -> tuple[int, ...]:
    groups = tuple(options.curves) or (X25519, P256, P384)
    if not set(groups) <= set(GROUPS):
        raise Unimplemented("groups are X25519 and those of NIST")
    return groups


def _key_shares(options: Options) -> tuple[int, ...]:
    if options.no_key_shares:
        return ()
    return tuple(options.key_shares) or _groups(options)[:1]


# --- the one rule that is lifted ---------------------------------------------------------

_require_form = verification.require_form


def _allow_empty_subject(certificate: object) -> None:
    try:
        _require_form(certificate)  # type: ignore[arg-type]
    except CertificateRejected as error:
        if not error.detail.startswith("its subject is empty"):
            raise


verification.require_form = _allow_empty_subject  # type: ignore[assignment]

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], sys.stderr))

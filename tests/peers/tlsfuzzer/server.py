"""A server of ordinary TLS for scripts that come as clients: our engine, RSA, X25519 and NIST.

It answers every request, once it is whole, by itself: scripts expect some bytes, or as many as they
sent.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from meterseal.errors import MeterSealError
from meterseal.transport import (
    Connection,
    Credential,
    ServerConfig,
    SessionCache,
    TicketKeys,
)
from meterseal.x509 import Certificate
from support.nist.families import RunnerProvider, family
from support.nist.groups import MLKEM1024, P256, P384, P521, X25519, X25519MLKEM768
from support.nist.signing import AnyScheme, AnySigner

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30
_SCHEMES = (0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201)  # RSA: PSS, then PKCS #1
_GROUPS = (P256, X25519, P384, P521, X25519MLKEM768, MLKEM1024)


@cache
def credential() -> Credential:
    """A self-signed certificate for localhost."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    ours = Certificate.decode(made.public_bytes(Encoding.DER))
    return Credential((ours,), AnySigner(key), scheme=AnyScheme())


def configuration() -> ServerConfig:
    """TLS 1.3 and 1.2, with sessions that may be resumed."""
    algorithms, provider = family(_SCHEMES, _GROUPS), RunnerProvider()
    return ServerConfig(
        credential=credential(),
        suites=tuple(algorithms.suites.values()),
        groups=_GROUPS,
        algorithms=algorithms,
        provider=provider,
        session_cache=SessionCache(),
        application_protocols=("http/1.1", "h2"),
        ticket_keys=TicketKeys(provider, suites=algorithms.suites),
    )


@contextmanager
def serving(config: ServerConfig) -> Iterator[int]:
    """Serve on a free port of localhost, which is given out."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(PATIENCE)
            _serve(self.request, Connection.server(config))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _serve(peer: socket.socket, connection: Connection) -> None:
    with contextlib.suppress(OSError):
        try:
            _echo(peer, connection)
        except MeterSealError:
            peer.sendall(connection.data_to_send())
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(1 << 16):
            pass


def _echo(peer: socket.socket, connection: Connection) -> None:
    request = b""
    while not connection.is_peer_closed:
        connection.receive_data(peer.recv(1 << 16))
        request += connection.read()
        is_whole = request.endswith(b"\n") or not b"GET".startswith(request[:3])
        if request and is_whole and not connection.is_peer_closed:
            connection.send_data(request)
            request = b""
        peer.sendall(connection.data_to_send())

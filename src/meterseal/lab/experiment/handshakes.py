"""Whole handshakes on sockets of loopback, from the connection to the first answer.

First the schemes, all in one plain protocol, so that they alone differ: both ends sign, agree on a
key, and 64 bytes go there and back. Then protocols as they are used: ours, whose messages Python
handles, and those of OpenSSL, which are compiled throughout.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from meterseal.lab.experiment.schemes import SCHEMES, Scheme
from meterseal.lab.experiment.timing import Spread, spread
from meterseal.net.context import Purpose, create_default_context

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.net.facade.settings import Protocol

__all__ = ["Handshake", "handshakes"]

_PING = bytes(64)
_TIMEOUT = 60.0
_LENGTH = struct.Struct(">I")
_OURS: tuple[tuple[Protocol, str], ...] = (
    ("tls12-sm", "TLS 1.2 with SM suite, meterseal"),
    ("tlcp", "TLCP 1.1, meterseal"),
    ("tls13-sm", "TLS 1.3 with SM suite, meterseal"),
)

_Act = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Handshake:
    """A whole handshake in seconds: of the clock on the wall, and of CPU for both ends together."""

    name: str
    is_protocol: bool
    wall: Spread
    work: Spread


@dataclass(frozen=True)
class _Contest:
    """One kind of handshake: what each end does with its socket."""

    name: str
    is_protocol: bool
    serve: _Act
    lead: _Act
    running: Callable[[], AbstractContextManager[None]] = nullcontext


def handshakes(pki: Path, folder: Path, rounds: int) -> list[Handshake]:
    """Lead each kind of handshake so many times, in turns; `folder` takes keys for OpenSSL."""
    contests = [*map(_of_scheme, SCHEMES), *_of_ours(pki), *_of_openssl(folder)]
    samples: dict[str, list[tuple[float, float]]] = {contest.name: [] for contest in contests}
    with ExitStack() as stack:
        doors = [(one, stack.enter_context(_serving(one.serve))) for one in contests]
        for number in range(rounds + 1):
            for contest, port in doors:
                times = _timed(contest, port)
                if number:  # the first warms up
                    samples[contest.name].append(times)
    return [_summary(contest, samples[contest.name]) for contest in contests]


def _summary(contest: _Contest, samples: list[tuple[float, float]]) -> Handshake:
    wall, work = (spread(list(times)) for times in zip(*samples, strict=True))
    return Handshake(contest.name, contest.is_protocol, wall, work)


@contextmanager
def _serving(serve: _Act) -> Iterator[int]:
    """Serve one connection after the other in a thread, until the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with accepted:
                    accepted.settimeout(_TIMEOUT)
                    serve(accepted)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(_TIMEOUT)


def _timed(contest: _Contest, port: int) -> tuple[float, float]:
    with contest.running():
        start, work = time.perf_counter(), time.process_time()
        with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            contest.lead(connection)
            return time.perf_counter() - start, time.process_time() - work


# --- schemes in the plain protocol -------------------------------------------------------------


def _of_scheme(kind: type[Scheme]) -> _Contest:
    server, client = kind(), kind()
    serve = partial(_serve_scheme, server=server, client=client)
    lead = partial(_lead_scheme, server=server, client=client)
    return _Contest(server.name, is_protocol=False, serve=serve, lead=lead, running=server.running)


def _serve_scheme(connection: socket.socket, server: Scheme, client: Scheme) -> None:
    kept, offered = server.offer()
    _write(connection, offered, server.sign(offered))
    answered, signature, sealed = _read(connection, 3)
    client.verify(offered + answered, signature)
    key = server.accept(kept, answered)
    _write(connection, server.seal(key, server.open(key, sealed)))


def _lead_scheme(connection: socket.socket, server: Scheme, client: Scheme) -> None:
    offered, signature = _read(connection, 2)
    server.verify(offered, signature)
    key, answered = client.answer(offered)
    _write(connection, answered, client.sign(offered + answered), client.seal(key, _PING))
    (sealed,) = _read(connection, 1)
    if client.open(key, sealed) != _PING:
        raise RuntimeError(f"{client.name}: another answer than expected")


def _write(connection: socket.socket, *parts: bytes) -> None:
    connection.sendall(b"".join(_LENGTH.pack(len(part)) + part for part in parts))


def _read(connection: socket.socket, count: int) -> list[bytes]:
    with connection.makefile("rb", buffering=0) as stream:
        return [_exactly(stream, *_LENGTH.unpack(_exactly(stream, 4))) for _ in range(count)]


def _exactly(stream: socket.SocketIO, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            raise ConnectionError("the other end has closed")
        data += more
    return data


# --- protocols as they are used ----------------------------------------------------------------


def _of_ours(pki: Path) -> Iterator[_Contest]:
    for protocol, name in _OURS:
        server = create_default_context(Purpose.CLIENT_AUTH, protocol=protocol)
        if protocol == "tlcp":
            keys = (pki / "server-sign.key", pki / "server-enc.key")
            server.load_cert_chain(pki / "server.pem", sign_key=keys[0], enc_key=keys[1])
        else:
            server.load_cert_chain(pki / "server-tls.pem", pki / "server-tls.key")
        client = create_default_context(protocol=protocol, cafile=pki / "root.pem")
        yield _of_contexts(name, server, client)


def _of_openssl(folder: Path) -> Iterator[_Contest]:
    certificate = _certificate(folder / "rsa.pem", rsa.generate_private_key(65537, 2048))
    yield _openssl("TLS 1.2, RSA-AES128-SHA256, OpenSSL", certificate, "AES128-SHA256")
    certificate = _certificate(folder / "ecdsa.pem", ec.generate_private_key(ec.SECP256R1()))
    suite = "ECDHE-ECDSA-AES128-GCM-SHA256"
    yield _openssl("TLS 1.2, ECDHE-ECDSA-AES128-GCM, OpenSSL", certificate, suite)
    yield _openssl("TLS 1.3, ECDSA, AES-GCM, OpenSSL", certificate, None)


def _openssl(name: str, certificate: Path, suite: str | None) -> _Contest:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificate)
    for context in (server, client):
        if suite is not None:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(suite)
    return _of_contexts(name, server, client)


def _of_contexts(name: str, server: ssl.SSLContext, client: ssl.SSLContext) -> _Contest:
    def serve(connection: socket.socket) -> None:
        with server.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(secure.recv(len(_PING)))

    def lead(connection: socket.socket) -> None:
        with client.wrap_socket(connection, server_hostname="localhost") as secure:
            secure.sendall(_PING)
            if secure.recv(len(_PING)) != _PING:
                raise RuntimeError(f"{name}: another answer than expected")

    return _Contest(name, is_protocol=True, serve=serve, lead=lead)


def _certificate(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    """Write a key and its certificate, signed by itself, for one day."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(pem, form, secret) + certificate.public_bytes(pem))
    return path

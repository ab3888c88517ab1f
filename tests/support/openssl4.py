"""OpenSSL 4, as the wheel of `cryptography` carries it, as a TLS 1.3 peer in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from OpenSSL import SSL

from meterseal.x509 import dump_private_key
from support.identities import world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meterseal.transport import Connection, Credential


def write(folder: Path, name: str, credential: Credential) -> None:
    """A chain and its key in the files that OpenSSL reads."""
    chain = "".join(certificate.to_pem() for certificate in credential.chain)
    (folder / f"{name}.pem").write_text(chain)
    (folder / f"{name}.key").write_bytes(dump_private_key(credential.key))  # type: ignore[arg-type]


class OpenSsl4:
    """One end. By default it offers every group it knows, and shares for none of ours."""

    def __init__(
        self,
        folder: Path,
        *,
        is_server: bool,
        suite: str = "TLS_SM4_GCM_SM3",
        asks: bool = False,
        credential: Credential | None = None,
        server_name: str = "station.example",
        protocols: tuple[bytes, ...] = (),
        session: SSL.Session | None = None,
        context: SSL.Context | None = None,
        prepare: Callable[[SSL.Context], None] | None = None,
    ) -> None:
        self.context = context or _context(folder, is_server, suite, asks, credential, protocols)
        if prepare is not None:
            prepare(self.context)  # after its first connection it takes no change
        self.connection = SSL.Connection(self.context, None)
        if is_server:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
            self.connection.set_tlsext_host_name(server_name.encode())
            if session is not None:
                self.connection.set_session(session)
        self.is_done = False
        self.received = b""

    def receive_data(self, data: bytes) -> None:
        if data:
            self.connection.bio_write(data)
        if not self.is_done:
            try:
                self.connection.do_handshake()
            except SSL.WantReadError:
                return
            self.is_done = True
        while True:
            try:
                self.received += self.connection.recv(65536)
            except SSL.WantReadError:
                return

    def data_to_send(self) -> bytes:
        try:
            return self.connection.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def read(self) -> bytes:
        data, self.received = self.received, b""
        return data


def _context(  # noqa: PLR0917
    folder: Path,
    is_server: bool,
    suite: str,
    asks: bool,
    credential: Credential | None,
    protocols: tuple[bytes, ...],
) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(suite.encode())
    (folder / "ca.pem").write_text(world().root.to_pem())
    context.load_verify_locations(str(folder / "ca.pem"))
    if credential is not None:
        write(folder, "own", credential)
        context.use_certificate_chain_file(str(folder / "own.pem"))
        context.use_privatekey_file(str(folder / "own.key"))
    if is_server:
        context.set_session_id(b"meterseal")
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT if asks else SSL.VERIFY_NONE
        )
        context.set_alpn_select_callback(lambda _, names: next(iter(set(protocols) & set(names))))
    else:
        context.set_verify(SSL.VERIFY_PEER)
        if protocols:
            context.set_alpn_protos(list(protocols))
    return context


def shake(ours: Connection, theirs: OpenSsl4) -> None:
    """Carry everything to and fro until both are silent."""
    theirs.receive_data(b"")
    for _ in range(10):
        if output := theirs.data_to_send():
            ours.receive_data(output)
        if output := ours.data_to_send():
            theirs.receive_data(output)


def talk(ours: Connection, theirs: OpenSsl4) -> None:
    """Some data each way, in several sizes."""
    for size in (1, 16, 20_000):
        ours.send_data(bytes(size))
        theirs.receive_data(ours.data_to_send())
        assert theirs.read() == bytes(size)
        theirs.connection.sendall(bytes(size))
        ours.receive_data(theirs.data_to_send())
        assert ours.read() == bytes(size)

"""Python's own `ssl` module as a peer in memory, and the configurations of ours that face it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from meterseal.transport import ClientConfig, Connection, ServerConfig
from support.nist.algorithms import GROUP, NIST_ALGORITHMS, TLS13
from support.nist.identities import HOST, nist_world
from support.nist.provider import NistProvider

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.transport import Session
    from support.nist.identities import Held


def our_config(kind: type[Any], **changes: Any) -> Any:  # noqa: ANN401
    """A configuration of the NIST family; TLS 1.3 unless changed."""
    common = {
        "provider": NistProvider(),
        "algorithms": NIST_ALGORITHMS,
        "suites": (TLS13,),
        "groups": (GROUP.code,),
    }
    return kind(**{**common, **changes})


def client_config(**changes: Any) -> ClientConfig:  # noqa: ANN401
    config: ClientConfig = our_config(ClientConfig, **{"trust": nist_world().trust, **changes})
    return config


def server_config(**changes: Any) -> ServerConfig:  # noqa: ANN401
    own = {"credential": nist_world().server.credential, **changes}
    config: ServerConfig = our_config(ServerConfig, **own)
    return config


def our_client(session: Session | None = None, **changes: Any) -> Connection:  # noqa: ANN401
    return Connection.client(client_config(**changes), HOST, session)


def our_server(**changes: Any) -> Connection:  # noqa: ANN401
    return Connection.server(server_config(**changes))


def their_context(
    folder: Path,
    *,
    is_server: bool,
    held: Held | None = None,
    trust: Held | None = None,
    version: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """A context of OpenSSL's; `version` is the only one it speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    authority = (trust or nist_world().root).certificate
    context.load_verify_locations(cadata=authority.public_bytes(Encoding.DER))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if is_server and held is None:
        held = nist_world().server
    if held is not None:
        (folder / "own.pem").write_bytes(held.pem)
        context.load_cert_chain(folder / "own.pem")
    return context


class Theirs:
    """One end of OpenSSL's. `error` is how its handshake failed, if it did."""

    def __init__(
        self, context: ssl.SSLContext, *, is_server: bool, session: ssl.SSLSession | None = None
    ) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if is_server else HOST
        self.object = context.wrap_bio(self._in, self._out, is_server, name, session)
        self.is_done = False
        self.received = b""
        self.error: ssl.SSLError | None = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes and go on as far as they lead."""
        self._in.write(data)
        try:
            if not self.is_done:
                self.object.do_handshake()
                self.is_done = True
            while part := self.object.read(1 << 16):
                self.received += part
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            self.error = error

    def data_to_send(self) -> bytes:
        return self._out.read()

    def read(self) -> bytes:
        data, self.received = self.received, b""
        return data


def shake(ours: Connection, theirs: Theirs, *, step: int = 1 << 20) -> None:
    """Carry everything to and fro, `step` bytes at a time, until both are silent."""
    theirs.receive_data(b"")
    for _ in range(10):
        for chunk in _chunks(theirs.data_to_send(), step):
            ours.receive_data(chunk)
        for chunk in _chunks(ours.data_to_send(), step):
            theirs.receive_data(chunk)


def talk(ours: Connection, theirs: Theirs) -> None:
    """Some data each way, in several sizes."""
    for size in (1, 16, 40_000):
        ours.send_data(bytes(size))
        theirs.receive_data(ours.data_to_send())
        assert theirs.read() == bytes(size)
        theirs.object.write(b"m" * size)
        ours.receive_data(theirs.data_to_send())
        assert ours.read() == b"m" * size


def _chunks(data: bytes, step: int) -> list[bytes]:
    return [data[start : start + step] for start in range(0, len(data), step)]

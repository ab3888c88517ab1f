"""Both ends of a connection in this process, of meterseal and of others, for the benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from OpenSSL import SSL

from meterseal.transport import ClientAuthentication, Connection
from meterseal.x509 import dump_private_key
from support.identities import world
from support.nist.identities import nist_world
from support.openssl4 import OpenSsl4
from support.tongsuo import Tongsuo, Tongsuo13, write_pair
from support.wire import SERVER_NAME, client_config, server_config

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.transport import CipherSuite, Session

CURVE_SM2, HYBRID = 41, 4590
TLCP_NAMES = {
    0xE013: "ECC-SM2-SM4-CBC-SM3",
    0xE053: "ECC-SM2-SM4-GCM-SM3",
    0xE011: "ECDHE-SM2-SM4-CBC-SM3",
    0xE051: "ECDHE-SM2-SM4-GCM-SM3",
}


class End(Protocol):
    """One end, as the driver of a handshake wants it."""

    is_done: bool
    is_resumed: bool

    def step(self) -> None:
        """Go as far as it goes."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer."""

    def data_to_send(self) -> bytes:
        """Return bytes for the peer."""
        ...

    def write(self, data: bytes) -> None:
        """Seal application data."""

    def read(self) -> bytes:
        """Return what was opened."""
        ...


class Stack(Protocol):
    """Makes ends of one implementation under one suite."""

    name: str

    def client(self, *, resumed: bool) -> End:
        """A client; a resumed one offers the session that `keep` kept."""
        ...

    def server(self) -> End:
        """A server."""
        ...

    def keep(self, client: End) -> None:
        """Keep the session of a client that has shaken hands."""


@dataclass
class Pair:
    """Two ends that have shaken hands, and the CPU seconds of each."""

    client: End
    server: End
    seconds: tuple[float, float]


def shake_hands(stack: Stack, *, resumed: bool = False) -> Pair:
    """Make both ends and carry bytes to and fro until both are done and silent."""
    spent, ends = [0.0, 0.0], []
    for turn in (0, 1):
        start = time.thread_time()
        ends.append(stack.server() if turn else stack.client(resumed=resumed))
        spent[turn] += time.thread_time() - start
    output, turn, silent = b"", 0, 0
    while silent < 2 or not (ends[0].is_done and ends[1].is_done):
        end, start = ends[turn], time.thread_time()
        if output:
            end.receive_data(output)
        end.step()
        output = end.data_to_send()
        spent[turn] += time.thread_time() - start
        silent = 0 if output else silent + 1
        turn = 1 - turn
    return Pair(ends[0], ends[1], (spent[0], spent[1]))


# --- meterseal ------------------------------------------------------------------------------


class OurEnd:
    """A connection of ours."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.receive_data = connection.receive_data
        self.data_to_send = connection.data_to_send
        self.write = connection.send_data
        self.read = connection.read

    @property
    def is_done(self) -> bool:
        """Whether the handshake is complete."""
        return self.connection.is_established

    @property
    def is_resumed(self) -> bool:
        """Whether its handshake was an abbreviated one."""
        settled = self.connection.established
        return settled is not None and settled.resumed

    def step(self) -> None:
        """Nothing: everything happens when data comes."""


class Ours:
    """meterseal over one suite; in a mutual handshake, which those of TLCP are unless told."""

    name = "meterseal"

    def __init__(
        self, suite: CipherSuite, group: int = CURVE_SM2, *, mutual: bool | None = None
    ) -> None:
        w = world()
        if mutual is None:
            mutual = suite.code in TLCP_NAMES
        asks = ClientAuthentication.REQUIRED if mutual else ClientAuthentication.NONE
        common = {"suites": (suite,), "groups": (group,), "trust": w.trust}
        credential = w.client_pair if mutual else None
        self.client_config = client_config(credential=credential, **common)
        self.server_config = server_config(
            credential=w.server_pair, client_authentication=asks, **common
        )
        self._session: Session | None = None

    def client(self, *, resumed: bool) -> OurEnd:
        """A client."""
        session = self._session if resumed else None
        return OurEnd(Connection.client(self.client_config, SERVER_NAME, session))

    def server(self) -> OurEnd:
        """A server."""
        return OurEnd(Connection.server(self.server_config))

    def keep(self, client: OurEnd) -> None:
        """Keep the newest session."""
        self._session = client.connection.session


# --- others ---------------------------------------------------------------------------------


class OpenSslEnd(OpenSsl4):
    """An end of OpenSSL's."""

    @property
    def is_resumed(self) -> bool:
        """Whether its handshake was an abbreviated one."""
        return bool(SSL._lib.SSL_session_reused(self.connection._ssl))  # noqa: SLF001

    def step(self) -> None:
        """Shake hands as far as it goes."""
        if not self.is_done:
            self.receive_data(b"")

    def data_to_send(self) -> bytes:
        """Everything that waits."""
        return b"".join(iter(super().data_to_send, b""))

    def write(self, data: bytes) -> None:
        """Seal application data."""
        self.connection.sendall(data)


class OpenSsl:
    """OpenSSL 4 through pyOpenSSL: TLS 1.3 over one suite and one group."""

    name = "OpenSSL 4"

    def __init__(self, folder: Path, suite: str, group: str, name: str = name) -> None:
        folder.mkdir()
        self.name = name
        self._folder = folder
        self._session: SSL.Session | None = None
        root, own = _identity(is_sm="SM4" in suite)
        (folder / "ca.pem").write_bytes(root)
        (folder / "own.pem").write_bytes(own)
        self._client, self._server = (SSL.Context(SSL.TLS_METHOD) for _ in range(2))
        for context in (self._client, self._server):
            context.set_min_proto_version(SSL.TLS1_3_VERSION)
            context.set_tls13_ciphersuites(suite.encode())
            context.load_verify_locations(str(folder / "ca.pem"))
            context.set_session_id(b"benchmark")
            _require_group(context, group)
        self._server.use_certificate_chain_file(str(folder / "own.pem"))
        self._server.use_privatekey_file(str(folder / "own.pem"))
        self._client.set_verify(SSL.VERIFY_PEER)

    def client(self, *, resumed: bool) -> OpenSslEnd:
        """A client."""
        session = self._session if resumed else None
        return OpenSslEnd(self._folder, is_server=False, context=self._client, session=session)

    def server(self) -> OpenSslEnd:
        """A server."""
        return OpenSslEnd(self._folder, is_server=True, context=self._server)

    def keep(self, client: OpenSslEnd) -> None:
        """Keep the session behind the newest ticket, and the end: OpenSSL voids the one with it."""
        self._kept, self._session = client, client.connection.get_session()


def _require_group(context: SSL.Context, group: str) -> None:
    """Agree on this group alone: pyOpenSSL has no method for it."""
    if SSL._lib.SSL_CTX_set1_curves_list(context._context, group.encode()) != 1:  # noqa: SLF001
        raise ValueError(f"OpenSSL does not know the group {group}")


def _identity(*, is_sm: bool) -> tuple[bytes, bytes]:
    """A root, and the server's certificate with its key, as PEM."""
    if not is_sm:
        nist = nist_world()
        return nist.root.pem, nist.server.pem
    server = world().server
    key = dump_private_key(server.key)  # type: ignore[arg-type]
    return world().root.to_pem().encode(), server.chain[0].to_pem().encode() + key


@dataclass
class TongsuoStack:
    """The library inside the wheel of tongsuopy: TLCP with pairs, or TLS 1.3 over curveSM2."""

    folder: Path
    ciphers: str
    mutual: bool = True
    name: str = "Tongsuo"
    _session: int | None = None
    _ends: list[Tongsuo] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        for side, pair in (("client", world().client_pair), ("server", world().server_pair)):
            (self.folder / side).mkdir()
            write_pair(self.folder / side, pair)
        ca = self.folder / "ca.pem"
        ca.write_text(world().root.to_pem())
        is_tls13 = self.ciphers.startswith("TLS_")
        kind, asks = (Tongsuo13, False) if is_tls13 else (Tongsuo, self.mutual)
        self._ends = [
            kind(self.folder / side, ca, self.ciphers, is_server=side == "server", asks=asks)
            for side in ("client", "server")
        ]

    def client(self, *, resumed: bool) -> Tongsuo:
        """A client."""
        session = self._session if resumed else None
        return self._ends[0].again(is_server=False, session=session)

    def server(self) -> Tongsuo:
        """A server."""
        return self._ends[1].again(is_server=True)

    def keep(self, client: Tongsuo) -> None:
        """Keep its session."""
        client.read()  # the tickets of TLS 1.3
        self._session = client.session

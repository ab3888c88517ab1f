"""GmSSL 2.5.4, the suite's origin, agrees in both roles, resumes, and refuses.

It comes from no registry: the test runs where the environment variable METERSEAL_GMSSL2 names its
`gmssl` program. `tests/transport/test_recorded_handshake.py` holds a recording of it for everyone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import AlertReceived, CertificateRejected
from meterseal.net import connect, listen
from meterseal.transport import (
    SUITES,
    ClientAuthentication,
    ClientConfig,
    ServerConfig,
    TicketKeys,
)
from meterseal.x509 import dump_private_key
from support.identities import world
from support.wire import SERVER_NAME, client_config, provider, server_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meterseal.net import SecureListener
    from meterseal.transport import CipherSuite, Credential

GMSSL = os.environ.get("METERSEAL_GMSSL2") or shutil.which("gmssl2") or ""
GCM, CBC = SUITES[0xE107], SUITES[0xE102]
MUTUAL = ["-Verify", "1", "-verify_return_error"]

pytestmark = [
    pytest.mark.skipif(not GMSSL, reason="METERSEAL_GMSSL2 names no gmssl program of GmSSL 2.5.4"),
    pytest.mark.slow,
]


def write(folder: Path, name: str, credential: Credential) -> None:
    (folder / f"{name}.pem").write_text(credential.chain[0].to_pem())
    (folder / f"{name}.key").write_bytes(dump_private_key(credential.key))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "server", world().server)
    write(tmp_path, "client", world().client)
    (tmp_path / "ca.pem").write_text(world().root.to_pem())
    return tmp_path


@contextlib.contextmanager
def gmssl_server(folder: Path, *options: str, suite: CipherSuite = GCM) -> Iterator[int]:
    with listen("127.0.0.1", 0, server_config()) as probe:
        port = probe.address[1]
    command = [GMSSL, "s_server", "-accept", f"127.0.0.1:{port}", "-cipher", suite.name, "-tls1_2"]
    command += ["-cert", "server.pem", "-key", "server.key", "-CAfile", "ca.pem", "-rev", *options]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    ) as server:
        time.sleep(0.5)
        try:
            yield port
        finally:
            server.kill()


@pytest.mark.parametrize("suite", [GCM, CBC], ids=lambda suite: suite.name)
@pytest.mark.parametrize("mutual", [[], MUTUAL], ids=["plain", "mutual"])
@pytest.mark.parametrize("tickets", [[], ["-no_ticket"]], ids=["tickets", "ids"])
def test_our_client_agrees_and_resumes(
    folder: Path, mutual: list[str], tickets: list[str], suite: CipherSuite
) -> None:
    config = ClientConfig(trust=world().trust, credential=world().client, suites=(suite,))
    with gmssl_server(folder, *mutual, *tickets, suite=suite) as port:
        session = None
        for attempt in range(3):
            with connect(
                "127.0.0.1", port, config, server_name=SERVER_NAME, session=session
            ) as secure:
                secure.sendall(b"reading\n")
                assert secure.recv() == b"gnidaer\n"
                assert secure.session.resumed == bool(attempt)
                session = secure.session.session
        classic = client_config(
            credential=world().client,
            suites=(suite,),
            offer_extended_master_secret=False,
            offer_tickets=False,
        )
        with connect("127.0.0.1", port, classic, server_name=SERVER_NAME) as secure:
            secure.sendall(b"reading\n")
            assert secure.recv() == b"gnidaer\n"


def test_our_client_refuses_and_is_refused(folder: Path) -> None:
    with gmssl_server(folder, *MUTUAL) as port:
        with pytest.raises(CertificateRejected, match="wrong name"):
            connect("127.0.0.1", port, client_config(), server_name="other.example")
        with pytest.raises(AlertReceived, match="handshake_failure"):
            connect("127.0.0.1", port, client_config(), server_name=SERVER_NAME)


def gmssl_client(
    folder: Path, listener: SecureListener, *options: str, suite: CipherSuite = GCM
) -> bool:
    """Whether GmSSL's client got our answer; its exit code alone is no proof."""
    command = [GMSSL, "s_client", "-connect", f"127.0.0.1:{listener.address[1]}"]
    command += ["-servername", SERVER_NAME, "-verify_hostname", SERVER_NAME, "-CAfile", "ca.pem"]
    command += ["-verify", "3", "-verify_return_error", "-cipher", suite.name, "-tls1_2", *options]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as client:
        assert client.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(b"reading\n")
            client.stdin.flush()
        time.sleep(0.7)
        output, _ = client.communicate()
    return b"welcome" in output


def serve(listener: SecureListener) -> tuple[bool, bool]:
    secure, _ = listener.accept()
    with secure:
        session = secure.handshake(60)
        assert secure.recv() == b"reading\n"
        secure.sendall(b"welcome\n")
        return session.resumed, session.peer is not None


def our_server(**changes: object) -> ServerConfig:
    return server_config(trust=world().trust, **changes)


@pytest.mark.parametrize("suite", [GCM, CBC], ids=lambda suite: suite.name)
@pytest.mark.parametrize("with_tickets", [True, False])
def test_our_server_agrees_and_resumes(
    folder: Path, with_tickets: bool, suite: CipherSuite
) -> None:
    config = our_server(
        suites=(suite,),
        client_authentication=ClientAuthentication.REQUIRED,
        ticket_keys=TicketKeys(provider()) if with_tickets else None,
    )
    certificate = ["-cert", "client.pem", "-key", "client.key"]
    with listen("127.0.0.1", 0, config) as listener, ThreadPoolExecutor(1) as pool:
        for options, resumed in ((["-sess_out", "s"], False), (["-sess_in", "s"], True)):
            served = pool.submit(serve, listener)
            assert gmssl_client(folder, listener, *certificate, *options, suite=suite)
            assert served.result(60) == (resumed, True)


def test_our_server_refuses_a_client_without_certificate(folder: Path) -> None:
    config = our_server(client_authentication=ClientAuthentication.REQUIRED)
    with listen("127.0.0.1", 0, config) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, listener)
        assert not gmssl_client(folder, listener)
        with pytest.raises(CertificateRejected, match="no certificate"):
            served.result(60)

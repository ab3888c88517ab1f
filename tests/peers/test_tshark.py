"""Wireshark opens our captures: nothing malformed, TLCP and TLS 1.3 decrypt with our secrets."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meterseal.net import PacketWriter, connect, listen
from meterseal.transport import TLCP_SUITES, TLS12_SUITES, TLS13_SUITES, ClientAuthentication
from support.identities import world
from support.wire import SERVER_NAME, client_config, server_config

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.net import SecureListener
    from meterseal.transport import CipherSuite

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
READING = b"00001234.56 kWh, sealed"


def serve(listener: SecureListener) -> None:
    secure, _ = listener.accept()
    with secure:
        secure.handshake(60)
        secure.sendall(secure.recv()[::-1])
        secure.recv()


def captured(suite: CipherSuite, path: Path) -> int:
    """One session in a capture with its secrets; returns the server's port."""
    server = server_config(
        credential=world().server_pair,
        suites=(*TLCP_SUITES, *TLS13_SUITES, *TLS12_SUITES),
        trust=world().trust,
        client_authentication=ClientAuthentication.REQUIRED,
    )
    client = client_config(suites=(suite,), credential=world().client_pair)
    with listen("127.0.0.1", 0, server) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, listener)
        with path.open("wb") as file:
            writer = PacketWriter(file)
            with connect(
                "127.0.0.1",
                listener.address[1],
                replace(client, key_log=writer.secrets),
                server_name=SERVER_NAME,
                tap=writer.conversation(),
            ) as secure:
                secure.sendall(READING)
                assert secure.recv() == READING[::-1]
        served.result(60)
        return listener.address[1]


def tshark(path: Path, port: int, *options: str) -> str:
    return subprocess.run(
        ["tshark", "-r", path, "-d", f"tcp.port=={port},tls", *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "HOME": str(path.parent)},
    ).stdout


UNKNOWN = {0xE107, 0x00C7}  # Wireshark 4.0 knows neither GmSSL's suite nor SM4-CCM
EVERY = [*TLCP_SUITES, *TLS13_SUITES, *TLS12_SUITES]


@pytest.mark.parametrize("suite", EVERY, ids=lambda suite: suite.name)
def test_no_packet_is_malformed_and_standard_suites_decrypt(
    suite: CipherSuite, tmp_path: Path
) -> None:
    path = tmp_path / "session.pcapng"
    port = captured(suite, path)
    shown = tshark(path, port, "-V")
    assert "Handshake Type: Client Hello" in shown
    assert "Malformed" not in shown
    assert "[Expert Info (Error" not in shown
    data = tshark(path, port, "-Y", "tls.app_data || data", "-x")
    if suite.code not in UNKNOWN:
        assert "Decrypted TLS" in data
        text = tshark(path, port, "-q", "-z", "follow,tls,ascii,0")
        assert READING.decode() in text
        assert READING[::-1].decode() in text

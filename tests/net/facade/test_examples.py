"""The examples run as they stand."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from support.contexts import HOST, client_context, files
from support.mqtt import start_broker
from support.servers import PAGE, http_server, running

EXAMPLES = Path(__file__).parents[3] / "examples"


def run(name: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={key: value for key, value in os.environ.items() if key != "SSLKEYLOGFILE"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_httpx_and_requests() -> None:
    with http_server() as url:
        for name in ("httpx_client.py", "requests_client.py"):
            assert run(name, url, files().ca_pem).strip() == PAGE.decode()


def test_asyncio() -> None:
    output = run("asyncio_echo.py", files().server_pair_pem, files().ca_pem)
    assert output.splitlines()[0] == "received 00001234.56 kWh"
    assert "TLS_SM4_GCM_SM3" in output


def test_paho() -> None:
    with running(start_broker) as port:
        assert "ECC_SM4_GCM_SM3" in run("paho_publish.py", HOST, port, files().ca_pem)


def test_uvicorn() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, EXAMPLES / "uvicorn_server.py", str(port), files().server_pair_pem]
    )
    try:
        with httpx.Client(verify=client_context()) as client:
            for _ in range(100):
                try:
                    answer = client.get(f"https://{HOST}:{port}/")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            assert answer.text == "00001234.56 kWh"
    finally:
        server.terminate()
        server.wait(10)

"""What the README says is true: it begins with two commands, and all its lines for Python run."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

import meterseal
from meterseal import Purpose, SecureContext
from meterseal.net import listen
from meterseal.transport import Credential, ServerConfig
from meterseal.x509 import load_certificates, load_private_key
from support.mqtt import broker_with
from support.pages import run
from support.servers import PAGE, http_server, running

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
RECIPES = {
    "the package alone": "from meterseal import InvalidSignature",
    "a connection": "from meterseal.net import connect",
    "httpx": "import httpx\n",
    "requests": "import requests\n",
    "uvicorn": "import uvicorn\n",
    "paho": "import paho",
}


def test_the_first_commands_are_demo_and_test() -> None:
    commands = re.findall(r"^    (.+)$", README, flags=re.MULTILINE)
    assert [command.split("#")[0].strip() for command in commands[:2]] == ["make demo", "make test"]


def test_every_block_for_python_has_its_test() -> None:
    assert sorted(map(recipe, RECIPES)) == sorted(BLOCKS)


def recipe(name: str) -> str:
    (block,) = (block for block in BLOCKS if RECIPES[name] in block)
    return block


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README tells to make first."""
    assert "`meterseal pki dev pki`" in README
    made = tmp_path_factory.mktemp("readme")
    code, _, error = run("meterseal pki dev pki", made)
    assert (code, error) == (0, "")
    return made


def start(name: str, folder: Path, port: tuple[str, int] | None = None) -> subprocess.Popen[str]:
    """The lines of a recipe in a process of their own; only its port is another one."""
    lines = recipe(name)
    if port is not None:
        assert lines.count(port[0]) == 1
        lines = lines.replace(port[0], str(port[1]))
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", lines],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "SSLKEYLOGFILE"},
    )


def output(name: str, folder: Path, port: tuple[str, int] | None = None) -> str:
    with start(name, folder, port) as process:
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return shown


def serving(folder: Path) -> SecureContext:
    context = meterseal.create_default_context(Purpose.CLIENT_AUTH)
    pki = folder / "pki"
    keys = {"sign_key": pki / "server-sign.key", "enc_key": pki / "server-enc.key"}
    context.load_cert_chain(pki / "server.pem", **keys)
    return context


def test_the_package_alone(tmp_path: Path) -> None:
    lines = output("the package alone", tmp_path).splitlines()
    assert lines[1].startswith("66c7f0f462eeedd9")
    assert lines[2] == "b'reading'"


def test_a_connection(folder: Path) -> None:
    chain = load_certificates((folder / "pki/server-tls.pem").read_bytes())
    key = load_private_key((folder / "pki/server-tls.key").read_bytes())
    config = ServerConfig(credential=Credential(tuple(chain), key))
    with listen("localhost", 0, config) as listener:

        def answer() -> None:
            secure, _ = listener.accept()
            with secure:
                secure.handshake(30)
                secure.sendall(b"received " + secure.recv(1024))

        threading.Thread(target=answer, daemon=True).start()  # it may wait for nobody
        assert output("a connection", folder, ("7838", listener.address[1])) == (
            "b'received reading'\n"
        )


@pytest.mark.parametrize("name", ["httpx", "requests"])
def test_clients_of_http(name: str, folder: Path) -> None:
    with http_server(serving(folder)) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert output(name, folder, ("8443", port)).strip() == PAGE.decode()


def test_paho(folder: Path) -> None:
    with running(broker_with(serving(folder))) as port:
        assert "published with ECC_SM4_GCM_SM3" in output("paho", folder, ("8883", port))


def test_uvicorn(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with start("uvicorn", folder, ("8443", port)) as server:
        try:
            for protocol in ("tlcp", "auto"):
                context = meterseal.create_default_context(
                    protocol=protocol,  # type: ignore[arg-type]
                    cafile=folder / "pki/root.pem",
                )
                assert answer_of(server, f"https://localhost:{port}/", context) == "00001234.56 kWh"
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=30)


def answer_of(server: subprocess.Popen[str], url: str, context: SecureContext) -> str:
    """The page, once the server is up."""
    with httpx.Client(verify=context) as client:
        while server.poll() is None:
            try:
                return client.get(url).text
            except httpx.ConnectError:
                time.sleep(0.1)
    pytest.fail(f"the server ended: {server.communicate()[1]}")

"""`meterseal trace` on captures of our own and of tshark, and on what is none."""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from meterseal.net import PacketWriter, connect, listen
from meterseal.net.packets import read_capture
from meterseal.transport import TLCP_SUITES, TLS12_SUITES, TLS13_SUITES, ClientAuthentication
from support.identities import world
from support.packets import pcap, segment
from support.pages import run
from support.wire import SERVER_NAME, client_config, server_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from meterseal.net import SecureListener
    from meterseal.net.sockets import Tap
    from meterseal.transport import CipherSuite

READING = b"00001234.56 kWh, sealed"
EVERY = (*TLCP_SUITES, *TLS13_SUITES, *TLS12_SUITES)
ONE_OF_EACH = (TLCP_SUITES[-1], TLS13_SUITES[-1], TLS12_SUITES[0])


def named(value: object) -> str:
    return getattr(value, "name", str(value))


def serve(listener: SecureListener) -> None:
    secure, _ = listener.accept()
    with secure:
        secure.handshake(60)
        secure.sendall(secure.recv()[::-1])
        secure.recv()


def session(
    suite: CipherSuite,
    *,
    key_log: Callable[[str], None] | None = None,
    tap: Tap | None = None,
    around: Callable[[int], AbstractContextManager[None]] = contextlib.nullcontext,
) -> int:
    """One session over loopback; returns the server's port."""
    server = server_config(
        credential=world().server_pair,
        suites=EVERY,
        trust=world().trust,
        client_authentication=ClientAuthentication.REQUIRED,
    )
    client = client_config(suites=(suite,), credential=world().client_pair, key_log=key_log)
    with listen("127.0.0.1", 0, server) as listener, ThreadPoolExecutor(1) as pool:
        port = listener.address[1]
        with around(port):
            served = pool.submit(serve, listener)
            with connect("127.0.0.1", port, client, server_name=SERVER_NAME, tap=tap) as secure:
                secure.sendall(READING)
                assert secure.recv() == READING[::-1]
            served.result(60)
        return port


def trace(folder: Path, *options: object) -> str:
    code, out, err = run(["meterseal", "trace", *map(str, options)], folder)
    assert (code, err) == (0, "")
    return out.decode()


@pytest.fixture
def captured(tmp_path: Path) -> int:
    """A capture of our own with the secrets in it; returns the server's port."""
    with (tmp_path / "session.pcapng").open("wb") as file:
        writer = PacketWriter(file)
        return session(TLS13_SUITES[0], key_log=writer.secrets, tap=writer.conversation())


@pytest.mark.parametrize("suite", ONE_OF_EACH, ids=named)
def test_our_own_captures_carry_what_opens_them(suite: CipherSuite, tmp_path: Path) -> None:
    with (tmp_path / "session.pcapng").open("wb") as file:
        writer = PacketWriter(file)
        port = session(suite, key_log=writer.secrets, tap=writer.conversation())
    told = trace(tmp_path, "session.pcapng", "--data")
    first, *rest = told.splitlines()
    assert first.startswith("=== 127.0.0.1 port ")
    assert first.endswith(f" -> 127.0.0.1 port {port}")
    assert f"     suite {suite.name.replace('-', '_')}" in rest
    assert rest[rest.index(f"-> application data, {len(READING)} bytes") + 1].strip() == (
        READING.decode()
    )
    assert f"     {READING[::-1].decode()}" in rest
    assert sum(", CN = meter-1," in line for line in rest) >= 1
    assert "-> Alert: warning close_notify" in rest
    assert "protected record" not in told
    assert "not readable" not in told


def test_only_the_sessions_of_a_port_are_told(captured: int, tmp_path: Path) -> None:
    assert "=== " in trace(tmp_path, "session.pcapng", "--port", captured)
    code, out, err = run("meterseal trace session.pcapng --port 1", tmp_path)
    assert (code, out) == (1, b"")
    assert err == (
        "meterseal: session.pcapng holds no session of TLCP or TLS with a server on port 1\n"
    )


@pytest.mark.usefixtures("captured")
def test_a_cut_capture_is_an_error_of_one_line(tmp_path: Path) -> None:
    whole = (tmp_path / "session.pcapng").read_bytes()
    (tmp_path / "cut.pcapng").write_bytes(whole[: len(whole) // 2 | 1])
    code, _, err = run("meterseal trace cut.pcapng", tmp_path)
    assert code == 1
    assert err.startswith("meterseal: cut.pcapng: the capture ends within the block at byte ")
    assert err.count("\n") == 1


def test_what_is_no_capture_and_what_holds_no_session_is_said(tmp_path: Path) -> None:
    (tmp_path / "plain.pcap").write_bytes(
        pcap([segment(from_client=True, sequence=1, payload=b"GET / HTTP/1.1\r\n\r\n")])
    )
    (tmp_path / "log.txt").write_text("CLIENT_RANDOM of nobody\n")
    for command, said in (
        ("meterseal trace plain.pcap", "plain.pcap holds no session of TLCP or TLS"),
        (
            "meterseal trace log.txt",
            "log.txt: this is no capture: expected the first bytes of pcap or pcapng",
        ),
        (
            "meterseal trace plain.pcap --keylog log.txt",
            "line 1 of the key log is not a label and two numbers in hex",
        ),
        ("meterseal trace missing.pcap", "missing.pcap: No such file or directory"),
    ):
        assert run(command, tmp_path) == (1, b"", f"meterseal: {said}\n")


def test_missing_packets_are_told(captured: int, tmp_path: Path) -> None:
    packets = read_capture((tmp_path / "session.pcapng").read_bytes()).packets
    from_server = [
        number
        for number, packet in enumerate(packets)
        if packet.data[34:36] == captured.to_bytes(2, "big") and len(packet.data) > 1000
    ]
    del packets[from_server[0]]
    (tmp_path / "lossy.pcap").write_bytes(pcap((packet.data for packet in packets), link=1))
    told = trace(tmp_path, "lossy.pcap")
    assert "-> ClientHello" in told
    assert "<- ServerHello" not in told
    assert told.endswith("(the capture lacks packets of this session)\n")


@contextlib.contextmanager
def watched(target: Path, form: str, port: int) -> Iterator[None]:
    """Have tshark write what goes over loopback to and from a port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poke:
        poke.bind(("127.0.0.1", 0))
        wanted = f"tcp port {port} or udp port {poke.getsockname()[1]}"
        command = ["tshark", "-i", "lo", "-f", wanted, "-F", form, "-w", str(target), "-l", "-P"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as tshark:
            assert tshark.stdout is not None
            try:
                while not select.select([tshark.stdout], [], [], 0.1)[0]:
                    poke.sendto(b"listening?", poke.getsockname())
                if tshark.poll() is not None or not tshark.stdout.readline():
                    pytest.skip("tshark may not listen on the loopback interface here")
                yield
                poke.sendto(b"end", poke.getsockname())
                while not (line := tshark.stdout.readline()).endswith("Len=3\n"):
                    assert line, "tshark ended"
            finally:
                tshark.terminate()


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize(
    ("suite", "form"), list(zip(ONE_OF_EACH, ("pcap", "pcapng", "pcap"), strict=True)), ids=named
)
def test_what_tshark_saw_on_loopback_is_told_with_a_key_log(
    suite: CipherSuite, form: str, tmp_path: Path
) -> None:
    target, keys = tmp_path / f"seen.{form}", list[str]()
    session(suite, key_log=keys.append, around=lambda port: watched(target, form, port))
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    closed = trace(tmp_path, target.name)
    assert "protected record" in closed
    assert READING.decode() not in closed
    told = trace(tmp_path, target.name, "--keylog", "keys.txt", "--data")
    assert READING.decode() in told
    assert READING[::-1].decode() in told
    assert "protected record" not in told

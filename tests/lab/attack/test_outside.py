"""Servers of others, attacked from outside: ours holds, a careless one falls."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from meterseal.cli.main import app
from meterseal.lab.attack import campaign, outside
from meterseal.lab.attack.ends import PROTOCOLS, Server, echo
from meterseal.lab.attack.identities import SERVER_NAME, world
from meterseal.lab.attack.notes import Verdict
from meterseal.lab.attack.obliging import begins_again
from meterseal.lab.attack.target import Target
from meterseal.lab.attack.weak import UnauthenticatedOpener, WeakRecords
from meterseal.lab.attack.wire import message
from meterseal.transport import ClientAuthentication
from meterseal.transport.messages import ServerHello
from meterseal.transport.wire import vector16
from meterseal.x509 import TrustStore, dump_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meterseal.lab.attack.notes import Outcome


def attacked(target: Target, *names: str) -> dict[str, Outcome]:
    chosen = [it for it in outside.attacks(target) if not names or it.name in names]
    return {it.attack.name: it for it in campaign.run(chosen, lambda _: None)}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_our_own_server_holds(name: str) -> None:
    protocol = PROTOCOLS[name]
    with Server(protocol.server(), seconds=5) as server:
        target = Target(server.address, SERVER_NAME, protocol, protocol.client(), floods=True)
        outcomes = attacked(target)
    assert "outside-flood" in outcomes
    assert ("outside-downgrade" in outcomes) != protocol.has_pairs
    for outcome in outcomes.values():
        assert outcome.verdict is Verdict.HELD, (outcome.attack.name, outcome.notes)


def test_floods_come_only_where_they_were_asked_for() -> None:
    protocol = PROTOCOLS["TLS 1.3"]
    target = Target(("127.0.0.1", 1), SERVER_NAME, protocol, protocol.client())
    assert "outside-flood" not in {it.name for it in outside.attacks(target)}


@pytest.mark.parametrize("name", ["TLS 1.3", "TLS 1.2", "TLCP ECC"])
def test_a_server_that_nobody_trusts_is_attacked_as_far_as_it_goes(name: str) -> None:
    protocol = PROTOCOLS[name]
    anyone = protocol.server(client_authentication=ClientAuthentication.NONE)
    with Server(anyone, seconds=5) as server:
        config = protocol.client(trust=TrustStore([]), credential=None)
        outcomes = attacked(Target(server.address, SERVER_NAME, protocol, config))
    skipped = {name for name, it in outcomes.items() if it.verdict is Verdict.SKIPPED}
    assert skipped == {"outside-renegotiation", "outside-records"}
    held = {it.verdict for name, it in outcomes.items() if name not in skipped}
    assert held == {Verdict.HELD}


@contextlib.contextmanager
def careless() -> Iterator[tuple[str, int]]:
    """A server that takes anything for a hello and agrees to TLS 1.0 without encryption."""
    hello = ServerHello(0x0301, bytes(32), b"", 0x0000).encode()
    answer = b"\x16\x03\x01" + vector16(message(2, hello) + message(14))

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            with raw, contextlib.suppress(OSError):
                raw.settimeout(5)
                raw.recv(65_536)
                raw.sendall(answer)
                raw.recv(65_536)
                raw.sendall(b"\x14\x03\x01\0\1\1")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[:2]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    ("protocol", "attack"),
    [
        ("TLS 1.3", "outside-versions"),
        ("TLS 1.3", "outside-suites"),
        ("TLS 1.3", "outside-hellos"),
        ("TLS 1.3", "outside-downgrade"),
        ("TLS 1.3", "outside-points"),
        ("TLS 1.2", "outside-downgrade"),
        ("TLS 1.2", "outside-points"),
        ("TLCP ECC", "outside-versions"),
    ],
)
def test_a_careless_server_falls(protocol: str, attack: str) -> None:
    spoken = PROTOCOLS[protocol]
    with careless() as address:
        config = spoken.client(trust=TrustStore([]), credential=None)
        outcome = attacked(Target(address, "x", spoken, config), attack)[attack]
    assert outcome.verdict is Verdict.FELL


def test_a_server_that_renegotiates_falls() -> None:
    protocol = PROTOCOLS["TLS 1.2"]
    config = protocol.server()
    with Server(config, prepare=begins_again(config), seconds=5) as server:
        target = Target(server.address, SERVER_NAME, protocol, protocol.client())
        outcome = attacked(target, "outside-renegotiation")["outside-renegotiation"]
    assert outcome.verdict is Verdict.FELL


def test_a_server_that_authenticates_no_records_falls() -> None:
    protocol = PROTOCOLS["TLCP ECC"]
    blind = protocol.server(provider=WeakRecords(UnauthenticatedOpener))
    with Server(blind, act=echo, seconds=5) as server:
        target = Target(server.address, SERVER_NAME, protocol, protocol.client())
        outcome = attacked(target, "outside-records")["outside-records"]
    assert outcome.verdict is Verdict.FELL


def test_a_server_that_answers_no_honest_hello_is_not_said_to_hold() -> None:
    wrong = PROTOCOLS["TLS 1.2"]
    with Server(PROTOCOLS["TLS 1.3"].server(), seconds=5) as server:
        target = Target(server.address, SERVER_NAME, wrong, wrong.client())
        outcomes = attacked(target, "outside-versions")
    assert outcomes["outside-versions"].verdict is Verdict.SKIPPED
    assert "is not answered" in outcomes["outside-versions"].reason


def test_the_command_attacks_a_target(tmp_path: Path) -> None:
    roots = tmp_path / "root.pem"
    roots.write_bytes(dump_certificates([world().root.certificate]))
    anyone = PROTOCOLS["TLS 1.3"].server(client_authentication=ClientAuthentication.NONE)
    with Server(anyone, seconds=5) as server:
        where = "{}:{}".format(*server.address)
        options = ["--target", where, "--ca", str(roots), "--server-name", SERVER_NAME]
        result = CliRunner().invoke(app, ["lab", "attack", "outside-records", *options])
        wrong = CliRunner().invoke(app, ["lab", "attack", "replay", *options])
        auto = CliRunner().invoke(app, ["lab", "attack", *options, "--protocol", "auto"])
    assert result.exit_code == 0, result.output
    assert "outside-records" in result.output
    assert wrong.exit_code == 2
    assert auto.exit_code == 2

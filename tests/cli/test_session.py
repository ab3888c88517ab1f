"""`meterseal server`, `client` and `demo` as a user runs them, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from meterseal.crypto import sm3
from support.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READINGS = shared("data/uci-household-2007-02-01.csv")
SUBJECT = "/C=CN/O=Grid/CN="


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "meterseal", *map(str, arguments)]


def meterseal(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, timeout=180, **options
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("identities")
    for name, host in (("server", "localhost"), ("meter", "meter-1"), ("other", "localhost")):
        key, certificate = made / f"{name}.key", made / f"{name}.pem"
        assert meterseal("key", "generate", "--out", key).returncode == 0
        signed = meterseal(
            *("cert", "self-sign", "--key", key, "--out", certificate),
            *("--subject", SUBJECT + host, "--san", f"DNS:{host}"),
        )
        assert signed.returncode == 0, signed.stderr
    return made


@contextlib.contextmanager
def server(folder: Path, *options: object) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A running server and its port."""
    arguments = ("--cert", folder / "server.pem", "--key", folder / "server.key", "--port", 0)
    with subprocess.Popen(
        command("server", *arguments, "--json", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        steps = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert [step["step"] for step in steps] == ["socket created", "bound", "listening"]
        try:
            yield steps[1]["port"], process
        finally:
            process.kill()


def steps(output: str) -> dict[str, dict[str, Any]]:
    return {step["step"]: step for step in map(json.loads, output.splitlines())}


def test_the_steps_of_a_session_are_shown_on_both_sides(folder: Path, tmp_path: Path) -> None:
    readings = tmp_path / "readings.csv"
    readings.write_text("time;kW\n" + "00:00;0.326\n" * 10_000)
    with server(folder, "--sessions", 1, "--receive", tmp_path / "in") as (port, process):
        done = meterseal(
            *("client", f"localhost:{port}", "--ca", folder / "server.pem"),
            *("--send", readings, "--json"),
        )
        output, _ = process.communicate(timeout=120)
    assert done.returncode == 0, done.stderr
    client_steps = steps(done.stdout)
    assert client_steps["connected with ECDHE-SM2-WITH-SMS4-GCM-SM3"]["suite"] == "0xe107"
    assert "localhost" in client_steps["peer"]["certificate"]
    assert client_steps["received"]["bytes"] == len("server->client")
    digest = sm3.sm3(readings.read_bytes()).hexdigest()
    assert client_steps["sent"]["sm3"] == digest
    assert steps(output)["received"]["sm3"] == digest
    assert (tmp_path / "in" / "readings.csv").read_bytes() == readings.read_bytes()


def test_people_read_steps_too(folder: Path) -> None:
    with server(folder) as (port, _):
        done = meterseal("client", f"localhost:{port}", "--ca", folder / "server.pem")
    assert done.stdout.splitlines()[0] == "socket created"
    assert "connected with ECDHE-SM2-WITH-SMS4-GCM-SM3" in done.stdout
    assert done.stdout.splitlines()[-1] == "end of the secure session"


def test_a_trace_tells_every_message_on_standard_error(folder: Path) -> None:
    with server(folder) as (port, _):
        done = meterseal("client", f"localhost:{port}", "--ca", folder / "server.pem", "--trace")
    told = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert "-> Alert: warning close_notify" in told  # before or after the server's
    assert [line.split(",")[0] for line in told if "Alert" not in line] == [
        "-> ClientHello",
        "<- ServerHello",
        "<- Certificate",
        "<- ServerKeyExchange",
        "<- ServerHelloDone",
        "-> ClientKeyExchange",
        "-> ChangeCipherSpec",
        "-> Finished",
        "<- NewSessionTicket",
        "<- ChangeCipherSpec",
        "<- Finished",
    ]
    assert "suite ECDHE_SM2_WITH_SMS4_GCM_SM3" in done.stderr


def test_a_client_certificate_is_asked_for_and_shown(folder: Path) -> None:
    options = ("--ca", folder / "meter.pem", "--require-client-cert")
    with server(folder, *options) as (port, process):
        target = ("client", f"localhost:{port}", "--ca", folder / "server.pem")
        without = meterseal(*target)
        assert without.returncode == 1
        assert "handshake_failure" in without.stderr
        mine = ("--cert", folder / "meter.pem", "--key", folder / "meter.key")
        assert meterseal(*target, *mine).returncode == 0
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    seen = [json.loads(line) for line in output.splitlines()]
    assert any("no certificate" in step.get("reason", "") for step in seen)
    assert any("meter-1" in step.get("certificate", "") for step in seen)
    assert process.returncode == 0


def test_errors_are_one_line_and_exit_code_1(folder: Path) -> None:
    with server(folder) as (port, _):
        untrusted = meterseal("client", f"localhost:{port}", "--ca", folder / "other.pem")
        wrong_name = meterseal(
            *("client", f"127.0.0.1:{port}", "--ca", folder / "server.pem"),
        )
    refused = meterseal("client", "localhost:1", "--ca", folder / "server.pem")
    mismatch = meterseal(
        "server", "--cert", folder / "server.pem", "--key", folder / "other.key", "--port", 0
    )
    missing = meterseal("client", "localhost:1", "--ca", folder / "absent.pem")
    for done, words in (
        (untrusted, "unknown issuer"),
        (wrong_name, "wrong name"),
        (refused, "refused"),
        (mismatch, "does not belong"),
        (missing, "absent.pem"),
    ):
        assert done.returncode == 1, done
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert words in done.stderr


def test_wrong_usage_is_exit_code_2(folder: Path) -> None:
    ca = ("--ca", folder / "server.pem")
    for arguments in (
        ("client", "nowhere", *ca),
        ("client", "host:99999", *ca),
        ("client", "localhost:1"),
        ("client", "localhost:1", *ca, "--cert", folder / "meter.pem"),
        ("server", "--require-client-cert", "--cert", "a", "--key", "b"),
    ):
        assert meterseal(*arguments).returncode == 2, arguments


def test_nothing_that_arrived_is_overwritten(folder: Path, tmp_path: Path) -> None:
    with server(folder, "--receive", tmp_path) as (port, _):
        for _ in range(2):
            done = meterseal("client", f"localhost:{port}", "--ca", folder / "server.pem")
            assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-message.txt", "message.txt"]


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_tshark_reads_a_capture_without_a_malformed_packet(folder: Path, tmp_path: Path) -> None:
    capture = tmp_path / "session.pcapng"
    options = ("--ca", folder / "meter.pem", "--require-client-cert")
    with server(folder, *options) as (port, _):
        done = meterseal(
            *("client", f"localhost:{port}", "--ca", folder / "server.pem"),
            *("--cert", folder / "meter.pem", "--key", folder / "meter.key"),
            *("--capture", capture, "--message", "x" * 50_000),
        )
    assert done.returncode == 0, done.stderr
    assert capture.stat().st_mode & 0o777 == 0o600  # it holds the session's secrets
    read = subprocess.run(
        [
            "tshark",
            "-r",
            capture,
            "-V",
            "-d",
            f"tcp.port=={port},tls",
            "-o",
            "tcp.check_checksum:TRUE",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
    ).stdout
    for expected in ("Client Hello", "Server Hello", "Certificate Verify", "New Session Ticket"):
        assert f"Handshake Type: {expected}" in read
    assert "Cipher Suite: Unknown (0xe107)" in read
    assert "Application Data" in read
    assert "Malformed" not in read
    assert "incorrect" not in read
    assert "[Expert Info (Error" not in read


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pairs")
    assert meterseal("pki", "dev", made).returncode == 0
    return made


def own(folder: Path, name: str, *, pair: bool = True) -> tuple[object, ...]:
    files = ("--cert", folder / f"{name}.pem", "--key", folder / f"{name}-sign.key")
    return (*files, "--enc-key", folder / f"{name}-enc.key") if pair else files


def test_tlcp_speaks_from_the_command_line(pairs: Path) -> None:
    tlcp = ("--protocol", "tlcp", "--ca", pairs / "root.pem")
    options = (*own(pairs, "server"), *tlcp)
    with server(pairs, *options) as (port, _):
        target = ("client", f"localhost:{port}", "--json", *tlcp)
        for mine, suite in (
            (own(pairs, "meter-1"), "ECDHE_SM4_GCM_SM3"),
            (own(pairs, "meter-1", pair=False), "ECC_SM4_GCM_SM3"),
            ((), "ECC_SM4_GCM_SM3"),
        ):
            done = meterseal(*target, *mine)
            assert done.returncode == 0, done.stderr
            seen = steps(done.stdout)
            assert f"connected with {suite}" in seen
            assert "localhost" in seen["peer's encryption"]["certificate"]
        other = meterseal("client", f"localhost:{port}", "--ca", pairs / "root.pem")
        assert other.returncode == 1


def test_a_server_speaks_every_protocol_on_one_port(pairs: Path) -> None:
    trust = ("--ca", pairs / "root.pem")
    with server(pairs, *own(pairs, "server"), "--protocol", "auto") as (port, _):
        for protocol, suite in (
            ("auto", "TLS_SM4_GCM_SM3"),
            ("tls12-sm", "ECDHE-SM2-WITH-SMS4-GCM-SM3"),
            ("tlcp", "ECC_SM4_GCM_SM3"),
        ):
            target = ("client", f"localhost:{port}", "--json", "--protocol", protocol)
            done = meterseal(*target, *trust)
            assert done.returncode == 0, done.stderr
            assert f"connected with {suite}" in steps(done.stdout)


def test_auto_goes_as_far_as_both_ends_can(folder: Path) -> None:
    trust = ("--ca", folder / "server.pem")
    for serving, asking, suite in (
        ("tls12-sm", "auto", "ECDHE-SM2-WITH-SMS4-GCM-SM3"),
        ("auto", "auto", "TLS_SM4_GCM_SM3"),
        ("auto", "tlcp", None),  # the server has no pair
    ):
        with server(folder, "--protocol", serving) as (port, _):
            target = ("client", f"localhost:{port}", "--json", "--protocol", asking)
            done = meterseal(*target, *trust)
        assert done.returncode == (0 if suite else 1)
        assert suite is None or f"connected with {suite}" in steps(done.stdout)
        assert suite is not None or "protocol_version" in done.stderr


def test_the_encryption_certificate_may_stand_in_a_file_of_its_own(
    pairs: Path, tmp_path: Path
) -> None:
    blocks = (pairs / "server.pem").read_text().split("-----END CERTIFICATE-----\n")
    signing, encryption, ca = (block + "-----END CERTIFICATE-----\n" for block in blocks[:3])
    (tmp_path / "sign.pem").write_text(signing + ca)
    (tmp_path / "enc.pem").write_text(encryption)
    options = ("--cert", tmp_path / "sign.pem", "--enc-cert", tmp_path / "enc.pem")
    keys = ("--key", pairs / "server-sign.key", "--enc-key", pairs / "server-enc.key")
    with server(pairs, "--protocol", "tlcp", *options, *keys) as (port, _):
        target = ("client", f"localhost:{port}", "--ca", pairs / "root.pem", "--protocol", "tlcp")
        done = meterseal(*target)
    assert done.returncode == 0, done.stderr


def test_tls_1_3_speaks_from_the_command_line(pairs: Path) -> None:
    tls13 = ("--protocol", "tls13-sm", "--ca", pairs / "root.pem")
    single = ("--cert", pairs / "server-tls.pem", "--key", pairs / "server-tls.key")
    with server(pairs, *single, *tls13, "--require-client-cert") as (port, _):
        target = ("client", f"localhost:{port}", "--json", *tls13)
        done = meterseal(*target, *own(pairs, "meter-1", pair=False))
    assert done.returncode == 0, done.stderr
    assert "connected with TLS_SM4_GCM_SM3" in steps(done.stdout)


def test_a_revoked_meter_is_refused(pairs: Path, tmp_path: Path) -> None:
    ca = ("--ca", pairs / "ca.pem", "--ca-key", pairs / "ca.key")
    revoke = ("crl", "issue", *ca, "--revoke", pairs / "meter-1.pem", "--out", tmp_path / "crl")
    assert meterseal(*revoke).returncode == 0
    options = ("--ca", pairs / "root.pem", "--require-client-cert", "--crl", tmp_path / "crl")
    with server(pairs, *own(pairs, "server", pair=False), *options) as (port, _):
        target = ("client", f"localhost:{port}", "--ca", pairs / "root.pem")
        meter = meterseal(*target, *own(pairs, "meter-1", pair=False))
        other = meterseal(*target, *own(pairs, "client", pair=False), "--crl", tmp_path / "crl")
    assert meter.returncode == 1
    assert "certificate_revoked" in meter.stderr
    assert other.returncode == 0, other.stderr


def test_what_a_pair_lacks_is_named(pairs: Path) -> None:
    serve = ("server", "--port", 0, "--protocol", "tlcp", "--cert")
    sign, enc = (pairs / f"server-{half}.key" for half in ("sign", "enc"))
    without_key = meterseal(*serve, pairs / "server.pem", "--key", sign)
    assert without_key.returncode == 2
    assert "--enc-key" in without_key.stderr
    single = meterseal(*serve, pairs / "server-tls.pem", "--key", sign, "--enc-key", enc)
    assert single.returncode == 1
    assert "encryption certificate of the pair is missing" in single.stderr
    swapped = meterseal(*serve, pairs / "server.pem", "--key", enc, "--enc-key", sign)
    assert swapped.returncode == 1
    assert "the key of the encryption certificate" in swapped.stderr
    target = ("client", "localhost:1", "--ca", pairs / "root.pem")
    assert meterseal(*target, "--enc-key", enc).returncode == 2


def demo(tmp_path: Path, *options: object) -> str:
    done = meterseal("demo", "--out", tmp_path / "out", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_runs_the_whole_experiment_twice(tmp_path: Path) -> None:
    for _ in range(2):
        shown = demo(tmp_path)
        assert shown.count("1440 rows arrived") == 2
        for part in ("EC PARAMETERS", "BEGIN PUBLIC KEY", "sm2sign-with-sm3", "CN = localhost"):
            assert part in shown


def test_the_demo_runs_over_tls_1_3(tmp_path: Path) -> None:
    shown = demo(tmp_path, "--protocol", "tls13-sm")
    assert shown.count("1440 rows arrived") == 2
    assert "connected with TLS_SM4_GCM_SM3" in shown


def test_the_demo_runs_over_what_both_ends_can(tmp_path: Path) -> None:
    shown = demo(tmp_path, "--protocol", "auto")
    assert shown.count("1440 rows arrived") == 2
    for part in ("connected with TLS_SM4_GCM_SM3", "ECC_SM4_CBC_SM3", "Key Encipherment"):
        assert part in shown


def test_the_demo_runs_over_tlcp_with_pairs(tmp_path: Path) -> None:
    shown = demo(tmp_path, "--protocol", "tlcp")
    assert shown.count("1440 rows arrived") == 2
    for part in ("connected with ECDHE_SM4_GCM_SM3", "peer's encryption", "Key Encipherment"):
        assert part in shown


@pytest.mark.skipif(not READINGS.is_file(), reason=f"{READINGS} is not there")
def test_the_demo_carries_a_real_meter_file(tmp_path: Path) -> None:
    digest = sm3.sm3(READINGS.read_bytes()).hexdigest()
    shown = demo(tmp_path, "--input", READINGS)
    assert f"2880 rows arrived; SM3 sent {digest}, received {digest}" in shown


def test_the_demo_says_which_file_is_missing(tmp_path: Path) -> None:
    done = meterseal("demo", "--out", tmp_path, "--input", tmp_path / "absent.csv")
    assert done.returncode == 1
    assert done.stderr.endswith("absent.csv: no such file\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_server_captures_every_session_and_what_opens_it(
    folder: Path, tmp_path: Path, host: str
) -> None:
    capture = tmp_path / "served.pcapng"
    where = f"[{host}]" if ":" in host else host
    with server(folder, "--capture", capture, "--host", host, "--sessions", "2") as (port, process):
        for name in ("first", "second"):
            done = meterseal(
                *("client", f"{where}:{port}", "--ca", folder / "server.pem"),
                *("--server-name", "localhost", "--message", name),
            )
            assert done.returncode == 0, done.stderr
        process.wait(60)
    told = meterseal("trace", capture, "--data")
    assert told.returncode == 0, told.stderr
    assert told.stdout.count(f" -> {host} port {port}") == 2
    for name in ("first", "second"):
        assert told.stdout.count(f"     {name}\n") == 1
    assert "protected record" not in told.stdout

"""`meterseal demo`: the design's experiment from the first key to the last byte.

Every step is a command that anyone can repeat; the demo shows it and runs it.
"""

from __future__ import annotations

import errno
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from meterseal.cli.inputs import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUBJECT = "/C=CN/ST=SHANGHAI/L=LINGANG/O=DIANLIDAXUE/OU=SmartGrid/CN="
_FIVE_YEARS = "1826"


def demo(
    readings: Annotated[
        Path | None, typer.Option("--input", help="Meter readings to send; else a load curve.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for all that is made.")] = Path(
        "demo-out"
    ),
    protocol: Annotated[
        Protocol,
        typer.Option("--protocol", help="TLS with SM suites, TLCP with pairs, or what both can."),
    ] = Protocol.TLS12_SM,
) -> None:
    """Make keys and certificates, run a server and a client, send meter data both ways."""
    out.mkdir(parents=True, exist_ok=True)
    to_station = readings or _load_curve(out / "meter-readings.csv", seed=1)
    if not to_station.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such file", str(to_station))
    to_meter = _load_curve(out / "station-forecast.csv", seed=2)
    with_pairs = protocol in {Protocol.TLCP, Protocol.AUTO}
    ends = _pairs(out) if with_pairs else _identities(out)
    ends = _Ends(*(("--protocol", protocol.value, *end) for end in ends))
    inbox = out / "received" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    _session(out, ends, inbox, to_station, to_meter)
    _title("4. What arrived")
    same = [
        _compare(to_station, inbox / "station" / to_station.name),
        _compare(to_meter, inbox / "meter" / to_meter.name),
    ]
    if not all(same):
        raise typer.Exit(1)


def _compare(sent: Path, received: Path) -> bool:
    """Print rows and SM3 of both copies; returns whether they are the same."""
    from meterseal.crypto.sm3 import sm3

    before, after = (sm3(path.read_bytes()).hexdigest() for path in (sent, received))
    rows = sum(1 for line in received.read_bytes().splitlines() if line.strip()) - 1
    print(f"{sent.name}: {rows} rows arrived; SM3 sent {before}, received {after}")
    return before == after


class _Ends(NamedTuple):
    """Who the two ends are and whom they trust, as options of their commands."""

    server: tuple[object, ...]
    client: tuple[object, ...]


def _identities(out: Path) -> _Ends:
    """One key and one certificate for each end, as in the design."""
    _title("1. SM2 keys")
    for name in ("server", "meter"):
        _run("key", "generate", "--format", "sec1", "--out", out / f"{name}.key", "--force")
        _run("key", "public", out / f"{name}.key", "--out", out / f"{name}.pub", "--force")
    _show(out / "server.key")
    _show(out / "server.pub")
    _title("2. Certificates for five years")
    for name, host in (("server", "localhost"), ("meter", "meter-000000000001")):
        _run(
            *("cert", "self-sign", "--key", out / f"{name}.key"),
            *("--subject", _SUBJECT + host, "--san", f"DNS:{host}", "--days", _FIVE_YEARS),
            *("--out", out / f"{name}.pem", "--force"),
        )
    _run("cert", "show", out / "server.pem")
    _run("cert", "verify", out / "server.pem", "--ca", out / "server.pem")
    return _Ends(
        ("--cert", out / "server.pem", "--key", out / "server.key", "--ca", out / "meter.pem"),
        ("--cert", out / "meter.pem", "--key", out / "meter.key", "--ca", out / "server.pem"),
    )


def _pairs(out: Path) -> _Ends:
    """A signing and an encryption certificate for each end, from one CA."""
    folder = out / "pki"
    _title("1. SM2 keys and pairs of certificates for five years")
    _run("pki", "dev", folder, "--days", _FIVE_YEARS, "--force")
    _title("2. The server's pair")
    _run("cert", "show", folder / "server.pem")
    _run("cert", "verify", folder / "server.pem", "--ca", folder / "root.pem")

    def end(name: str) -> tuple[object, ...]:
        return (
            *("--cert", folder / f"{name}.pem"),
            *("--key", folder / f"{name}-sign.key", "--enc-key", folder / f"{name}-enc.key"),
            *("--ca", folder / "root.pem"),
        )

    return _Ends(end("server"), end("meter-1"))


def _session(out: Path, ends: _Ends, inbox: Path, to_station: Path, to_meter: Path) -> None:
    """Run both ends as processes of their own."""
    _title("3. The secure session")
    serve = _command(
        *("server", *ends.server, "--require-client-cert", "--port", "0", "--sessions", "1"),
        *("--send", to_meter, "--receive", inbox / "station"),
    )
    _say(serve)
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        lines = iter(server.stdout or ())
        try:
            port = _listening_port(lines)
            _run(
                *("client", f"localhost:{port}", *ends.client),
                *("--send", to_station, "--receive", inbox / "meter"),
                *("--capture", out / "session.pcapng"),
            )
        except BaseException:
            server.terminate()
            raise
        for line in lines:
            sys.stdout.write(f"  server | {line}")
        if server.wait() != 0:
            raise typer.Exit(1)


def _listening_port(lines: Iterator[str]) -> int:
    port = 0
    for line in lines:
        sys.stdout.write(f"  server | {line}")
        if line.startswith("bound"):
            port = int(line.split()[-1])
        if line.startswith("listening"):
            return port
    raise typer.Exit(1)


def _load_curve(target: Path, seed: int) -> Path:
    from meterseal.collection.load_curve import load_curve

    target.write_text("".join(load_curve(datetime.now(UTC).date(), seed)))
    return target


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "meterseal", *(str(argument) for argument in arguments)]


def _run(*arguments: object) -> None:
    command = _command(*arguments)
    _say(command)
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603
        raise typer.Exit(1)


def _say(command: list[str]) -> None:
    print("$ meterseal " + shlex.join(command[3:]), flush=True)


def _title(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def _show(path: Path) -> None:
    print(path.read_text(), end="", flush=True)

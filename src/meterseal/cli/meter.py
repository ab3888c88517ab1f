"""`meterseal meter`: three-phase meters in software, on TCP ports and serial lines."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.files import read_file, read_password
from meterseal.cli.options import PasswordFile, load_key
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.collection.meter.run import MeterGroup, RunConfig, TcpLine
    from meterseal.collection.sealing import Sealer

_DEFAULT_LISTEN = "127.0.0.1:8645"
_LIGHT_INTERVAL, _INTERVAL = 15.0, 0.2


def meter(
    address: Annotated[str, typer.Option("--address", metavar="DIGITS", help="Twelve digits.")],
    *,
    state: Annotated[Path, typer.Option("--state", metavar="DIR", help="What is never forgotten.")],
    listen: Annotated[
        list[str] | None,
        typer.Option("--listen", metavar="HOST:PORT", help="A TCP port; repeat it for more."),
    ] = None,
    serial: Annotated[
        list[str] | None,
        typer.Option("--serial", metavar="DEV", help="A serial device; repeat it for more."),
    ] = None,
    rate: Annotated[int, typer.Option("--rate", help="Bits per second of serial lines.")] = 2400,
    source: Annotated[
        str,
        typer.Option("--source", metavar="synthetic|FILE", help="A COMTRADE or CSV recording."),
    ] = "synthetic",
    count: Annotated[
        int, typer.Option("--count", min=1, max=100_000, help="So many meters, counting up.")
    ] = 1,
    light: Annotated[
        bool, typer.Option("--light", help="Compute quantities without waveforms.")
    ] = False,
    interval: Annotated[
        float | None, typer.Option("--interval", min=0.2, help="Seconds between measurements.")
    ] = None,
    cert: Annotated[
        Path | None, typer.Option("--cert", help="The meter's certificate: it seals itself.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="The certificate's key.")] = None,
    password_file: PasswordFile = None,
    meter_password_file: Annotated[
        Path | None,
        typer.Option(
            "--meter-password-file",
            help="File with the six digits that allow to set the clock and to clear demand.",
        ),
    ] = None,
) -> None:
    """Measure, count, and answer DL/T 645-2007 until Ctrl-C.

    Without --listen and --serial it answers on 127.0.0.1:8645.
    """
    from meterseal.collection.meter.meter import MeterConfig
    from meterseal.collection.meter.recordings import open_recording
    from meterseal.collection.meter.run import MeterSetup, RunConfig, SerialLine
    from meterseal.collection.meter.synthetic import synthetic_source
    from meterseal.collection.model import MeterAddress

    first = MeterAddress(address)
    if int(first) + count > 10**12:
        raise UsageError(f"{count} addresses from {first} on do not fit twelve digits")
    sealer = _load_sealer(cert, key, password_file, count)
    recorded = None if source == "synthetic" else open_recording(Path(source), light=light)
    sources = [
        recorded or synthetic_source(int(first) + number, light=light) for number in range(count)
    ]
    setups = [
        MeterSetup(MeterAddress(f"{int(first) + number:012}"), each, sealer)
        for number, each in enumerate(sources)
    ]
    serials = [SerialLine(device, rate) for device in serial or []]
    ports = listen if listen is not None or serials else [_DEFAULT_LISTEN]
    password = read_password(meter_password_file) if meter_password_file is not None else None
    seconds = interval if interval is not None else (_LIGHT_INTERVAL if light else _INTERVAL)
    kind = MeterConfig(sources[0].ratings, password=password)
    config = RunConfig(
        folder=state,
        meters=setups,
        kind=kind.lightened() if light else kind,
        lines=(*map(_tcp_line, ports or []), *serials),
        interval=round(1000 * seconds),
    )
    asyncio.run(_run(config))


def _load_sealer(
    cert: Path | None, key: Path | None, password_file: Path | None, count: int
) -> Sealer | None:
    from meterseal.collection.sealing import Sealer
    from meterseal.x509 import load_certificates, sort_own

    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise UsageError("a meter that seals needs both --cert and --key")
    if count > 1:
        raise UsageError("--cert belongs to one meter, not to several")
    private_key, chain = load_key(key, password_file), load_certificates(read_file(cert))
    own = sort_own(chain, [private_key.public_key()])
    return Sealer(private_key, own.signing or chain[0])


def _tcp_line(text: str) -> TcpLine:
    from meterseal.collection.meter.run import TcpLine

    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= 1 << 16:
        raise typer.BadParameter(f"expected HOST:PORT, received {text!r}")
    return TcpLine(host.strip("[]"), int(port))


async def _run(config: RunConfig) -> None:
    from meterseal.collection.meter.run import run

    def tell(bound: list[tuple[str, int]], group: MeterGroup) -> None:
        names = list(group.meters)
        who = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        for host, port in bound:
            typer.echo(f"meter {who} answers on {host}:{port}")

    task = asyncio.ensure_future(run(config, started=tell))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task

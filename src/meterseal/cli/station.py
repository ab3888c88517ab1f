"""`meterseal station`: take statements in, and answer for them."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli import users
from meterseal.cli.files import read_file
from meterseal.cli.options import (
    Crls,
    Json,
    PasswordFile,
    RequireCrl,
    load_key,
    print_facts,
    print_json,
)
from meterseal.errors import UsageError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from meterseal.collection.model import MeterAddress, Reading
    from meterseal.collection.station.evidence import Report
    from meterseal.collection.station.mqtt import Broker
    from meterseal.collection.station.run import Nats
    from meterseal.collection.station.store import Store
    from meterseal.x509 import Certificate

__all__ = ["app", "report_of"]

app = typer.Typer(help="Take statements in, and answer for them.", no_args_is_help=True)
app.add_typer(users.app, name="user")

StoreOption = Annotated[
    str, typer.Option("--store", help="SQLite file, or postgresql://... address.")
]
CaOption = Annotated[Path, typer.Option("--ca", help="Trusted roots, PEM.")]
CertOption = Annotated[
    Path, typer.Option("--cert", help="The station's certificate and those of its CAs, PEM.")
]
KeyOption = Annotated[Path, typer.Option("--key", help="The station's private key.")]
MeterArgument = Annotated[str, typer.Argument(metavar="METER", help="Twelve digits.")]
FromArgument = Annotated[
    datetime, typer.Argument(metavar="FROM", help="UTC, such as 2026-11-23T00:00:00.")
]
ToArgument = Annotated[datetime, typer.Argument(metavar="TO", help="UTC; not included.")]


@app.command()
def run(
    cert: CertOption,
    key: KeyOption,
    ca: CaOption,
    registry: Annotated[Path, typer.Option("--registry", help="Who speaks for which meter, TOML.")],
    store: StoreOption,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="HOST:PORT", help="MQTT broker.")
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", help="tlcp, tls12-sm, tls13-sm, auto; or plain.")
    ] = "auto",
    share: Annotated[
        str | None, typer.Option("--share", help="Share the messages with this group of stations.")
    ] = None,
    nats: Annotated[
        list[str] | None,
        typer.Option("--nats", help="NATS server instead of MQTT; repeat it for a cluster."),
    ] = None,
    replicas: Annotated[
        int, typer.Option("--replicas", min=1, max=5, help="Servers that keep each message.")
    ] = 1,
    certificates: Annotated[
        Path | None, typer.Option("--certificates", help="Known signers: a file or a folder.")
    ] = None,
    crl: Crls = None,
    require_crl: RequireCrl = False,
    keep_days: Annotated[int, typer.Option("--keep-days", min=1)] = 400,
    password_file: PasswordFile = None,
) -> None:
    """Check, store and acknowledge what collectors send, until Ctrl-C; SIGHUP reads files again."""
    import asyncio
    import logging

    from meterseal.collection.station.run import StationConfig
    from meterseal.collection.station.run import run as run_station

    identity = _own_certificate(cert)
    name = identity.subject.common_name
    if name is None:
        raise UsageError(f"the certificate in {cert} has no common name: it is the station's name")
    config = StationConfig(
        name=name,
        key=load_key(key, password_file),
        certificate=identity,
        ca=ca,
        registry=registry,
        store=store,
        source=_source(broker, nats, replicas, name, protocol, (cert, key, ca), share),
        crls=tuple(crl or ()),
        require_crls=require_crl,
        certificates=certificates,
        keep_days=keep_days,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_station(config))


@app.command()
def verify(
    meter: MeterArgument,
    start: FromArgument,
    end: ToArgument,
    store: StoreOption,
    ca: CaOption,
    *,
    json: Json = False,
) -> None:
    """Verify stored statements again, from the bytes and certificates that were kept."""
    from meterseal.collection.station.evidence import verify_stored
    from meterseal.x509 import TrustStore, load_certificates

    opened = _open(store)
    trust = TrustStore(load_certificates(read_file(ca)))
    report = verify_stored(opened, _address(meter), _ms(start), _ms(end), trust)
    report_of(report, json=json)


@app.command()
def export(
    meter: MeterArgument,
    start: FromArgument,
    end: ToArgument,
    store: StoreOption,
    cert: CertOption,
    key: KeyOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle to write; must not exist.")],
    password_file: PasswordFile = None,
) -> None:
    """Write evidence that a third party can check with root certificates alone."""
    from meterseal.collection.station.evidence import export as export_bundle
    from meterseal.collection.station.ingest import utc_now
    from meterseal.x509 import load_certificates

    identity, *chain = load_certificates(read_file(cert))
    count = export_bundle(
        _open(store),
        _address(meter),
        start=_ms(start),
        end=_ms(end),
        path=out,
        station=identity.subject.common_name or "",
        key=load_key(key, password_file),
        certificate=identity,
        chain=chain,
        now=utc_now(),
    )
    typer.echo(f"{count} statements written to {out}")


@app.command()
def readings(
    meter: MeterArgument, start: FromArgument, end: ToArgument, store: StoreOption
) -> None:
    """Print readings as CSV, values in the unit of each column."""
    from meterseal.collection.station.registry import Registry
    from meterseal.collection.station.views import Views

    views = Views(_open(store), Registry({}))
    _write_csv(views.readings(_address(meter), _ms(start), _ms(end)))


@app.command()
def refused(
    store: StoreOption,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 100,
    *,
    json: Json = False,
) -> None:
    """Show what was refused, and why."""
    from meterseal.collection.station.registry import Registry
    from meterseal.collection.station.views import Views

    rows = Views(_open(store), Registry({})).refused(limit=limit)
    facts = [
        {
            "last_at": _text(row.last_at),
            "collector": row.collector,
            "reason": row.verdict.name.lower(),
            "detail": row.detail,
            "meter": row.meter,
            "epoch": row.epoch,
            "sequence": row.sequence,
            "times": row.times,
            "digest": row.digest.hex(),
        }
        for row in rows
    ]
    if json:
        print_json(facts)
        return
    for fact in facts:
        where = f"{fact['collector']} {fact['meter'] or '-'} {fact['sequence'] or '-'}"
        typer.echo(
            f"{fact['last_at']}  {where}  {fact['reason']} x{fact['times']}: {fact['detail']}"
        )


def report_of(report: Report, *, json: bool) -> None:
    """Print what a check of evidence found; exit code 1 unless it holds."""
    facts: dict[str, object] = {
        "statements": report.statements,
        "valid": report.valid,
        "receipted": report.receipted,
        "signers": report.signers,
        "stations": sorted(report.stations),
        "missing": [
            {"epoch": epoch, "first": first, "last": last} for epoch, first, last in report.missing
        ],
        "revoked_later": report.revoked_later,
        "findings": [{"piece": each.piece, "problem": each.problem} for each in report.findings],
        "holds": report.holds,
    }
    if json:
        print_json(facts)
    else:
        print_facts({name: facts[name] for name in ("statements", "valid", "receipted")})
        for name, count in sorted(report.signers.items()):
            typer.echo(f"signed by {name}: {count}")
        for name in sorted(report.stations):
            typer.echo(f"receipts by {name}")
        for epoch, first, last in report.missing:
            typer.echo(f"missing: epoch {epoch}, sequences {first} to {last}")
        for told, count in sorted(report.revoked_later.items()):
            typer.echo(f"received before {told}: {count}")
        for finding in report.findings:
            typer.echo(f"wrong: {finding.piece}: {finding.problem}")
        typer.echo("it holds" if report.holds else "it does not hold")
    if not report.holds:
        raise typer.Exit(1)


def _source(
    broker: str | None,
    nats: list[str] | None,
    replicas: int,
    name: str,
    protocol: str,
    files: tuple[Path, Path, Path],
    share: str | None,
) -> Broker | Nats:
    if (broker is None) == (not nats):
        raise typer.BadParameter("give --broker, or --nats")
    if broker is None:
        from meterseal.collection.station.run import Nats

        return Nats(tuple(nats or ()), replicas)
    from meterseal.collection.station.mqtt import Broker

    host, _, port = broker.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter(f"{broker!r} is not HOST:PORT")
    context = None if protocol == "plain" else _context(protocol, *files)
    return Broker(host.strip("[]"), int(port), name, context, share=share)


def _context(protocol: str, cert: Path, key: Path, ca: Path) -> ssl.SSLContext:
    from meterseal.net.context import create_default_context

    try:
        context = create_default_context(protocol=protocol, cafile=ca)  # type: ignore[arg-type]
        context.load_cert_chain(cert, key)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return context


def _own_certificate(path: Path) -> Certificate:
    from meterseal.x509 import load_certificates

    return load_certificates(read_file(path))[0]


def _open(store: str) -> Store:
    from meterseal.collection.station.store import open_store

    if not store.startswith("postgres") and not Path(store.removeprefix("sqlite:///")).exists():
        raise UsageError(f"there is no store {store}")
    return open_store(store)


def _address(digits: str) -> MeterAddress:
    from meterseal.collection.model import MeterAddress

    return MeterAddress(digits)


def _ms(at: datetime) -> int:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return int(at.timestamp() * 1000)


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


def _write_csv(readings: Iterator[Reading]) -> None:
    from meterseal.collection.model import Quantity

    columns = {q: f"{q.name.lower()}_{q.unit}" if q.unit else q.name.lower() for q in Quantity}
    writer = csv.writer(sys.stdout)
    writer.writerow(["sampled_at", "epoch", "sequence", "quality", *columns.values()])
    for each in readings:
        values = [
            "" if (steps := each.values.get(quantity)) is None else quantity.amount(steps)
            for quantity in columns
        ]
        writer.writerow(
            [_text(each.sampled_at), each.epoch, each.sequence, int(each.quality), *values]
        )

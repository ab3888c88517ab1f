"""`meterseal up`, `meterseal run`, `meterseal config`: the collection system on one machine."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.inputs import Protocol
from meterseal.errors import UsageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterator

    from rich.table import Table

    from meterseal.collection.config import Settings, StationSettings
    from meterseal.collection.processes import Child, Processes
    from meterseal.collection.station.views import Overview

config_app = typer.Typer(help="Look at a file of settings.", no_args_is_help=True)

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="File of settings.", show_default=True)
]
_DEFAULT = Path("meterseal.toml")
_PORTS = {
    "broker_port": 1883,
    "nats_port": 4222,
    "gateway_port": 8883,
    "admin_port": 9883,
    "meter_port": 6450,
    "display_port": 8080,
}


def run(
    role: Annotated[str, typer.Argument(help="broker, gateway, meter, collector or station.")],
    config: ConfigOption = _DEFAULT,
    log_level: Annotated[str, typer.Option("--log-level", envvar="METERSEAL_LOG")] = "INFO",
    log_json: Annotated[
        bool, typer.Option("--log-json", envvar="METERSEAL_LOG_JSON", help="A JSON object a line.")
    ] = False,
) -> None:
    """Run one role by its table in the settings, until Ctrl-C."""
    import asyncio
    import logging

    from meterseal.collection.config import load_settings
    from meterseal.collection.logs import JsonLines
    from meterseal.collection.roles import run_role

    settings = load_settings(config, os.environ)
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if log_json else plain)
    logging.basicConfig(level=log_level.upper(), handlers=[handler])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_signal(run_role(role, settings)))


def up(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="File of settings; else one is made.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where a system is laid out that has no settings yet.")
    ] = Path("meterseal-system"),
    meters: Annotated[int, typer.Option("--meters", min=1, max=10_000)] = 3,
    interval: Annotated[float, typer.Option(help="Seconds between readings.", min=1)] = 5.0,
    readings: Annotated[
        Path | None, typer.Option("--input", help="COMTRADE or CSV that the meters play.")
    ] = None,
    protocol: Annotated[
        Protocol, typer.Option("--protocol", help="What collector and station speak.")
    ] = Protocol.TLS13_SM,
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0 = at Ctrl-C.", min=0)] = 0,
) -> None:
    """Start meters, collector, gateway, broker, station and display, and show how they are."""
    import asyncio

    from meterseal.collection.config import load_settings
    from meterseal.collection.processes import Processes
    from meterseal.collection.roles import ROLES
    from meterseal.collection.workplace import SETTINGS, Plan, prepare

    if config is None:
        plan = Plan(
            meters=meters,
            interval=interval,
            protocol=protocol.value,
            source=readings,
            **_free_ports(),
        )
        if (folder / SETTINGS).exists():
            typer.echo(f"goes on in {folder}; what it was laid out with stays")
        config = prepare(folder, plan, datetime.now(UTC))
    settings = load_settings(config, os.environ)
    roles = [role for role in ROLES if getattr(settings, role) is not None]
    if not roles:
        raise UsageError(f"{config} has no table for any role")
    with _alone(config):
        processes = Processes(roles, config, config.parent / "logs")
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(until_signal(_show(processes, settings, config, seconds)))
    _summary(settings)


@contextlib.contextmanager
def _alone(config: Path) -> Iterator[None]:
    """Keep others from running the same system: they would fight for its ports and its files."""
    import fcntl

    with config.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{config} is running already: end that first, or lay out another with --dir"
            ) from None
        yield


@config_app.command()
def check(config: ConfigOption = _DEFAULT) -> None:
    """Say whether a file of settings is right, and which roles it runs."""
    from meterseal.collection.config import load_settings
    from meterseal.collection.roles import ROLES

    settings = load_settings(config, os.environ)
    missing = [str(path) for path in _files(settings) if not path.exists()]
    if missing:
        raise UsageError("no such file: " + ", ".join(missing))
    roles = [role for role in ROLES if getattr(settings, role) is not None]
    typer.echo(f"{config} is right: {', '.join(roles) or 'no roles'}")


def _files(table: object) -> list[Path]:
    """All files that the settings name as there already: those of identities and registries."""
    from pydantic import BaseModel

    found: list[Path] = []
    if isinstance(table, BaseModel):
        for name in type(table).model_fields:
            value = getattr(table, name)
            if isinstance(value, Path) and name != "state":
                found.append(value)
            elif isinstance(value, BaseModel | tuple):
                found += _files(value)
    elif isinstance(table, tuple):
        for each in table:
            found += [each] if isinstance(each, Path) else _files(each)
    return found


async def until_signal(work: Coroutine[object, object, None]) -> None:
    """Run; Ctrl-C and SIGTERM cancel it, and it ends in its own order.

    It says so at once. A second one changes nothing; a third cuts the end short.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    asked = itertools.count(1)

    def stop() -> None:
        times = next(asked)
        if times == 1:
            typer.echo("ending in order, which may take some seconds", err=True)
        if times != 2:  # noqa: PLR2004  (once was enough)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _show(processes: Processes, settings: Settings, config: Path, seconds: float) -> None:
    """Run the processes beside a table of them, on a terminal; in lines elsewhere."""
    import asyncio

    from rich.console import Console
    from rich.live import Live

    console = Console()
    console.print(f"settings  {config}")
    if settings.station is not None and settings.station.listen is not None:
        scheme = "http" if settings.station.https is None else "https"
        console.print(f"display   {scheme}://{settings.station.listen}/")
    work: asyncio.Task[None] = asyncio.create_task(processes.run())
    deadline = time.monotonic() + seconds if seconds else None
    greeted = False
    try:
        with Live(_table(processes, None), console=console, auto_refresh=False) as live:
            while not work.done() and (deadline is None or time.monotonic() < deadline):
                await asyncio.sleep(1)
                if not greeted and (greeting := _first_password(settings)):
                    greeted = True
                    live.console.print(greeting)
                if console.is_terminal:
                    overview = await asyncio.to_thread(_overview, settings)
                    live.update(_table(processes, overview), refresh=True)
            live.update(_table(processes, _overview(settings)), refresh=True)
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


def _first_password(settings: Settings) -> str | None:
    """How to sign in for the first time, while nobody has; None otherwise."""
    from meterseal.collection.display.users import FIRST_PASSWORD, FIRST_USER

    if settings.station is None:
        return None
    try:
        password = (settings.station.state / FIRST_PASSWORD).read_text("utf-8").strip()
    except OSError:
        return None
    return f"sign in   user {FIRST_USER}, one-time password {password}"


def _table(processes: Processes, overview: Overview | None) -> Table:
    from rich.table import Table

    table = Table("role", "state", "up for", "starts", "last word", expand=True)
    for child in processes.children:
        table.add_row(child.role, _state(child), _age(child), str(child.starts), child.last_line())
    if overview is not None:
        table.caption = (
            f"{overview.online} of {overview.meters} meters online, "
            f"{overview.readings_per_second:.1f} readings a second, "
            f"{overview.alarms} alarms, {overview.incidents} incidents, "
            f"{overview.refused_today} refused today"
        )
    return table


def _overview(settings: Settings) -> Overview | None:
    """What the station's store says; None while there is no station, or no store yet."""
    from meterseal.collection.station.ingest import utc_now
    from meterseal.collection.station.registry import load_registry
    from meterseal.collection.station.store import StoreUnavailable, open_store
    from meterseal.collection.station.views import Views

    station = settings.station
    if station is None or ("://" not in station.store and not Path(station.store).exists()):
        return None
    try:
        store = open_store(station.store)
    except StoreUnavailable:
        return None
    try:
        return Views(store, load_registry(station.registry.read_text("utf-8"))).overview(utc_now())
    except StoreUnavailable:
        return None
    finally:
        store.close()


def _state(child: Child) -> str:
    if child.is_up and child.process is not None:
        return f"[green]up[/], process {child.process.pid}"
    return "[yellow]starting[/]" if child.ended is None else f"[red]ended with {child.ended}[/]"


def _age(child: Child) -> str:
    return f"{time.time() - child.since:.0f} s" if child.is_up else ""


def _summary(settings: Settings) -> None:
    """Print what was collected, from the files that the roles left."""
    if settings.station is not None and "://" not in settings.station.store:
        _print_stored(settings.station)
    if settings.collector is not None:
        from meterseal.cli.collector import print_status

        print_status(settings.collector, as_json=False)


def _print_stored(station: StationSettings) -> None:
    from meterseal.collection.station.registry import load_registry
    from meterseal.collection.station.store import open_store
    from meterseal.collection.station.views import Views

    if not Path(station.store).exists():
        return
    store = open_store(station.store)
    try:
        registry = load_registry(station.registry.read_text("utf-8"))
        typer.echo(f"{station.name}: statements stored, each verified and signed for")
        counts = store.counts()
        for meter in sorted(registry.meters):
            typer.echo(f"  {meter}: {counts.get(meter, 0)}")
        for refused in Views(store, registry).refused(limit=10):
            reason = refused.verdict.name.lower()
            typer.echo(f"  refused ({reason}), {refused.times} times: {refused.detail}")
    finally:
        store.close()


def _free_ports() -> dict[str, int]:
    """The usual ports, where they are free; others elsewhere."""
    from meterseal.net.ports import free_port, is_free

    return {name: port if is_free(port) else free_port() for name, port in _PORTS.items()}

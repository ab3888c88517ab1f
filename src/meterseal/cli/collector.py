"""`meterseal collector`: run one, and look at what it holds."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.options import Json
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from meterseal.collection.config import CollectorSettings

__all__ = ["app", "print_status"]

app = typer.Typer(help="Poll meters, seal and keep readings, publish them.", no_args_is_help=True)
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="File of settings.")]
_DEFAULT = Path("meterseal.toml")


@app.command()
def run(config: ConfigOption = _DEFAULT) -> None:
    """Run the collector of the settings until Ctrl-C."""
    from meterseal.cli import up

    up.run("collector", config)


@app.command()
def status(config: ConfigOption = _DEFAULT, *, as_json: Json = False) -> None:
    """Show what waits for a receipt, what was refused, and how polling goes, meter by meter."""
    print_status(_settings(config), as_json=as_json)


def print_status(settings: CollectorSettings, *, as_json: bool) -> None:
    """Print the state of a collector's outbox; the collector may run or not."""
    from meterseal.collection.collector.outbox import Outbox
    from meterseal.collection.collector.service import OUTBOX

    path = settings.state / OUTBOX
    if not path.exists():
        raise UsageError(f"{settings.name} has collected nothing yet: there is no {path}")
    outbox = Outbox(path, born_at=0)
    try:
        depth, health, refused = outbox.depth(), outbox.health(), outbox.refused()
    finally:
        outbox.close()
    if as_json:
        facts = {
            "collector": settings.name,
            "waiting": depth.statements,
            "bytes": depth.size,
            "oldest": _text(depth.oldest),
            "refused": len(refused),
            "meters": {
                each.meter: {
                    "polls": each.polls,
                    "success_rate": round(each.success_rate, 4),
                    "last_good": _text(each.last_good),
                    "last_error": each.last_error,
                }
                for each in health
            },
        }
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    typer.echo(f"{settings.name}: {depth.statements} statements wait ({depth.size} bytes)")
    if depth.oldest is not None:
        typer.echo(f"  the oldest was sampled at {_text(depth.oldest)}")
    for each in refused[:10]:
        reason = each.verdict.name.lower()
        typer.echo(f"  refused ({reason}): {each.meter} {each.epoch}/{each.sequence}")
    for meter in health:
        error = f", last error: {meter.last_error}" if meter.last_error else ""
        typer.echo(
            f"  {meter.meter}: {meter.polls} polls, {meter.success_rate:.1%} answered, "
            f"last at {_text(meter.last_good)}{error}"
        )


def _settings(config: Path) -> CollectorSettings:
    from meterseal.collection.config import load_settings

    settings = load_settings(config, os.environ).collector
    if settings is None:
        raise UsageError(f"{config} has no table [collector]")
    return settings


def _text(at: int | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")

"""Software meters by their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterseal.collection.config import split_address
from meterseal.collection.meter.meter import MeterConfig
from meterseal.collection.meter.recordings import open_recording
from meterseal.collection.meter.run import MeterSetup, RunConfig, TcpLine, run
from meterseal.collection.meter.synthetic import synthetic_source
from meterseal.collection.model import MeterAddress
from meterseal.collection.sealing import Sealer
from meterseal.errors import UsageError
from meterseal.x509 import load_certificates, load_private_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meterseal.collection.config import MeterSettings
    from meterseal.collection.meter.sources import Source

__all__ = ["run_meters"]


async def run_meters(settings: MeterSettings) -> None:
    """Run the meters until cancelled. Raises `OSError` or `MeterSealError` for wrong files."""
    sources = _sources(settings)
    setups = [
        MeterSetup(MeterAddress(meter), source, _sealer(settings, meter))
        for meter, source in zip(settings.meters, sources, strict=True)
    ]
    kind = MeterConfig(sources[0].ratings, seal_interval=int(settings.seal_interval * 1000))
    await run(
        RunConfig(
            folder=settings.state,
            meters=setups,
            kind=kind.lightened() if settings.light else kind,
            lines=[TcpLine(*split_address(settings.listen))],
            interval=int(settings.interval * 1000),
        )
    )


def _sources(settings: MeterSettings) -> Sequence[Source]:
    """A recording is read once and played by every meter; synthetic loads differ."""
    if settings.source is not None:
        return [open_recording(settings.source, light=settings.light)] * len(settings.meters)
    return [synthetic_source(int(meter), light=settings.light) for meter in settings.meters]


def _sealer(settings: MeterSettings, meter: str) -> Sealer | None:
    if meter not in settings.sealing:
        return None
    if settings.identities is None:
        raise UsageError("meters that seal what they say need a folder of identities")
    stem = settings.identities / f"meter-{meter}"
    key = load_private_key(stem.with_suffix(".key").read_bytes())
    return Sealer(key, load_certificates(stem.with_suffix(".pem").read_bytes())[0])

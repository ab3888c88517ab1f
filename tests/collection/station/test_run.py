"""A whole station: its files, an MQTT broker, and what changes while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from meterseal.collection import topics
from meterseal.collection.config import load_settings
from meterseal.collection.model import MeterAddress
from meterseal.collection.receipts import Verdict
from meterseal.collection.station import run as run_module
from meterseal.collection.station.inbox import Message
from meterseal.collection.station.metrics import Metrics
from meterseal.collection.station.mqtt import Broker
from meterseal.collection.station.run import Station, StationConfig, run
from meterseal.collection.station.service import station_config
from meterseal.collection.station.store import open_store
from meterseal.errors import MeterSealError
from meterseal.x509 import dump_certificates, dump_crls
from support.display import link
from support.station import DAY, NOW, PLAIN, reading, world
from support.whole_system import lay_out

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = '[[meter]]\naddresses = ["000000000001"]\ncollectors = ["collector-1"]\n'


class Pipe:
    """An inbox fed by the test."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self.closed = False

    async def send(self, *sequences: int) -> None:
        sealed = world().collector.sealer.seal_many([reading(n) for n in sequences])
        done = asyncio.Event()

        async def acknowledge() -> None:
            done.set()

        message = Message(topics.up("collector-1"), topics.pack(sealed), acknowledge)
        await self._queue.put(message)
        async with asyncio.timeout(30):
            await done.wait()

    async def receive(self, most: int, patience: float) -> list[Message]:
        del most, patience
        return [await self._queue.get()]

    async def publish(self, topic: str, payload: bytes) -> None:
        """Nobody listens."""

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def config(tmp_path: Path) -> StationConfig:
    w = world()
    (tmp_path / "root.pem").write_bytes(dump_certificates([w.root.certificate]))
    (tmp_path / "ca.crl").write_bytes(dump_crls([w.crl()]))
    (tmp_path / "registry.toml").write_text(REGISTRY)
    known = tmp_path / "known"
    known.mkdir()
    (known / "ca.pem").write_bytes(dump_certificates([w.ca.certificate]))
    (known / "collector.pem").write_bytes(dump_certificates([w.collector.certificate]))
    return StationConfig(
        name="station-1",
        key=w.station.key,
        certificate=w.station.certificate,
        ca=tmp_path / "root.pem",
        registry=tmp_path / "registry.toml",
        store=tmp_path / "station.db",
        source=Broker("127.0.0.1", 1, "station-1"),
        crls=(tmp_path / "ca.crl",),
        certificates=known,
    )


def station_of(config: StationConfig) -> Station:
    return Station(config, metrics=Metrics(CollectorRegistry()), clock=lambda: NOW)


@contextlib.asynccontextmanager
async def running(station: Station, inbox: Pipe):  # noqa: ANN201
    task = asyncio.create_task(station.run(inbox))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert inbox.closed


def verdicts(station: Station) -> dict[Verdict, int]:
    return {row.verdict: row.times for row in station.views.refused()}


def test_takes_statements_and_shows_them(config: StationConfig) -> None:
    async def story() -> None:
        station, inbox = station_of(config), Pipe()
        async with running(station, inbox):
            await inbox.send(1, 2)
        latest = station.views.latest(PLAIN, NOW)
        assert latest is not None
        assert latest.reading == reading(2)
        assert len(station.store.crls()) == 1, "kept as evidence"
        station.close()

    asyncio.run(story())


def test_knows_its_signers_again_after_a_restart(config: StationConfig, tmp_path: Path) -> None:
    async def take(config: StationConfig, sequence: int) -> None:
        station, inbox = station_of(config), Pipe()
        async with running(station, inbox):
            await inbox.send(sequence)
        assert verdicts(station) == {}
        station.close()

    asyncio.run(take(config, 1))
    for file in (tmp_path / "known").iterdir():
        file.unlink()
    asyncio.run(take(config, 2))


def test_heeds_a_changed_list_and_registry_without_a_restart(
    config: StationConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "_REFRESH", 0.01)
    reloaded = []
    honest = Station.reload
    monkeypatch.setattr(Station, "reload", lambda self: (honest(self), reloaded.append(1)))

    async def story() -> None:
        station, inbox = station_of(config), Pipe()
        async with running(station, inbox):
            await inbox.send(1)
            config.crls[0].write_bytes(dump_crls([world().crl(world().collector)]))
            config.registry.write_text(REGISTRY.replace("0001", "0009"))
            before = len(reloaded)
            async with asyncio.timeout(30):
                while len(reloaded) == before or not station.views.registry.find(
                    MeterAddress("000000000009")
                ):
                    await asyncio.sleep(0.01)
            config.registry.write_text(REGISTRY)
            await station.try_reload()
            await inbox.send(2)
        assert verdicts(station) == {Verdict.REVOKED: 1}
        station.close()

    asyncio.run(story())


def test_a_file_that_cannot_be_read_changes_nothing(
    config: StationConfig, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        station, inbox = station_of(config), Pipe()
        async with running(station, inbox):
            config.registry.write_text("[[meter")
            await station.try_reload()
            config.registry.write_text(REGISTRY)
            config.ca.unlink()
            await station.try_reload()
            await inbox.send(1)
        assert verdicts(station) == {}
        assert caplog.text.count("goes on with the files of before") == 2
        station.close()

    asyncio.run(story())


def test_a_list_that_ran_out_stops_nothing_for_good(config: StationConfig) -> None:
    async def story() -> None:
        station = Station(
            config, metrics=Metrics(CollectorRegistry()), clock=lambda: NOW + 40 * DAY
        )
        inbox = Pipe()
        async with running(station, inbox):
            await inbox.send(1)
        assert verdicts(station) == {Verdict.VALIDITY: 1}
        station.close()
        again, inbox = station_of(config), Pipe()
        async with running(again, inbox):
            await inbox.send(1)
        assert [r.sequence for r in again.views.readings(PLAIN, 0, NOW)] == [1]
        again.close()

    asyncio.run(story())


def test_raises_an_alarm_for_certificates_that_end_soon(config: StationConfig) -> None:
    clock = [NOW]
    station = Station(config, metrics=Metrics(CollectorRegistry()), clock=lambda: clock[0])
    certificate = world().collector.certificate
    station.look_at_certificates()
    assert station.views.alarms(clock[0]) == []
    clock[0] = int(certificate.not_after.timestamp() * 1000) - DAY
    station.store.save_links([link("collector-9", days=(clock[0] - NOW) // DAY + 3)])
    station.look_at_certificates()
    told = station.views.alarms(clock[0])
    assert {alarm.kind for alarm in told} == {"CERTIFICATE_ENDS"}
    for subject in (str(certificate.subject), "CN=collector-9"):
        assert any(subject in alarm.detail for alarm in told)
    station.close()


def test_a_station_of_settings_knows_the_signers_of_a_folder(tmp_path: Path) -> None:
    file, _ = lay_out(tmp_path, meters=3, interval=1.0)
    text = file.read_text()
    file.write_text(text.replace("[station]\n", '[station]\ncertificates = "pki/meters"\n', 1))
    settings = load_settings(file, {})
    assert settings.station is not None
    (tmp_path / "state").mkdir()
    station = Station(station_config(settings.station), metrics=Metrics(CollectorRegistry()))
    names = {each.subject.common_name for each in station.directory.certificates()}
    assert {"meter-202611230001", "meter-202611230002", "issuing CA"} == names
    station.close()


def test_does_not_start_with_files_that_are_wrong(config: StationConfig) -> None:
    config.registry.write_text("[[meter")
    with pytest.raises(MeterSealError):
        Station(config, metrics=Metrics(CollectorRegistry()))


def test_a_hang_up_signal_reads_the_files_again_and_cancelling_ends_it(
    config: StationConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe_made = asyncio.Event()
    reloaded = asyncio.Event()

    async def open_inbox(_: Station) -> Pipe:
        pipe_made.set()
        return Pipe()

    async def try_reload(_: Station) -> None:
        reloaded.set()

    monkeypatch.setattr(Station, "_open_inbox", open_inbox)
    monkeypatch.setattr(Station, "try_reload", try_reload)
    monkeypatch.setattr(run_module, "Metrics", lambda: Metrics(CollectorRegistry()))

    async def story() -> None:
        task = asyncio.create_task(run(config))
        async with asyncio.timeout(30):
            await pipe_made.wait()
            os.kill(os.getpid(), signal.SIGHUP)
            await reloaded.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    open_store(config.store).close()

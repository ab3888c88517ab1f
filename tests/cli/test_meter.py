"""`meterseal meter` as a user runs it: it measures, seals, answers, and goes on after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from meterseal.cli.main import app
from meterseal.collection.dlt645 import SEALED_NEWEST
from meterseal.collection.dlt645.link import Master, Timing, open_tcp
from meterseal.collection.model import Quantity, Reading
from meterseal.collection.sealing import open_sealed
from meterseal.x509 import load_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = "000000000001"
PATIENT = Timing(answer=30.0, frame=60.0)


@contextlib.contextmanager
def meter(folder: Path, *options: object) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A running meter and its port."""
    words = [sys.executable, "-m", "meterseal", "meter", "--address", ADDRESS]
    words += ["--state", str(folder / "state"), "--listen", "127.0.0.1:0", *map(str, options)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert f"{ADDRESS}" in line, process.stderr.read()
            yield int(line.rpartition(":")[2]), process
        finally:
            process.kill()


def read(port: int, code: int) -> bytes:
    async def scene() -> bytes:
        async with await open_tcp("127.0.0.1", port) as link:
            return await Master(link, PATIENT).read_data(ADDRESS, code)

    return asyncio.run(scene())


def failure(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["meter", *map(str, arguments)])
    assert result.exit_code != 0
    return str(result.exception) + result.output


def test_seals_what_it_measures_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    assert CliRunner().invoke(app, ["pki", "dev", str(keys)]).exit_code == 0
    options = ("--cert", keys / "meter-1.pem", "--key", keys / "meter-1-sign.key")
    (certificate, *_) = load_certificates((keys / "meter-1.pem").read_bytes())
    seen = []
    for _ in range(2):
        with meter(tmp_path, *options) as (port, _):
            sealed = open_sealed(read(port, SEALED_NEWEST))
        sealed.envelope.verify(certificate.public_key())
        seen.append(sealed.statement)
    first, second = seen
    assert isinstance(first, Reading)
    assert 20_900 < (first.values[Quantity.VOLTAGE_A] or 0) < 23_540
    assert second.epoch == first.epoch
    assert second.sequence > first.sequence


def test_stops_when_it_is_told_to(tmp_path: Path) -> None:
    with meter(tmp_path, "--light") as (_, process):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--address", "12"], "twelve"),
        (["--address", ADDRESS, "--listen", "nowhere"], "HOST:PORT"),
        (["--address", ADDRESS, "--cert", "c.pem"], "both --cert and --key"),
        (["--address", "9" * 12, "--count", "2"], "twelve digits"),
        (["--address", ADDRESS, "--source", "absent.csv"], "absent.csv"),
        (
            ["--address", ADDRESS, "--count", "2", "--cert", "c.pem", "--key", "k.pem"],
            "one meter",
        ),
    ],
)
def test_says_what_is_wrong_with_its_options(
    tmp_path: Path, options: list[str], message: str
) -> None:
    assert message in failure(*options, "--state", tmp_path)

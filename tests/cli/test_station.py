"""`meterseal station` and `meterseal evidence`, on a store that a test has filled."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from meterseal.cli.main import app
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.store import Refusal, open_store
from meterseal.errors import UsageError
from meterseal.x509 import dump_certificates, dump_crls, dump_private_key
from support.station import NOW, PLAIN, START, checks, reading, world

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

PERIOD = ("2026-11-23T00:00:00", "2026-11-24T00:00:00")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    w = world()
    store = open_store(tmp_path / "station.db")
    (bad,) = checks(reading(9))
    refusal = Refusal(bad.arrival, Verdict.SIGNATURE, "it does not verify", bad.sealed)
    store.commit(checks(reading(1), reading(2)), [refusal], NOW)
    store.close()
    (tmp_path / "root.pem").write_bytes(dump_certificates([w.root.certificate]))
    (tmp_path / "other.pem").write_bytes(dump_certificates([w.stranger.certificate]))
    chain = [w.station.certificate, w.ca.certificate]
    (tmp_path / "station.pem").write_bytes(dump_certificates(chain))
    (tmp_path / "station.key").write_bytes(dump_private_key(w.station.key))
    return tmp_path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_verifies_and_exports_and_the_bundle_is_checked_with_the_root(folder: Path) -> None:
    store, root = folder / "station.db", folder / "root.pem"
    verified = run("station", "verify", PLAIN, *PERIOD, "--store", store, "--ca", root)
    assert verified.exit_code == 0, verified.output
    assert "valid: 2" in verified.output
    assert verified.output.endswith("it holds\n")
    bundle = folder / "evidence.zip"
    exported = run(
        "station", "export", PLAIN, *PERIOD, "--store", store, "--out", bundle,
        "--cert", folder / "station.pem", "--key", folder / "station.key",
    )  # fmt: skip
    assert exported.output == f"2 statements written to {bundle}\n"
    checked = run("evidence", "check", bundle, "--ca", root, "--json")
    assert checked.exit_code == 0
    facts = json.loads(checked.output)
    assert (facts["statements"], facts["valid"], facts["receipted"]) == (2, 2, 2)
    assert facts["holds"] is True
    doubted = run("evidence", "check", bundle, "--ca", folder / "other.pem")
    assert doubted.exit_code == 1
    assert doubted.output.endswith("it does not hold\n")
    w = world()
    for days, holds in ((0, False), (2, True)):  # a list is issued a day before what it revokes
        crl = w.crl(w.collector, at=START + timedelta(days=days), days=3000)
        (folder / "list.pem").write_bytes(dump_crls([crl]))
        told = run("evidence", "check", bundle, "--ca", root, "--crl", folder / "list.pem")
        assert told.exit_code == (0 if holds else 1)
        assert ("received before" in told.output) is holds


def test_shows_what_was_refused(folder: Path) -> None:
    store = folder / "station.db"
    shown = run("station", "refused", "--store", store)
    assert "signature x1: it does not verify" in shown.output
    (fact,) = json.loads(run("station", "refused", "--store", store, "--json").output)
    assert (fact["reason"], fact["meter"], fact["sequence"]) == ("signature", PLAIN, 9)


def test_prints_readings_as_csv_in_their_units(folder: Path) -> None:
    printed = run("station", "readings", PLAIN, *PERIOD, "--store", folder / "station.db")
    first, _ = csv.DictReader(io.StringIO(printed.output))
    assert first["sampled_at"] == "2026-11-23T03:01:00.000+00:00"
    assert (first["voltage_a_V"], first["active_power_kW"]) == ("220.01", "0.1000")
    assert first["voltage_b_V"] == ""


def test_a_store_that_is_not_there_is_not_made(folder: Path) -> None:
    result = run("station", "refused", "--store", folder / "none.db")
    assert isinstance(result.exception, UsageError)
    assert not (folder / "none.db").exists()


def test_runs_with_one_source_of_messages(folder: Path) -> None:
    (folder / "registry.toml").write_text("")
    words = (
        "station", "run", "--cert", folder / "station.pem", "--key", folder / "station.key",
        "--ca", folder / "root.pem", "--registry", folder / "registry.toml",
        "--store", folder / "station.db",
    )  # fmt: skip
    for sources in ([], ["--broker", "h:1", "--nats", "nats://h"], ["--broker", "no-port"]):
        assert run(*words, *sources).exit_code == 2

"""One run of the experiment, small, and what its page and its data say."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from meterseal.errors import DecodeError, UsageError
from meterseal.lab import experiment
from meterseal.lab.experiment import commands, hello
from meterseal.lab.experiment.ladder import first_flight
from meterseal.lab.experiment.schemes import SCHEMES

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.lab.experiment import Results

VOID = {"meta", "br", "link", "img", "input", "hr"}
ROUNDS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    found = experiment.run(folder, ROUNDS, lambda _: None)
    experiment.write(found, folder)
    return found


@pytest.fixture(scope="module")
def page(results: Results, folder: Path) -> str:
    assert results
    return (folder / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Notes what a page would fetch, and elements that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [
            str(value)
            for name, value in attrs
            if name in {"src", "href", "xlink:href", "data"} and not str(value).startswith("#")
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_outside(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.fetched == []
    assert "<script" not in page
    assert not re.search(r"@import|url\(\s*['\"]?http", page)


@pytest.mark.parametrize("figure", ["5", "6", "7", "8", "11", "12", "13"])
def test_every_figure_of_the_experiment_is_named(page: str, figure: str) -> None:
    assert f">figure {figure}</span>" in page


def test_the_figures_of_both_ends_are_named_together(page: str) -> None:
    assert ">figures 9 and 10</span>" in page


def test_keys_and_certificate_are_as_in_the_design(results: Results) -> None:
    stage = results.stage
    assert stage.private_key.startswith("-----BEGIN EC PARAMETERS-----\nBggqgRzPVQGCLQ==\n")
    assert stage.public_key.startswith("-----BEGIN PUBLIC KEY-----")
    assert "sm2sign-with-sm3" in stage.certificate_text.output
    assert stage.verification.output.startswith("verified: ")


def test_both_ends_of_every_session_count_the_same_bytes(results: Results) -> None:
    suites = ("ECDHE-SM2-WITH-SMS4-GCM-SM3", "ECDHE_SM4_GCM_SM3", "TLS_SM4_GCM_SM3")
    for (_, dialogue, capture), suite in zip(results.stage.sessions, suites, strict=True):
        for said in dialogue:
            assert f"connected with {suite}" in said.output
            assert said.output.count("bytes 14") == 2
        digests = [re.findall(r"sm3 (\w{64})", said.output) for said in dialogue]
        assert digests[0] == digests[1][::-1]
        assert capture.stat().st_size > 1000


def test_the_random_of_the_hello_begins_with_the_time(results: Results) -> None:
    seconds = int(results.hello.random_parts[0], 16)
    age = datetime.now(UTC) - datetime.fromtimestamp(seconds, UTC)
    assert timedelta(seconds=-2) < age < timedelta(minutes=30)
    assert len(results.hello.random) == 64
    assert any("SMS4_GCM_SM3" in suite for suite in results.hello.suites)


def test_the_recorded_hello_of_the_design_has_no_time(results: Results) -> None:
    assert results
    assert hello.FIGURE_11.time.startswith("1998-")
    assert len(hello.FIGURE_11.suites) == 36
    with pytest.raises(DecodeError):
        hello.dissect(b"\x16\x03\x01")


def test_the_ladder_has_the_messages_of_the_handshake(results: Results) -> None:
    ladder = results.ladder
    assert [rung.flags for rung in ladder[:3]] == ["SYN", "SYN+ACK", "ACK"]
    said = [name for rung in ladder for name in rung.messages]
    assert said[:2] == ["ClientHello", "ServerHello"]
    assert said.count("Finished") == 2
    assert "application data" in said
    assert ladder[3].from_client
    assert ladder[3].length == len(first_flight(results.stage.sessions[0].capture))
    assert all(first.seconds <= second.seconds for first, second in itertools.pairwise(ladder))


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_the_same_packets(results: Results) -> None:
    assert results.analysis is not None
    assert results.analysis.packets == len(results.ladder)
    assert results.analysis.malformed == 0


def test_the_data_lies_beside_the_page(results: Results, folder: Path) -> None:
    data = json.loads((folder / "data.json").read_text())
    assert data["rounds"] == ROUNDS
    assert len(data["comparison"]) == len(results.comparison)
    with (folder / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["scheme"] for row in rows} == {kind.name for kind in SCHEMES}
    assert all(float(row["median_s"]) > 0 for row in rows)
    assert "stage" not in data  # keys stay out of what is passed around


def test_every_time_was_sampled(results: Results) -> None:
    spreads = [one.time for one in results.comparison] + [one.wall for one in results.handshakes]
    spreads += [step.time for step in (*results.signing, *results.verifying, *results.batches)]
    assert all(time.samples == ROUNDS and time.median > 0 for time in spreads)


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"meterseal cert show nothing\.pem: .*nothing\.pem"):
        commands.run(tmp_path, "cert", "show", "nothing.pem")

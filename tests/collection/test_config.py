"""One file for all roles: read strictly, found relative to itself, overridden from outside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.config import load_settings, split_address
from meterseal.collection.workplace import Plan, prepare
from meterseal.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("system"), Plan(meters=3), NOW)


def test_what_is_laid_out_is_right_and_found_beside_its_file(laid_out: Path) -> None:
    settings = load_settings(laid_out, {})
    assert settings.collector is not None
    assert settings.station is not None
    assert settings.meter is not None
    assert settings.collector.identity.certificate == laid_out.parent / "pki/collector-1.pem"
    assert settings.collector.identity.certificate.exists()
    assert settings.station.store == str(laid_out.parent / "state/station.sqlite")
    assert len(settings.meter.meters) == 3
    assert settings.meter.sealing == settings.meter.meters[:2]
    assert [line.seals_itself for line in settings.collector.line] == [True, False]


def test_private_keys_are_for_their_owner_alone(laid_out: Path) -> None:
    keys = list((laid_out.parent / "pki").rglob("*.key"))
    assert len(keys) == 2 + 3 * 2 + 2
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    assert (laid_out.parent / "pki").stat().st_mode & 0o077 == 0


def test_laying_out_again_changes_nothing(laid_out: Path) -> None:
    before = {path: path.read_bytes() for path in laid_out.parent.rglob("*") if path.is_file()}
    assert prepare(laid_out.parent, Plan(meters=9), NOW) == laid_out
    assert before == {
        path: path.read_bytes() for path in laid_out.parent.rglob("*") if path.is_file()
    }


def test_the_environment_overrides_the_file(laid_out: Path) -> None:
    settings = load_settings(
        laid_out,
        {
            "METERSEAL__GATEWAY__LISTEN": "0.0.0.0:8884",
            "METERSEAL__GATEWAY__CONNECTIONS": "5",
            "METERSEAL__COLLECTOR__UPLINK__PROTOCOL": '"tlcp"',
            "OTHER": "x",
        },
    )
    assert settings.gateway is not None
    assert settings.collector is not None
    assert settings.gateway.listen == "0.0.0.0:8884"
    assert settings.gateway.connections == 5
    assert settings.collector.uplink.protocol == "tlcp"


@pytest.mark.parametrize(
    ("variable", "text", "complaint"),
    [
        ("METERSEAL__GATEWAY__LISTEN", "8883", "gateway.listen"),
        ("METERSEAL__GATEWAY__LISTEN", "localhost:99999", "HOST:PORT"),
        ("METERSEAL__GATEWAY__LISTENS", "x", "gateway.listens"),
        ("METERSEAL__GATEWAY__CONNECTIONS", "0", "gateway.connections"),
        ("METERSEAL__COLLECTOR__NAME", "a/b", "collector.name"),
        ("METERSEAL__COLLECTOR__UPLINK__PROTOCOL", "ssl", "collector.uplink.protocol"),
        ("METERSEAL__METER__METERS", '["1"]', "twelve decimal digits"),
        ("METERSEAL__STATION__NATS", '["nats://x"]', "either an uplink or nats"),
        ("METERSEAL__NOBODY__X", "1", "nobody"),
        ("METERSEAL__GATEWAY__LISTEN__X", "1", "no table"),
    ],
)
def test_every_wrong_value_is_named(
    laid_out: Path, variable: str, text: str, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        load_settings(laid_out, {variable: text})


def test_a_line_has_one_way_to_it(laid_out: Path) -> None:
    line = '[{meters = ["202611230001"], address = "h:1", device = "/dev/ttyS0"}]'
    with pytest.raises(UsageError, match="either an address or a device"):
        load_settings(laid_out, {"METERSEAL__COLLECTOR__LINE": line})


def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text("[gateway")
    with pytest.raises(UsageError, match=r"m\.toml"):
        load_settings(file, {})
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"m\.toml"):
        load_settings(file, {})


def test_addresses_are_split_at_the_last_colon() -> None:
    assert split_address("localhost:1") == ("localhost", 1)
    assert split_address("[::1]:65535") == ("::1", 65535)
    assert split_address(":80") == ("127.0.0.1", 80)

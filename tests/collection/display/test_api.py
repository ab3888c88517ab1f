"""The JSON API against a filled store."""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING

import pytest

from collection.display.conftest import Client
from meterseal.collection.model import Quantity
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.store import StoreUnavailable
from support.display import PASSWORD, STATUS, link, make_display, refusal, sealed, three_phase
from support.station import MINUTE, NOW, SEALING, checks, event

if TYPE_CHECKING:
    from meterseal.collection.display.display import Display
    from support.display import Clock

READINGS = f"/api/meters/{SEALING}/readings"


@pytest.fixture
def api(client: Client, display: Display) -> Client:
    """Ten readings, of which the sixth is missing; something refused, an event, a link."""
    numbers = [n for n in range(1, 11) if n != 6]
    readings = [three_phase(n, seconds=60 * (n - 10), CURRENT_C=None) for n in numbers]
    display.store.commit(sealed(*readings), [refusal(Verdict.REVOKED, "on a list")], NOW)
    display.store.commit(checks(event(1)), [], NOW)
    display.store.save_links([link("collector-1")])
    display.store.save_statuses({"collector-1": STATUS}, NOW)
    client.sign_in("vera")
    return client


def test_health_is_for_everybody_and_nothing_else_is(client: Client) -> None:
    assert client.get("/healthz").json() == {"ok": True}
    paths = ["/metrics", "/api/overview", "/api/meters", f"/api/meters/{SEALING}/latest",
             f"{READINGS}?start=0&end=1", "/api/links", "/api/alarms", "/api/rejected",
             "/api/collectors", f"/api/export.csv?meter={SEALING}&start=0&end=1"]  # fmt: skip
    for path in paths:
        answer = client.get(path)
        assert (path, answer.status_code) == (path, 401)
        assert answer.json()["error"] == "sign_in"
        assert answer.headers["www-authenticate"].startswith("Basic ")


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_scripts_come_with_name_and_password(client: Client) -> None:
    assert client.get("/api/meters", headers=basic("vera", PASSWORD)).status_code == 200
    assert client.get("/overview", headers=basic("vera", PASSWORD)).status_code == 303
    for header in (basic("vera", "wrong"), {"Authorization": "Basic !"}, {"Authorization": "X y"}):
        assert client.get("/api/meters", headers=header).status_code == 401
    for _ in range(4):
        client.get("/api/meters", headers=basic("vera", "wrong"))
    slowed = client.get("/api/meters", headers=basic("vera", PASSWORD))
    assert (slowed.status_code, slowed.json()["error"]) == (429, "wait")
    assert int(slowed.headers["retry-after"]) == 900


def test_a_one_time_password_does_not_open_the_api(client: Client, display: Display) -> None:
    from meterseal.collection.display.users import Role

    password = display.users.add("new", Role.VIEWER)
    answer = client.get("/api/meters", headers=basic("new", password))
    assert (answer.status_code, answer.json()["error"]) == (403, "must_change")


def test_the_api_only_reads(api: Client) -> None:
    paths = api.get("/api/openapi.json").json()["paths"]
    assert {"/healthz", "/metrics", "/api/meters", "/api/meters/{address}/latest",
            "/api/meters/{address}/readings", "/api/links", "/api/alarms", "/api/rejected",
            "/api/export.{form}"} <= set(paths)  # fmt: skip
    assert {method for path in paths.values() for method in path} == {"get"}


def test_metrics_are_those_of_the_station(api: Client) -> None:
    assert "meterseal_test_messages_total 3.0" in api.get("/metrics").text


def test_meters_and_overview(api: Client) -> None:
    rows = {row["meter"]: row for row in api.get("/api/meters").json()}
    assert rows[SEALING] == {
        "meter": SEALING, "state": "online", "collectors": ["collector-1"], "seals_itself": True,
        "interval": 60, "sampled_at": NOW, "received_at": NOW, "quality": ["SIMULATED"],
    }  # fmt: skip
    overview = api.get("/api/overview").json()
    assert (overview["meters"], overview["online"], overview["refused_today"]) == (3, 1, 1)


def test_the_latest_values_have_units_age_and_nulls(api: Client, clock: Clock) -> None:
    clock.now += 5000
    latest = api.get(f"/api/meters/{SEALING}/latest").json()
    assert (latest["age"], latest["sampled_at"], latest["sequence"]) == (5000, NOW, 10)
    assert latest["values"]["FREQUENCY"] == {"value": 50.012, "unit": "Hz"}
    assert latest["values"]["CURRENT_C"] == {"value": None, "unit": "A"}


def test_readings_as_they_are(api: Client) -> None:
    answer = api.get(f"{READINGS}?start={NOW - 3 * MINUTE}&end={NOW}").json()
    assert [each["sequence"] for each in answer["readings"]] == [7, 8, 9]
    assert answer["next"] is None


def test_readings_on_a_grid_have_null_where_nothing_is(api: Client) -> None:
    path = f"{READINGS}?start={NOW - 9 * MINUTE}&end={NOW + MINUTE}&step={MINUTE}"
    curve = api.get(f"{path}&quantity=FREQUENCY").json()
    assert curve["count"] == [1, 1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert curve["mean"] == [50012.0] * 5 + [None] + [50012.0] * 4
    assert (curve["unit"], curve["decimals"], curve["quantity"]) == ("Hz", 3, "FREQUENCY")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/meters/12/latest", 422),
        ("/api/meters/000000000009/latest", 404),
        ("/api/meters/000000000002/latest", 404),
        (f"{READINGS}?start=0", 422),
        (f"{READINGS}?start=-1&end=1", 422),
        (f"{READINGS}?start=0&end=99999999999999999999", 422),
        (f"{READINGS}?start=0&end={NOW}&step=7", 422),
        (f"{READINGS}?start=0&end={NOW}&step=60000", 422),
        (f"{READINGS}?start=0&end=1&step=60000&quantity=LOVE", 422),
        ("/api/rejected?after=99999999999999999999", 422),
        ("/api/alarms?meter=000000000009", 404),
        ("/api/nothing", 404),
        ("/api/export.xls?meter=000000000001&start=0&end=1", 422),
        (f"/api/export.csv?meter={SEALING}&start=5&end=1", 422),
    ],
)
def test_what_is_wrong_is_said_in_json(api: Client, path: str, status: int) -> None:
    answer = api.get(path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "detail"}
    assert answer.json()["detail"]


def test_links_alarms_and_what_was_refused(api: Client) -> None:
    (shown,) = api.get("/api/links").json()
    assert shown["refused"] == {"REVOKED": 1}
    assert shown["session"]["protocol"] == "TLS 1.3"
    assert shown["session"]["issuer"] == "C=CN, O=Grid, CN=issuing CA"
    assert api.get("/api/turned-away").json() == []
    (alarm,) = api.get("/api/alarms?active=true").json()
    assert (alarm["kind"], alarm["phase"], alarm["ended_at"]) == ("VOLTAGE_LOSS", 2, None)
    assert api.get(f"/api/alarms?meter={SEALING}").json() == []
    (row,) = api.get("/api/rejected").json()
    assert (row["verdict"], row["detail"], len(row["digest"])) == ("REVOKED", "on a list", 64)
    assert api.get(f"/api/rejected?after={row['id']}").json() == []
    (collector,) = api.get("/api/collectors").json()
    assert collector["status"]["depth"] == 3


def test_export_as_csv(api: Client) -> None:
    answer = api.get(f"/api/export.csv?meter={SEALING}&start=0&end={NOW + 1}")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 9
    assert rows[-1]["FREQUENCY [Hz]"] == "50.012"
    assert rows[-1]["CURRENT_C [A]"] == ""
    assert rows[-1]["sampled_at"] == "2026-11-23T04:00:00.000+00:00"
    assert rows[0]["meter"] == SEALING


def test_export_as_parquet(api: Client) -> None:
    from pyarrow import parquet

    answer = api.get(f"/api/export.parquet?meter={SEALING}&start=0&end={NOW + 1}")
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.num_rows == 9
    assert table["FREQUENCY"].to_pylist() == [50.012] * 9
    assert table["CURRENT_C"].to_pylist() == [None] * 9
    assert table["sequence"].to_pylist() == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert table.schema.field("VOLTAGE_A").metadata == {b"unit": b"V"}


def test_exports_of_nothing_are_whole_files(api: Client) -> None:
    from pyarrow import parquet

    span = f"meter={SEALING}&start=0&end=0"
    assert len(api.get(f"/api/export.csv?{span}").text.splitlines()) == 1
    content = api.get(f"/api/export.parquet?{span}").content
    table = parquet.read_table(io.BytesIO(content))
    assert (table.num_rows, table.num_columns) == (0, 5 + len(Quantity))


def test_a_store_that_is_away_is_said(
    api: Client, display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(display.views, "meters", away)
    answer = api.get("/api/meters")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert api.get("/overview").status_code == 503


def test_two_displays_in_one_process_have_their_own_sessions(
    client: Client, clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    client.sign_in("vera")
    other = make_display(tmp_path_factory.mktemp("other"), clock)
    with Client(other) as another:
        another.cookies.update(client.cookies)
        assert another.get("/api/meters").status_code == 401
    other.store.close()

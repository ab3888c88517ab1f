"""What pages show of a filled store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.display.access import COOKIE
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.registry import Registry
from support.display import Clock, fill, refusal, sealed, snapshot, three_phase
from support.station import DAY, MINUTE, NOW, PLAIN, SEALING, checks, reading

if TYPE_CHECKING:
    from collection.display.conftest import Client
    from meterseal.collection.display.display import Display

PAGE = f"/meters/{SEALING}"
EVERY_PAGE = [
    "/overview", PAGE, f"{PAGE}/load", f"{PAGE}/load?span=month&quantity=VOLTAGE_A",
    f"{PAGE}/waveform", f"{PAGE}/energy", f"/meters/{PLAIN}", f"/meters/{PLAIN}/waveform",
    f"/meters/{PLAIN}/energy", "/alarms", "/alarms?only=all", "/security", "/evidence",
    f"/evidence?meter={SEALING}&check=1", "/collectors", "/users", "/password",
]  # fmt: skip


def cell(page: str, quantity: str) -> str:
    found = re.search(rf'data-quantity="{quantity}">([^<]*)<', page)
    assert found
    return found[1]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_works_empty_and_filled_in_both_languages(
    client: Client, display: Display, language: str
) -> None:
    client.sign_in("sofia")
    client.cookies.set("language", language)
    for path in EVERY_PAGE:
        assert (path, client.get(path).status_code) == (path, 200)
    fill(display.store)
    for path in EVERY_PAGE:
        answer = client.get(path)
        assert (path, answer.status_code) == (path, 200)
        assert answer.headers["content-language"] == language
        if language == "en":
            shown = answer.text.replace("中文", "")
            assert not re.search("[\u4e00-\u9fff]", shown), path


def test_the_language_of_the_browser_is_taken_until_one_is_chosen(client: Client) -> None:
    chinese = client.get("/login", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert "登录" in chinese.text
    assert "Sign in" in client.get("/login").text
    client.cookies.set("language", "zh")
    assert "登录" in client.get("/login", headers={"Accept-Language": "en"}).text
    client.cookies.set("language", "xx")
    assert "Sign in" in client.get("/login").text


def test_the_meter_shows_its_digits_and_their_age(
    client: Client, display: Display, clock: Clock
) -> None:
    display.store.commit(sealed(three_phase(1, seconds=0, CURRENT_B=None)), [], NOW)
    client.sign_in("vera")
    clock.now += 7000
    page = client.get(PAGE).text
    assert cell(page, "FREQUENCY") == "50.012"
    assert cell(page, "CURRENT_B") == "\N{EN DASH}"
    assert "7 s" in page
    assert 'class="card old"' not in page


def test_old_values_are_greyed_and_keep_their_time(
    client: Client, display: Display, clock: Clock
) -> None:
    display.store.commit(sealed(three_phase(1, seconds=0)), [], NOW)
    client.sign_in("vera")
    for passed, is_old in ((150_000, False), (150_001, True)):
        clock.now = NOW + passed
        page = client.get(PAGE).text
        assert ('class="card old"' in page) is is_old
        assert "2026-11-23 12:00:00" in page


def test_a_load_curve_has_its_gap_and_says_how_much_is_there(
    client: Client, display: Display
) -> None:
    numbers = [n for n in range(1, 61) if not 20 <= n < 30]
    display.store.commit(checks(*(reading(n) for n in numbers)), [], NOW)
    client.sign_in("vera")
    start = NOW - 59 * MINUTE
    page = client.get(f"/meters/{PLAIN}/load?start={start}&end={NOW + MINUTE}").text
    assert page.count('class="line"') == 2
    assert "Steps with data: 83.3 %" in page
    for query in (f"start={NOW}&end={NOW}", f"start=0&end={NOW}", "quantity=LOVE", "span=x",
                  "start=x&end=1"):  # fmt: skip
        assert client.get(f"/meters/{PLAIN}/load?{query}").status_code == 422


def test_energy_by_tariff_is_what_the_registers_gained(client: Client, display: Display) -> None:
    fill(display.store)
    client.sign_in("vera")
    page = client.get(f"{PAGE}/energy").text
    row = re.search(r'<td class="day">2026-11-23</td>(.*?)</tr>', page)
    assert row
    assert re.findall(r">([0-9.?]+)<", row[1])[:2] == ["48.067", "4.807"]
    assert "2026-11-22" in page
    assert "2026-11-21" not in page, "before the first day that is known there is nothing to show"


def test_the_waveform_page_tells_distortion(client: Client, display: Display) -> None:
    display.store.commit(sealed(snapshot(1)), [], NOW)
    client.sign_in("vera")
    page = client.get(f"{PAGE}/waveform").text
    assert page.count('<path class="wave') == 6
    assert "U B · 5: 3.00 %" in page
    assert "above the limit" not in page


def test_evidence_is_verified_by_operators(client: Client, display: Display) -> None:
    display.store.commit(sealed(*(three_phase(n, seconds=n - 9) for n in (1, 2, 5))), [], NOW)
    client.sign_in("vera")
    path = f"/evidence?meter={SEALING}&begin=2026-11-23T11:59:00&end=2026-11-23T12:00:01"
    assert "Verify now" not in client.get(path).text
    assert client.get(f"{path}&check=1").status_code == 403
    client.sign_in("otto")
    page = client.get(f"{path}&check=1").text
    assert "The evidence holds" in page
    assert "3 of 3 signatures are valid" in page
    assert "1763880000 / 3\N{EN DASH}4" in page
    assert re.search(rf"<dd>[^<]*CN = meter-{SEALING} \(3\)", page)
    for query in (
        "begin=x",
        "begin=2026-11-20T00:00:00",
        "end=2026-11-23T12:00:01&begin=2027-01-01",
    ):
        assert client.get(f"/evidence?{query}").status_code == 422


def test_evidence_that_was_altered_does_not_hold(client: Client, display: Display) -> None:
    display.store.commit(sealed(three_phase(1, seconds=-9), three_phase(2, seconds=-8)), [], NOW)
    day = display.store.day_of(NOW)
    with display.store.database.transaction() as session:
        ((bytes_,),) = session.query(f"SELECT sealed FROM statements_{day} WHERE sequence = 1", ())
        altered = bytes_[:-1] + bytes([bytes_[-1] ^ 1])
        session.run(f"UPDATE statements_{day} SET sealed = ? WHERE sequence = 1", (altered,))
    client.sign_in("otto")
    page = client.get(f"/evidence?meter={SEALING}&check=1").text
    assert "The evidence does not hold" in page
    assert "1 of 2 signatures are valid" in page
    assert "the signature does not verify" in page


def test_evidence_is_checked_once_at_a_time(client: Client, display: Display) -> None:
    client.sign_in("otto")
    with display.checking:
        assert client.get("/evidence?check=1").status_code == 409
    assert client.get("/evidence?check=1").status_code == 200


def test_the_security_page_tells_links_and_refusals(
    client: Client, display: Display, clock: Clock
) -> None:
    fill(display.store)
    display.store.commit([], [refusal(Verdict.REVOKED, "on a list", 1000)], NOW)
    client.sign_in("vera")
    page = client.get("/security").text
    for shown in ("TLS_SM4_GCM_SM3", "TLS 1.3", "5F3A90C2417E66D1", "512 days left", "83 min",
                  "signature 1", "revoked 1", "on a list", "12 days left", "curveSM2MLKEM768",
                  "CN=issuing CA", "2.1 MiB / 47.0 KiB", "no common suite"):  # fmt: skip
        assert shown in page
    assert page.count("data-turned-away") == 2, "alike ones stand in one line"
    clock.now += 13 * DAY
    client.sign_in("vera")
    assert "expired" in client.get("/security").text


def test_the_waveform_page_says_whether_waveforms_can_come(client: Client) -> None:
    client.sign_in("vera")
    assert "has sent no waveforms yet" in client.get(f"{PAGE}/waveform").text
    assert "reads no waveforms of it" in client.get(f"/meters/{PLAIN}/waveform").text


def test_pages_are_not_kept_by_caches(client: Client) -> None:
    client.sign_in("vera")
    assert COOKIE in client.cookies
    for path in ("/overview", PAGE, "/api/meters"):
        assert client.get(path).headers["cache-control"] == "no-store"


def test_of_many_meters_the_worst_are_listed(client: Client, display: Display) -> None:
    many = {"addresses": ["000000001000-000000001999", SEALING], "seals_itself": True}
    display.views.registry = Registry.of_tables([many])
    display.store.commit(sealed(three_phase(1, seconds=0)), [], NOW)
    client.sign_in("vera")
    page = client.get("/overview").text
    assert page.count('<span class="badge bad">silent</span>') == 50
    assert "951 more meters are not listed" in page
    assert SEALING not in page
    assert "<option" not in client.get(PAGE).text
    assert client.get("/meters?meter=000000000999").status_code == 404
    assert client.get("/meters").headers["location"] == "/meters/000000001000"
    assert client.get(f"/meters?meter={SEALING}&page=load").headers["location"] == f"{PAGE}/load"

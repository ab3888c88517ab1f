"""Who gets in, what a role may do, and what comes from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meterseal.collection.display.users import Role
from support.display import PASSWORD, Clock, refusal, sealed, three_phase
from support.station import NOW, checks, event, reading

if TYPE_CHECKING:
    from collection.display.conftest import Client
    from meterseal.collection.display.display import Display

PAGES = ["/", "/overview", "/meters", "/meters/202611230001", "/alarms", "/security",
         "/collectors", "/users", "/password"]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_the_login(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_signing_in_opens_the_pages_until_signing_out(client: Client) -> None:
    answer = client.sign_in("vera")
    assert (answer.status_code, answer.headers["location"]) == (303, "/overview")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/overview").status_code == 200
    kept = client.cookies["meterseal_session"]
    assert client.post("/logout", csrf=client.csrf()).headers["location"] == "/login"
    client.cookies.set("meterseal_session", kept)
    assert client.get("/overview").status_code == 303


def test_a_session_ends_after_a_shift(client: Client, clock: Clock) -> None:
    client.sign_in("vera")
    clock.now += 12 * 3_600_000
    assert client.get("/overview").status_code == 303


def test_a_wrong_password_is_refused_and_does_not_tell_who_exists(client: Client) -> None:
    wrong, nobody = client.sign_in("vera", "wrong password"), client.sign_in("x", "wrong password")
    assert (wrong.status_code, nobody.status_code) == (401, 401)
    assert wrong.text == nobody.text
    assert "set-cookie" not in wrong.headers


def test_guessing_is_stopped_even_for_the_right_password(client: Client, clock: Clock) -> None:
    for _ in range(5):
        assert client.sign_in("vera", "wrong password").status_code == 401
    assert client.sign_in("vera").status_code == 429
    assert client.sign_in("otto").status_code == 303
    clock.now += 15 * 60_000
    assert client.sign_in("vera").status_code == 303


def test_forms_from_elsewhere_change_nothing(client: Client, display: Display) -> None:
    assert client.post("/login", "http://evil", name="vera", password=PASSWORD).status_code == 403
    plain = client.post("/login", None, name="vera", password=PASSWORD)
    assert plain.status_code == 403
    client.sign_in("otto")
    display.store.commit(checks(event(1)), [], NOW)
    (alarm,) = display.views.alarms(NOW)
    path = f"/alarms/{alarm.id}/acknowledge"
    for origin, csrf in (("http://evil", client.csrf()), ("http://station", "x"), ("null", "")):
        assert client.post(path, origin, csrf=csrf).status_code == 403
    assert display.views.alarms(NOW)[0].acknowledged_by is None
    assert client.post(path, csrf=client.csrf()).status_code == 303
    assert display.views.alarms(NOW)[0].acknowledged_by == "otto"


def test_operators_acknowledge_events_and_security_officers_incidents(
    client: Client, display: Display, clock: Clock
) -> None:
    display.store.commit(checks(event(1), reading(5)), [], NOW)
    clock.now += 120_000
    found = {alarm.origin: alarm.id for alarm in display.views.alarms(clock.now)}
    tries = [("vera", "meter", 403), ("vera", "station", 403), ("otto", "station", 403),
             ("otto", "meter", 303), ("sofia", "station", 303)]  # fmt: skip
    for name, origin, status in tries:
        client.sign_in(name)
        path = f"/alarms/{found[origin]}/acknowledge"
        assert (name, client.post(path, csrf=client.csrf()).status_code) == (name, status)
    who = {alarm.origin: alarm.acknowledged_by for alarm in display.views.alarms(clock.now)}
    assert who == {"meter": "otto", "station": "sofia"}
    assert client.post("/alarms/999/acknowledge", csrf=client.csrf()).status_code == 404


@pytest.mark.parametrize("name", ["vera", "otto"])
def test_only_security_officers_manage_users(client: Client, display: Display, name: str) -> None:
    client.sign_in(name)
    assert client.get("/users").status_code == 403
    fields = {"csrf": client.csrf(), "action": "add", "name": "new", "role": "VIEWER"}
    assert client.post("/users", **fields).status_code == 403
    assert display.users.find("new") is None


def test_a_new_user_must_choose_a_password_first(client: Client, display: Display) -> None:
    client.sign_in("sofia")
    fields = {"csrf": client.csrf(), "action": "add", "name": "new", "role": "OPERATOR"}
    page = client.post("/users", **fields)
    one_time = page.text.split('<code id="one-time">')[1].split("<")[0]
    client.cookies.clear()
    assert client.sign_in("new", one_time).headers["location"] == "/password"
    assert client.get("/overview").headers["location"] == "/password"
    assert client.get("/api/meters").status_code == 403
    fields = {"csrf": client.csrf(), "old": one_time, "new": "another one 99", "again": "another"}
    assert client.post("/password", **fields).status_code == 422
    for new in (one_time, "short"):
        assert client.post("/password", **fields | {"new": new, "again": new}).status_code == 422
    before = client.cookies["meterseal_session"]
    fields["again"] = fields["new"]
    assert client.post("/password", **fields).headers["location"] == "/overview"
    assert client.get("/overview").status_code == 200
    user = display.users.find("new")
    assert user is not None
    assert user.role is Role.OPERATOR
    client.cookies.clear()
    client.cookies.set("meterseal_session", before)
    assert client.get("/overview").headers["location"] == "/login"


def test_a_changed_role_ends_the_sessions_of_before(client: Client, display: Display) -> None:
    client.sign_in("otto")
    display.users.change_role("otto", Role.VIEWER)
    assert client.get("/overview").headers["location"] == "/login"


def test_nobody_changes_oneself_among_users(client: Client, display: Display) -> None:
    client.sign_in("sofia")
    fields = {"csrf": client.csrf(), "action": "remove", "name": "sofia"}
    assert client.post("/users", **fields).status_code == 403
    assert display.users.find("sofia") is not None


def test_every_answer_forbids_what_comes_from_elsewhere(client: Client) -> None:
    for path in ("/login", "/overview", "/static/display.js", "/api/meters", "/nothing"):
        headers = client.get(path).headers
        assert (
            "default-src 'none'; script-src 'self'; style-src 'self'"
            in (headers["content-security-policy"])
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_what_others_sent_is_shown_as_text(client: Client, display: Display) -> None:
    """A refused statement's detail and a collector's status are not ours."""
    script = "<script>alert(1)</script>"
    from meterseal.collection.receipts import Verdict

    display.store.commit([], [refusal(Verdict.FORMAT, script)], NOW)
    display.store.save_statuses({"collector-1": f'{{"trouble": "{script}", "meters": {{}}}}'}, NOW)
    client.sign_in("vera")
    for path in ("/security", "/collectors"):
        page = client.get(path).text
        assert "&lt;script&gt;" in page
        assert script not in page


@pytest.mark.parametrize(
    "status",
    ["", "no json", "[1]", '{"meters": [1]}', '{"meters": {"x": 1}}', '{"depth": "<b>"}',
     '{"online": 3, "oldest": 1e300, "meters": {"a": {"success_rate": "x"}}}'],
)  # fmt: skip
def test_a_collector_may_say_anything_of_itself(
    client: Client, display: Display, status: str
) -> None:
    display.store.save_statuses({"collector-1": status}, NOW)
    client.sign_in("vera")
    assert client.get("/collectors").status_code == 200
    assert client.get("/api/collectors").status_code == 200


def test_what_has_not_changed_is_not_sent_again(
    client: Client, display: Display, clock: Clock
) -> None:
    display.store.commit(sealed(three_phase(1, seconds=0)), [], NOW)
    client.sign_in("vera")
    live = {"X-Live": "1"}
    first = client.get("/meters/202611230001", headers=live)
    again = {"If-None-Match": first.headers["etag"], **live}
    assert client.get("/meters/202611230001", headers=again).status_code == 304
    clock.now += 1000
    assert client.get("/meters/202611230001", headers=again).status_code == 200
    client.cookies.clear()
    assert client.get("/meters/202611230001", headers=again).status_code == 401

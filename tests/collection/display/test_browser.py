"""The display in a real browser: what people see moves, and nothing comes from elsewhere."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.display.service import serve_on
from meterseal.collection.receipts import Verdict
from support.display import PASSWORD, Clock, fill, make_display, refusal, sealed, three_phase
from support.station import NOW, SEALING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from meterseal.collection.display.display import Display

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = Path(__file__).parents[3] / "build" / "screens"
METER = f"/meters/{SEALING}"
PAGES = {
    "overview": "/overview", "meter": METER, "load": f"{METER}/load",
    "waveform": f"{METER}/waveform", "energy": f"{METER}/energy", "alarms": "/alarms",
    "security": "/security", "evidence": f"/evidence?meter={SEALING}&check=1",
    "collectors": "/collectors", "users": "/users", "password": "/password",
}  # fmt: skip

AWAY = 503
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


@contextmanager
def served(display: Display) -> Iterator[str]:
    """Serve a display in a thread of its own; yields its address."""
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    task = loop.create_task(serve_on(listener, display))

    def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
        listener.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Display, Clock, str]]:
    clock = Clock()
    display = make_display(tmp_path_factory.mktemp("display"), clock)
    fill(display.store)
    with served(display) as address:
        yield display, clock, address
    display.store.close()


@pytest.fixture
def page(browser: Browser, shown: tuple[Display, Clock, str]) -> Iterator[Page]:
    """A page of somebody who signed in; it may ask nobody else, and nothing may go wrong."""
    address = shown[2]
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=address)
    context.set_default_timeout(30_000)
    page = context.new_page()
    elsewhere: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda sent: elsewhere.append(sent.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    sign_in(page)
    yield page
    context.close()
    assert [url for url in elsewhere if not url.startswith(f"{address}/")] == []
    assert [text for text in wrong if f"status of {AWAY}" not in text] == []


def sign_in(page: Page) -> None:
    page.goto("/")
    page.fill("[name=name]", "sofia")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/overview")


def set_preference(page: Page, name: str, value: str) -> None:
    page.context.add_cookies([{"name": name, "value": value, "url": page.url}])


def test_a_wrong_password_is_said_and_the_right_one_opens(
    browser: Browser, shown: tuple[Display, Clock, str]
) -> None:
    context = browser.new_context(base_url=shown[2])
    page = context.new_page()
    page.goto("/")
    page.fill("[name=name]", "sofia")
    page.fill("[name=password]", "not the password")
    page.click("main button")
    assert page.text_content("[role=alert].bad") == "The user name or the password is wrong."
    sign_in(page)
    assert context.cookies()[0]["httpOnly"]
    page.click("text=Sign out")
    page.wait_for_url("**/login")
    context.close()


def test_values_and_phasors_move_without_a_reload(
    page: Page, shown: tuple[Display, Clock, str]
) -> None:
    display, clock, _ = shown
    page.goto(METER)
    page.evaluate("window.notReloaded = true")
    arrow = page.locator("[data-arrow=UB] line")
    before = arrow.get_attribute("x2"), arrow.get_attribute("y2")
    clock.now += 20_000
    moved = three_phase(9001, seconds=20, VOLTAGE_ANGLE_B=2000, FREQUENCY=49_876)
    display.store.commit(sealed(moved), [], clock.now)
    page.wait_for_selector("[data-quantity=FREQUENCY]:text-is('49.876')")
    assert (arrow.get_attribute("x2"), arrow.get_attribute("y2")) != before
    assert page.locator("[data-hint=hint_voltage_angles]").count() == 1
    assert page.evaluate("window.notReloaded")


def test_old_values_turn_grey_while_one_looks(
    page: Page, shown: tuple[Display, Clock, str]
) -> None:
    _, clock, _ = shown
    page.goto(METER)
    assert page.locator(".card.old").count() == 0
    clock.now += 200_000
    page.wait_for_selector(".card.old .badge:text-is('stale')")
    clock.now -= 200_000


def test_a_refused_statement_appears_on_the_security_page(
    page: Page, shown: tuple[Display, Clock, str]
) -> None:
    display, _, _ = shown
    page.goto("/security")
    known = page.locator("[data-refused]").count()
    forged = refusal(Verdict.TOPIC, "sent under the name of another", 7007)
    display.store.commit([], [forged], NOW)
    page.wait_for_selector("[data-refused] >> text=sent under the name of another")
    assert page.locator("[data-refused]").count() == known + 1
    assert "topic 1" in (page.text_content("[data-live=links]") or "")


def test_a_lost_connection_is_said(page: Page) -> None:
    page.goto("/overview")
    page.context.route("**/overview", lambda route: route.fulfill(status=AWAY, body="away"))
    page.wait_for_selector("#lost:visible")
    page.context.unroute("**/overview")
    page.wait_for_selector("#lost", state="hidden")


def test_dragging_over_the_load_curve_zooms(page: Page) -> None:
    page.goto(f"{METER}/load")
    box = page.locator(".chart svg").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    assert re.search(r"\d \(.* … .*\) kW", page.text_content("output") or "")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle)
    page.mouse.up()
    page.wait_for_url("**start=*")
    assert "Step 60 s" in (page.text_content("[data-live=curve]") or "")


def test_language_and_light_are_chosen_by_buttons(page: Page) -> None:
    page.click("[data-set='language=zh']")
    page.wait_for_selector("h1:text-is('总览')")
    page.click("[data-set='theme=dark']")
    page.wait_for_selector("html[data-theme=dark]")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == "rgb(16, 22, 28)"


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
def test_every_page_fits_its_window(page: Page, language: str, theme: str) -> None:
    """Pictures of all pages are kept for people to look at."""
    set_preference(page, "language", language)
    set_preference(page, "theme", theme)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        page.goto(path)
        page.screenshot(path=PICTURES / f"{name}-{language}-{theme}.png", full_page=True)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert (name, width) == (name, 1280)

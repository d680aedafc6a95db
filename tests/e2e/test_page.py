"""The page in a real Chromium over the real demo: what an operator sees and does, also while things break."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from scada.simulate import inject
from tests.e2e.plant import DemoPlant
from tests.hmi.browser import DESKTOP, open_browser, sign_in
from tests.support.wait import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
WAIT_MS = 15_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, shared_plant: DemoPlant) -> Iterator[Page]:
    """The water page of somebody who signed in with the password that the demo printed."""
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{shared_plant.hmi}/#/display/water")
    expect(page.locator(".link-state")).to_have_text("Live", timeout=WAIT_MS)
    expect(shown(page, "tank1/LT-101")).to_have_attribute("data-quality", "good", timeout=WAIT_MS)
    sign_in(page, "operator", shared_plant.password)
    yield page
    context.close()
    assert problems == []


def shown(page: Page, path: str) -> Locator:
    """A number on the drawing."""
    return page.locator(f'.drawing text[data-tag="{path}"][data-show="value"]').last


def number(page: Page, path: str) -> float:
    """The value that is shown, in the unit that is shown."""
    return float((shown(page, path).text_content() or "").split()[0].replace("\N{MINUS SIGN}", "-"))


def plate(page: Page, path: str) -> Locator:
    """What a number stands on: hatched while it is not live."""
    return page.locator(".reading").filter(has=page.locator(f'text[data-tag="{path}"]')).locator(".plate")


def write(page: Page, path: str, value: str) -> Locator:
    """Changes a tag in its faceplate with confirmation; returns the list of what became of it."""
    page.goto(f"{page.url.split('#')[0]}#/display/water?tag={path}")
    panel = page.get_by_role("complementary", name=f"Details of {path}")
    panel.get_by_role("button", name=f"Change… {path}").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New value").fill(value)
    dialog.get_by_label("Reason").fill("test of the page")
    dialog.get_by_role("button", name="Next").click()
    expect(dialog).to_contain_text("Change from")
    dialog.get_by_role("button", name="Write").click()
    return dialog.locator(".outcome")


def test_a_set_point_written_in_the_browser_moves_the_valve(page: Page) -> None:
    before = number(page, "tank1/LV-101/POS")
    up = number(page, "tank1/LT-101") < 2.5
    wanted = "4" if up else "1"
    outcome = write(page, "tank1/LIC-101/SP", wanted)
    expect(outcome).to_contain_text("Confirmed: read back as asked")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(shown(page, "tank1/LIC-101/SP")).to_have_text(f"{wanted}.00 m")
    panel = page.get_by_role("complementary", name="Details of tank1/LIC-101/SP")
    expect(panel.locator(".facts")).to_contain_text(f"{wanted}.00 m by operator (hmi), confirmed")
    wait_for(
        lambda: (number(page, "tank1/LV-101/POS") - before) * (1 if up else -1) > 2,
        30,
        "the valve on the page moves",
    )
    expect(write(page, "tank1/LIC-101/SP", "2.5")).to_contain_text("Confirmed")


def test_what_control_refuses_is_said_with_its_reason(page: Page) -> None:
    expect(write(page, "tank1/LV-101/OUT", "50")).to_contain_text("Rejected: nothing was changed")
    expect(page.get_by_role("dialog").locator(".outcome")).to_contain_text("tank1/LIC-101")


def test_local_at_the_panel_is_shown(page: Page, shared_plant: DemoPlant) -> None:
    badge = page.locator('[data-remote="tank1/LV-101/REM"] > .badge-local')
    expect(badge).to_be_hidden()
    shared_plant.inject("PLC1", "LV-101.local=true")
    try:
        expect(badge).to_be_visible()
        expect(write(page, "tank1/LV-101/OUT", "50")).to_contain_text("tank1/LV-101 is in Local")
    finally:
        shared_plant.inject("PLC1", "LV-101.local=false")
    expect(badge).to_be_hidden()


def test_a_pulled_plc_is_hatched_within_two_seconds_with_one_alarm(
    page: Page, shared_plant: DemoPlant
) -> None:
    banner = page.get_by_label("Alarm banner")
    expect(banner).to_contain_text("No active alarms", timeout=30_000)
    hatched = plate(page, "tank1/LT-101").element_handle()
    began = time.monotonic()
    assert inject(shared_plant.data, {"device": "PLC1", "do": "unplug"}) == {"ok": True}
    try:
        page.wait_for_function("plate => getComputedStyle(plate).fill.includes('hatch')", arg=hatched)
        took = time.monotonic() - began
        assert took < 2.0, f"hatched after {took:.2f} s"
        acknowledge = banner.get_by_role("button", name="Acknowledge system/PLC1/COMMS")
        expect(acknowledge).to_be_visible()
        for path in ("tank1/PT-103", "tank1/FT-104", "tank1/LV-101/POS"):
            expect(plate(page, path)).to_have_css("fill", re.compile("hatch"))
        expect(plate(page, "tank1/SC-101/SP")).not_to_have_css("fill", re.compile("hatch"))  # control's own
        page.get_by_role("link", name="Alarms", exact=True).click()
        rows = page.locator(".alarms tbody tr")
        expect(rows).to_have_count(1)  # its tags' own alarms are suppressed
        expect(rows.first).to_contain_text("system/PLC1/COMMS")
        acknowledge.click()
        expect(rows.first).to_have_attribute("data-ack", "yes")
        expect(rows.first).to_have_attribute("data-active", "yes")
    finally:
        shared_plant.inject("PLC1", "plug")
    expect(page.get_by_text("No active or unacknowledged alarms")).to_be_visible()
    page.get_by_role("link", name="Water station", exact=True).click()
    for path in ("tank1/LT-101", "tank1/PT-103", "tank1/LV-101/POS"):
        expect(shown(page, path)).to_have_attribute("data-quality", "good")
        expect(plate(page, path)).not_to_have_css("fill", re.compile("hatch"))
    first = shown(page, "tank1/FT-104").text_content()
    expect(shown(page, "tank1/FT-104")).not_to_have_text(first or "")  # it lives


def test_killed_control_is_named_and_comes_back(page: Page, shared_plant: DemoPlant) -> None:
    """It is back within a second: the page itself watches what it says."""
    page.evaluate(
        """() => {
            window.said = new Set();
            const look = () => {
                for (const line of document.querySelectorAll(".warning")) window.said.add(line.textContent);
                for (const text of document.querySelectorAll("[data-tag='tank1/LIC-101/SP'][data-quality=bad], "
                    + "[data-tag='tank1/LIC-101/SP'][data-quality=stale]")) window.said.add("hatched");
            };
            new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true});
        }"""
    )
    first = shared_plant.pid("control")
    os.kill(first, signal.SIGKILL)
    page.wait_for_function(
        "() => [...window.said].some(text => /control is not running.*Nothing is controlled/.test(text))"
    )
    page.wait_for_function("() => window.said.has('hatched')")
    expect(page.locator(".warning").filter(has_text="control")).to_have_count(0)
    expect(shown(page, "tank1/LIC-101/SP")).to_have_attribute("data-quality", "good")
    assert shared_plant.pid("control") != first
    expect(write(page, "tank1/LIC-101/SP", "2.5")).to_contain_text("Confirmed")


def test_a_killed_hmi_is_loud_and_heals_by_itself(page: Page, shared_plant: DemoPlant) -> None:
    lost = page.get_by_role("alert").filter(has_text="NO LIVE DATA")
    page.evaluate("window.notLoadedAgain = true")
    pid = shared_plant.pid("hmi")
    os.kill(pid, signal.SIGSTOP)  # longer away than a restart takes: the page must not take old for live
    try:
        expect(lost).to_be_visible(timeout=8000)
        expect(page.locator(".link-state")).to_have_text("No data")
        expect(page.locator(".content")).to_have_css("filter", re.compile("grayscale"))
    finally:
        with contextlib.suppress(ProcessLookupError):  # the supervisor's patience is 5 s
            os.kill(pid, signal.SIGKILL)
    expect(page.locator(".link-state")).to_have_text("Live", timeout=30_000)
    expect(lost).to_be_hidden()
    expect(shown(page, "tank1/LT-101")).to_have_attribute("data-quality", "good")
    first = shown(page, "tank1/FT-104").text_content()
    expect(shown(page, "tank1/FT-104")).not_to_have_text(first or "")
    assert page.evaluate("window.notLoadedAgain") is True

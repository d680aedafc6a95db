"""The same set point written from a browser and by a third-party OPC UA client: both are told, and who won is seen."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from scada.simulate import inject
from scada.users import Users
from tests.e2e.plant import DemoPlant
from tests.hmi.browser import DESKTOP, open_browser, sign_in
from tests.support.peers import NodeOpcua
from tests.support.wait import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(180)]
SP = "tank1/LIC-101/SP"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, shared_plant: DemoPlant) -> Iterator[Page]:
    """The faceplate of the set point, signed in as operator."""
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(f"{shared_plant.hmi}/#/display/water?tag={SP}")
    sign_in(page, "operator", shared_plant.password)
    yield page
    context.close()


@pytest.fixture
def peer(shared_plant: DemoPlant, tmp_path: Path) -> Iterator[NodeOpcua]:
    """node-opcua over an encrypted channel, as engineer `otto`: another person than the one at the page."""
    password = "otto's own password"
    Users(shared_plant.data.users).add("otto", password, "engineer")
    with NodeOpcua(
        shared_plant.opcua, tmp_path, [SP, "tank1/LT-101"], "otto", password, shared_plant.data.certs
    ) as client:
        yield client


def last_write(plant: DemoPlant) -> dict[str, Any]:
    """Who wrote the set point last, from the API."""
    with urllib.request.urlopen(f"{plant.hmi}/api/tags/{SP}", timeout=5) as answer:
        found = json.loads(answer.read())
    return {**found["last_write"], "now": found["reading"]["value"]}


def prepare(page: Page, value: str) -> None:
    """Everything of a write up to the last click."""
    page.get_by_role("complementary").get_by_role("button", name=f"Change… {SP}").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New value").fill(value)
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.get_by_role("button", name="Write")).to_be_enabled()


def facts(page: Page) -> Any:
    return page.get_by_role("complementary", name=f"Details of {SP}").locator(".facts")


def test_the_last_one_wins_and_it_is_seen_who_that_was(
    page: Page, peer: NodeOpcua, shared_plant: DemoPlant
) -> None:
    prepare(page, "2.7")
    assert peer.write(SP, 2.3) == "Good"
    expect(facts(page)).to_contain_text("2.30 m by otto (opcua), confirmed")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".now")).to_contain_text("2.30 m")  # seen before the last click
    dialog.get_by_role("button", name="Write").click()
    expect(dialog.locator(".outcome")).to_contain_text("Confirmed")
    expect(facts(page)).to_contain_text("2.70 m by operator (hmi), confirmed")
    last = last_write(shared_plant)
    assert (last["user"], last["source"], last["value"], last["now"]) == ("operator", "hmi", 2.7, 2.7)
    wait_for(lambda: peer.change(SP)["value"] == 2.7, 5, "the OPC UA client sees it too")
    assert peer.write(SP, 2.4) == "Good"
    dialog.get_by_role("button", name="Close").click()
    expect(facts(page)).to_contain_text("2.40 m by otto (opcua), confirmed")
    last = last_write(shared_plant)
    assert (last["user"], last["source"], last["value"], last["now"]) == ("otto", "opcua", 2.4, 2.4)
    shared_plant.scada("write", SP, "2.5")


def test_at_the_same_moment_there_is_one_winner(page: Page, peer: NodeOpcua, shared_plant: DemoPlant) -> None:
    """Both get an outcome; value, page, API and journal agree on who was last."""
    prepare(page, "2.7")
    answers: list[str] = []
    other = threading.Thread(target=lambda: answers.append(peer.write(SP, 2.3)))
    other.start()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Write").click()
    expect(dialog.locator(".outcome")).to_contain_text(re.compile("Confirmed|Superseded"))
    other.join(10)
    assert answers in (["Good"], ["BadInvalidState"])  # confirmed or superseded
    last = last_write(shared_plant)
    assert last["now"] == last["value"]
    assert (last["user"], last["value"]) in (("operator", 2.7), ("otto", 2.3))
    dialog.get_by_role("button", name="Close").click()
    expect(facts(page)).to_contain_text(f"{last['value']:.2f} m by {last['user']} ({last['source']})")
    stored = wait_for(
        lambda: [
            row
            for row in shared_plant.json("history", SP, "--start=-20s")
            if row["value"] == last["value"] and row["quality"] == "Good"
        ],
        10,
        "the journal has the winner",
    )
    assert stored
    shared_plant.scada("write", SP, "2.5")


def test_anonymous_may_look_but_not_write(shared_plant: DemoPlant, tmp_path: Path) -> None:
    with NodeOpcua(shared_plant.opcua, tmp_path, [SP]) as client:
        before = client.change(SP)
        assert before["name"] == "Good"
        assert client.write(SP, 3.9) == "BadUserAccessDenied"
    with shared_plant.client() as plant:
        plant.refresh()
        assert plant.read(SP).value == before["value"]


def test_a_wrong_password_is_refused(shared_plant: DemoPlant, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"BadUserAccessDenied|BadIdentityTokenRejected"):
        NodeOpcua(shared_plant.opcua, tmp_path, [SP], "operator", "not the password", shared_plant.data.certs)


def test_out_of_limits_is_refused(peer: NodeOpcua) -> None:
    assert peer.write(SP, 9.6) == "BadOutOfRange"


def test_a_pulled_plc_is_bad_for_a_subscriber(peer: NodeOpcua, shared_plant: DemoPlant) -> None:
    wait_for(lambda: peer.change("tank1/LT-101")["name"] == "Good", 5)
    began = time.time()  # noqa: TID251 - the peer says when it saw it in UTC
    assert inject(shared_plant.data, {"device": "PLC1", "do": "unplug"}) == {"ok": True}
    try:
        while (change := peer.change("tank1/LT-101"))["status"] >> 30 < 2:
            pass
        assert change["name"] == "BadNoCommunication"
        assert change["at"] / 1000 - began < 2.5
    finally:
        inject(shared_plant.data, {"device": "PLC1", "do": "plug"})
    while peer.change("tank1/LT-101")["name"] != "Good":
        pass

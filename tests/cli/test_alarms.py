"""`scada alarms`: what it lists, what it asks of control, and what it refuses before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from scada.access import OPERATIONS
from scada.cli.alarms import state_text
from scada.cli.app import app
from scada.requests.message import ALARM_KINDS
from tags.slots import SlotWriter
from tests.client.plant import SECOND, Plant, Responder, answers

HH, FORCED = "tank1/LT-101/HH", "system/control/FORCED"
AT = 1_790_000_000 * SECOND


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path / "data")
    shelved = [200, AT, AT, 0, AT + 10**9 * SECOND, [AT, "anna", ""], None, [AT, "bert", "spare part"],
               [AT, "bert", "spare part"], None, None, None]  # fmt: skip
    slots = SlotWriter.create(made.data.control_state, 1 << 16)
    slots.write(orjson.dumps({"alarms": {HH: [9, False, shelved]}}))
    slots.close()
    made.put(HH, 1 | 8)
    made.put(FORCED, 3)
    yield made
    made.close()


def scada(plant: Plant, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["alarms", *arguments, "--data", str(plant.data.root)])


def said(plant: Plant, *arguments: str) -> Any:
    result = scada(plant, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_what_wants_attention_and_what_is_put_aside(plant: Plant) -> None:
    assert [one["path"] for one in said(plant, "list")] == [FORCED]
    assert [one["path"] for one in said(plant, "list", "--all")] == [FORCED, HH]
    (aside,) = said(plant, "list", "--aside")
    assert (aside["state"], aside["shelved"]["user"], aside["shelved"]["text"]) == (
        "shelved",
        "bert",
        "spare part",
    )
    assert (aside["active"], aside["shelved_until"] is not None) == (True, True)
    table = scada(plant, "list", "--aside").stdout
    assert "shelved, active" in table
    assert "bert\tspare part" in table


@pytest.mark.parametrize("other", [16, 64, 4 | 256])
def test_the_end_of_a_shelf_is_no_end_of_what_is_put_aside_otherwise_too(plant: Plant, other: int) -> None:
    plant.put(HH, 8 | other)
    (row,) = [line for line in scada(plant, "list", "--aside").stdout.splitlines() if HH in line]
    assert "until ended" in row.split("\t")
    assert "until ended" not in scada(plant, "show", HH).stdout


def test_one_alarm(plant: Plant) -> None:
    shown = scada(plant, "show", HH).stdout
    for words in ("shelved, active", "critical", "by anna", "by bert: spare part", "high 4.6"):
        assert words in shown
    assert said(plant, "show", FORCED)["comment"] is None
    missing = scada(plant, "show", "tank1/LT-101/H")
    assert (missing.exit_code, "did you mean" in missing.stderr) == (2, True)


@pytest.mark.parametrize("kind", [kind for kind in ALARM_KINDS if kind != "acknowledge"])
def test_each_operation_asks_control(plant: Plant, kind: str) -> None:
    control = Responder(plant, answers("confirmed"))
    more = ["--for", "2h"] if kind == "shelve" else []
    try:
        result = scada(plant, kind, HH, FORCED, "--reason", "calibration", *more)
    finally:
        control.close()
    assert result.exit_code == 0, result.output
    (asked,) = control.requests
    assert (asked["kind"], asked["items"], asked["reason"]) == (
        kind,
        [[HH, None], [FORCED, None]],
        "calibration",
    )
    assert asked.get("for_ns") == (7200 * SECOND if kind == "shelve" else None)
    assert kind in OPERATIONS


def test_a_shelf_until_normal_and_all_acknowledged(plant: Plant) -> None:
    control = Responder(plant, answers("confirmed"))
    try:
        assert scada(plant, "shelve", HH, "--until-normal", "--reason", "x").exit_code == 0
        assert scada(plant, "ack", "--all").stdout == f"acknowledged: {FORCED}\n"
    finally:
        control.close()
    assert control.requests[0].get("for_ns") is None
    assert control.requests[1]["items"] == [[FORCED, None]]


def test_what_control_refuses_is_said(plant: Plant) -> None:
    control = Responder(plant, answers("rejected", reasons=(f"{HH} may not be shelved",)))
    try:
        result = scada(plant, "shelve", HH, "--for", "1h", "--reason", "x")
    finally:
        control.close()
    assert (result.exit_code, result.stderr.strip()) == (3, f"rejected. {HH} may not be shelved")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shelve", HH, "--for", "1h"), "needs a reason"),
        (("remove", HH), "needs a reason"),
        (("disable", HH), "needs a reason"),
        (("suppress", HH), "needs a reason"),
        (("comment", HH), "needs a reason"),
        (("shelve", HH, "--reason", "x"), "Say for how long"),
        (("shelve", HH, "--reason", "x", "--for", "1h", "--until-normal"), "Say for how long"),
        (("shelve", HH, "--reason", "x", "--for", "0s"), "longer than 0 s"),
        (("shelve", HH, "--reason", "x", "--for", "10"), "Write the unit too"),
        (("unshelve",), "Name an alarm"),
        (("ack",), "Name an alarm"),
        (("return", "tank1/LT-101"), "There is no alarm tank1/LT-101"),
    ],
)
def test_what_is_refused_before(plant: Plant, arguments: tuple[str, ...], words: str) -> None:
    result = scada(plant, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_events_need_a_history(plant: Plant) -> None:
    result = scada(plant, "events")
    assert result.exit_code == 1
    assert result.stderr


def test_states_in_words() -> None:
    assert [state_text(bits) for bits in (0, 1, 2, 3, 32, 33, 4, 8, 16, 64, 9, 136, 260)] == [
        "normal", "acknowledged", "returned, unacknowledged", "UNACKNOWLEDGED", "returned, to be confirmed",
        "acknowledged, to be confirmed", "suppressed", "shelved", "out of service", "disabled", "shelved", "shelved",
        "suppressed",
    ]  # fmt: skip

"""Bypasses: a protection put out of action for a time, by whom it is allowed, and never for longer."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.scan import build, retain
from tags.model import Block
from tests.scan.plant import LEVEL, LOCK, MODE, SECOND, SITE, START_NS, VALVE, Plant

HOUR = 3600 * SECOND
POINT = f"{LOCK}/BYPASSED"


def _site(reset: str = "auto", max_ns: int = 8 * HOUR, role: str = "engineer") -> Any:
    blocks = []
    for one in SITE.blocks:
        if one.path == LOCK:
            config = {**one.config, "reset": reset, "bypass": {"": {"max_ns": max_ns, "role": role}}}
            blocks.append(
                Block(path=LOCK, type="interlock", config=config, points={**one.points, "BYPASSED": POINT})
            )
        else:
            blocks.append(one)
    control = [tag for tag in SITE.tags if tag.writer == "control"]
    like = next(tag for tag in control if tag.path == f"{LOCK}/ACTIVE")
    more = [
        dataclasses.replace(like, id=901, path=POINT, writable=False, row=len(control)),
        dataclasses.replace(
            like, id=902, path="system/control/bypasses", kind="system", type="int32", row=len(control) + 1
        ),
    ]
    tags = sorted((*SITE.tags, *more), key=lambda tag: (tag.writer, tag.row))
    return dataclasses.replace(SITE, blocks=tuple(blocks), tags=tuple(tags))


PROGRAM, LATCHED = build(_site()), build(_site("manual"))


def plant(program: Any = PROGRAM, **more: Any) -> Plant:
    made = Plant(program, **more)
    made.scan(scans=3)
    made.ask("write", (MODE, 2))
    made.scan(scans=2)
    return made


def bypass(on: Plant, path: str = LOCK, for_ns: int = HOUR, **more: Any) -> list[tuple[str, list[str]]]:
    return on.ask("bypass", (path, None), **{"for_ns": for_ns, "reason": "LT-101 is being cleaned", **more})


def holds(on: Plant) -> bool:
    return on.state.context.outputs.override[on.program.output_of[VALVE]] is not None


def actions(on: Plant) -> list[str]:
    return [event["action"] for event in on.events if event["kind"] == "bypass"]


def test_a_bypassed_interlock_lets_go_and_holds_again_when_it_ends() -> None:
    on = plant()
    on.registers[LEVEL] = 4.8
    on.scan(scans=2)
    assert holds(on)
    assert bypass(on, for_ns=10 * SECOND) == [("confirmed", [])]
    assert not holds(on)
    assert (on.value(POINT), on.value("system/control/bypasses"), on.value(f"{LOCK}/ACTIVE")) == (
        True,
        1,
        False,
    )
    on.scan(scans=98)
    assert not holds(on)
    on.scan(scans=2)
    assert on.last.urgent  # kept at once: a restart must not bring it back
    assert holds(on)
    assert (on.value(POINT), on.value("system/control/bypasses")) == (False, 0)
    assert actions(on) == ["bypassed", "expired"]


def test_a_condition_that_comes_meanwhile_is_told() -> None:
    on = plant()
    bypass(on)
    on.registers[LEVEL] = 4.8
    on.scan(scans=5)
    told = [event for event in on.events if event["kind"] == "interlock"]
    assert [(event["active"], event["bypassed"]) for event in told] == [(False, True)]


def test_what_is_latched_stays_until_it_is_reset() -> None:
    on = plant(LATCHED)
    on.registers[LEVEL] = 4.8
    on.scan(scans=2)
    assert on.ask("write", (f"{LOCK}/ACTIVE", False))[0][0] == "rejected"
    bypass(on)
    on.scan(scans=5)
    assert holds(on)
    assert on.ask("write", (f"{LOCK}/ACTIVE", False)) == [("confirmed", [])]
    assert not holds(on)


def test_ended_by_hand_also_by_an_operator() -> None:
    on = plant()
    on.registers[LEVEL] = 4.8
    bypass(on, POINT)  # the point names it too
    assert on.ask("unbypass", (LOCK, None), role="viewer")[0][0] == "rejected"
    assert on.ask("unbypass", (POINT, None), role="operator", user="otto") == [("confirmed", [])]
    assert holds(on)
    olds = [
        event["old"] for event in on.events if event["kind"] == "request" and event["status"] == "confirmed"
    ]
    assert olds[-2:] == [[False], [True]]  # bypassed, and no longer
    news = [
        event["items"] for event in on.events if event["kind"] == "request" and event["status"] == "confirmed"
    ]
    assert news[-2:] == [[[POINT, True]], [[POINT, False]]]
    last = [event for event in on.events if event["kind"] == "bypass"][-1]
    assert (last["action"], last["user"], last["by"]) == ("ended", "anna", "otto")


@pytest.mark.parametrize(
    ("path", "more", "reason"),
    [
        (LOCK, {"role": "operator"}, "to bypass takes the role engineer; you are operator"),
        (LOCK, {"reason": "  "}, f"to bypass {LOCK} takes a reason"),
        (LOCK, {"for_ns": 9 * HOUR}, f"{LOCK} may be bypassed for 8 h at most"),
        (LEVEL, {}, f"{LEVEL} cannot be bypassed: the site declares no bypass: for it"),
        ("nowhere", {}, "nowhere cannot be bypassed: the site declares no bypass: for it"),
    ],
)
def test_what_is_refused(path: str, more: dict[str, Any], reason: str) -> None:
    on = plant()
    assert bypass(on, path, **more) == [("rejected", [reason])]
    assert not on.state.bypasses.table
    assert actions(on) == []


@pytest.mark.parametrize(
    ("max_ns", "text"),
    [(30 * 60 * SECOND, "30 min"), (90 * SECOND, "1.5 min"), (5 * SECOND, "5 s"), (SECOND // 10, "100 ms")],
)
def test_a_time_that_is_too_long_is_refused_with_the_longest(max_ns: int, text: str) -> None:
    on = Plant(build(_site(max_ns=max_ns)))
    assert bypass(on) == [("rejected", [f"{LOCK} may be bypassed for {text} at most"])]


def test_the_longest_time_itself_is_allowed() -> None:
    assert bypass(plant(), for_ns=8 * HOUR) == [("confirmed", [])]


def test_a_higher_role_when_the_site_says_so_and_all_or_none() -> None:
    on = plant(build(_site(role="admin")))
    assert bypass(on) == [("rejected", [f"to bypass {LOCK} takes the role admin; you are engineer"])]
    assert bypass(on, role="admin") == [("confirmed", [])]
    twice = on.ask("unbypass", (LOCK, None), (POINT, None))
    assert twice == [("rejected", ["the same is named twice"])]
    assert on.ask("unbypass", (LOCK, None), ("x", None))[0][0] == "rejected"
    assert list(on.state.bypasses.table) == [LOCK]
    on.ask("unbypass", (LOCK, None))
    assert on.ask("unbypass", (LOCK, None)) == [("rejected", [f"{LOCK} is not bypassed"])]


def test_one_that_is_asked_for_again_stands_last() -> None:
    """The list is in the order of their making, also after a restart."""
    site = _site()
    lock = next(block for block in site.blocks if block.path == LOCK)
    other = "tank1/HIGH-102"
    second = Block(path=other, type="interlock", config={**lock.config, "value": 5.0}, points={})
    program = build(dataclasses.replace(site, blocks=(*site.blocks, second)))
    on = plant(program)
    for path in (LOCK, other):
        assert bypass(on, path) == [("confirmed", [])]
    assert [row["path"] for row in on.state.bypasses.retained(on.state.elapsed_ns)] == [LOCK, other]
    assert bypass(on, for_ns=2 * HOUR) == [("confirmed", [])]
    rows = on.state.bypasses.retained(on.state.elapsed_ns)
    assert [(row["path"], row["for"]) for row in rows] == [(other, HOUR), (LOCK, 2 * HOUR)]
    later = Plant(program, retain.dump(program, on.state, on.utc_ns), utc_ns=on.utc_ns)
    assert list(later.state.bypasses.table) == [other, LOCK]


@given(
    asked=st.integers(1, 100),
    ran=st.integers(0, 120),
    away=st.integers(-1000, 1000),
    again=st.integers(1, 120),
)
def test_it_survives_a_restart_and_never_lasts_longer(asked: int, ran: int, away: int, again: int) -> None:
    """Whatever the clock says of the time that control was away."""
    on = Plant(PROGRAM)
    on.scan()
    bypass(on, for_ns=asked * SECOND // 10)
    on.scan(scans=ran)
    kept = json.loads(json.dumps(retain.dump(PROGRAM, on.state, on.utc_ns)))
    later = Plant(PROGRAM, kept, utc_ns=on.utc_ns + away * SECOND // 10)
    assert not later.state.scans
    left = max(min(asked - ran, asked - ran - away), 0)
    for number in range(1, again + 1):
        later.scan()
        assert later.value(POINT) == (number < left), (number, left)
    if left:
        assert later.value("system/control/bypasses") == (again < left)
    ended = [event for event in later.events if event["kind"] == "bypass"]
    assert [event["action"] for event in ended] == (["expired"] if asked - ran > 0 and again >= left else [])


def test_a_clock_that_is_set_moves_no_end_and_a_smaller_limit_acts_after_a_restart() -> None:
    on = plant()
    bypass(on, for_ns=HOUR)
    on.utc_ns += 1000 * HOUR
    on.scan(scans=5)
    assert on.value(POINT) is True
    left_ns = on.state.bypasses.table[LOCK].until_ns - on.utc_ns
    assert abs(left_ns - HOUR) < 2 * SECOND
    tighter = build(_site(max_ns=60 * SECOND))
    later = Plant(tighter, retain.dump(PROGRAM, on.state, on.utc_ns), utc_ns=on.utc_ns)
    later.scan(scans=598)
    assert later.value(POINT) is True
    later.scan(scans=3)
    assert later.value(POINT) is False


def test_nonsense_in_the_kept_state_is_left_out() -> None:
    good = {
        "path": LOCK,
        "until": START_NS + HOUR,
        "user": "a",
        "reason": "b",
        "since": 1,
        "for": HOUR,
        "left": HOUR,
    }
    rows: list[Any] = [good | {"path": "gone"}, {}, None, 7, {**good, "until": "x"}]
    for nonsense in ({"a": 1}, None, rows):
        on = Plant(PROGRAM, {"version": 1, "utc_ns": START_NS, "bypasses": nonsense})
        assert not on.state.bypasses.table

"""Cause-and-effect matrix: who trips what and when, first-out, latches and resets, quality, bypass, restart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.cause_effect import CauseEffect
from tags import model
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN_LAST_USABLE,
    is_bad,
)
from tests.blocks.rig import SECOND, Rig, motor, pid

NORMAL, DELAYED, ACTIVE, LATCHED, BYPASSED, BYPASSED_PRESENT = range(6)
AWAY = (BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA)


def cause(name: str, trips: dict[int, int], for_s: int = 0, reset: str = "auto") -> dict[str, Any]:
    return {
        "name": name, "when": f"t/{name} > 8", "for_ns": for_s * SECOND, "reset": reset, "description": f"{name} high",
        "trips": [[effect, delay * SECOND] for effect, delay in trips.items()],
    }  # fmt: skip


def effect(name: str, target: str | None = None, value: Any = None, reset: str = "manual") -> dict[str, Any]:
    return {"name": name, "target": target, "value": value, "reset": reset, "description": ""}


def matrix(causes: list[dict[str, Any]], effects: list[dict[str, Any]], path: str = "t/M") -> model.Block:
    points = {name: f"{path}/{name}" for name in ("TRIPPED", "FIRST_OUT", "RESET")}
    for one in causes:
        points |= {f"{one['name']}/{p}": f"{path}/{one['name']}/{p}" for p in ("ACTIVE", "STATE", "BYPASSED")}
    for one in effects:
        points |= {f"{one['name']}/{p}": f"{path}/{one['name']}/{p}" for p in ("ACTIVE", "CAUSE")}
    return model.Block(path=path, type="cause_effect", points=points,
                       config={"causes": causes, "effects": effects, "bypass": {}, "description": ""})  # fmt: skip


def make(causes: list[dict[str, Any]], effects: list[dict[str, Any]], *more: model.Block) -> Rig:
    tags: dict[str, dict[str, Any]] = {"t/PV": {"range": (0.0, 100.0)}, "t/OUT": {"range": (0.0, 100.0)}}
    tags |= {f"t/{one['name']}": {} for one in causes}
    for name in ("START", "STOP", "RUN", "REM", "FLT"):
        tags[f"t/P/{name}"] = {"type": "bool"}
    rig = Rig([pid(), *more, matrix(causes, effects)], tags, SECOND)
    rig.set("t/PV", 50.0)
    for one in causes:
        rig.set(f"t/{one['name']}", 0.0)
    rig.ready(**{"t/OUT": 40.0})
    return rig


def ask(rig: Rig, point: str, value: Any) -> str | None:
    return rig.blocks["t/M"].write(point, value)


def bypass(rig: Rig, name: str, *, on: bool) -> None:
    block = rig.blocks["t/M"]
    assert isinstance(block, CauseEffect)
    block.bypass(name, on=on)


def state(rig: Rig, name: str) -> int:
    return int(rig.get(f"t/M/{name}/STATE"))


def test_a_cause_holds_its_effects_and_no_others() -> None:
    rig = make(
        [cause("A", {0: 0}), cause("B", {1: 0})],
        [effect("inlet", "t/OUT", 5.0, "auto"), effect("horn", reset="auto")],
    )
    rig.scan()
    assert (rig.applied("t/OUT"), rig.get("t/M/TRIPPED")) == (40.0, False)
    rig.set("t/B", 9.0)
    rig.scan()
    assert (rig.applied("t/OUT"), rig.get("t/M/horn/ACTIVE"), rig.get("t/M/TRIPPED")) == (40.0, True, True)
    rig.set("t/A", 9.0)
    rig.scan()
    assert (rig.applied("t/OUT"), rig.outputs.override[0]) == (5.0, (5.0, "t/M/inlet"))
    rig.set("t/A", 0.0)
    rig.set("t/B", 0.0)
    rig.scan()
    assert (rig.get("t/M/TRIPPED"), rig.get("t/M/FIRST_OUT"), rig.outputs.override[0]) == (False, 0, None)


def test_stops_a_motor_and_keeps_it_stopped() -> None:
    rig = make([cause("A", {0: 0})], [effect("pump", "t/P")], motor("t/P", first_mode=1))
    rig.set("t/P/REM", value=True)
    rig.set("t/P/RUN", value=True)
    rig.scan(3)
    rig.set("t/A", 9.0)
    rig.scan()
    assert rig.applied("t/P/STOP")
    rig.set("t/P/RUN", value=False)
    rig.set("t/A", 0.0)
    rig.scan(3)
    assert rig.write("t/P/CMD", value=True) == "t/P is held stopped by t/M/pump"
    assert ask(rig, "RESET", True) is None
    rig.scan()
    assert rig.write("t/P/CMD", value=True) is None


def test_delays_of_a_cause_and_of_a_crossing() -> None:
    rig = make([cause("A", {0: 0, 1: 3}, for_s=2)], [effect("now"), effect("later")])
    rig.set("t/A", 9.0)
    seen = []
    for _ in range(7):
        rig.scan()
        seen.append((state(rig, "A"), rig.get("t/M/now/ACTIVE"), rig.get("t/M/later/ACTIVE")))
    assert seen == [
        (DELAYED, False, False),
        (DELAYED, False, False),
        (ACTIVE, True, False),
        (ACTIVE, True, False),
        (ACTIVE, True, False),
        (ACTIVE, True, True),
        (ACTIVE, True, True),
    ]
    rig = make([cause("A", {0: 0}, for_s=2)], [effect("now")])
    for value in (9.0, 9.0, 0.0, 9.0, 9.0, 0.0):  # never long enough
        rig.set("t/A", value)
        rig.scan()
        assert not rig.get("t/M/now/ACTIVE")


def test_a_delay_runs_on_while_scans_are_missed() -> None:
    rig = make([cause("A", {0: 0}, for_s=5)], [effect("now")])
    rig.set("t/A", 9.0)
    rig.scan()
    rig.scan(periods=5)
    assert rig.get("t/M/now/ACTIVE")


def test_first_out_is_the_first_until_all_is_normal() -> None:
    rig = make([cause("A", {0: 0}), cause("B", {0: 0}), cause("C", {1: 0})], [effect("x"), effect("y")])
    rig.set("t/B", 9.0)
    rig.scan()
    rig.set("t/A", 9.0)
    rig.set("t/C", 9.0)
    rig.scan()
    assert [rig.get(f"t/M/{p}") for p in ("FIRST_OUT", "x/CAUSE", "y/CAUSE")] == [2, 2, 3]
    rig.set("t/B", 0.0)
    rig.scan()
    assert rig.get("t/M/FIRST_OUT") == 2
    told = [(e["path"], e["active"], e["first_out"], e["message"]) for e in rig.events if e["kind"] != "mode"]
    assert told == [
        ("t/M/B", True, True, "B high"),
        ("t/M/x", True, True, "B high"),
        ("t/M/A", True, False, "A high"),
        ("t/M/C", True, False, "C high"),
        ("t/M/y", True, False, "C high"),
        ("t/M/B", False, False, "B high"),
    ]
    for name in "AC":
        rig.set(f"t/{name}", 0.0)
    rig.scan()
    assert rig.get("t/M/FIRST_OUT") == 2  # the effects are still latched
    assert ask(rig, "RESET", True) is None
    rig.scan()
    assert [rig.get(f"t/M/{p}") for p in ("FIRST_OUT", "x/CAUSE", "y/CAUSE", "TRIPPED")] == [0, 0, 0, False]


def test_of_causes_of_one_scan_the_first_written_is_first() -> None:
    rig = make([cause("A", {0: 0}), cause("B", {0: 0})], [effect("x")])
    rig.set("t/A", 9.0)
    rig.set("t/B", 9.0)
    rig.scan()
    assert (rig.get("t/M/FIRST_OUT"), rig.get("t/M/x/CAUSE")) == (1, 1)


def test_reset_of_causes_and_effects() -> None:
    rig = make(
        [cause("A", {0: 0}, reset="manual"), cause("B", {1: 0})], [effect("x", reset="auto"), effect("y")]
    )
    assert ask(rig, "RESET", True) is None  # nothing stands: nothing to say
    rig.set("t/A", 9.0)
    rig.set("t/B", 9.0)
    rig.scan()
    assert ask(rig, "RESET", True) == "t/M cannot be reset: A high, B high still there"
    assert ask(rig, "y/ACTIVE", False) == "t/M/y is still tripped: B high"
    rig.set("t/A", 0.0)
    rig.scan()
    assert (state(rig, "A"), rig.get("t/M/x/ACTIVE")) == (LATCHED, True)
    assert ask(rig, "RESET", True) is None  # what can be is reset, B stays
    rig.scan()
    assert (state(rig, "A"), rig.get("t/M/x/ACTIVE"), rig.get("t/M/y/ACTIVE")) == (NORMAL, False, True)
    rig.set("t/B", 0.0)
    rig.scan()
    assert ask(rig, "y/ACTIVE", False) is None
    rig.scan()
    assert (rig.get("t/M/y/ACTIVE"), rig.get("t/M/RESET")) == (False, False)


@pytest.mark.parametrize(
    ("point", "value"),
    [("y/ACTIVE", True), ("A/ACTIVE", False), ("y", False), ("FIRST_OUT", 0), ("y/ACTIVE", None)],
)
def test_nothing_else_can_be_written(point: str, value: Any) -> None:
    rig = make([cause("A", {0: 0})], [effect("y")])
    assert "takes RESET = true" in (ask(rig, point, value) or "")
    assert ask(rig, "RESET", False) is None


@pytest.mark.parametrize(
    ("status", "tripped"),
    [(BAD_SENSOR_FAILURE, True), (BAD_NO_COMMUNICATION, False), (BAD_WAITING_FOR_INITIAL_DATA, False), (UNCERTAIN_LAST_USABLE, False)],
)  # fmt: skip
def test_quality(status: int, tripped: bool) -> None:
    rig = make([cause("A", {0: 0})], [effect("x")])
    rig.scan()
    rig.set("t/A", 0.0 if tripped else 99.0, status)
    rig.scan()
    assert rig.get("t/M/x/ACTIVE") is tripped


def test_a_bypassed_cause_does_not_count_and_is_told() -> None:
    rig = make([cause("A", {0: 0}), cause("B", {0: 0})], [effect("x", reset="auto")])
    bypass(rig, "A", on=True)
    rig.scan()
    assert (state(rig, "A"), rig.get("t/M/A/BYPASSED"), rig.get("t/M/B/BYPASSED")) == (BYPASSED, True, False)
    rig.set("t/A", 9.0)
    rig.scan(3)
    assert (state(rig, "A"), rig.get("t/M/A/ACTIVE"), rig.get("t/M/x/ACTIVE")) == (
        BYPASSED_PRESENT,
        False,
        False,
    )
    assert [(e["path"], e["active"], e["bypassed"]) for e in rig.events] == [("t/M/A", False, True)]
    rig.set("t/B", 9.0)
    rig.scan()
    assert rig.get("t/M/x/ACTIVE")  # the other one still does
    rig.set("t/B", 0.0)
    rig.scan()
    bypass(rig, "A", on=False)
    rig.scan()
    assert (rig.get("t/M/x/ACTIVE"), rig.get("t/M/FIRST_OUT")) == (True, 1)


def test_bypassing_a_latched_cause_needs_a_reset() -> None:
    rig = make([cause("A", {0: 0}, reset="manual")], [effect("x", reset="auto")])
    rig.set("t/A", 9.0)
    rig.scan()
    bypass(rig, "A", on=True)
    rig.scan()
    assert rig.get("t/M/x/ACTIVE")
    assert ask(rig, "RESET", True) is None
    rig.scan()
    assert not rig.get("t/M/x/ACTIVE")


def test_restart_keeps_what_stands_also_before_inputs_are_read_and_when_the_matrix_changed() -> None:
    causes = [cause("A", {0: 0}), cause("B", {0: 0, 1: 9}, reset="manual"), cause("C", {0: 0}, for_s=5)]
    effects = [effect("x", "t/OUT", 7.0), effect("y")]
    rig = make(causes, effects)
    rig.set("t/B", 9.0)
    rig.set("t/C", 9.0)
    rig.scan(4)
    kept = rig.retained()
    again = make([causes[2], causes[1]], [effects[1], effects[0]])
    # A is gone, the others stand elsewhere: crossings by number have to be written anew
    again = make(
        [cause("C", {1: 0}, for_s=5), cause("B", {1: 0, 0: 9}, reset="manual")], [effects[1], effects[0]]
    )
    again.restore({"t/M": kept["t/M"]}, fresh=False)
    for name in "BC":
        again.set(f"t/{name}", 0.0, BAD_WAITING_FOR_INITIAL_DATA)
    again.scan()
    assert again.applied("t/OUT") == 7.0
    assert (again.get("t/M/FIRST_OUT"), again.get("t/M/x/CAUSE"), state(again, "C")) == (2, 2, DELAYED)
    again.scan(1)
    assert state(again, "C") == ACTIVE  # three of its five seconds were over


def test_a_restart_keeps_an_effect_whose_cause_is_gone() -> None:
    causes, effects = [cause("A", {0: 0}), cause("B", {0: 0, 1: 0})], [effect("x", "t/OUT", 7.0), effect("y")]
    rig = make(causes, effects)
    rig.set("t/B", 9.0)
    rig.scan()
    rig.set("t/B", 0.0)
    rig.scan()
    assert rig.get("t/M/B/ACTIVE") is False
    again = make(causes, effects)
    again.restore(rig.retained())
    again.scan()
    assert [again.get(f"t/M/{name}") for name in ("x/ACTIVE", "x/CAUSE", "y/ACTIVE", "FIRST_OUT")] == [
        True,
        2,
        True,
        2,
    ]
    assert again.applied("t/OUT") == 7.0


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"causes": 3, "effects": 4},
        {"causes": {"A": 1}, "first_out": 7},
        {"causes": {"A": ["x", 2, None, "y"]}},
    ],
)
def test_restoring_nonsense_trips_nothing(kept: dict[str, Any]) -> None:
    rig = make([cause("A", {0: 0})], [effect("x")])
    rig.restore({"t/M": kept})
    rig.scan()
    assert not rig.get("t/M/TRIPPED")


_SAMPLE = st.tuples(
    st.floats(),
    st.sampled_from([GOOD, GOOD, GOOD, BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION, UNCERTAIN_LAST_USABLE]),
)
_STEP = st.tuples(
    st.tuples(_SAMPLE, _SAMPLE, _SAMPLE),
    st.sampled_from(["", "", "reset", "x", "y", "bypass A", "bypass B", "end A", "end B"]),
    st.integers(1, 3),
)


@given(
    delays=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    crossing=st.integers(0, 4),
    latches=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    steps=st.lists(_STEP, max_size=25),
)
def test_it_does_what_the_equations_say(
    delays: tuple[int, ...], crossing: int, latches: tuple[bool, ...], steps: list[Any]
) -> None:
    """Against a second, plainer writing of the same: what is true since when, and what follows from it."""
    names, reset = "ABC", ["manual" if latch else "auto" for latch in latches]
    trips: list[dict[int, int]] = [{0: 0}, {0: crossing, 1: 0}, {1: 0}]
    rig = make(
        [cause(n, trips[i], for_s=delays[i], reset=reset[i]) for i, n in enumerate(names)],
        [effect("x", "t/OUT", 5.0, reset[3]), effect("y", None, None, reset[4])],
    )
    true, off, active = [False] * 3, [False] * 3, [False] * 3
    since: list[int | None] = [None] * 3
    held: list[int] = [0] * 3
    effects = [False, False]

    def demanded(e: int) -> bool:
        return any(active[i] and held[i] >= trips[i][e] for i in range(3) if e in trips[i])

    for samples, act, periods in steps:
        if act == "reset":
            ask(rig, "RESET", True)
            active = [active[i] and true[i] and not off[i] for i in range(3)]
            effects = [effects[e] and demanded(e) for e in (0, 1)]
        elif act in ("x", "y"):
            ask(rig, f"{act}/ACTIVE", False)
            e = "xy".index(act)
            effects[e] = effects[e] and demanded(e)
        elif act:
            word, name = act.split()
            off[names.index(name)] = word == "bypass"
            bypass(rig, name, on=word == "bypass")
        for i, (value, status) in enumerate(samples):
            rig.set(f"t/{names[i]}", value, status)
            if status == GOOD:
                true[i] = value > 8
            elif is_bad(status) and status not in AWAY:
                true[i] = True
        rig.scan(periods=periods)
        for i in range(3):
            there = true[i] and not off[i]
            since[i] = None if not there else 0 if since[i] is None else (since[i] or 0) + periods
            present = since[i] is not None and (since[i] or 0) >= delays[i]
            held[i] = held[i] + periods if active[i] else 0
            active[i] = present or (active[i] and latches[i])
        for e in (0, 1):
            effects[e] = demanded(e) or (effects[e] and latches[3 + e])
        assert [rig.get(f"t/M/{n}/ACTIVE") for n in names] == active
        assert [rig.get(f"t/M/{n}/ACTIVE") for n in "xy"] == effects
        assert rig.get("t/M/TRIPPED") == any(effects)
        assert (rig.get("t/M/FIRST_OUT") == 0) == (not any(active) and not any(effects))
        assert (rig.outputs.override[0] == (5.0, "t/M/x")) == effects[0]

"""Cascade, Remote cascade and output tracking: who is not heard follows, and nothing bumps or winds up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import (
    AUTO,
    CASCADE,
    DISARMED,
    INTERLOCKED,
    LIMITED,
    LOCAL,
    MANUAL,
    NOT_INITIALISED,
    NOT_TAKEN,
    OUT_OF_SERVICE,
    RATE_LIMITED,
    REMOTE_CASCADE,
)
from tags.quality import BAD_SENSOR_FAILURE
from tests.blocks.rig import SECOND, Rig, pid

RANGE = {"range": (0.0, 100.0)}
TAGS: dict[str, dict[str, Any]] = {
    "t/LT": RANGE,
    "t/FT": RANGE,
    "t/FSP": {"kind": "memory", **RANGE},
    "t/FV": RANGE,
}


def cascade(level: dict[str, Any] | None = None, flow: dict[str, Any] | None = None) -> Rig:
    """A level controller that gives a flow controller its set point."""
    outer = pid("t/LC", pv="t/LT", out="t/FSP", gain=1.0, ti_ns=60 * SECOND, **(level or {}))
    inner = pid(
        "t/FC",
        pv="t/FT",
        out="t/FV",
        cascade="t/FSP",
        **{"gain": 0.5, "ti_ns": 5 * SECOND, "first_mode": CASCADE, "sp_initial": 30.0, **(flow or {})},
    )
    rig = Rig([outer, inner], TAGS, SECOND)
    rig.set("t/LT", 50.0)
    rig.set("t/FT", 30.0)
    rig.set("t/FSP", 77.0)  # something old
    rig.outputs.applied[rig.outputs.path.index("t/FV")] = 45.0
    rig.outputs.tracking[rig.outputs.path.index("t/FV")] = 0
    return rig


def run(rig: Rig, level: float, flow: float, scans: int = 1) -> float:
    for _ in range(scans):
        rig.set("t/LT", level)
        rig.set("t/FT", flow)
        rig.scan()
    return float(rig.applied("t/FV"))


def tracking(rig: Rig) -> int:
    return rig.outputs.tracking[rig.outputs.path.index("t/FSP")]


def test_a_start_takes_the_master_where_the_slave_is() -> None:
    rig = cascade()
    assert run(rig, 50.0, 30.0, 4) == pytest.approx(45.0)
    assert rig.get("t/FC/SP") == 30.0, "never what the tag held before"
    assert tracking(rig) == 0
    assert run(rig, 45.0, 30.0) > 45.0, "5 % too low: more flow"
    assert rig.get("t/FC/SP") == pytest.approx(30.0 + 5.0 + 5.0 / 60)


@pytest.mark.parametrize("mode", [AUTO, MANUAL, OUT_OF_SERVICE])
def test_an_open_cascade_winds_nothing_up_and_closes_without_a_bump(mode: int) -> None:
    rig = cascade()
    run(rig, 50.0, 30.0, 5)
    rig.write("t/FC/MODE", mode)
    run(rig, 50.0, 30.0, 2)
    if mode == MANUAL:
        assert rig.blocks["t/FC"].write_output(rig.outputs.path.index("t/FV"), 60.0) is None
    out = run(rig, 20.0, 35.0, 600)  # ten minutes far too low: nothing may build up
    assert tracking(rig) & NOT_TAKEN
    assert rig.applied("t/FSP") == (30.0 if mode == AUTO else 35.0)
    if mode == AUTO:
        run(rig, 20.0, 30.0, 5)
        out = float(rig.applied("t/FV"))
        run(rig, 50.0, 30.0, 2)
    rig.write("t/FC/MODE", CASCADE)
    after = run(rig, 50.0, 30.0 if mode == AUTO else 35.0)
    assert after == pytest.approx(out, abs=0.1)
    assert run(rig, 50.0, 30.0 if mode == AUTO else 35.0) == pytest.approx(out, abs=0.1)


def test_from_cascade_to_auto_the_set_point_stays() -> None:
    rig = cascade()
    run(rig, 42.0, 33.0, 5)
    sp, out = rig.get("t/FC/SP"), rig.applied("t/FV")
    assert "is in Cascade" in str(rig.write("t/FC/SP", 12.0))
    rig.write("t/FC/MODE", AUTO)
    after = run(rig, 42.0, 33.0)
    assert rig.get("t/FC/SP") == sp
    assert after - out == pytest.approx(0.5 * (sp - 33.0) / 5.0)
    assert rig.write("t/FC/SP", 12.0) is None


@pytest.mark.parametrize("gate", [LOCAL, DISARMED, INTERLOCKED, NOT_INITIALISED])
def test_a_valve_that_is_not_ours_is_followed_through_both(gate: int) -> None:
    rig = cascade()
    run(rig, 50.0, 30.0, 5)
    rig.gates["t/FV"] = gate
    rig.move("t/FV", 80.0)
    run(rig, 20.0, 55.0, 300)
    assert rig.applied("t/FSP") == 55.0, "the master starts from the flow there is"
    rig.gates.clear()
    assert run(rig, 50.0, 55.0) == pytest.approx(80.0)
    assert run(rig, 50.0, 55.0, 2) == pytest.approx(80.0, abs=0.1)


def test_a_saturated_slave_holds_the_master_by_its_flow() -> None:
    rig = cascade()
    run(rig, 50.0, 30.0, 5)
    run(rig, 30.0, 40.0, 600)  # the valve is open, more than 40 does not flow
    assert rig.applied("t/FV") == 100.0
    assert rig.get("t/FSP") < 40.0 + 20.0 + 1.0, "a proportional step above what flows"
    run(rig, 50.5, 40.0, 2)
    assert rig.get("t/FSP") < 41.0
    run(rig, 50.5, 40.0, 10)
    assert rig.applied("t/FV") < 100.0


def test_limits_of_the_set_point_and_its_ramp_are_told() -> None:
    rig = cascade(flow={"sp_high": 40.0})
    run(rig, 50.0, 30.0, 5)
    run(rig, 20.0, 40.0, 600)
    assert rig.get("t/FC/SP") == 40.0
    assert tracking(rig) == LIMITED
    run(rig, 50.5, 40.0, 2)
    assert rig.get("t/FC/SP") < 40.0
    slow = cascade(flow={"ramp": 0.5})
    run(slow, 50.0, 30.0, 5)
    run(slow, 40.0, 30.0, 3)
    assert tracking(slow) == RATE_LIMITED


def test_a_cascade_tag_that_is_bad_holds_then_falls_to_auto() -> None:
    rig = Rig(
        [pid("t/FC", pv="t/FT", out="t/FV", cascade="t/X", first_mode=CASCADE)],
        {"t/FT": RANGE, "t/FV": RANGE, "t/X": RANGE},
        SECOND,
    )
    rig.set("t/FT", 40.0)
    rig.set("t/X", 40.0)
    rig.ready(**{"t/FV": 20.0})
    rig.scan(3)
    assert rig.get("t/FC/SP") == 40.0
    rig.set("t/X", 90.0, BAD_SENSOR_FAILURE)
    rig.scan(5)
    assert rig.get("t/FC/MODE") == CASCADE
    rig.scan(2)
    assert (rig.get("t/FC/MODE"), rig.get("t/FC/SP")) == (AUTO, 40.0)
    assert rig.events[-1]["reason"] == "t/X is not Good"
    assert rig.applied("t/FV") == 20.0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, None, OUT_OF_SERVICE, MANUAL, AUTO, CASCADE]),
            st.sampled_from([None, None, MANUAL, AUTO]),
            st.sampled_from([0, 0, 0, LOCAL, INTERLOCKED]),
            st.floats(0, 100),
            st.floats(0, 100),
        ),
        max_size=40,
    )
)
def test_whatever_is_switched_the_valve_moves_only_by_control(steps: list[Any]) -> None:
    """A change of mode or of who holds the valve never moves it; and the master is always where the slave takes it up."""
    rig = cascade()
    level, flow = 50.0, 30.0
    run(rig, level, flow, 3)
    for inner, outer, gate, new_level, new_flow in steps:
        before = float(rig.applied("t/FV"))
        if inner is not None:
            rig.write("t/FC/MODE", inner)
        if outer is not None:
            rig.write("t/LC/MODE", outer)
        rig.gates["t/FV"] = gate
        rig.scan()  # no new sample: nothing executes
        assert rig.applied("t/FV") == pytest.approx(before, abs=0.1)
        if gate == LOCAL:
            rig.move("t/FV", new_flow)
        level, flow = new_level, new_flow
        run(rig, level, flow)
        wanted = rig.outputs.wanted[rig.outputs.path.index("t/FV")]
        assert wanted is None or 0.0 <= wanted <= 100.0


# -- remote cascade


def remote(**config: Any) -> Rig:
    settings = pid(
        "t/FC", pv="t/FT", out="t/FV", remote={"timeout_ns": 10 * SECOND, "then": AUTO}, first_mode=AUTO, **config
    )  # fmt: skip
    points = {**settings.points, "RSP": "t/FC/RSP"}
    rig = Rig(
        [type(settings)(path=settings.path, type="pid", config=settings.config, points=points)],
        {"t/FT": RANGE, "t/FV": RANGE},
        SECOND,
    )
    rig.set("t/FT", 50.0)
    rig.ready(**{"t/FV": 20.0})
    rig.scan(2)
    return rig


def test_remote_cascade_needs_its_writer_and_falls_back_without_it() -> None:
    rig = remote(ti_ns=0, gain=1.0)
    assert "t/FC/RSP was not written" in str(rig.write("t/FC/MODE", REMOTE_CASCADE))
    assert rig.write("t/FC/RSP", 70.0) is None
    assert rig.write("t/FC/MODE", REMOTE_CASCADE) is None
    rig.set("t/FT", 50.0)
    rig.scan()
    assert (rig.applied("t/FV"), rig.get("t/FC/SP"), rig.get("t/FC/RSP")) == (20.0, 70.0, 70.0)
    rig.write("t/FC/RSP", 72.0)
    rig.set("t/FT", 50.0)
    rig.scan()
    assert rig.applied("t/FV") == pytest.approx(22.0)
    rig.scan(9)
    assert rig.get("t/FC/MODE") == REMOTE_CASCADE, "10 s are not longer than 10 s"
    rig.scan()
    assert (rig.get("t/FC/MODE"), rig.get("t/FC/SP")) == (AUTO, 72.0)
    assert rig.events[-1]["reason"] == "no set point was written for 10 s"


def test_remote_cascade_survives_a_restart_if_its_writer_comes_back() -> None:
    rig = remote()
    rig.write("t/FC/RSP", 70.0)
    rig.write("t/FC/MODE", REMOTE_CASCADE)
    rig.scan()
    for comes_back in (True, False):
        again = remote()
        again.restore(rig.retained())
        again.scan(5)
        assert (again.get("t/FC/MODE"), again.get("t/FC/SP")) == (REMOTE_CASCADE, 70.0)
        if comes_back:
            again.write("t/FC/RSP", 71.0)
        again.scan(7)
        assert again.get("t/FC/MODE") == (REMOTE_CASCADE if comes_back else AUTO)


# -- tracking


def tracked(**config: Any) -> Rig:
    track = {"when": "t/X > 1", "value": "t/Y"}
    rig = Rig([pid(track=track, **config)], {"t/PV": RANGE, "t/OUT": RANGE, "t/X": {}, "t/Y": {}}, SECOND)
    for path, value in (("t/PV", 40.0), ("t/X", 0.0), ("t/Y", 5.0)):
        rig.set(path, value)
    rig.ready(**{"t/OUT": 30.0})
    rig.scan()
    return rig


def test_the_output_follows_a_value_while_the_condition_holds() -> None:
    rig = tracked(out_low=10.0)
    rig.set("t/X", 2.0)
    rig.set("t/Y", 70.0)
    rig.scan()
    assert rig.applied("t/OUT") == 70.0
    rig.set("t/Y", 5.0)
    rig.scan()
    assert rig.applied("t/OUT") == 10.0, "within the limits of the output"
    rig.set("t/Y", 55.0, BAD_SENSOR_FAILURE)
    rig.set("t/X", 0.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert rig.applied("t/OUT") == 10.0, "neither is usable: as it was"
    rig.set("t/X", 0.0)
    rig.scan()
    assert rig.applied("t/OUT") == 10.0, "no bump"
    rig.set("t/PV", 40.0)
    rig.scan()
    assert rig.applied("t/OUT") == pytest.approx(10.0 + 2.0)


def test_tracking_does_not_move_an_output_in_manual() -> None:
    rig = tracked(first_mode=MANUAL)
    rig.set("t/X", 2.0)
    rig.scan()
    assert rig.applied("t/OUT") == 30.0


def test_the_set_point_follows_the_pv_in_manual() -> None:
    rig = Rig([pid(track_pv=True, first_mode=MANUAL, sp_high=60.0)], {"t/PV": RANGE, "t/OUT": RANGE}, SECOND)
    rig.ready(**{"t/OUT": 30.0})
    for pv, sp in ((40.0, 40.0), (55.0, 55.0), (70.0, 60.0)):
        rig.set("t/PV", pv)
        rig.scan()
        assert rig.get("t/LIC/SP") == sp
    rig.write("t/LIC/MODE", AUTO)
    rig.set("t/PV", 20.0)
    rig.scan()
    assert rig.get("t/LIC/SP") == 60.0


# -- parallel form


def test_the_parallel_form_has_independent_gains() -> None:
    """u = Kp e + Ki ∫ e dt - Kd dpv/dt with Ki = 1 / Ti, Kd = Td: a step of 5 % at n = 1."""
    rig = Rig([pid(form="parallel", gain=2.0, ti_ns=10 * SECOND)], {"t/PV": RANGE, "t/OUT": RANGE}, SECOND)
    rig.set("t/PV", 50.0)
    rig.ready(**{"t/OUT": 30.0})
    rig.scan()
    rig.write("t/LIC/SP", 55.0)
    for n in range(1, 8):
        rig.set("t/PV", 50.0)
        rig.scan()
        assert rig.applied("t/OUT") == pytest.approx(30.0 + 2.0 * 5.0 + 5.0 * n / 10.0, abs=1e-9)


@given(st.floats(0.1, 20), st.integers(1, 300), st.integers(0, 60), st.lists(st.floats(20, 80), max_size=30))
def test_both_forms_are_one_controller_in_other_numbers(
    gain: float, ti: int, td: int, pvs: list[float]
) -> None:
    rigs = [
        Rig([pid(gain=gain, ti_ns=ti * SECOND, td_ns=td * SECOND)], {"t/PV": RANGE, "t/OUT": RANGE}, SECOND),
        Rig([pid(form="parallel", gain=gain, ti_ns=ti * SECOND / gain, td_ns=gain * td * SECOND)],
            {"t/PV": RANGE, "t/OUT": RANGE}, SECOND),
    ]  # fmt: skip
    for rig in rigs:
        rig.set("t/PV", 50.0)
        rig.ready(**{"t/OUT": 50.0})
        rig.scan()
    for pv in pvs:
        for rig in rigs:
            rig.set("t/PV", pv)
            rig.scan()
        assert rigs[0].applied("t/OUT") == pytest.approx(rigs[1].applied("t/OUT"), abs=1e-6)


def test_an_integral_only_controller() -> None:
    rig = Rig([pid(form="parallel", gain=0.0, ti_ns=10 * SECOND)], {"t/PV": RANGE, "t/OUT": RANGE}, SECOND)
    rig.set("t/PV", 40.0)
    rig.ready(**{"t/OUT": 99.5})
    rig.scan()
    for _ in range(50):
        rig.set("t/PV", 40.0)
        rig.scan()
    assert rig.applied("t/OUT") == 100.0
    rig.set("t/PV", 60.0)
    rig.scan(1)
    rig.set("t/PV", 60.0)
    rig.scan(1)
    assert rig.applied("t/OUT") < 100.0

"""Split range and override selection behind real controllers: who is not heard winds nothing up, and nothing bumps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.base import DISARMED, LIMITED, LOCAL, NOT_INITIALISED, RATE_LIMITED
from tags import model
from tags.quality import BAD_SENSOR_FAILURE
from tests.blocks.rig import SECOND, Rig, block, pid

RANGE = {"range": (0.0, 100.0)}
MEMORY = {"kind": "memory", **RANGE}


def split(*outs: tuple[list[float], list[float]]) -> model.Block:
    names = ("t/HV", "t/CV")
    return block(
        "t/SR",
        "split_range",
        input="t/U",
        outs=[{"out": name, "from": a, "to": b} for name, (a, b) in zip(names, outs, strict=False)],
    )


HEAT_COOL = (([0.0, 50.0], [100.0, 0.0]), ([50.0, 100.0], [0.0, 100.0]))


def plant(*outs: tuple[list[float], list[float]], **values: float) -> Rig:
    rig = Rig(
        [pid("t/TC", out="t/U", action="direct"), split(*(outs or HEAT_COOL))],
        {"t/PV": RANGE, "t/U": MEMORY, "t/HV": RANGE, "t/CV": RANGE},
        SECOND,
    )
    rig.set("t/PV", 50.0)
    rig.ready(**({"t/U": 50.0, "t/HV": 0.0, "t/CV": 0.0} | values))
    return rig


@pytest.mark.parametrize(
    ("u", "heat", "cool"),
    [(0, 100, 0), (25, 50, 0), (50, 0, 0), (75, 0, 50), (100, 0, 100)],
)
def test_heating_and_cooling(u: float, heat: float, cool: float) -> None:
    rig = plant()
    rig.write("t/TC/MODE", 1)
    rig.scan(2)
    assert rig.blocks["t/TC"].write_output(rig.outputs.path.index("t/U"), float(u)) is None
    rig.scan(2)
    assert (rig.applied("t/HV"), rig.applied("t/CV")) == (heat, cool)


@given(st.floats(0, 100), st.floats(0, 45), st.floats(55, 100))
def test_outputs_follow_in_the_same_scan_and_stay_in_their_ranges(u: float, end: float, start: float) -> None:
    """Also with a gap between the ranges, in which nothing moves."""
    rig = plant(([0.0, end + 1], [100.0, 0.0]), ([start - 1, 100.0], [0.0, 100.0]))
    rig.write("t/TC/MODE", 1)
    rig.scan(2)
    rig.blocks["t/TC"].write_output(rig.outputs.path.index("t/U"), u)
    rig.scan()
    heat, cool = rig.applied("t/HV"), rig.applied("t/CV")
    assert 0 <= heat <= 100
    assert 0 <= cool <= 100
    assert not (heat and cool)
    assert rig.outputs.feedback == [None] * 3, "it had its way"
    if end + 1 <= u <= start - 1:
        assert (heat, cool) == (0, 0)


@pytest.mark.parametrize(
    ("heat", "cool", "u"), [(100, 0, 0), (40, 0, 30), (0, 0, 50), (0, 60, 80), (0, 100, 100)]
)
def test_it_starts_where_the_outputs_are(heat: float, cool: float, u: float) -> None:
    rig = plant(**{"t/HV": heat, "t/CV": cool, "t/U": 50.0})
    rig.gates |= {"t/HV": NOT_INITIALISED, "t/CV": NOT_INITIALISED}
    rig.scan(3)
    assert rig.applied("t/U") == u
    rig.gates.clear()
    rig.scan(3)
    assert rig.applied("t/HV") == pytest.approx(heat, abs=0.1)
    assert rig.applied("t/CV") == pytest.approx(cool, abs=0.1)


@pytest.mark.parametrize("gate", [LOCAL, DISARMED])
def test_a_valve_in_local_is_tracked_and_taken_over_without_a_bump(gate: int) -> None:
    rig = plant(**{"t/HV": 40.0, "t/U": 30.0})
    rig.set("t/PV", 45.0)
    rig.scan(3)
    rig.gates["t/HV"] = gate
    rig.scan()
    rig.move("t/HV", 70.0)
    for _ in range(300):  # ten minutes too cold: without tracking the controller would be far away
        rig.set("t/PV", 45.0)
        rig.scan()
    assert rig.applied("t/U") == pytest.approx(15.0)
    rig.gates.clear()
    rig.set("t/PV", 50.0)
    rig.scan()
    assert rig.applied("t/HV") == pytest.approx(70.0, abs=0.1)


def test_a_limited_valve_winds_nothing_up() -> None:
    rig = plant(**{"t/HV": 80.0, "t/U": 10.0})
    rig.write("t/TC/SP", 50.0)
    rig.scan(2)
    rig.gates["t/HV"] = LIMITED
    for _ in range(300):
        rig.set("t/PV", 30.0)
        rig.scan()
    rig.gates.clear()
    for _ in range(3):  # the error changes its sign: the controller leaves the limit at once
        rig.set("t/PV", 52.0)
        rig.scan()
    assert rig.applied("t/HV") < 80.0


def test_an_interlock_of_the_demand_acts_on_the_valves_in_the_same_scan() -> None:
    lock = block(
        "t/I", "interlock", "ACTIVE", target="t/U", when="t/X > 8", value=20.0, reset="auto", description=""
    )
    rig = Rig(
        [lock, pid("t/TC", out="t/U", action="direct"), split(*HEAT_COOL)],
        {"t/PV": RANGE, "t/U": MEMORY, "t/HV": RANGE, "t/CV": RANGE, "t/X": {}},
        SECOND,
    )
    rig.set("t/PV", 50.0)
    rig.set("t/X", 0.0)
    rig.ready(**{"t/U": 50.0, "t/HV": 0.0, "t/CV": 0.0})
    rig.scan(2)
    rig.set("t/X", 9.0)
    rig.scan()
    assert rig.applied("t/HV") == pytest.approx(60.0)
    rig.set("t/X", 0.0)
    rig.scan(2)
    assert rig.applied("t/HV") == pytest.approx(60.0, abs=0.1), (
        "the controller took over what the interlock held"
    )


def test_a_demand_that_no_controller_writes_is_just_read() -> None:
    rig = Rig([split(*HEAT_COOL)], {"t/U": RANGE, "t/HV": RANGE, "t/CV": RANGE, "t/Z": RANGE}, SECOND)
    rig.ready(**{"t/HV": 0.0, "t/CV": 0.0})
    rig.gates["t/HV"] = LOCAL
    rig.set("t/U", 75.0)
    rig.scan()
    assert (rig.applied("t/HV"), rig.applied("t/CV")) == (0.0, 50.0)
    rig.set("t/U", 30.0)
    rig.scan()
    assert rig.outputs.feedback == [None, None], "there is nobody to be told"
    rig.set("t/U", 90.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert rig.applied("t/CV") == 0.0, "it stays"


def test_a_range_without_a_width_is_refused() -> None:
    with pytest.raises(ValueError, match="two different ends"):
        plant(([0.0, 0.0], [0.0, 100.0]))


def test_its_outputs_say_who_drives_them() -> None:
    rig = plant()
    said = rig.blocks["t/SR"].write_output(rig.outputs.path.index("t/HV"), 5.0)
    assert said == "t/SR drives this output from t/U: set its controller to Manual"


# -- override


def override(kind: str = "low", **values: float) -> Rig:
    """A flow controller, and a pressure controller that takes the valve away from it."""
    rig = Rig(
        [
            pid("t/FC", pv="t/FT", out="t/UF", gain=1.0, sp_initial=50.0),
            pid("t/PC", pv="t/PT", out="t/UP", gain=1.0, sp_initial=80.0),
            block("t/OV", "override_select", "SELECTED", kind=kind, inputs=["t/UF", "t/UP"], out="t/V"),
        ],
        {"t/FT": RANGE, "t/PT": RANGE, "t/UF": MEMORY, "t/UP": MEMORY, "t/V": RANGE},
        SECOND,
    )
    rig.set("t/FT", 50.0)
    rig.set("t/PT", 40.0)
    rig.ready(**({"t/UF": 40.0, "t/UP": 40.0, "t/V": 40.0} | values))
    return rig


def both(rig: Rig, flow: float, pressure: float, scans: int = 1) -> None:
    for _ in range(scans):
        rig.set("t/FT", flow)
        rig.set("t/PT", pressure)
        rig.scan()


def test_who_is_not_heard_stands_ready_and_takes_over_at_once() -> None:
    rig = override()
    both(rig, 45.0, 40.0, 5)
    assert rig.get("t/OV/SELECTED") == 1
    both(
        rig, 50.0, 40.0, 3600
    )  # an hour: the pressure is far too low for its controller, which wants to open
    assert rig.get("t/OV/SELECTED") == 1
    waiting = rig.applied("t/V")
    assert rig.get("t/UP") - rig.applied("t/V") <= 40.0 + 1e-6  # a proportional step, K e, above
    both(rig, 50.0, 90.0, 2)  # over its set point: it closes the valve now, not after unwinding
    assert rig.get("t/OV/SELECTED") == 2
    assert rig.applied("t/V") < waiting
    both(rig, 60.0, 70.0, 400)
    assert rig.get("t/OV/SELECTED") == 1


@pytest.mark.parametrize(("kind", "best"), [("low", min), ("high", max)])
@given(steps=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=40))
def test_the_valve_is_always_at_the_lowest_or_highest(
    kind: str, best: Any, steps: list[tuple[float, float]]
) -> None:
    rig = override(kind)
    both(rig, 50.0, 80.0, 2)
    for flow, pressure in steps:
        both(rig, flow, pressure)
        wanted = [rig.outputs.wanted[rig.outputs.path.index(path)] for path in ("t/UF", "t/UP")]
        assert rig.applied("t/V") == best(wanted)
        assert wanted[rig.get("t/OV/SELECTED") - 1] == rig.applied("t/V")


@pytest.mark.parametrize("limit", [LIMITED, RATE_LIMITED])
def test_the_selected_controller_knows_the_limit_of_the_valve(limit: int) -> None:
    rig = override()
    both(rig, 45.0, 40.0, 5)
    rig.gates["t/V"] = limit
    stuck = rig.applied("t/V")
    both(rig, 30.0, 40.0, 600)  # it wants to open, and cannot
    assert (rig.applied("t/V"), rig.get("t/OV/SELECTED")) == (stuck, 1)
    rig.gates.clear()
    both(rig, 52.0, 40.0, 3)
    assert rig.applied("t/V") < stuck, "nothing had been wound up"


def test_with_no_input_left_the_valve_stays() -> None:
    rig = Rig(
        [block("t/OV", "override_select", "SELECTED", kind="high", inputs=["t/A", "t/B"], out="t/V")],
        {"t/A": RANGE, "t/B": RANGE, "t/V": RANGE},
        SECOND,
    )
    rig.ready(**{"t/V": 40.0})
    rig.set("t/A", 30.0)
    rig.set("t/B", 60.0)
    rig.scan()
    assert (rig.applied("t/V"), rig.get("t/OV/SELECTED")) == (60.0, 2)
    rig.set("t/B", 60.0, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.applied("t/V"), rig.get("t/OV/SELECTED")) == (30.0, 1)
    rig.set("t/A", 30.0, BAD_SENSOR_FAILURE)
    rig.scan(5)
    assert (rig.applied("t/V"), rig.get("t/OV/SELECTED")) == (30.0, 0)
    assert rig.outputs.wanted == [None]


def test_all_track_a_valve_in_local() -> None:
    rig = override()
    both(rig, 45.0, 40.0, 5)
    rig.gates["t/V"] = LOCAL
    rig.move("t/V", 12.0)
    both(rig, 20.0, 10.0, 500)
    assert (rig.applied("t/UF"), rig.applied("t/UP")) == (12.0, 12.0)
    rig.gates.clear()
    both(rig, 50.0, 80.0)
    assert rig.applied("t/V") == pytest.approx(12.0, abs=0.1)


def test_a_controller_in_manual_takes_part() -> None:
    rig = override()
    both(rig, 50.0, 40.0, 5)
    rig.write("t/PC/MODE", 1)
    both(rig, 50.0, 40.0, 2)
    rig.blocks["t/PC"].write_output(rig.outputs.path.index("t/UP"), 10.0)
    both(rig, 50.0, 40.0, 2)
    assert (rig.applied("t/V"), rig.get("t/OV/SELECTED")) == (10.0, 2)


def test_before_anything_is_known_nothing_is_driven() -> None:
    rig = override()
    rig.outputs.applied[rig.outputs.path.index("t/V")] = None
    both(rig, 50.0, 40.0, 3)
    assert rig.outputs.wanted[rig.outputs.path.index("t/V")] is None


def test_an_unknown_kind_of_override_is_refused() -> None:
    with pytest.raises(ValueError, match="none of low, high"):
        override("middle")

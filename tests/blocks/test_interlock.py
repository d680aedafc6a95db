"""Interlocks on tags: dominance, first-out, reset, quality; and refused configurations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks import registry
from scada.blocks.base import Binder
from tags import model
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN_LAST_USABLE,
)
from tests.blocks.rig import SECOND, Rig, block, pid


def interlock(
    path: str = "t/I", when: str = "t/X > 8", value: float = 0.0, reset: str = "auto"
) -> model.Block:
    return block(
        path,
        "interlock",
        "ACTIVE",
        target="t/OUT",
        when=when,
        value=value,
        reset=reset,
        description=f"{path} text",
    )


def make(*blocks: model.Block) -> Rig:
    rig = Rig(
        [pid(), *blocks],
        {"t/PV": {"range": (0.0, 100.0)}, "t/OUT": {"range": (0.0, 100.0)}, "t/X": {}},
        SECOND,
    )
    rig.set("t/PV", 50.0)
    rig.set("t/X", 0.0)
    rig.ready(**{"t/OUT": 40.0})
    return rig


def test_holds_the_output_and_lets_go_without_a_bump() -> None:
    rig = make(interlock(value=20.0))
    rig.scan()
    assert rig.applied("t/OUT") == 40.0
    rig.set("t/X", 9.0)
    rig.scan(5)
    assert (rig.applied("t/OUT"), rig.outputs.override[0]) == (20.0, (20.0, "t/I"))
    rig.set("t/X", 0.0)
    rig.scan(2)
    assert rig.applied("t/OUT") == 20.0
    assert [(e["active"], e["first_out"]) for e in rig.events] == [(True, True), (False, False)]


def test_first_out_names_the_first_and_its_value_wins() -> None:
    rig = make(interlock("t/A", "t/X > 8", 10.0), interlock("t/B", "t/X > 4", 20.0))
    rig.set("t/X", 5.0)
    rig.scan()
    assert rig.applied("t/OUT") == 20.0
    rig.set("t/X", 9.0)
    rig.scan()
    assert [(e["path"], e["first_out"], e["message"]) for e in rig.events] == [
        ("t/B", True, "t/B text"),
        ("t/A", False, "t/A text"),
    ]


def test_manual_reset() -> None:
    rig = make(interlock(reset="manual"))
    rig.set("t/X", 9.0)
    rig.scan()
    assert rig.write("t/I/ACTIVE", False) == "t/I is still active: t/I text"
    rig.set("t/X", 0.0)
    rig.scan(5)
    assert rig.get("t/I/ACTIVE") is True
    assert rig.write("t/I/ACTIVE", True) is not None
    assert rig.write("t/I/ACTIVE", False) is None
    rig.scan()
    assert rig.get("t/I/ACTIVE") is False


@pytest.mark.parametrize(
    ("status", "active"),
    [
        (BAD_SENSOR_FAILURE, True),
        (BAD_NO_COMMUNICATION, False),
        (BAD_WAITING_FOR_INITIAL_DATA, False),
        (UNCERTAIN_LAST_USABLE, False),
    ],
)
def test_quality(status: int, active: bool) -> None:
    rig = make(interlock())
    rig.scan()
    rig.set("t/X", 99.0 if not active else 0.0, status)
    rig.scan()
    assert rig.get("t/I/ACTIVE") is active


def test_active_survives_a_restart_also_before_its_input_is_read() -> None:
    rig = make(interlock())
    rig.set("t/X", 9.0)
    rig.scan()
    again = make(interlock())
    again.restore(rig.retained())
    again.set("t/X", 0.0, BAD_WAITING_FOR_INITIAL_DATA)
    again.scan()
    assert again.applied("t/OUT") == 0.0


@given(
    st.lists(
        st.tuples(
            st.floats(),
            st.floats(),
            st.sampled_from([GOOD, BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION]),
            st.booleans(),
        )
    )
)
def test_an_active_interlock_always_wins(steps: list[tuple[float, float, int, bool]]) -> None:
    rig = make(interlock(value=20.0, reset="manual"))
    for x, pv, status, reset in steps:
        rig.set("t/X", x, status)
        rig.set("t/PV", pv)
        if reset:
            rig.write("t/I/ACTIVE", False)
        rig.scan()
        if status == GOOD and x > 8:
            assert rig.get("t/I/ACTIVE")
        if rig.get("t/I/ACTIVE"):
            assert rig.applied("t/OUT") == 20.0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (block("t/Z", "interlock", target="t/NOWHERE", when="true", value=0), "neither a writable tag"),
        (block("t/Z", "nonsense"), "no block type 'nonsense'"),
        (
            block("t/Z", "hysteresis", at_path="OUT", input="t/NOPE", on_above=1, off_below=0),
            "t/NOPE: no such tag",
        ),
        (block("t/Z", "duty_standby", members=["t/LIC"], demand="true"), "member t/LIC is not a motor block"),
    ],
)
def test_what_the_registry_refuses(config: Any, message: str) -> None:
    tags = {"t/PV": model.Tag(id=1, path="t/PV", type="float64", kind="device", writer="field", row=0)}
    tags["t/OUT"] = model.Tag(id=2, path="t/OUT", type="float64", kind="device", writer="field", row=1)
    for name in ("SP", "MODE", "GAIN", "TI", "TD"):
        tags[f"t/LIC/{name}"] = model.Tag(
            id=3, path=f"t/LIC/{name}", type="float64", kind="block", writer="control", row=0
        )
    tags["t/Z"] = model.Tag(id=4, path="t/Z", type="bool", kind="block", writer="control", row=9)
    with pytest.raises(ValueError, match=message):
        registry.build_all((pid(), config), Binder(tags, SECOND))

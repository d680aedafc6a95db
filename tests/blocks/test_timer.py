"""Timers against the timing diagrams of IEC 61131-3 (figure 15) and an independent reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.quality import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, block


def make(kind: str, pt_s: int = 3) -> Rig:
    config = block("t/T", "timer", "ET", at_path="Q", kind=kind, input="t/IN", time_ns=pt_s * SECOND)
    return Rig([config], {"t/IN": {"type": "bool"}}, SECOND)


def run(rig: Rig, inputs: str) -> tuple[str, list[float]]:
    """One scan per character, 1 s apart: Q as text and ET."""
    q, et = "", []
    for item in inputs:
        rig.set("t/IN", item == "1")
        rig.scan()
        q += "1" if rig.get("t/T") else "0"
        et.append(rig.get("t/T/ET"))
    return q, et


@pytest.mark.parametrize(
    ("kind", "inputs", "q", "et"),
    [
        ("ton", "011111010", "000011000", [0, 0, 1, 2, 3, 3, 0, 0, 0]),
        ("tof", "0110000100", "0111110111", [0, 0, 0, 0, 1, 2, 3, 0, 0, 1]),
        ("tp", "011111100", "011100000", [0, 0, 1, 2, 3, 3, 3, 0, 0]),
        (
            "tp",
            "010101000",
            "011101110",
            [0, 0, 1, 2, 0, 0, 1, 2, 0],
        ),  # a rise while it runs does not restart it
    ],
)
def test_timing_diagrams(kind: str, inputs: str, q: str, et: list[float]) -> None:
    got_q, got_et = run(make(kind), inputs)
    assert got_q == q
    assert got_et == pytest.approx(et)


def reference(kind: str, pt: int, steps: list[tuple[bool, int]]) -> list[bool]:
    """Q from absolute times of edges alone."""
    now, before, rose, fell, pulse, seen = 0, False, 0, None, None, []
    for on, dt in steps:
        now += dt
        if on and not before:
            rose = now
            if pulse is None or now - pulse >= pt:
                pulse = now
        if before and not on:
            fell = now
        before = on
        if kind == "ton":
            seen.append(on and now - rose >= pt)
        elif kind == "tof":
            seen.append(on or (fell is not None and now - fell < pt))
        else:
            seen.append(pulse is not None and now - pulse < pt)
    return seen


@given(
    st.sampled_from(["ton", "tof", "tp"]),
    st.integers(0, 6),
    st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=60),
)
def test_equals_the_reference(kind: str, pt: int, steps: list[tuple[bool, int]]) -> None:
    rig, seen = make(kind, pt), []
    for on, periods in steps:
        rig.set("t/IN", on)
        rig.scan(periods=periods)
        seen.append(rig.get("t/T"))
        assert 0.0 <= rig.get("t/T/ET") <= pt
    assert seen == reference(kind, pt, steps)


def test_restart_goes_on_where_it_was() -> None:
    rig = make("ton", 10)
    run(rig, "0111111")
    again = make("ton", 10)
    again.restore(rig.retained())
    assert run(again, "1111")[1] == pytest.approx([6, 7, 8, 9])
    assert run(again, "1")[0] == "1"


def test_bad_input_counts_as_the_last_usable_one() -> None:
    rig = make("ton")
    run(rig, "011")
    rig.set("t/IN", False, BAD_SENSOR_FAILURE)
    rig.scan(3)
    assert (rig.get("t/T"), rig.status("t/T")) == (True, UNCERTAIN_LAST_USABLE)
    run(rig, "1")
    assert (rig.get("t/T"), rig.status("t/T")) == (True, GOOD)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="none of ton, tof, tp"):
        make("tpx")

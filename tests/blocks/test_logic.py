"""Edges, latches and counters against the tables and function bodies of IEC 61131-3."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.blocks.logic import CV_MAX, CV_MIN
from tags.quality import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE
from tests.blocks.rig import SECOND, Rig, block

NAMES = ("t/A", "t/B", "t/C", "t/D")
BITS = st.lists(st.tuples(*[st.booleans()] * 4), min_size=1, max_size=60)


def make(type_: str, points: str = "", at_path: str = "", **config: Any) -> Rig:
    one = block("t/X", type_, points, at_path=at_path, **config)
    return Rig([one], {name: {"type": "bool"} for name in NAMES}, SECOND)


def scan(rig: Rig, *bits: bool) -> None:
    for name, bit in zip(NAMES, bits, strict=False):
        rig.set(name, bit)
    rig.scan()


def run(rig: Rig, text: str) -> str:
    """Q of one scan per character of t/A."""
    seen = ""
    for letter in text:
        scan(rig, letter == "1")
        seen += str(int(rig.get("t/X")))
    return seen


# -- edges


@pytest.mark.parametrize(
    ("kind", "q"), [("r_trig", "0010000100"), ("f_trig", "0000100001"), ("both", "0010100101")]
)
def test_edges(kind: str, q: str) -> None:
    assert run(make("edge", at_path="Q", kind=kind, input="t/A"), "0011000110") == q


@pytest.mark.parametrize("kind", ["r_trig", "f_trig", "both"])
@pytest.mark.parametrize("level", ["1", "0"])
def test_what_the_first_scan_finds_is_no_edge(kind: str, level: str) -> None:
    assert run(make("edge", at_path="Q", kind=kind, input="t/A"), level * 3) == "000"


def test_an_edge_behind_a_bad_spell_is_seen_once() -> None:
    rig = make("edge", at_path="Q", kind="r_trig", input="t/A")
    run(rig, "00")
    rig.set("t/A", True, BAD_SENSOR_FAILURE)
    rig.scan()
    assert (rig.get("t/X"), rig.status("t/X")) == (False, UNCERTAIN_LAST_USABLE)
    assert run(rig, "11") == "10"


# -- latches


@given(BITS)
def test_latches_equal_their_function_bodies(steps: list[tuple[bool, ...]]) -> None:
    """SR: Q1 := S1 OR (NOT R AND Q1); RS: Q1 := NOT R1 AND (S OR Q1)."""
    both = {kind: make("latch", at_path="Q", kind=kind, set="t/A", reset="t/B") for kind in ("sr", "rs")}
    sr = rs = False
    for s, r, *_ in steps:
        for rig in both.values():
            scan(rig, s, r)
        sr, rs = s or (not r and sr), not r and (s or rs)
        assert (both["sr"].get("t/X"), both["rs"].get("t/X")) == (sr, rs)


def test_a_latch_remembers_over_restart_and_bad_inputs() -> None:
    rig = make("latch", at_path="Q", kind="rs", set="t/A", reset="t/B")
    scan(rig, True, False)
    scan(rig, False, False)
    again = make("latch", at_path="Q", kind="rs", set="t/A", reset="t/B")
    again.restore(rig.retained(), fresh=False)
    again.set("t/A", False)
    again.set("t/B", True, BAD_SENSOR_FAILURE)
    again.scan()
    assert (again.get("t/X"), again.status("t/X")) == (True, UNCERTAIN_LAST_USABLE)
    scan(again, False, True)
    assert (again.get("t/X"), again.status("t/X")) == (False, GOOD)


# -- counters


def counter(preset: int = 3, **inputs: str) -> Rig:
    wired = inputs or {"up": "t/A", "down": "t/B", "reset": "t/C", "load": "t/D"}
    return make("counter", "CV QU QD", preset=preset, **wired)


@given(BITS, st.integers(-3, 5))
def test_ctud_equals_its_function_body(steps: list[tuple[bool, ...]], preset: int) -> None:
    rig, cv = counter(preset), 0
    before: tuple[bool | None, bool | None] = (None, None)
    for up, down, reset, load in steps:
        scan(rig, up, down, reset, load)
        rises = before[0] is False and up, before[1] is False and down
        before = up, down
        if reset:
            cv = 0
        elif load:
            cv = preset
        elif rises[0] != rises[1]:
            cv += 1 if rises[0] else -1
        assert rig.get("t/X/CV") == cv
        assert (rig.get("t/X/QU"), rig.get("t/X/QD")) == (cv >= preset, cv <= 0)


def test_counting_up_to_ten_pallets() -> None:
    rig = counter(10, up="t/A")
    seen = []
    for _ in range(12):
        scan(rig, False)
        scan(rig, True)
        scan(rig, True)
        seen.append(rig.get("t/X/QU"))
    assert seen == [False] * 9 + [True] * 3
    assert rig.get("t/X/CV") == 12


@pytest.mark.parametrize(("start", "up"), [(CV_MAX, "t/A"), (CV_MIN, None)])
def test_a_count_stays_within_32_bits(start: int, up: str | None) -> None:
    rig = counter(up="t/A") if up else counter(down="t/A")
    rig.restore({"t/X": {"cv": start}})
    scan(rig, False)
    scan(rig, True)
    assert rig.get("t/X/CV") == start


def test_a_count_survives_a_restart_and_nonsense_does_not() -> None:
    rig = counter(up="t/A")
    scan(rig, False)
    scan(rig, True)
    again = counter(up="t/A")
    again.restore(rig.retained())
    scan(again, True)
    assert again.get("t/X/CV") == 1
    for nonsense in (None, "1", 1.5, True):
        again.restore({"t/X": {"cv": nonsense}})
    scan(again, True)
    assert again.get("t/X/CV") == 1


@pytest.mark.parametrize(
    ("type_", "config"), [("edge", {"input": "t/A"}), ("latch", {"set": "t/A", "reset": "t/B"})]
)
def test_unknown_kinds_are_refused(type_: str, config: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="none of"):
        make(type_, at_path="Q", kind="x", **config)

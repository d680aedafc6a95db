"""The search finds what breaks an invariant, in its shortest form, and what it keeps breaks it again."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.planttest import Found, keep, report, search
from scada.planttest.candidates import thresholds, values_of
from scada.planttest.cone import relevant
from scada.planttest.rig import Rig
from scada.planttest.run import run_test
from scada.planttest.suite import run_suite
from scada.scan import build
from tags.site.plant_tests_compiled import Invariant, Vary
from tests.planttest.demo import program, run, site, suite

PLANT = """
plant:
  given: {tank1/LT-101: 2.5 m, tank1/PT-103: 4 bar}
  follow:
    tank1/P-101/RUN: {start: tank1/P-101/START, stop: tank1/P-101/STOP, time: 300 ms}
    tank1/P-102/RUN: {start: tank1/P-102/START, stop: tank1/P-102/STOP, time: 300 ms}
tests:
"""
DRY = """
  dry:
    invariant: (tank1/P-101/RUN or tank1/P-102/RUN) implies tank1/LT-101 > 0.2 m
    vary: {tank1/LT-101: {rate: 0.07 m/s}, tank1/PT-103: }
    given: {tank1/LT-101: 0.9 m}
    search: {length: 15 s, examples: 60}
"""
WEAK = ("control/water.yaml", "LT-101 < 0.4 m", "LT-101 < 0.15 m")


def one(text: str) -> Invariant:
    return suite(PLANT + text).invariants[0]


@cache
def dry() -> Found:
    return search(site(*WEAK), one(DRY), seed=1)


def test_it_finds_a_planted_defect_and_shortens_what_does_it() -> None:
    found = dry()
    assert not found.passed
    assert {move.move.path for move in found.moves} == {"tank1/LT-101", "tank1/PT-103"}
    assert len(found.moves) == 2
    assert 1 < found.tried <= 60
    assert all(move.time_ns == 0 for move in found.moves)
    assert "tank1/LT-101 is 0.2 m" in found.values
    lines = report.lines(found, site().by_path())
    assert lines[0] == "FAILED  tests/t.yaml: dry"
    assert "0 s  tank1/LT-101 goes to 0 m at 0.07 m/s" in [line.strip() for line in lines]


def test_it_finds_nothing_where_there_is_no_defect() -> None:
    found = search(site(), one(DRY), seed=1, examples=15)
    assert found.passed
    assert found.tried == 15
    assert found.time_ns > 15 * 14e9


def test_the_same_seed_tries_and_finds_the_same() -> None:
    invariant = one("\n  x: {invariant: tank1/LIC-101/SP < 3.5 m, search: {length: 5 s, examples: 30}}\n")
    first, again, other = (search(site(), invariant, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert not first.passed
    assert first.tried != other.tried


def test_what_is_kept_fails_until_the_defect_is_mended() -> None:
    text = keep.saved(program().tags, [dry()], site().scan_ns)
    (broken,) = run(text, program(*WEAK))
    assert not broken.passed
    assert broken.failures[0].time_ns == dry().broken_ns
    (mended,) = run(text)
    assert mended.passed
    assert keep.saved(program().tags, [mended], site().scan_ns) == ""


def test_requests_and_failing_measurements_are_tried_and_kept() -> None:
    text = """
  valve:
    invariant: tank1/LV-101/OUT < 90 %
    requests: {tank1/LIC-101/MODE: [Manual], tank1/LV-101/OUT: [95 %]}
    vary: {}
    settle: 2 s
    search: {length: 10 s, examples: 80}
  sensor:
    invariant: not (tank1/LT-101 < 0.1 m and tank1/P-101/RUN)
    given: {tank1/LT-101: 1 m}
    vary: {tank1/LT-101: {rate: 0.1 m/s, bad: true, values: [0 m]}, tank1/PT-103: {values: [1 bar]}}
    requests: {}
    search: {length: 16 s, examples: 80}
"""
    valve, sensor = (search(site(), invariant, seed=3) for invariant in suite(PLANT + text).invariants)
    assert [(m.move.kind, m.move.path, m.outcome) for m in valve.moves] == [
        ("write", "tank1/LIC-101/MODE", "confirmed"), ("write", "tank1/LV-101/OUT", ""),
    ]  # fmt: skip
    assert all(m.time_ns >= 2_000_000_000 for m in valve.moves)
    assert "fail" in {
        move.move.kind for move in sensor.moves
    }  # a trip that cannot see its level does not trip
    kept = keep.saved(program().tags, [valve, sensor], site().scan_ns)
    assert [result.passed for result in run(kept)] == [False, False]


def test_what_may_be_broken_for_a_time() -> None:
    text = """
  level:
    invariant: tank1/LT-101 < 4 m
    allow: {allow}
    vary: {{tank1/LT-101: {{values: [4.2 m, 1 m]}}}}
    requests: {{}}
    search: {{length: 10 s, examples: 40}}
"""
    assert search(site(), one(text.format(allow="4 s"))).broken_ns == 4_000_000_000
    assert search(site(), one(text.format(allow="11 s"))).passed


def test_nothing_has_to_happen_when_it_is_broken_at_once() -> None:
    found = search(site(), one("\n  x: {invariant: tank1/LT-101 > 3 m}\n"))
    assert found.moves == ()
    assert report.moves(found, site().by_path()) == ["nothing has to happen"]


PATHS = (
    "tank1/P-101/RUN",
    "tank1/P-102/RUN",
    "tank1/pumps/DUTY",
    "tank1/P-101/STATE",
    "tank1/P-101/START/command",
)
moves = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.sampled_from(["tank1/LT-101", "tank1/PT-103", "tank1/P-101/FLT", "tank1/P-102/REM"]),
        st.integers(0, 10),
    ),
    max_size=6,
)


@given(moves)
@settings(max_examples=8)
def test_a_part_of_the_program_behaves_as_the_whole(sequence: list[tuple[int, str, int]]) -> None:
    invariant = one(DRY)
    small, needed = relevant(site(), PATHS, invariant.plant.follow)
    assert len(small.blocks) < len(site().blocks)
    assert set(PATHS) <= needed
    whole, part = Rig(program(), invariant.plant), Rig(small_program(small), invariant.plant)
    for scans, path, tenths in sequence:
        for rig in (whole, part):
            tag = rig.world.tags[path]
            rig.world.set(path, tenths > 5 if tag.type == "bool" else tenths / 2)
        for _ in range(scans):
            whole.scan()
            part.scan()
            assert [whole.seen(one) for one in PATHS] == [part.seen(one) for one in PATHS]


_PROGRAMS: dict[int, Any] = {}


def small_program(small: Any) -> Any:
    return _PROGRAMS.setdefault(len(small.tags), build(small))


def test_values_worth_trying_are_on_both_sides_of_each_limit() -> None:
    level, pressure = site().by_path()["tank1/LT-101"], site().by_path()["tank1/PT-103"]
    assert {0.8, 0.4, 4.5} <= set(thresholds(site(), level))
    assert {3.0, 5.0} <= set(thresholds(site(), pressure))
    tried = values_of(site(), Vary("tank1/LT-101", low=0.5, high=2.0), 1.0, ["tank1/LT-101 > 160 cm"])
    assert {0.5, 0.75, 0.8, 0.85, 1.55, 1.6, 1.65, 2.0} <= set(tried)
    assert all(isinstance(value, float) and 0.5 <= value <= 2.0 for value in tried)
    assert {1.185, 1.235, 1.285} < set(
        values_of(site(), Vary("tank1/LT-101"), 1.0, ["tank1/LT-101 > 1.23456 m"])
    )
    assert values_of(site(), Vary("tank1/LSHH-101"), False) == [True, False]
    assert values_of(site(), Vary("tank1/P-101/MODE"), 1) == [0, 1, 2]


@pytest.mark.parametrize("file", ["air.yaml", "truck.yaml", "water.yaml"])
def test_the_demo_passes_its_own_tests(file: str, tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "config" / "demo"
    from tags.site.plant_tests import Suite, read_tests

    whole = read_tests(folder, site())
    tests = tuple(test for test in whole.tests if test.place.file.endswith(file))
    invariants = tuple(test for test in whole.invariants if test.place.file.endswith(file))
    assert tests
    outcomes = list(run_suite(program(), Suite(tests, invariants), examples=3, scratch=tmp_path))
    assert [report.lines(outcome, program().tags) for outcome in outcomes if not outcome.passed] == []


@pytest.mark.parametrize(
    ("defect", "test"),
    [
        (("control/water.yaml", "LT-101 > 4.5 m", "LT-101 > 4.8 m"), "nearly full"),
        (("control/water.yaml", "on_below: 3 bar", "on_below: 2 bar"), "low pressure"),
        (("control/water.yaml", "alternate: each start", "alternate: never"), "low pressure"),
        (("control/truck.yaml", "time: 2 min", "time: 1 min"), "nearer depot"),
        (("control/truck.yaml", "on_above: -14 degC", "on_above: -10 degC"), "warm box"),
    ],
)
def test_a_defect_in_the_demo_fails_its_test(defect: tuple[str, str, str], test: str) -> None:
    from tags.site.plant_tests import read_tests

    folder = Path(__file__).parents[2] / "config" / "demo"
    found = [one for one in read_tests(folder, site()).tests if test in one.name]
    assert found
    assert any(not run_test(program(*defect), one).passed for one in found)


def test_lost_connections_and_restarts_are_tried_and_kept() -> None:
    text = """
  heard:
    invariant: system/PLC1/connected
    vary: {}
    requests: {}
    devices: [PLC1]
    search: {length: 5 s, examples: 20}
  mode:
    invariant: tank1/LIC-101/MODE == 2
    requests: {tank1/LIC-101/MODE: [Out of service]}
    vary: {}
    restart: true
    search: {length: 5 s, examples: 40}
"""
    heard, mode = (search(site(), invariant, seed=3) for invariant in suite(PLANT + text).invariants)
    assert report.moves(heard, site().by_path()) == ["0 s  the connection to PLC1 is lost"]
    kept = keep.saved(program().tags, [heard, mode], site().scan_ns)
    assert [result.passed for result in run(kept)] == [False, False]


@pytest.mark.parametrize(
    "path", ["tank1/P-101/RUN", "tank1/LV-101/OUT", "truck1/C-301/CAP", "ahu1/F-201/RUN"]
)
def test_outputs_wait_for_the_same_inputs_in_a_part_and_in_the_whole(path: str) -> None:
    small, _ = relevant(site(), [path])
    part, whole = build(small), program()
    for plan in part.outputs:
        same = whole.outputs[whole.output_of[plan.tag.path]]
        assert [part.slots[slot].path for slot in plan.needs] == [
            whole.slots[slot].path for slot in same.needs
        ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_invariants_of_the_demo_stand_a_longer_search(tmp_path: Path) -> None:
    from tags.site.plant_tests import Suite, read_tests

    whole = read_tests(Path(__file__).parents[2] / "config" / "demo", site())
    outcomes = list(run_suite(program(), Suite((), whole.invariants), seed=7, examples=60, scratch=tmp_path))
    assert [report.lines(outcome, program().tags) for outcome in outcomes if not outcome.passed] == []

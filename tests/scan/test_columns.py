"""What is stepped in columns comes to the same bits as object by object, whatever happens."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from scada.blocks.base import Tick
from scada.blocks.interlock_columns import InterlockColumns
from scada.blocks.pid_columns import PidColumns
from scada.scan import Inputs, step
from scada.scan.hold_columns import HoldColumns
from tags import expression
from tags.expression import columns
from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    UNCERTAIN_EU_EXCEEDED,
    UNCERTAIN_LAST_USABLE,
)
from tests.scan.loops import PROGRAM, SECOND, SLOW, Pair, same

PROGRAMS = {"one task": PROGRAM, "two tasks": SLOW}
UNITS = range(10)
_status = st.sampled_from(
    (0, 0, 0, BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION, UNCERTAIN_EU_EXCEEDED, UNCERTAIN_LAST_USABLE)
)
_number = st.one_of(
    st.floats(0.0, 5.0),
    st.sampled_from((0.0, -0.0, 2.5, 4.5, 4.500001, 0.1, 1e300, -1e300, 5e-324, 1.7e308)),
)
_change = st.one_of(
    st.tuples(st.sampled_from([f"u{n}/PV" for n in UNITS]), _number, _status),
    st.tuples(st.sampled_from([f"u{n}/REM" for n in UNITS]), st.booleans(), _status),
    st.tuples(st.sampled_from([f"u{n}/OUT" for n in UNITS]), st.floats(0.0, 100.0), _status),
    st.tuples(st.just("system/PLC1/armed"), st.booleans(), st.just(0)),
)
_item = st.one_of(
    st.tuples(st.sampled_from([f"u{n}/LIC/SP" for n in UNITS]), st.floats(0.0, 5.0)),
    st.tuples(st.sampled_from([f"u{n}/LIC/MODE" for n in UNITS]), st.sampled_from((0, 1, 2))),
    st.tuples(st.sampled_from([f"u{n}/LIC/GAIN" for n in UNITS]), st.floats(0.0, 50.0)),
    st.tuples(st.sampled_from([f"u{n}/LIC/TI" for n in UNITS]), st.sampled_from((0.0, 1.0, 100.0))),
    st.tuples(st.sampled_from([f"u{n}/LIC/TD" for n in UNITS]), st.sampled_from((0.0, 3.0))),
    st.tuples(st.sampled_from([f"u{n}/OUT" for n in UNITS]), st.floats(0.0, 100.0)),
    st.tuples(st.sampled_from([f"u{n}/SPARE" for n in UNITS]), st.floats(0.0, 100.0)),
    st.tuples(st.sampled_from([f"u{n}/LSHH/ACTIVE" for n in UNITS]), st.just(False)),
)
_forced = st.tuples(
    st.sampled_from(
        [f"u{n}/{what}" for n in UNITS for what in ("OUT/command", "SPARE/command", "LSHH/ACTIVE")]
    ),
    st.sampled_from((0.0, 1.0)),
)
_asked = st.one_of(
    st.tuples(st.just("write"), st.lists(_item, min_size=1, max_size=3, unique_by=lambda item: item[0])),
    st.tuples(st.just("force"), st.lists(_forced, min_size=1, max_size=2, unique_by=lambda item: item[0])),
)
_move = st.tuples(
    st.lists(_change, max_size=3),
    st.lists(_asked, max_size=1),
    st.integers(1, 20),
    st.sampled_from((1, 1, 1, 2, 40)),
)


def _played(tasks: str, moves: list[Any], echoes: bool) -> None:
    pair = Pair(PROGRAMS[tasks])
    for _ in range(20):
        pair.scan()
    for changes, asked, scans, periods in moves:
        for path, value, status in changes:
            pair.set(path, value, status)
        requests = [pair.request(kind, items) for kind, items in asked]
        for n in range(scans):
            if echoes:
                pair.echo()
            pair.scan(requests, periods if n == 0 else 1, stale=[f"u{n % 10}/PV"])
            requests = []


_moves = st.lists(_move, max_size=8)


@pytest.mark.parametrize("tasks", ["one task", "two tasks"])
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(_moves, st.booleans())
def test_columns_and_objects_come_to_the_same(tasks: str, moves: list[Any], echoes: bool) -> None:
    _played(tasks, moves, echoes)


@pytest.mark.slow
@pytest.mark.parametrize("tasks", ["one task", "two tasks"])
@settings(max_examples=80, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(_moves, st.booleans())
def test_columns_and_objects_come_to_the_same_again_and_again(
    tasks: str, moves: list[Any], echoes: bool
) -> None:
    _played(tasks, moves, echoes)


def _lively(pair: Pair, scans: int, seed: int) -> str:
    """A long run; the digest of all that the columns came to."""
    chance = random.Random(seed)
    digest = hashlib.sha256()
    level = [2.0] * 10
    for n in range(scans):
        for unit in UNITS:
            out = pair.values[pair.program.index[f"u{unit}/OUT"]][0]
            level[unit] = min(6.0, max(-1.0, level[unit] + (out - 40.0) * 2e-4 + chance.gauss(0.0, 0.01)))
            pair.set(f"u{unit}/PV", level[unit], 0 if 0.0 <= level[unit] <= 5.0 else UNCERTAIN_EU_EXCEEDED)
        requests = []
        if n % 37 == 36:
            unit = chance.randrange(10)
            requests.append(
                pair.request(
                    "write",
                    [
                        chance.choice(
                            ((f"u{unit}/LIC/SP", chance.uniform(1.0, 4.0)), (f"u{unit}/LIC/MODE", 2))
                        )
                    ],
                )
            )
        pair.echo()
        pair.scan(requests, chance.choice((1, 1, 1, 2)))
        digest.update(repr((pair.columns.signals.value, pair.columns.context.outputs.applied)).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("tasks", ["one task", "two tasks"])
def test_a_long_run_is_the_same_and_most_of_it_was_in_columns(tasks: str) -> None:
    pair = Pair(PROGRAMS[tasks])
    digest = _lively(pair, 200, 4)
    assert digest == _lively(Pair(PROGRAMS[tasks]), 200, 4)
    inside = pair.columns.columns.inside()
    assert inside["pid"] >= 3, inside
    assert inside["interlock"] >= 3, inside
    assert inside["output"] >= 10, inside


_HAPPENINGS: tuple[tuple[str, Any, int], ...] = (
    ("PV", 4.9, 0), ("PV", 0.05, 0), ("REM", False, 0), ("PV", 4.2, 0), ("PV", 4.9, UNCERTAIN_EU_EXCEEDED),
    ("PV", 2.0, BAD_SENSOR_FAILURE), ("PV", 2.0, BAD_NO_COMMUNICATION), ("PV", 1e308, 0), ("OUT", 50.0, BAD_NO_COMMUNICATION),
    ("SP", 4.0, 0), ("SPARE", -0.0, 0), ("GAIN", 1e9, 0),
)  # fmt: skip


@pytest.mark.parametrize("what", _HAPPENINGS, ids=lambda what: f"{what[0]} {what[1]} {what[2]:x}")
def test_what_happens_to_all_loops_at_once(what: tuple[str, Any, int]) -> None:
    """From columns into whatever it is, and back."""
    point, value, status = what
    pair = Pair(PROGRAM)
    for _ in range(30):
        pair.echo()
        pair.scan()
    assert pair.columns.columns.inside()["output"] >= 15
    before = dict(pair.values)
    requests = []
    if point in ("SP", "GAIN", "SPARE"):
        name = point if point == "SPARE" else f"LIC/{point}"
        requests = [pair.request("write", [(f"u{n}/{name}", value)]) for n in UNITS]
    for unit in UNITS:
        pair.set(f"u{unit}/{point}", value, status)
    for n in range(25):
        pair.echo()
        pair.scan(requests if n == 0 else (), 7 if n == 3 else 1)
    pair.values.update({slot: before[slot] for slot in before})
    for _ in range(30):
        pair.echo()
        pair.scan()


@pytest.mark.parametrize(
    "text",
    [
        "a/F > 4.5 m", "a/F < 10 cm or not a/B", "a/F - a/G > 2 m and a/B", "not (a/F > a/G) and (a/B or a/I >= 3)", "a/B",
        "abs(a/F - a/G) <= 0.5 m", "-a/F * 2 < a/G", "a/B implies a/F > 1 m", "a/F == a/G or a/F != 1 m and a/B",
    ],
)  # fmt: skip
@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(_number, _number, st.booleans(), st.integers(-(2**31), 2**31 - 1)), min_size=1, max_size=9
    )
)
def test_a_condition_of_many_is_that_of_each(text: str, rows: list[tuple[float, float, bool, int]]) -> None:
    types = {"a/F": "float64", "a/G": "float64", "a/B": "bool", "a/I": "int32"}
    units = {"a/F": "m", "a/G": "m", "a/B": None, "a/I": None}
    parsed = expression.parse(text)
    found = columns.shape(parsed, units, types)
    assert found is not None
    index = {path: n for n, path in enumerate(types)}
    bound = expression.bind(parsed, index, units)
    each = [bound(row, (0, 0, 0, 0))[0] for row in rows]
    tags = [np.array([float(row[index[path]]) for row in rows]) for path in found.tags]
    with np.errstate(all="ignore"):
        many = columns.function(found.key)(tags, [np.full(len(rows), number) for number in found.numbers])
    assert many.tolist() == each


@pytest.mark.parametrize(
    "text", ["a/F / a/G > 1", "min(a/F, a/G) > 1 m", "a/I + a/I > 3", "a/L > 3", "sqrt(a/F) > 1"]
)
def test_what_columns_cannot_compute_to_the_bit_they_leave_alone(text: str) -> None:
    types = {"a/F": "float64", "a/G": "float64", "a/I": "int32", "a/L": "int64"}
    units = {"a/F": "m", "a/G": "m", "a/I": None, "a/L": None}
    assert columns.shape(expression.parse(text), units, types) is None


def test_columns_that_raise_are_given_up_and_objects_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(PROGRAM)
    for _ in range(30):
        pair.scan()
    assert pair.columns.columns.inside()["pid"] > 0

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    for kind in (PidColumns, InterlockColumns, HoldColumns):
        monkeypatch.setattr(kind, "step", broken)
    samples = [(slot, value, status, pair.utc_ns) for slot, (value, status) in pair.values.items()]
    tick = Tick(pair.columns.scans + 1, 1, SECOND // 10, pair.utc_ns + SECOND // 10)
    _, _, events = step(PROGRAM, pair.columns, Inputs(samples), (), tick)
    assert [event["failed"] for event in events] == [True] * len(events)
    assert any("objects go on: ZeroDivisionError" in event["message"] for event in events)
    step(PROGRAM, pair.objects, Inputs(samples), (), tick)
    same(PROGRAM, pair.objects, pair.columns)
    for _ in range(30):
        pair.utc_ns += SECOND // 10
        pair.scan()
    assert set(pair.columns.columns.inside().values()) == {0}


def test_few_blocks_stay_objects() -> None:
    pair = Pair(PROGRAM, lanes_min=32)
    for _ in range(40):
        pair.scan()
    assert set(pair.columns.columns.inside().values()) == {0}


def test_who_takes_a_block_or_output_gets_it_up_to_date_and_may_change_it() -> None:
    pair = Pair(PROGRAM)
    for _ in range(60):
        pair.scan()
    for state in (pair.objects, pair.columns):
        assert state.blocks[0].write("GAIN", 7.0) is None
        state.outputs[0].forget()
    pair.scan()
    pair.scan()

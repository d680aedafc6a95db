"""What is stepped in columns comes to the same bits as object by object, whatever happens."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tags.quality import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    UNCERTAIN_EU_EXCEEDED,
    UNCERTAIN_LAST_USABLE,
)
from tests.scan.loops import PROGRAM, SLOW, Pair

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

"""Aggregates from summaries of chunks are those from all samples."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from historian.chunks import form_of, is_summary, pack_summary, summarised, unpack_summary
from historian.read import NAMES, Grid, Intervals, Signal, aggregate, named
from historian.read.merge import merged
from historian.read.whole import Need, with_whole
from tags import quality
from tags.types import BOOL, FLOAT64, INT32, UINT64, to_bits
from tests.support.examples import examples

S = 1_000_000_000
NO_DATA, WAITING = quality.BAD_NO_DATA, quality.BAD_WAITING_FOR_INITIAL_DATA
STATUSES = [
    0,
    0,
    0,
    0,
    0x00A1_0000,
    quality.UNCERTAIN,
    quality.BAD_NO_COMMUNICATION,
    0x809D_0000,
    NO_DATA,
    WAITING,
]
VALUES = {
    FLOAT64: st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, 7.25, math.nan, math.inf, 1e15]),
    INT32: st.integers(-3, 3),
    BOOL: st.booleans(),
    UINT64: st.sampled_from([0, 1, 2, 5, 2**64 - 1]),
}
NO_SAMPLES = Signal(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32))

Bits = npt.NDArray[np.uint64]


def numbers(type_: str, bits: Bits) -> npt.NDArray[np.float64]:
    if type_ == FLOAT64:
        return bits.view(np.float64)
    return (bits if type_ == UINT64 else bits.view(np.int64)).astype(np.float64)


@st.composite
def samples(draw: st.DrawFn) -> tuple[str, npt.NDArray[np.int64], Bits, npt.NDArray[np.uint32]]:
    type_ = draw(st.sampled_from([FLOAT64, FLOAT64, INT32, BOOL, UINT64]))
    size = draw(st.integers(1, 30))
    statuses = st.sampled_from(
        draw(st.sampled_from([STATUSES[:5], STATUSES[:1], STATUSES[3:6], [0, NO_DATA, WAITING], STATUSES]))
    )
    some = draw(
        st.lists(
            st.tuples(st.integers(0, 40), VALUES[type_], statuses),
            min_size=size,
            max_size=size,
        )
    )
    some.sort(key=lambda one: one[0])
    t = np.array([one[0] for one in some], np.int64) * S
    bits = np.array([to_bits(type_, one[1]) for one in some], np.uint64)
    return type_, t, bits, np.array([one[2] for one in some], np.uint32)


RULES = st.builds(
    Signal,
    st.just(NO_SAMPLES.t),
    st.just(NO_SAMPLES.v),
    st.just(NO_SAMPLES.status),
    stepped=st.booleans(),
    longest_ns=st.sampled_from([0, 5 * S, 9 * S]),
    rest_ns=st.just(0),
    ramp_ns=st.sampled_from([S // 10, S, 2 * S]),
).flatmap(lambda rules: st.sampled_from([0, 3]).map(lambda n: replace(rules, rest_ns=n * rules.ramp_ns)))
EDGES = st.sampled_from([[0, 45], [-2, 20, 45], [-2, 10, 11, 30, 45], [5, 35], [0, 40], [3, 4, 5, 44]])


def same(found: Intervals, wanted: Intervals, scale: float) -> None:
    for field in ("start", "end", "status", "count"):
        assert (getattr(found, field) == getattr(wanted, field)).all(), field
    assert found.percent_good == pytest.approx(wanted.percent_good, abs=1e-9)
    assert found.value == pytest.approx(wanted.value, rel=1e-9, abs=1e-9 * scale, nan_ok=True)
    assert found.unit == wanted.unit


CASES = st.fixed_dictionaries(
    {
        "uncertain": st.booleans(),
        "state": st.sampled_from([0.0, 1.0, 2.0]),
        "roll_over": st.sampled_from([None, 4.0, 100.0]),
    }
)


def two_states() -> tuple[str, npt.NDArray[np.int64], Bits, npt.NDArray[np.uint32]]:
    """Two summaries of one value each, neither of which is the one that is asked for."""
    bits = np.array([0.0, 0.0, 2.0, 2.0, 0.0, 0.0]).view(np.uint64)
    return "float64", np.array([0, 0, 1, 2, 3, 4], np.int64) * S, bits, np.zeros(6, np.uint32)


@examples(40)
@example(
    what=two_states(),
    rules=NO_SAMPLES,
    edges=[0, 45],
    now=0,
    cuts={2, 4},
    ramp=0,
    case={"uncertain": False, "state": 1.0, "roll_over": None},
)
@given(
    what=samples(),
    rules=RULES,
    edges=EDGES,
    now=st.integers(0, 50),
    cuts=st.sets(st.integers(1, 30), max_size=6),
    ramp=st.sampled_from([0, S // 10, S, 2 * S]),
    case=CASES,
)
def test_summaries_answer_as_samples_do(
    what: tuple[str, npt.NDArray[np.int64], Bits, npt.NDArray[np.uint32]],
    rules: Signal,
    edges: list[int],
    now: int,
    cuts: set[int],
    ramp: int,
    case: dict[str, Any],
) -> None:
    type_, t, bits, status = what
    v = numbers(type_, bits)
    grid = Grid(np.array(edges, np.int64) * S, np.zeros(len(edges) - 1, np.bool_))
    starts = np.array(sorted({0, *(cut for cut in cuts if cut < len(t))}))
    records = summarised(t, bits, status, starts, 7, form_of(type_), ramp)
    for name in NAMES:
        need = Need(named(name), grid.edges, type_, rules, **case)
        read = need.read(records, np.ones(len(records), np.bool_), np.empty(0, np.int64))
        mine = np.repeat(read, np.diff(starts, append=len(t)))
        some = replace(rules, t=t[mine], v=v[mine], status=status[mine])
        wanted = aggregate(replace(rules, t=t, v=v, status=status), grid, name, now * S, **case)
        size = float(np.abs(v[np.isfinite(v)]).max(initial=1.0))
        for whole_ones in (records[~read], merged(need, records, read, np.empty(0, np.int64))):
            reduced, whole = with_whole(some, whole_ones)
            found = aggregate(reduced, grid, name, now * S, whole=whole, **case)
            same(found, wanted, 50 * size * (size if "deviation" in name else 1.0))


@given(what=samples(), bit=st.integers(0, 227 * 8))
def test_a_flipped_bit_is_found(
    what: tuple[str, npt.NDArray[np.int64], Bits, npt.NDArray[np.uint32]], bit: int
) -> None:
    type_, t, bits, status = what
    (record,) = summarised(t, bits, status, np.array([0]), 7, form_of(type_), S)
    blob = pack_summary(record)
    assert is_summary(blob)
    assert unpack_summary(blob).tobytes()[:-4] == record.tobytes()[:-4]
    damaged = bytearray(blob)
    damaged[bit // 8] ^= 1 << bit % 8
    assert not is_summary(bytes(damaged))
    assert not is_summary(blob[:-1])
    assert not is_summary(None)


def test_whole_hours_are_not_read() -> None:
    """Otherwise all of the above would be about reading."""
    t = np.arange(7200) * S
    bits = np.sin(t / 1e12).view(np.uint64)
    records = summarised(t, bits, np.zeros(7200, np.uint32), np.arange(0, 7200, 3600), 7, 0, S)
    rules = replace(NO_SAMPLES, rest_ns=3 * S, ramp_ns=S, longest_ns=60 * S)
    edges = np.array([0, 3600, 7200]) * S
    for name in NAMES:
        need = Need(named(name), edges, FLOAT64, rules, state=5.0)
        bounds = named(name).name in {"start-bound", "end-bound", "delta-bounds", "interpolative"}
        found = need.read(records, np.ones(2, np.bool_), np.empty(0, np.int64))
        assert found.tolist() == [bounds, bounds]
        others = np.array([1800 * S])
        assert need.read(records, np.ones(2, np.bool_), others).tolist() == [True, bounds]

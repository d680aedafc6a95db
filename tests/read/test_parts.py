"""A store answers from summaries what it would answer from samples, whatever was folded, compacted, sealed or edited."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from historian import rollups
from historian.days import DAY_NS, Days
from historian.edits import Who
from historian.edits.write import Wish
from historian.query import History, _Choice
from historian.read import NAMES, Intervals, aggregate, fixed, named, signal_of
from historian.read.whole import Need
from historian.settled import Columns
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from tags import quality
from tags.model import History as Kept
from tags.model import Tag
from tests.historian import fresh
from tests.support.examples import examples

S = 1_000_000_000
MINUTE, HOUR = 60 * S, 3600 * S
BEGIN = 20_000 * DAY_NS
TAGS = [
    Tag(id=1, path="a/level", type="float64", kind="device", writer="field", row=0, scan_ns=S, unit="m"),
    Tag(
        id=2,
        path="a/door",
        type="float64",
        kind="device",
        writer="field",
        row=1,
        scan_ns=S,
        history=Kept(policy="swinging door", max_gap_ns=600 * S),
    ),
    Tag(id=3, path="a/pump", type="bool", kind="device", writer="field", row=2, scan_ns=S),
]


def course(seed: int, hours: float, tag: int) -> npt.NDArray[np.void]:
    """Samples of some hours: on change, with gaps of quality, some late."""
    rng = np.random.default_rng([seed, tag])
    count = int(rng.integers(20, 900))
    rows = np.zeros(count, SAMPLE)
    rows["tag"] = tag
    t = np.sort(rng.integers(0, int(hours * 3600), count)) * S
    if rng.random() < 0.5:
        t = t // MINUTE * MINUTE
    rows["t"] = BEGIN - 2 * HOUR + t
    v = np.cumsum(rng.integers(-2, 3, count)).astype(np.float64) / 4
    rows["bits"] = v.view(np.uint64) if tag < 3 else rng.integers(0, 2, count)
    for _ in range(int(rng.integers(0, 3))):
        at = int(rng.integers(0, count))
        codes = [quality.UNCERTAIN, quality.BAD_NO_COMMUNICATION, quality.BAD_NO_DATA, 0x809D_0000]
        rows["status"][at : at + int(rng.integers(1, 30))] = rng.choice(codes)
    late = rng.random(count) < rng.choice([0.0, 0.0, 0.05])
    order = np.argsort(np.where(late, np.arange(count) + 100, np.arange(count)), kind="stable")
    return rows[order]


def from_samples(store: SqliteStore, tag: Tag, name: str, grid: Any, now: int, **options: Any) -> Intervals:
    samples = store.raw(tag.id, -(2**63), 2**63 - 1, 5_000_000)
    return aggregate(signal_of(tag, samples), grid, name, now, unit=tag.unit, **options)


def same(found: Intervals, wanted: Intervals, what: object) -> None:
    assert (found.status == wanted.status).all(), what
    assert (found.count == wanted.count).all(), what
    assert found.percent_good == pytest.approx(wanted.percent_good, abs=1e-6), what
    assert found.value == pytest.approx(wanted.value, rel=1e-9, abs=1e-5, nan_ok=True), what


@examples(4, 40)
@example(25, 3.0, ["fold"], 7 * MINUTE)  # all good samples at one time before a gap
@given(
    seed=st.integers(0, 1000),
    hours=st.sampled_from([3.0, 30.0]),
    steps=st.lists(st.sampled_from(["fold", "join", "seal", "edit"]), min_size=1, max_size=4),
    every=st.sampled_from([HOUR, 7 * MINUTE, 3 * HOUR, 1000 * S]),
)
def test_the_answer_is_that_of_all_samples(seed: int, hours: float, steps: list[str], every: int) -> None:
    with fresh.folder() as folder:
        store = SqliteStore.writer(folder)
        store.declare(TAGS)
        pieces = [np.array_split(course(seed, hours, tag.id), len(steps)) for tag in TAGS]
        for step, *batches in zip(steps, *pieces, strict=True):
            now = BEGIN + 30 * HOUR
            store.append(Batch(np.concatenate(batches), utc_ns=now))
            if step != "edit":
                store.fold(force=True)
            if step == "edit":
                _edit(store, seed)
            if step == "join":
                store.join_short()
            if step == "seal":
                _seal(store, folder)
        rng = np.random.default_rng(seed)
        start = BEGIN - 3 * HOUR + int(rng.integers(0, 3)) * 1800 * S
        end = start + int(rng.integers(1, 32)) * HOUR + int(rng.choice([0, 7 * S]))
        past = History(store, "UTC")
        for tag in TAGS:
            for name in NAMES:
                if named(name).bridge:
                    continue  # looks at no more than 64 samples beyond the range
                found = past.aggregate(tag, name, start, end, every, state=1.0)
                grid = fixed(start, end, every)
                wanted = from_samples(store, tag, name, grid, store.last_commit_ns(), state=1.0)
                same(found, wanted, (tag.path, name))
        store.close()


def _edit(store: SqliteStore, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(BEGIN - 2 * HOUR + rng.choice(5 * 3600, 3, replace=False) * S)
    who = Who("ana", "cli", BEGIN, "calibration")
    for tag, values in ((1, np.array([7.0, -9.0, 0.0]).view(np.uint64)), (3, np.array([0, 1, 1], np.uint64))):
        store.edit(Wish("update", tag, Columns(t, values, np.zeros(3, np.uint32))), who)
    with contextlib.suppress(ValueError):  # there may be nothing
        store.edit(Wish("delete", 2, start_ns=int(t[0]), end_ns=int(t[1])), who)


def _seal(store: SqliteStore, folder: Path) -> None:
    for day in Days(folder).there():
        store.seal(day, BEGIN + 40 * HOUR)
        days = Days(folder)
        file = days.get(day)
        assert file is not None
        assert file.seal is not None
        rollups.write(folder, file, day, file.seal)
        days.close()


@pytest.fixture
def week(tmp_path: Path) -> Any:
    """Two days of one tag at 1 Hz, sealed."""
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS)
    n = 2 * 86_400
    rows = np.zeros(n, SAMPLE)
    rows["tag"], rows["t"] = 1, BEGIN + np.arange(n) * S
    rows["bits"] = np.sin(np.arange(n) / 5000).view(np.uint64)
    rows["status"][50_000:50_400] = quality.BAD_NO_COMMUNICATION
    store.append(Batch(rows, utc_ns=BEGIN + 2 * DAY_NS))
    store.fold(force=True)
    _seal(store, tmp_path)
    yield store
    store.close()


def _read(
    store: SqliteStore, name: str, every: int, start: int = BEGIN, end: int = BEGIN + 2 * DAY_NS
) -> int:
    """How many samples an aggregate reads."""
    tag = TAGS[0]
    grid = fixed(start, end, every)
    need = Need(named(name), grid.edges, tag.type, dataclasses.replace(signal_of(tag, store.raw(1, 0, 1))))
    return len(store.parts(1, start, end, _Choice(tag, need)).samples.t)


def test_whole_hours_and_minutes_read_nothing(week: SqliteStore) -> None:
    for name in ("time-average", "max", "standard-deviation", "count", "integral", "percent-good"):
        assert _read(week, name, HOUR) == 0
        assert _read(week, name, 45 * MINUTE) == 0
    assert _read(week, "max", 45 * MINUTE + S) > 100_000
    assert _read(week, "max", HOUR, BEGIN + 100 * S, BEGIN + 100 * S + 2 * HOUR) <= 3 * 3600


def test_late_samples_make_the_summaries_of_that_day_void_until_it_is_sealed(
    week: SqliteStore, tmp_path: Path
) -> None:
    late = np.zeros(1, SAMPLE)
    late["tag"], late["t"], late["bits"] = 1, BEGIN + 5 * HOUR + 7, np.float64(99.0).view(np.uint64)
    past = History(week, "UTC")

    def highest() -> float:
        return float(past.aggregate(TAGS[0], "max", BEGIN, BEGIN + DAY_NS, 45 * MINUTE).value.max())

    assert highest() < 1.1
    week.append(Batch(late, utc_ns=BEGIN + 2 * DAY_NS))
    assert highest() == 99.0
    week.fold(force=True)
    assert highest() == 99.0
    _seal(week, tmp_path)
    assert highest() == 99.0
    assert _read(week, "max", 45 * MINUTE) == 0


def test_summaries_outlive_the_samples(week: SqliteStore, tmp_path: Path) -> None:
    past = History(week, "UTC")
    aggregates = ["time-average", "min", "max", "count", "standard-deviation", "integral", "counter"]
    before = {
        (name, every): past.aggregate(TAGS[0], name, BEGIN, BEGIN + DAY_NS, every)
        for name in aggregates
        for every in (HOUR, 5 * MINUTE, MINUTE)
    }
    week.work().forget(BEGIN // DAY_NS, BEGIN + 3 * DAY_NS)
    assert not len(week.raw(1, BEGIN, BEGIN + DAY_NS))
    for (name, every), wanted in before.items():
        same(past.aggregate(TAGS[0], name, BEGIN, BEGIN + DAY_NS, every), wanted, (name, every))
    finer = past.aggregate(TAGS[0], "count", BEGIN, BEGIN + HOUR, 30 * S)
    assert finer.count.sum() == 3600
    assert rollups.forget(tmp_path, 2**62, 0) > 0
    wanted = before["time-average", HOUR]
    same(past.aggregate(TAGS[0], "time-average", BEGIN, BEGIN + DAY_NS, HOUR), wanted, "hours alone")
    assert rollups.forget(tmp_path, 2**62, 2**62) > 0
    assert np.isnan(past.aggregate(TAGS[0], "time-average", BEGIN, BEGIN + DAY_NS, HOUR).value).all()


@examples(10, 50)
@given(
    seed=st.integers(0, 1000), steps=st.lists(st.sampled_from(["", "fold", "edit"]), min_size=1, max_size=4)
)
def test_around_is_a_range_with_its_neighbours(seed: int, steps: list[str]) -> None:
    with fresh.folder() as folder:
        store = SqliteStore.writer(folder)
        store.declare(TAGS)
        pieces = [np.array_split(course(seed, 30.0, tag.id), len(steps)) for tag in TAGS]
        for step, *batches in zip(steps, *pieces, strict=True):
            store.append(Batch(np.concatenate(batches), utc_ns=BEGIN))
            if step == "fold":
                store.fold(force=True)
            if step == "edit":
                _edit(store, seed)
        rng = np.random.default_rng(seed)
        for _ in range(5):
            start = BEGIN + int(rng.integers(-4 * 60, 30 * 60)) * MINUTE
            end = start + int(rng.integers(0, 900)) * MINUTE
            for tag, found in zip(TAGS, store.around([tag.id for tag in TAGS], start, end), strict=True):
                wanted = store.raw(tag.id, start, end, 10_000, before=True)
                after = store.raw(tag.id, end, 2**62, 1)
                assert found.t.tolist() == [*wanted.t.tolist(), *after.t.tolist()]
                assert found.bits.tolist() == [*wanted.bits.tolist(), *after.bits.tolist()]
                assert found.status.tolist() == [*wanted.status.tolist(), *after.status.tolist()]
        assert store.around([1], BEGIN - 4 * HOUR, BEGIN + 40 * HOUR, 10)[0].more
        store.close()

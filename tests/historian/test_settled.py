from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from historian import chunks, settled
from historian.connect import FILE
from historian.fold import compact
from historian.sqlite import SqliteStore
from historian.store import BAD_DATA_LOST, SAMPLE, Batch
from tests.historian.contract import END, LEVEL, RUN, TAGS, batch
from tests.historian.fresh import fresh
from tests.historian.layouts import LAYOUT_1
from tests.support.examples import examples

SECOND = 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS.values())
    yield store
    store.close()


def day(store: SqliteStore) -> sqlite3.Connection:
    """The file of the day that all these samples lie in."""
    return store.work().days.make(0).db


def one(store: SqliteStore, query: str) -> int:
    return int(day(store).execute(query).fetchone()[0])


def series(*tags: int, start: int, n: int) -> npt.NDArray[np.void]:
    """Samples each second, their value the time in seconds."""
    samples = np.zeros(n * len(tags), SAMPLE)
    samples["tag"] = np.tile(tags, n)
    samples["t"] = np.repeat((start + np.arange(n)) * SECOND, len(tags))
    samples["bits"] = (samples["t"] / SECOND).view(np.uint64)
    return samples


def test_a_scan_group_stores_its_times_once(store: SqliteStore) -> None:
    store.append(Batch(series(1, 2, 3, 4, start=0, n=600)))
    store.fold(force=True)
    assert one(store, "SELECT count(*) FROM chunk") == 4
    assert one(store, "SELECT count(*) FROM times") == 1


def test_short_chunks_become_long_and_leave_nothing_behind(store: SqliteStore) -> None:
    for at in range(0, 6000, 150):
        store.append(Batch(series(1, 2, start=at, n=150)))
        store.fold(force=True)
        store.join_short()
    found = day(store).execute("SELECT n FROM chunk WHERE tag = 1 ORDER BY t0").fetchall()
    assert found == [(2400,), *[(150,)] * 8, (2400,)]
    assert one(store, "SELECT count(*) FROM times") == 10
    for tag in (1, 2):
        assert (store.raw(tag, 0, END).floats == np.arange(6000)).all()
    assert store.join_short() == 0


def test_rare_samples_are_joined_too(store: SqliteStore) -> None:
    for at in range(20):
        store.append(batch((LEVEL, at, float(at), 0)))
        store.fold(force=True)
        store.join_short()
    assert one(store, "SELECT count(*) FROM chunk") < 9
    assert store.raw(LEVEL, 0, END).values == [float(at) for at in range(20)]


def test_joining_goes_on_with_the_next_tags(store: SqliteStore) -> None:
    for at in range(16):
        store.append(Batch(series(*range(1, 11), start=at, n=1)))
        store.fold(force=True)
    assert [store.join_short(tags=4) for _ in range(4)] == [64, 64, 32, 0]


def test_long_batches_are_cut_into_even_pieces(store: SqliteStore) -> None:
    samples = series(1, start=0, n=settled.CHUNK_MAX + 100)
    samples["t"] //= 10
    store.append(Batch(samples))
    store.fold(force=True)
    assert day(store).execute("SELECT min(n), max(n) FROM chunk").fetchone() == (4146, 4146)


def test_late_samples_lie_where_they_belong(store: SqliteStore) -> None:
    """Chunks that overlap are merged by time; of one time the later one comes later, joined or not."""
    store.append(batch(*((LEVEL, t, float(t), 0) for t in range(0, 100, 2))))
    store.fold(force=True)
    store.append(batch((LEVEL, 50, -1.0, 0), (LEVEL, 41, -2.0, 0)))
    store.fold(force=True)
    for joined in (False, True):
        if joined:
            for at in range(16):
                store.append(batch((LEVEL, 200 + at, 0.0, 0)))
                store.fold(force=True)
            assert store.join_short() == 18
        found = store.raw(LEVEL, 40, 53)
        assert found.t.tolist() == [40, 41, 42, 44, 46, 48, 50, 50, 52]
        assert found.values == [40.0, -2.0, 42.0, 44.0, 46.0, 48.0, 50.0, -1.0, 52.0]
        assert store.raw(LEVEL, 99, 100, before=True).values == [98.0]
        assert store.raw(LEVEL, 51, 52, before=True).values == [-1.0]
        first = store.raw(LEVEL, 0, END, limit=22)
        assert first.t.tolist() == [*range(0, 42, 2), 41]
        assert first.more


def test_the_last_sample_is_not_that_of_the_late_chunk(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0), (LEVEL, 90, 9.0, 0x8031_0000), (RUN, 5, 1.0, 0)))
    store.fold(force=True)
    store.append(batch((LEVEL, 50, 5.0, 0)))
    store.fold(force=True)
    found = {row["tag"].item(): (row["t"].item(), row["status"].item()) for row in store.last()}
    assert found == {LEVEL: (90, 0x8031_0000), RUN: (5, 0)}


def test_a_joined_chunk_keeps_its_place_among_equal_times(store: SqliteStore) -> None:
    """What overlaps the short chunks, and what overlaps that, is joined with them: nothing changes places."""
    big = [(LEVEL, t, 1.0, 0) for t in range(compact.SHORT)]
    store.append(batch(*big))
    store.fold(force=True)
    store.append(batch(*((LEVEL, t - 10, 2.0, 0) for _, t, _, _ in big)))
    store.fold(force=True)
    for at in range(16):
        store.append(batch((LEVEL, compact.SHORT - 9 + at, 3.0, 0)))
        store.fold(force=True)
    before = store.raw(LEVEL, -100, END)
    assert store.join_short() == 18
    after = store.raw(LEVEL, -100, END)
    assert (after.bits == before.bits).all()
    assert (after.t == before.t).all()


FOLDS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.sampled_from([LEVEL, RUN]), st.just(0), st.integers(0, 40), st.integers(0, 2**64 - 1)
            ),
            max_size=9,
        ).map(lambda rows: np.array(rows, SAMPLE)),
        st.sampled_from(["wait", "fold", "fold", "fold", "join"]),
    ),
    min_size=8,
    max_size=30,
)


@examples(40)
@given(FOLDS, st.integers(0, 40), st.integers(0, 40), st.integers(1, 60))
def test_whatever_is_joined_the_store_is_a_sorted_list(
    folds: list[tuple[npt.NDArray[np.void], str]], start: int, span: int, limit: int
) -> None:
    with fresh() as store:
        check_against_a_list(store, folds, start, span, limit)


def check_against_a_list(
    store: SqliteStore,
    folds: list[tuple[npt.NDArray[np.void], str]],
    start: int,
    span: int,
    limit: int,
) -> None:
    store.declare(TAGS.values())
    for samples, what in folds:
        store.append(Batch(samples=samples))
        if what != "wait":
            store.fold(force=True)
        if what == "join":
            store.join_short()
    came = np.concatenate([samples for samples, _ in folds])
    for tag in (LEVEL, RUN):
        model = came[came["tag"] == tag]
        model = model[np.argsort(model["t"], kind="stable")]
        inside = model[(model["t"] >= start) & (model["t"] < start + span)]
        earlier = model[model["t"] < start][-1:]
        found = store.raw(tag, start, start + span, limit, before=True)
        assert found.bits.tolist() == [*earlier["bits"].tolist(), *inside["bits"][:limit].tolist()]
        assert found.more == (len(inside) > limit)
        newest = [row["bits"].item() for row in store.last() if row["tag"] == tag]
        assert newest == model["bits"][-1:].tolist()
    needed = one(store, "SELECT count(DISTINCT times) FROM chunk")
    assert one(store, "SELECT count(*) FROM times") == needed


@pytest.mark.parametrize("table", ["chunk", "times"])
def test_a_damaged_chunk_is_a_gap_and_is_kept(store: SqliteStore, table: str) -> None:
    for at in range(0, 160, 10):
        store.append(batch(*((LEVEL, t, float(t), 0) for t in range(at, at + 10))))
        store.fold(force=True)
    column = {"chunk": "samples", "times": "block"}[table]
    (blob,) = day(store).execute(f"SELECT {column} FROM {table} WHERE id = 2").fetchone()
    damaged = bytearray(blob)
    damaged[-1] ^= 16
    day(store).execute(f"UPDATE {table} SET {column} = ? WHERE id = 2", (bytes(damaged),))
    for _ in range(2):
        found = store.raw(LEVEL, 5, 25)
        assert found.t.tolist() == [5, 6, 7, 8, 9, 10, 20, 21, 22, 23, 24]
        assert found.status[5] == BAD_DATA_LOST
        store.join_short()
    assert one(store, "SELECT count(*) FROM chunk") == 2


def test_a_chunk_in_the_row_of_another_is_a_gap(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 10, 1.0, 0), (RUN, 20, 1.0, 0)))
    store.fold(force=True)
    db = day(store)
    rows = db.execute("SELECT id, samples, times FROM chunk ORDER BY id").fetchall()
    for (number, _, _), (_, samples, times) in zip(rows, reversed(rows), strict=True):
        db.execute("UPDATE chunk SET samples = ?, times = ? WHERE id = ?", (samples, times, number))
    assert store.raw(LEVEL, 0, END).status.tolist() == [BAD_DATA_LOST]
    (number, samples, times), (_, _, other) = rows
    db.execute("UPDATE chunk SET samples = ?, times = ? WHERE id = ?", (samples, other, number))
    assert store.raw(LEVEL, 0, END).status.tolist() == [BAD_DATA_LOST]


def test_chunks_have_their_summaries(store: SqliteStore) -> None:
    store.append(batch((LEVEL, 0, 2.0, 0), (LEVEL, 2 * SECOND, 4.0, 0), (RUN, 1, 1.0, 0)))
    store.fold(force=True)
    store.work().settle(0)
    (blob,) = day(store).execute("SELECT samples FROM chunk WHERE tag = ?", (LEVEL,)).fetchone()
    found = chunks.summary(blob)
    assert (found.low, found.high, found.total, found.integral) == (2.0, 4.0, 6.0, 4.0)
    assert (found.start, found.end) == (0, 2 * SECOND)


def _first_layout(path: Path) -> None:
    """A history file as it was before time stamps were shared."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(LAYOUT_1)
    t, bits = np.array([0, 10, 10], "<i8"), np.array([1.0, 2.0, 3.0])
    spread = [column.view(np.uint8).reshape(3, 8).T.tobytes() for column in (t, bits)]
    payload = struct.pack("<qBI", 100, 1, 0) + b"".join(spread)
    blob = struct.pack("<BI", 2, 3) + zstandard.ZstdCompressor(write_checksum=True).compress(payload)
    db.execute("INSERT INTO tag (id, path, type) VALUES (?, 'tank1/LT-101', 'float64')", (LEVEL,))
    db.execute("INSERT INTO chunk (tag, t0, t1, n, samples) VALUES (?, 100, 120, 3, ?)", (LEVEL, blob))
    db.close()


def test_a_file_of_the_first_layout_goes_on(tmp_path: Path) -> None:
    _first_layout(tmp_path / FILE)
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS.values())
    assert store.last()["t"].tolist() == [120]
    for at in range(16):
        store.append(batch((LEVEL, 200 + at, 0.0, 0)))
        store.fold(force=True)
    for joined in (0, 17):
        found = store.raw(LEVEL, 0, 200)
        assert (found.t.tolist(), found.values) == ([100, 110, 120], [1.0, 2.0, 3.0])
        assert not joined or store.join_short() == joined
    assert store.raw(LEVEL, 0, 200).values == [1.0, 2.0, 3.0]
    store.close()

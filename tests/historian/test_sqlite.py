from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from historian import codec, open_reader
from historian.connect import FILE
from historian.damage import move_aside
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Store, StoreDamagedError, StoreError
from tests.historian.contract import END, LEVEL, TAGS, StoreContract, batch
from tests.historian.fresh import fresh
from tests.support.examples import examples


class TestSqliteStore(StoreContract):
    def writer(self, folder: Path) -> Store:
        return SqliteStore.writer(folder)

    def reader(self, folder: Path) -> Store:
        return open_reader(folder)

    def settle(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        store.fold(force=True)
        store.join_short()


DAY = 86_400_000_000_000
TIMES = st.one_of(
    st.integers(-DAY, 3 * DAY),
    st.sampled_from([-(2**63), -1, 0, DAY - 1, DAY, 2 * DAY, 2**62, 2**63 - 1]),
)
SAMPLES = st.lists(
    st.tuples(
        st.integers(1, 5), st.sampled_from([0, 0x80310000, 2**32 - 1]), TIMES, st.integers(0, 2**64 - 1)
    ),
    max_size=60,
).map(lambda rows: np.array(rows, SAMPLE))


@given(SAMPLES)
def test_batches_come_back_as_they_were(samples: np.ndarray) -> None:
    assert (codec.unpack_batch(codec.pack_batch(samples)) == samples).all()


@given(st.integers(5, 200), st.integers(0, 7))
@example(9, 7)  # the size of what is compressed: terabytes
def test_a_flipped_bit_is_an_error_and_never_a_value(at: int, bit: int) -> None:
    samples = batch(*((1, i, float(i % 7), 0) for i in range(50))).samples
    damaged = bytearray(codec.pack_batch(samples))
    damaged[min(at, len(damaged) - 1)] ^= 1 << bit
    with contextlib.suppress(StoreDamagedError):
        assert (codec.unpack_batch(bytes(damaged)) == samples).all()


@examples(50)
@given(
    st.lists(st.tuples(SAMPLES, st.booleans()), max_size=6),
    st.integers(1, 5),
    TIMES,
    st.integers(1, 40),
)
def test_the_store_is_a_sorted_list(
    parts: list[tuple[np.ndarray, bool]], tag: int, start: int, limit: int
) -> None:
    with fresh() as store:
        for samples, fold in parts:
            store.append(Batch(samples=samples))
            if fold:
                store.fold(force=True)
                store.join_short()
        model = np.concatenate([np.empty(0, SAMPLE), *(samples for samples, _ in parts)])
        model = model[model["tag"] == tag]
        model = model[np.argsort(model["t"], kind="stable")]
        earlier = model[model["t"] < start][-1:]
        model = model[(model["t"] >= start) & (model["t"] < 2**63 - 1)]
        found = store.raw(tag, start, 2**63 - 1, limit, before=True)
        assert found.t.tolist() == [*earlier["t"].tolist(), *model["t"][:limit].tolist()]
        assert found.bits.tolist() == [*earlier["bits"].tolist(), *model["bits"][:limit].tolist()]
        assert found.more == (len(model) > limit)


def test_there_is_no_history_yet(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no history yet"):
        open_reader(tmp_path)


def test_another_file_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(StoreDamagedError, match=r"history\.sqlite: file is not a database"):
        SqliteStore.writer(tmp_path)
    aside = move_aside(tmp_path, 1_750_000_000_000_000_000)
    assert aside.name == "history.sqlite.damaged-20250615T150640"
    assert aside.read_bytes().startswith(b"not a database")
    SqliteStore.writer(tmp_path).close()


def test_damage_inside_is_found_at_start(tmp_path: Path) -> None:
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS.values())
    for number in range(50):
        store.append(batch(*((LEVEL, number * 100 + i, float(i), 0) for i in range(100))))
    store.close()
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[8192:20000] = os.urandom(20000 - 8192)
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError, match=r"history\.sqlite"):
        SqliteStore.writer(tmp_path)


def test_a_reader_goes_over_to_the_new_file(tmp_path: Path) -> None:
    store = SqliteStore.writer(tmp_path)
    store.append(batch((LEVEL, 1, 1.0, 0)))
    reader = open_reader(tmp_path)
    assert len(reader.raw(LEVEL, 0, END)) == 1
    store.close()
    move_aside(tmp_path, 0)
    fresh = SqliteStore.writer(tmp_path)
    assert len(reader.raw(LEVEL, 0, END)) == 0
    fresh.append(batch((LEVEL, 2, 1.0, 0), (LEVEL, 3, 1.0, 0)))
    assert len(reader.raw(LEVEL, 0, END)) == 2
    fresh.close()
    reader.close()


def test_without_its_check_of_positions_a_batch_would_be_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore.writer(tmp_path)
    monkeypatch.setattr("historian.sqlite.position_of", lambda *_: None)
    for _ in range(2):
        store.append(batch((LEVEL, 1, 1.0, 0), at=1))
    assert len(store.raw(LEVEL, 0, END)) == 2
    store.close()

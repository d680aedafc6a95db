"""What every store must do; a store's own test file subclasses `StoreContract` and gives it a folder of its kind."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from historian.store import SAMPLE, Batch, Store, Text
from tags.mapped import Position
from tests.support.site import make_site

TAGS = make_site().by_path()
LEVEL = TAGS["tank1/LT-101"].id
RUN = TAGS["tank1/P-101/RUN"].id
NOTE = TAGS["tank1/note"].id
END = 10**15
DAY = 86_400_000_000_000


def rows(*samples: tuple[int, int, float, int]) -> npt.NDArray[np.void]:
    """Samples from (tag, t, value, status)."""
    found = np.zeros(len(samples), SAMPLE)
    for i, (tag, t, value, status) in enumerate(samples):
        found[i] = (tag, status, t, np.float64(value).view(np.uint64))
    return found


def batch(*samples: tuple[int, int, float, int], at: int = 0, **fields: Any) -> Batch:
    positions = {("field", "changes"): Position(1, at)} if at else {}
    return Batch(samples=rows(*samples), positions=positions, **fields)


class StoreContract(abc.ABC):
    @abc.abstractmethod
    def writer(self, folder: Path) -> Store: ...

    @abc.abstractmethod
    def reader(self, folder: Path) -> Store: ...

    @abc.abstractmethod
    def settle(self, store: Store) -> None:
        """Brings what was written into the shape that it has after a long time."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Any:
        store = self.writer(tmp_path)
        store.declare(TAGS.values())
        yield store
        store.close()

    def test_an_empty_store_has_nothing(self, store: Store) -> None:
        assert len(store.raw(LEVEL, 0, END)) == 0
        assert len(store.raw(LEVEL, 0, END, before=True)) == 0
        assert store.events(0, END) == []
        assert store.position("field", "changes") is None
        assert store.last_commit_ns() == 0
        assert len(store.last()) == 0

    @pytest.mark.parametrize("settled", [False, True])
    def test_samples_come_back_by_time(self, store: Store, settled: bool) -> None:
        store.append(batch((LEVEL, 10, 1.0, 0), (RUN, 11, 2.0, 0), (LEVEL, 20, 1.5, 0x80310000)))
        store.append(batch((LEVEL, 15, 9.0, 0), (LEVEL, 20, 1.75, 0), (LEVEL, 30, 2.0, 0)))
        if settled:
            self.settle(store)
        found = store.raw(LEVEL, 10, 30)
        assert found.t.tolist() == [10, 15, 20, 20]
        assert found.values == [1.0, 9.0, 1.5, 1.75]
        assert found.status.tolist() == [0, 0, 0x80310000, 0]
        assert not found.more
        assert np.isnan(found.floats[2])
        assert store.raw(LEVEL, 31, END, before=True).values == [2.0]
        assert store.raw(LEVEL, 20, 30, before=True).t.tolist() == [15, 20, 20]
        assert sorted(store.last()["t"].tolist()) == [11, 30]

    @pytest.mark.parametrize("settled", [False, True])
    def test_limits_give_the_oldest_and_say_that_there_is_more(self, store: Store, settled: bool) -> None:
        for start in (0, 100, 200):
            store.append(batch(*((LEVEL, start + i, float(i), 0) for i in range(100))))
            if settled:
                self.settle(store)
        found = store.raw(LEVEL, 0, END, limit=150)
        assert found.t.tolist() == list(range(150))
        assert found.more
        rest = store.raw(LEVEL, 150, END, limit=150)
        assert rest.t.tolist() == list(range(150, 300))
        assert not rest.more

    def test_half_settled_counts_nothing_twice(self, store: Store) -> None:
        store.append(batch((LEVEL, 10, 1.0, 0)))
        self.settle(store)
        store.append(batch((LEVEL, 5, 0.5, 0), (LEVEL, 20, 2.0, 0)))
        assert store.raw(LEVEL, 0, END).values == [0.5, 1.0, 2.0]
        self.settle(store)
        assert store.raw(LEVEL, 0, END).values == [0.5, 1.0, 2.0]

    def test_a_batch_again_changes_nothing(self, store: Store) -> None:
        first = batch((LEVEL, 10, 1.0, 0), at=7, events=[{"kind": "login", "t": 10}])
        assert store.append(first)
        assert not store.append(first)
        assert store.append(batch((LEVEL, 11, 2.0, 0), at=8))
        assert not store.append(first)
        assert store.raw(LEVEL, 0, END).values == [1.0, 2.0]
        assert len(store.events(0, END)) == 1
        assert store.position("field", "changes") == Position(1, 8)

    def test_texts_are_values_of_their_tag(self, store: Store) -> None:
        store.append(Batch(texts=[Text(NOTE, 10, 0, "eins"), Text(NOTE, 20, 0x40900000, "zwei")], utc_ns=25))
        found = store.raw(NOTE, 15, END, before=True)
        assert (found.values, found.t.tolist()) == (["eins", "zwei"], [10, 20])
        assert found.status.tolist() == [0, 0x40900000]
        assert store.raw(NOTE, 0, END, limit=1).more
        assert store.last_commit_ns() == 25

    def test_events_by_time_and_kind(self, store: Store) -> None:
        events = [
            {"kind": kind, "t": t, "n": t} for t, kind in enumerate(["alarm", "login", "alarm", "service"])
        ]
        store.append(Batch(events=events))
        assert [event["n"] for event in store.events(0, 10)] == [0, 1, 2, 3]
        assert [event["n"] for event in store.events(1, 3)] == [1, 2]
        assert [event["n"] for event in store.events(0, 10, ["alarm", "service"])] == [0, 2, 3]
        assert [event["n"] for event in store.events(0, 10, ["alarm", "service"], 2)] == [2, 3]

    def test_values_keep_their_bits(self, store: Store) -> None:
        odd = [0.0, -0.0, float("nan"), 5e-324, 1e308, 12345678.123456789]
        store.append(batch(*((LEVEL, 10**18 + i, value, 0) for i, value in enumerate(odd))))
        self.settle(store)
        found = store.raw(LEVEL, 0, 2 * 10**18)
        assert found.bits.tolist() == [int(np.float64(value).view(np.uint64)) for value in odd]
        assert found.t[0] == 10**18

    def test_types_and_paths_are_known(self, store: Store) -> None:
        assert store.ids()["tank1/note"].type == "string"
        store.append(Batch(samples=np.array([(RUN, 0, 10, 1)], SAMPLE)))
        assert store.raw(RUN, 0, END).values == [True]

    def test_another_process_reads_while_it_is_written(self, store: Store, tmp_path: Path) -> None:
        reader = self.reader(tmp_path)
        for number in range(1, 30):
            store.append(batch((LEVEL, number, float(number), 0), at=number))
            if number % 7 == 0:
                self.settle(store)
            assert len(reader.raw(LEVEL, 0, END)) == number
            assert reader.position("field", "changes") == Position(1, number)
        reader.close()

    def test_what_was_committed_is_there_after_opening_again(self, tmp_path: Path) -> None:
        store = self.writer(tmp_path)
        store.declare(TAGS.values())
        store.append(batch((LEVEL, 10, 1.0, 0), at=5, utc_ns=77))
        store.close()
        reader = self.reader(tmp_path)
        assert reader.raw(LEVEL, 0, END).values == [1.0]
        reader.close()
        store = self.writer(tmp_path)
        assert store.position("field", "changes") == Position(1, 5)
        assert store.last_commit_ns() == 77
        store.close()

"""Files of days: marks, seals, damage, retention; and when each is done."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from historian import chunks, seal, settled
from historian.connect import FILE
from historian.damage import move_aside
from historian.days import DAY_NS, Days, name_of, number_of
from historian.fold import fold as folding
from historian.fold.chores import Chores
from historian.fold.work import Work
from historian.reader import open_reader
from historian.sqlite import SqliteStore
from historian.store import BAD_DATA_LOST, Batch, Samples, Text
from tags.model import Retention
from tests.historian.contract import LEVEL, RUN, TAGS, batch
from tests.historian.layouts import LAYOUT_2
from tests.historian.test_settled import series

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
FIRST = 20_000  # a day in 2024
START = FIRST * DAY_NS
ALL = 2**62
FOREVER = Retention(samples_ns=0, minutes_ns=0, events_ns=0, share=1.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS.values())
    yield store
    store.close()


def put(store: SqliteStore, *times: int, tag: int = LEVEL) -> None:
    store.append(batch(*((tag, t, float(t % 1000), 0) for t in times)))


def everything(store: SqliteStore, tag: int = LEVEL) -> list[int]:
    found: list[int] = store.raw(tag, -(2**62), ALL).t.tolist()
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "days").glob("*.sqlite"))


def test_each_day_has_its_file(store: SqliteStore, tmp_path: Path) -> None:
    times = [START - 1, START, START + DAY_NS - 1, START + DAY_NS]
    put(store, *times)
    store.fold(force=True)
    assert names(tmp_path) == [name_of(FIRST + i) for i in (-1, 0, 1)]
    assert everything(store) == times
    assert [day.day for day in store.days()] == [FIRST - 1, FIRST, FIRST + 1]


@pytest.mark.parametrize("day", [-106_752, -1, 0, FIRST, 106_751])
def test_names_of_days(day: int) -> None:
    assert number_of(name_of(day)) == day
    assert number_of(f"{name_of(day)}.damaged-1") is None


def test_a_crash_between_the_days_and_the_journal_doubles_nothing(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [START - 5, START + 5, START + DAY_NS]
    put(store, *times)

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folding, "note", crash)  # in the transaction that would empty the journal
    with pytest.raises(KeyboardInterrupt):
        store.fold(force=True)
    assert store.work().waiting() == (1, 3)
    assert everything(store) == times
    monkeypatch.undo()
    again = SqliteStore.writer(tmp_path)
    put(again, START + 6)
    assert everything(again) == sorted([*times, START + 6])
    again.fold(force=True)
    assert everything(again) == sorted([*times, START + 6])
    assert again.work().waiting() == (0, 0)
    again.close()


def test_without_the_mark_a_crash_would_double(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("historian.days.DayFile.rolled", lambda *_: 0)
    note = folding.note
    monkeypatch.setattr(folding, "note", lambda *_: 1 / 0)
    put(store, START)
    with pytest.raises(ZeroDivisionError):
        store.fold(force=True)
    monkeypatch.setattr(folding, "note", note)
    again = SqliteStore.writer(tmp_path)
    assert len(everything(again)) == 2
    again.fold(force=True)
    assert len(everything(again)) == 2
    again.close()


def test_a_reader_sees_days_come_and_go(store: SqliteStore, tmp_path: Path) -> None:
    put(store, START)
    reader = SqliteStore.reader(tmp_path)
    assert everything(reader) == [START]
    store.fold(force=True)
    put(store, START + DAY_NS)
    assert everything(reader) == [START, START + DAY_NS]
    store.work().forget(FIRST, 0)
    assert everything(reader) == [START + DAY_NS]
    put(store, START + 7)  # late: the day gets a file again, another one
    store.fold(force=True)
    assert everything(reader) == [START + 7, START + DAY_NS]
    assert reader.raw(LEVEL, START + DAY_NS, ALL, before=True).t.tolist() == [START + 7, START + DAY_NS]
    reader.close()


def test_many_days_are_not_all_kept_open(store: SqliteStore, tmp_path: Path) -> None:
    times = [START + i * DAY_NS for i in range(120)]
    put(store, *times)
    store.fold(force=True)
    reader = SqliteStore.reader(tmp_path)
    assert everything(reader) == times
    assert reader.raw(LEVEL, times[50], ALL, 5).t.tolist() == times[50:55]
    assert len(list(Path("/proc/self/fd").iterdir())) < 500
    reader.close()


def test_a_journal_of_more_days_than_a_process_may_have_files(store: SqliteStore, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    days = range(120)
    put(store, *(START + i * DAY_NS for i in days))
    store.fold(force=True)
    put(store, *(START + i * DAY_NS + 1 for i in days))
    reader = SqliteStore.reader(tmp_path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 200, hard))
    try:
        assert len(everything(reader)) == 240
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(reader._days._open) <= 48
    reader.close()


def test_numbers_of_texts_and_events_are_not_given_again(store: SqliteStore) -> None:
    text = Text(LEVEL, START, 0, "a")
    store.append(Batch(texts=[text, text], events=[{"kind": "alarm", "t": START}] * 2))
    while store.retain(Retention(samples_ns=DAY_NS, events_ns=DAY_NS), START + 9 * DAY_NS):
        pass
    store.append(Batch(texts=[text], events=[{"kind": "login", "t": START}]))
    assert [number for number, _ in store.tail(0, 2, 10).texts] == [3]
    with store._reading() as db:
        assert db.execute("SELECT id FROM event WHERE kind = 'login'").fetchone() == (3,)


@pytest.mark.parametrize("t", [2**63 - 1, 2**63 - 2, -(2**63)])
def test_a_time_at_the_end_of_all_times_stops_nothing(three: Days3, t: int) -> None:
    put(three.store, t, START)
    three.at(START)
    three.at(START + HOUR)
    three.work.seal(t // DAY_NS, START)
    assert START in everything(three.store)
    assert three.work.waiting() == (0, 0)


def test_what_is_old_goes_also_while_nothing_can_be_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = Days3(tmp_path, Retention(samples_ns=DAY_NS, events_ns=DAY_NS, share=1.0))
    put(three.store, START, START + 2 * DAY_NS)
    three.at(START + 2 * DAY_NS)
    put(three.store, START + 2 * DAY_NS + 1)

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(three.work, "fold", full)
    with pytest.raises(sqlite3.OperationalError):
        three.at(START + 2 * DAY_NS + HOUR)
    assert [day.day for day in three.store.days()] == [FIRST + 2]
    three.close()


def test_a_seal_tells_what_is_in_a_day(store: SqliteStore, tmp_path: Path) -> None:
    store.append(Batch(series(LEVEL, RUN, start=START // SECOND, n=5000)))
    store.fold(force=True)
    sealed = store.seal(FIRST, 77)
    (day,) = store.days()
    assert day.seal is not None
    assert (day.seal.digest, day.seal.samples, day.seal.utc_ns) == (sealed, 10_000, 77)
    with contextlib.closing(sqlite3.connect(day.path)) as db:
        assert seal.digest(db) == sealed
        assert _digest_by_the_manual(db) == sealed
        assert db.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone() == (sealed,)
        assert db.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM chunk WHERE tag = ?", (LEVEL,)).fetchone() == (2,)
        db.execute("UPDATE chunk SET t1 = t1 + 1 WHERE id = (SELECT max(id) FROM chunk)")
        assert seal.digest(db) != sealed


def _digest_by_the_manual(db: sqlite3.Connection) -> bytes:
    data = b""
    for table in ("tag", "times", "chunk"):
        data += b"t" + struct.pack("<I", len(table)) + table.encode()
        for row in db.execute(f"SELECT * FROM {table} ORDER BY id"):
            for value in row:
                if value is None:
                    data += b"n"
                elif isinstance(value, int):
                    data += b"i" + struct.pack("<q", value)
                else:
                    blob = value.encode() if isinstance(value, str) else value
                    data += (b"t" if isinstance(value, str) else b"b") + struct.pack("<I", len(blob)) + blob
    return hashlib.blake2b(data, digest_size=32).digest()


def test_late_samples_break_the_seal_and_the_old_one_stays_listed(store: SqliteStore) -> None:
    put(store, START)
    store.fold(force=True)
    first = store.seal(FIRST, 1)
    assert store.seal(FIRST, 2) == first
    put(store, START + 1)
    store.fold(force=True)
    assert store.days()[0].seal is None
    second = store.seal(FIRST, 3)
    assert [(one.digest, one.utc_ns) for one in store.seals()] == [(first, 1), (second, 3)]
    store.work().forget(FIRST, 9)
    assert [one.gone_ns for one in store.seals()] == [9, 9]


def test_chunks_of_a_sealed_day_end_at_full_hours(store: SqliteStore) -> None:
    store.append(Batch(series(LEVEL, start=START // SECOND + 1800, n=9000)))
    store.append(batch(*((RUN, START + i * 600 * SECOND, 1.0, 0) for i in range(100))))
    store.append(batch((LEVEL, START + 2 * HOUR, -1.0, 0)))
    for _ in range(3):
        store.fold(force=True)
    before = store.raw(LEVEL, 0, ALL)
    store.seal(FIRST, 0)
    db = store.work().days.make(FIRST).db
    assert [place.n for place in settled.places(db, LEVEL)] == [1800, 3600, 3601]
    assert [place.n for place in settled.places(db, RUN)] == [100]
    assert not any(place.hasty for tag in (LEVEL, RUN) for place in settled.places(db, tag))
    after = store.raw(LEVEL, 0, ALL)
    assert (before.t == after.t).all()
    assert (before.bits == after.bits).all()


def test_a_damaged_day_costs_its_day_only(store: SqliteStore, tmp_path: Path) -> None:
    times = [START + i * DAY_NS + 5 for i in range(3)]
    put(store, *times)
    store.fold(force=True)
    store.close()
    path = tmp_path / "days" / name_of(FIRST + 1)
    path.write_bytes(b"rubbish" * 5000)
    said: list[str] = []
    store = SqliteStore.writer(tmp_path)

    def found(limit: int = 10, **which: int) -> Samples:
        return store.raw(LEVEL, which.get("start", 0), ALL, limit, before=True)

    middle = START + DAY_NS
    assert found().t.tolist() == [times[0], middle, times[2]]
    assert found().status.tolist() == [0, BAD_DATA_LOST, 0]
    assert found(start=middle + 9).t.tolist() == [middle, times[2]]
    put(store, times[1] + 1)
    work = Work(tmp_path, tmp_path / FILE, lambda kind, **fields: said.append(fields["message"]))
    while work.fold().last:
        pass
    assert found().t.tolist() == [times[0], middle, times[1] + 1, times[2]]
    assert "It was moved to" in said[0]
    assert path.with_name(f"{path.name}.damaged-1").read_bytes().startswith(b"rubbish")
    work.close()
    store.close()


def test_days_outlive_a_damaged_history_file(store: SqliteStore, tmp_path: Path) -> None:
    put(store, START)
    put(store, START + 4, tag=RUN)
    store.fold(force=True)
    store.close()
    move_aside(tmp_path, 0)
    again = SqliteStore.writer(tmp_path)
    assert everything(again) == [START]
    assert sorted(again.last()["t"].tolist()) == [START, START + 4]
    assert again.ids()["tank1/LT-101"].id == LEVEL
    put(again, START + 1, START + 2)
    again.fold(force=True)
    assert everything(again) == [START, START + 1, START + 2]
    again.close()


def test_an_older_copy_of_the_history_file_loses_nothing_new(store: SqliteStore, tmp_path: Path) -> None:
    """Its next commits must not have numbers that the days think they have."""
    put(store, START)
    store.close()
    shutil.copy(tmp_path / FILE, tmp_path / "copy")
    store = SqliteStore.writer(tmp_path)
    for i in range(1, 5):
        put(store, START + i)
    store.fold(force=True)
    store.close()
    shutil.copy(tmp_path / "copy", tmp_path / FILE)
    again = SqliteStore.writer(tmp_path)
    put(again, START + 9)
    assert everything(again) == [START + i for i in (0, 1, 2, 3, 4, 9)]
    again.fold(force=True)
    assert everything(again) == [START + i for i in (0, 1, 2, 3, 4, 9)]
    again.close()


def test_days_that_somebody_brings_and_takes(store: SqliteStore, tmp_path: Path) -> None:
    put(store, START, START + DAY_NS)
    store.fold(force=True)
    store.close()
    first, second = (tmp_path / "days" / name_of(FIRST + i) for i in range(2))
    taken = tmp_path / "taken"
    first.rename(taken)
    store = SqliteStore.writer(tmp_path)
    assert everything(store) == [START + DAY_NS]
    store.close()
    taken.rename(first)
    second.unlink()
    store = SqliteStore.writer(tmp_path)
    assert everything(store) == [START]
    assert [day.day for day in store.days()] == [FIRST]
    store.close()


@pytest.mark.parametrize("at_once", [2, 1000])
def test_a_history_of_layout_2_goes_into_days(
    tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = series(LEVEL, start=START // SECOND - 50, n=100)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.executescript(LAYOUT_2)
        db.execute("INSERT INTO tag (id, path, type) VALUES (?, 'tank1/LT-101', 'float64')", (LEVEL,))
        db.execute("INSERT INTO meta VALUES ('store', 'abc')")
        for part in (samples[20:], samples[:20], samples[40:60]):
            t = np.ascontiguousarray(part["t"])
            block = chunks.pack_times(t)
            number = db.execute(
                "INSERT INTO times (digest, t1, block) VALUES (?, ?, ?)",
                (block[:16] + bytes(t[:1]), 0, block),
            ).lastrowid
            blob = chunks.pack(LEVEL, "float64", t, part["bits"], part["status"], chunks.checksum_of(block))
            db.execute(
                "INSERT INTO chunk (tag, t0, t1, n, times, samples) VALUES (?, ?, ?, ?, ?, ?)",
                (LEVEL, int(t[0]), int(t[-1]), len(t), number, blob),
            )
    monkeypatch.setattr("historian.fold.upgrade.step.__defaults__", (at_once,))
    store = SqliteStore.writer(tmp_path)
    assert store.last()["t"].tolist() == [START + 49 * SECOND]
    store.append(batch((LEVEL, START + 60 * SECOND, 1.0, 0)))
    work = store.work()
    assert work.upgrade() == min(at_once, 3)
    while work.upgrade():
        pass
    store.fold(force=True)
    wanted = sorted([*samples["t"].tolist(), *samples["t"][40:60].tolist(), START + 60 * SECOND])
    assert everything(store) == wanted
    store.close()
    reader = open_reader(tmp_path)
    assert reader.raw(LEVEL, 0, ALL).t.tolist() == wanted
    reader.close()
    assert names(tmp_path) == [name_of(FIRST - 1), name_of(FIRST)]
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        assert not db.execute("SELECT 1 FROM sqlite_schema WHERE name IN ('chunk', 'times')").fetchall()


class Days3:
    """Three days of samples, folded, and the chores of a plant whose time the test sets."""

    def __init__(self, folder: Path, retention: Retention = FOREVER) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.store = SqliteStore.writer(folder)
        self.store.declare(TAGS.values())
        self.work = Work(folder, folder / FILE, lambda kind, **fields: self.said.append((kind, fields)))
        self.chores = Chores(self.work, retention)

    def at(self, utc_ns: int) -> None:
        for _ in range(1000):
            if not self.chores.step(utc_ns, utc_ns):
                return
        raise AssertionError("there is no end to it")

    def sealed(self) -> list[int]:
        return [day.day for day in self.store.days() if day.seal]

    def close(self) -> None:
        self.work.close()
        self.store.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Days3]:
    three = Days3(tmp_path)
    yield three
    three.close()


def test_the_journal_is_folded_each_minute(three: Days3) -> None:
    put(three.store, START)
    three.at(START)
    put(three.store, START + 1)
    three.at(START + 59 * SECOND)
    assert three.work.waiting() == (1, 1)
    three.at(START + 60 * SECOND)
    assert three.work.waiting() == (0, 0)


def test_a_long_journal_is_folded_at_once(three: Days3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("historian.fold.chores.FOLD_SAMPLES", 100)
    three.at(START)
    for _ in range(3):
        three.store.append(Batch(series(LEVEL, start=START // SECOND, n=100)))
        three.at(START)
        assert three.work.waiting() == (0, 0)


def test_an_hour_is_packed_well_when_it_is_over(three: Days3) -> None:
    for minute in range(59):
        three.store.append(Batch(series(LEVEL, start=START // SECOND + minute * 60, n=60)))
        three.at(START + minute * 60 * SECOND)
    db = three.work.days.make(FIRST).db
    assert all(place.hasty for place in settled.places(db, LEVEL))
    assert len(settled.places(db, LEVEL)) < 20
    put(three.store, START + HOUR + 119 * SECOND)
    three.at(START + HOUR + 119 * SECOND)
    assert all(place.hasty for place in settled.places(db, LEVEL))
    put(three.store, START + HOUR + 120 * SECOND)
    three.at(START + HOUR + 190 * SECOND)
    found = [(place.n, place.hasty) for place in settled.places(db, LEVEL)]
    assert found[0] == (59 * 60, False)
    assert {place[1] for place in found[1:]} == {True}


def test_a_day_is_sealed_when_it_is_over_and_quiet(three: Days3) -> None:
    put(three.store, START, START + DAY_NS)
    three.at(START + DAY_NS + 899 * SECOND)
    assert three.sealed() == []
    three.at(START + DAY_NS + 1100 * SECOND)
    assert three.sealed() == []  # samples came into it a moment ago
    three.at(START + DAY_NS + 1200 * SECOND)
    assert three.sealed() == [FIRST]
    put(three.store, START + 5)
    three.at(START + DAY_NS + HOUR)
    assert three.sealed() == []
    three.at(START + DAY_NS + HOUR + 300 * SECOND)
    assert three.sealed() == [FIRST]
    assert len(three.store.seals()) == 2


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    three = Days3(tmp_path, Retention(samples_ns=2 * DAY_NS, events_ns=DAY_NS, share=1.0))
    for i in range(4):
        put(three.store, START + i * DAY_NS)
        three.store.append(Batch(events=[{"kind": "alarm", "t": START + i * DAY_NS}]))
    three.chores.trust_from_ns = START + 4 * DAY_NS
    three.at(START + 4 * DAY_NS - 1)
    assert len(three.store.days()) == 4
    three.at(START + 4 * DAY_NS + 60 * SECOND)
    assert everything(three.store) == [START + 2 * DAY_NS, START + 3 * DAY_NS]
    assert names(tmp_path) == [name_of(FIRST + 2), name_of(FIRST + 3)]
    assert [event["t"] for event in three.store.events(0, ALL)] == [START + 3 * DAY_NS]  # its number
    assert [fields["day"] for kind, fields in three.said if kind == "retention"] == [
        "2024-10-04",
        "2024-10-05",
    ]
    three.close()


def test_a_size_is_kept_to_and_the_newest_day_stays(tmp_path: Path) -> None:
    three = Days3(tmp_path)
    rng = np.random.default_rng(1)
    for i in range(6):
        samples = series(LEVEL, start=START // SECOND + i * 86_400, n=20_000)
        samples["bits"] = rng.integers(0, 2**63, 20_000, np.uint64)
        three.store.append(Batch(samples))
    three.at(START + 8 * DAY_NS)
    three.at(START + 8 * DAY_NS + 300 * SECOND)
    assert three.sealed() == list(range(FIRST, FIRST + 6))
    size = three.work.size()
    while three.work.retain(Retention(samples_ns=0, size=size // 2, share=1.0), START):
        pass
    left = [day.day for day in three.store.days()]
    assert left == list(range(left[0], FIRST + 6))
    assert 1 < len(left) < 5
    assert three.work.size() <= size // 2
    while three.work.retain(Retention(samples_ns=0, size=1, share=1.0), START):
        pass
    assert [day.day for day in three.store.days()] == [FIRST + 5]
    three.close()


def test_a_damaged_day_is_said_once_and_stops_nothing(three: Days3, tmp_path: Path) -> None:
    put(three.store, START, START + DAY_NS)
    three.at(START)
    three.work.days.drop(FIRST)
    (tmp_path / "days" / name_of(FIRST)).write_bytes(b"rubbish" * 5000)
    for hours in (25, 26, 27):
        three.at(START + hours * HOUR)
    assert [fields["state"] for kind, fields in three.said if kind == "service"] == ["history damaged"]
    three.at(START + 3 * DAY_NS)
    assert three.sealed() == [FIRST + 1]


def test_the_files_of_days_are_closed(tmp_path: Path) -> None:
    days = Days(tmp_path, writes=True)
    days.make(FIRST)
    days.close()
    assert [path.name for path in (tmp_path / "days").iterdir()] == [name_of(FIRST)]

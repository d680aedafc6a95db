"""A backup is one moment of a history, however busy that is; what is restored from it goes on without losing a sample."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from historian.connect import FILE
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, StoreError
from historian.transfer import backup as module
from historian.transfer import manifest as manifests
from historian.transfer.backup import backup
from historian.transfer.manifest import HISTORY
from historian.transfer.restore import restore, verify
from scada.datadir import DataDir
from tags.mapped import Position
from tests.support.wait import wait_for
from tests.transfer.plant import SECOND, T0, TAGS, empty, everything, make, plain
from tests.transfer.test_cli import asked, say

DAY = 86_400 * SECOND
FLOAT = next(tag.id for tag in TAGS if tag.type == "float64")


def batch(i: int, step_ns: int = SECOND) -> Batch:
    return Batch(np.array([(FLOAT, 0, T0 + i * step_ns, i)], SAMPLE), utc_ns=T0 + i * step_ns)


def _beyond(done: list[int], count: int) -> bool:
    return len(done) > count


def restored(tmp_path: Path, source: Path, name: str = "restored") -> DataDir:
    data = DataDir(tmp_path / name)
    data.root.mkdir(mode=0o700)
    restore(source, data)
    return data


def test_what_is_restored_is_what_was_there(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    data.tag_ids.write_bytes(orjson.dumps({tag.path: tag.id for tag in TAGS}))
    done = backup(data, tmp_path / "backup", 7)
    assert done.manifest.made_ns == 7
    made, wrong = verify(tmp_path / "backup")
    assert (made, wrong) == (done.manifest, [])
    again = restored(tmp_path, tmp_path / "backup")
    assert plain(everything(again)) == plain(everything(data))
    assert orjson.loads(again.tag_ids.read_bytes()) == {tag.path: tag.id for tag in TAGS}
    store = SqliteStore.writer(again.history)  # and goes on
    store.append(batch(10_000))
    store.close()
    assert len(everything(again)["plant/float64"]) == 61


@contextlib.contextmanager
def busy(data: DataDir, step_ns: int = SECOND) -> Iterator[list[int]]:
    """A historian at work: appends, folds and joins all the time; the list has what it has acknowledged."""
    done: list[int] = []
    stop = threading.Event()

    def work() -> None:
        store = SqliteStore.writer(data.history)
        try:
            while not stop.is_set():
                store.append(batch(len(done), step_ns))
                done.append(len(done))
                if len(done) % 7 == 0:
                    store.fold(force=True)
                if len(done) % 50 == 0:
                    store.join_short()
        finally:
            store.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("step_ns", [SECOND, DAY // 20])
def test_backups_of_a_busy_history_hold_each_acknowledged_sample_once(tmp_path: Path, step_ns: int) -> None:
    data = empty(tmp_path / "data")
    with busy(data, step_ns) as done:
        for i in range(4):
            wait_for(partial(_beyond, done, len(done) + 10))
            acknowledged = len(done)
            backup(data, tmp_path / f"backup{i}", 7)
            again = restored(tmp_path, tmp_path / f"backup{i}", f"restored{i}")
            values = everything(again)["plant/float64"].bits.tolist()
            assert values == list(range(len(values)))
            assert len(values) >= acknowledged


def test_nothing_is_committed_between_the_snapshots_of_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a day would have samples beyond the positions of the rings, and a restart would store them twice."""
    data = empty(tmp_path / "data")
    store = SqliteStore.writer(data.history)
    tries: list[bool] = []

    def more(i: int) -> None:
        some = batch(i)
        some.positions[("field", "changes")] = Position(1, i + 1)
        store.append(some)
        store.fold(force=True)

    for i in range(20):
        more(i)
    store._connection.execute("PRAGMA busy_timeout = 0")
    connect = module._connect

    def beside(path: Path, *, writes: bool = False) -> sqlite3.Connection:
        db = connect(path, writes=writes)
        if path.parent.name == "days" and not tries:
            with contextlib.suppress(StoreError):
                tries.append(False)
                more(20)
                tries.append(True)
        return db

    monkeypatch.setattr(module, "_connect", beside)
    backup(data, tmp_path / "backup", 7)
    store.close()
    assert tries == [False]  # it had to wait
    again = restored(tmp_path, tmp_path / "backup")
    reader = SqliteStore.reader(again.history)
    position = reader.position("field", "changes")
    reader.close()
    assert position is not None
    assert everything(again)["plant/float64"].bits.tolist() == list(range(position.sequence))


def test_a_restored_history_goes_on_counting_and_nothing_new_is_taken_for_old(tmp_path: Path) -> None:
    data = empty(tmp_path / "data")
    store = SqliteStore.writer(data.history)
    for i in range(30):
        store.append(batch(i))
    store.fold(force=True)
    backup(data, tmp_path / "backup", 7)
    store.close()
    again = restored(tmp_path, tmp_path / "backup")
    store = SqliteStore.writer(again.history)
    for i in range(30, 60):
        store.append(batch(i))
    store.close()
    assert everything(again)["plant/float64"].bits.tolist() == list(range(60))


def test_a_restore_overwrites_nothing(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    backup(data, tmp_path / "backup", 7)
    with pytest.raises(StoreError, match=r"has a history\. A restore does not overwrite"):
        restore(tmp_path / "backup", data)
    assert len(everything(data)["plant/bool"]) == 60


def test_a_restore_among_tags_of_other_numbers_is_refused(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    data.tag_ids.write_bytes(orjson.dumps({"plant/bool": 1, "plant/int16": 2}))
    backup(data, tmp_path / "backup", 7)
    other = DataDir(tmp_path / "other")
    other.create()
    for theirs in ({"plant/bool": 9}, {"other/tag": 2}):
        other.tag_ids.write_bytes(orjson.dumps(theirs))
        with pytest.raises(StoreError, match="another number than the backup"):
            restore(tmp_path / "backup", other)
    other.tag_ids.write_bytes(orjson.dumps({"plant/bool": 1, "new/tag": 77}))
    restore(tmp_path / "backup", other)
    assert orjson.loads(other.tag_ids.read_bytes()) == {"plant/bool": 1, "plant/int16": 2, "new/tag": 77}


@pytest.mark.parametrize("target", ["history", "manifest", "missing", "more"])
def test_a_backup_that_is_not_what_was_written_is_found_and_not_restored(tmp_path: Path, target: str) -> None:
    data = make(tmp_path / "data")
    folder = tmp_path / "backup"
    backup(data, folder, 7)
    path = folder / HISTORY / FILE
    if target == "more":
        (folder / HISTORY / "other.sqlite").write_bytes(b"x")
        assert verify(folder)[1] == [f"{folder / HISTORY / 'other.sqlite'}: does not belong to the backup"]
        return
    if target == "manifest":
        path = folder / manifests.FILE
        path.write_bytes(path.read_bytes().replace(b'"made_ns": 7', b'"made_ns": 8'))
    elif target == "missing":
        path.unlink()
    else:
        flipped = bytearray(path.read_bytes())
        flipped[len(flipped) // 2] ^= 1
        path.write_bytes(flipped)
    if target == "manifest":
        with pytest.raises(StoreError, match="is damaged: its digest is another"):
            verify(folder)
    else:
        (wrong,) = verify(folder)[1]
        assert wrong.startswith(f"{path}: ")
    other = DataDir(tmp_path / "other")
    other.root.mkdir()
    with pytest.raises(StoreError, match=r"nothing was restored|is damaged"):
        restore(folder, other)
    assert not other.history.exists()


def test_a_backup_that_was_cut_off_is_none_and_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make(tmp_path / "data")
    folder = tmp_path / "backup"
    write = manifests.Manifest.write

    def cut(made: manifests.Manifest, where: Path, name: str = manifests.FILE) -> None:
        if name == manifests.FILE:
            raise KeyboardInterrupt
        write(made, where, name)

    with monkeypatch.context() as patch:
        patch.setattr(manifests.Manifest, "write", cut)
        with pytest.raises(KeyboardInterrupt):
            backup(data, folder, 7)
    with pytest.raises(StoreError, match="is no backup, or one that was not finished"):
        verify(folder)
    backup(data, folder, 8)
    assert verify(folder)[1] == []
    assert not (folder / manifests.PROGRESS).exists()


def test_what_is_in_the_way_of_a_backup_stays(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("x")
    with pytest.raises(StoreError, match="is there and is no backup"):
        backup(data, tmp_path / "mine", 7)
    backup(data, tmp_path / "one", 7)
    with pytest.raises(StoreError, match="is a backup already"):
        backup(data, tmp_path / "one", 8)


def test_sealed_days_of_an_earlier_backup_are_linked_and_late_samples_are_not_missed(tmp_path: Path) -> None:
    data = empty(tmp_path / "data")
    store = SqliteStore.writer(data.history)
    for i in range(60):
        store.append(batch(i, DAY // 20))
    store.fold(force=True)
    days = [day.day for day in store.days()]
    for day in days:
        store.seal(day, T0)
    one = backup(data, tmp_path / "one", 7)
    two = backup(data, tmp_path / "two", 8, base=tmp_path / "one")
    assert len(days) == 4
    assert two.copied < one.copied
    names = [f"{HISTORY}/days/{path.name}" for path in sorted((data.history / "days").glob("*.sqlite"))]
    same = [(tmp_path / "one" / name).samefile(tmp_path / "two" / name) for name in names]
    assert same == [True] * 4
    store.append(batch(60, DAY // 20))
    store.append(Batch(np.array([(FLOAT, 0, T0 + 1, 1000)], SAMPLE), utc_ns=T0))  # late
    store.fold(force=True)
    backup(data, tmp_path / "three", 9, base=tmp_path / "two")
    store.close()
    same = [(tmp_path / "one" / name).samefile(tmp_path / "three" / name) for name in names]
    assert same == [False, True, True, False]
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "two")
    assert verify(tmp_path / "three")[1] == []
    again = restored(tmp_path, tmp_path / "three")
    assert everything(again)["plant/float64"].bits.tolist() == [0, 1000, *range(1, 61)]


def test_a_damaged_day_is_copied_as_it_is_and_said(tmp_path: Path) -> None:
    data = empty(tmp_path / "data")
    store = SqliteStore.writer(data.history)
    for i in range(40):
        store.append(batch(i, DAY // 20))
    store.fold(force=True)
    store.close()
    path = min((data.history / "days").glob("*.sqlite"))
    path.write_bytes(b"\0" * 5000)
    done = backup(data, tmp_path / "backup", 7)
    assert done.manifest.damaged == [f"days/{path.name}"]
    assert verify(tmp_path / "backup")[1] == []
    again = restored(tmp_path, tmp_path / "backup")
    assert (again.history / "days" / path.name).read_bytes() == b"\0" * 5000
    assert 39 in everything(again)["plant/float64"].bits


def test_a_copy_needs_no_other_file_beside_it(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    with contextlib.closing(sqlite3.connect(data.history / FILE)) as open_:  # the log is not written back
        open_.execute("SELECT count(*) FROM tag").fetchone()
        backup(data, tmp_path / "backup", 7)
    names = sorted(path.name for path in (tmp_path / "backup" / HISTORY).rglob("*") if path.is_file())
    assert [name for name in names if not name.endswith(".sqlite")] == []


def test_backup_verify_and_restore_as_typed(tmp_path: Path) -> None:
    data, folder = make(tmp_path / "data"), tmp_path / "backup"
    found: dict[str, Any] = asked(data, "backup", folder)
    assert (found["folder"], found["damaged"]) == (str(folder), [])
    code, text = say(data, "backup", folder)
    assert (code, "is a backup already" in text) == (1, True)
    other = DataDir(tmp_path / "other")
    assert say(other, "restore", folder) == (0, f"{other.root}: history as of {found['made']}.\n")
    assert plain(everything(other)) == plain(everything(data))
    store = SqliteStore.reader(other.history)
    states = [event["state"] for event in store.events(0, 2**62, ["backup"])]
    store.close()
    assert states == ["restored"]  # that it was made was written after it was made

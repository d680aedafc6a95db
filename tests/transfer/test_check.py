"""Whatever is changed in a history, `check` finds it and says which block it is."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from historian import audit, edits, rollups, seal
from historian.connect import FILE
from historian.days import FOLDER, Days, name_of
from historian.settled import Columns
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from historian.transfer.backup import backup
from historian.transfer.check import UNCOVERED, Damage, check
from historian.transfer.check.reading import opened
from scada.datadir import DataDir
from tags.types import to_bits
from tests.transfer.plant import SECOND, T0, empty, everything, make, plain, tag
from tests.transfer.test_cli import asked, say

DAY = T0 // (86_400 * SECOND)
DAY_FILE = f"{FOLDER}/{name_of(DAY)}"


def settled(root: Path, n: int = 60) -> DataDir:
    """Samples in a day's file and some more in the journal."""
    data = make(root, n)
    store = SqliteStore.writer(data.history)
    store.fold(force=True)
    store.work().settle(DAY)  # with summaries
    for i in range(3):
        row = (9, 0, T0 + (n + i) * SECOND, to_bits("float64", 0.5 + i))
        store.append(
            Batch(np.array([row], SAMPLE), events=[{"kind": "x", "t": i + 1}], utc_ns=T0 + n * SECOND)
        )
    store.close()
    return data


def found(data: DataDir) -> list[Damage]:
    return check(data.history).damage


def change(data: DataDir, name: str, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(data.history / name, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def flip(data: DataDir, name: str, table: str, key: str, column: str, at: float = 0.5) -> int:
    """Flips one bit of a blob of the first row; returns the row's number."""
    with contextlib.closing(sqlite3.connect(data.history / name, isolation_level=None)) as db:
        number, blob = db.execute(f"SELECT {key}, {column} FROM {table} ORDER BY {key} LIMIT 1").fetchone()
        flipped = bytearray(blob)
        flipped[int(len(blob) * at)] ^= 0x10
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (bytes(flipped), number))
    return int(number)


def first_chunk(data: DataDir) -> int:
    with contextlib.closing(sqlite3.connect(data.history / DAY_FILE)) as db:
        return int(db.execute("SELECT min(id) FROM chunk").fetchone()[0])


def test_a_history_that_is_sound_has_no_damage(tmp_path: Path) -> None:
    data = settled(tmp_path / "data")
    report = check(data.history)
    assert report.damage == []
    assert (report.samples, report.files) == (543, 2)
    assert asked(data, "check")["uncovered"] == list(UNCOVERED)


@pytest.mark.parametrize("at", [0.0, 0.02, 0.3, 0.6, 0.999])
@pytest.mark.parametrize(
    ("name", "table", "key", "column", "block"),
    [
        (DAY_FILE, "chunk", "id", "samples", "chunk"),
        (DAY_FILE, "chunk", "id", "summary", "chunk"),
        (DAY_FILE, "times", "id", "block", "times"),
        (DAY_FILE, "times", "id", "digest", "times"),
        (FILE, "journal", "seq", "samples", "journal"),
    ],
)
def test_a_flipped_bit_is_found_and_named(
    tmp_path: Path, name: str, table: str, key: str, column: str, block: str, at: float
) -> None:
    data = settled(tmp_path / "data")
    number = flip(data, name, table, key, column, at)
    damage = found(data)
    assert (name, f"{block} {number}") in {(one.file, one.block) for one in damage}
    if block == "chunk":
        (one,) = damage
        assert (one.tag, one.start, one.samples) == ("plant/bool", T0, 60)


@pytest.mark.parametrize(
    ("name", "statement", "block", "message"),
    [
        (DAY_FILE, "UPDATE chunk SET tag = 2 WHERE id = {first}", "chunk {first}", "it is a chunk of tag 1"),
        (
            DAY_FILE,
            "UPDATE chunk SET n = n + 1 WHERE id = {first}",
            "chunk {first}",
            "its row gives other times",
        ),
        (
            DAY_FILE,
            "UPDATE chunk SET t0 = t0 - 1 WHERE id = {first}",
            "chunk {first}",
            "its row gives other times",
        ),
        (DAY_FILE, "DELETE FROM times", "chunk {first}", "its time stamps ("),
        (DAY_FILE, "UPDATE times SET t1 = t1 + 1", "times {times}", "its row gives another time"),
        (FILE, "UPDATE journal SET t1 = t1 + 1", "journal 3", "its checksum is another"),
        (FILE, "UPDATE journal SET n = n + 1", "journal 3", "its checksum is another"),
        (FILE, "UPDATE journal SET positions = '[]' || ' '", "journal 3", "its checksum is another"),
        (FILE, "DELETE FROM journal WHERE seq = 4", "journal 4", "missing"),
        (FILE, "UPDATE text SET tag = 1 WHERE id = 1", "text 1", "plant/bool is no tag of texts"),
        (FILE, "UPDATE event SET json = '{{'", "event 1", "it is no JSON"),
        (FILE, "UPDATE event SET t = t + 1", "event 1", "its row gives another time or kind"),
        (
            FILE,
            "INSERT INTO damaged (samples) VALUES (x'00ff')",
            "damaged 1",
            "a journal row of 2 bytes was put",
        ),
        (
            FILE,
            "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'journal'",
            "mark",
            "it was folded up to commit 2",
        ),
        (FILE, "UPDATE day SET key = 'x'", "key", "it is another file than the history lists"),
    ],
)
def test_rows_that_do_not_fit_are_found_and_named(
    tmp_path: Path, name: str, statement: str, block: str, message: str
) -> None:
    data = settled(tmp_path / "data")
    with contextlib.closing(sqlite3.connect(data.history / DAY_FILE)) as db:
        numbers = {"first": first_chunk(data), "times": db.execute("SELECT min(id) FROM times").fetchone()[0]}
    change(data, name, statement.format(**numbers))
    block = block.format(**numbers)
    assert any(one.block == block and one.message.startswith(message) for one in found(data)), found(data)


def test_chunks_that_were_exchanged_are_found(tmp_path: Path) -> None:
    data = settled(tmp_path / "data")
    first = first_chunk(data)
    swap = f"(SELECT samples FROM chunk AS c WHERE c.id = {first + 1})"
    change(data, DAY_FILE, f"UPDATE chunk SET samples = {swap} WHERE id = {first}")
    (one,) = found(data)
    assert (one.block, one.message) == (f"chunk {first}", "it is a chunk of tag 2")


def sealed(root: Path) -> DataDir:
    data = settled(root)
    store = SqliteStore.writer(data.history)
    store.fold(force=True)
    assert store.seal(DAY, T0 + 1)
    store.close()
    return data


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tag SET path = 'other/path' WHERE id = 1",
        "UPDATE sqlite_sequence SET seq = seq",  # nothing
        "UPDATE chunk SET id = id + 1000 WHERE id = (SELECT max(id) FROM chunk)",
        "DELETE FROM chunk WHERE id = (SELECT max(id) FROM chunk)",
        "UPDATE meta SET value = zeroblob(32) WHERE key = 'seal'",
    ],
)
def test_a_sealed_day_keeps_every_row_as_it_was(tmp_path: Path, statement: str) -> None:
    data = sealed(tmp_path / "data")
    assert found(data) == []
    change(data, DAY_FILE, statement)
    assert bool(found(data)) == ("seq = seq" not in statement)
    assert all(one.block == "seal" for one in found(data))


def test_a_sealed_day_that_was_sealed_by_somebody_else_is_found(tmp_path: Path) -> None:
    data = sealed(tmp_path / "data")
    with contextlib.closing(sqlite3.connect(data.history / DAY_FILE, isolation_level=None)) as db:
        db.execute("UPDATE tag SET path = 'other/path' WHERE id = 1")
        db.execute("UPDATE meta SET value = ? WHERE key = 'seal'", (seal.digest(db),))
    (one,) = found(data)
    assert one.message == "it was sealed with another digest than the history lists"


def rolled(root: Path) -> tuple[DataDir, str]:
    """A day with summaries of its hours and minutes."""
    data = sealed(root)
    if not rollups.files(data.history):
        days = Days(data.history, writes=True)
        file = days.get(DAY)
        assert file is not None
        assert file.seal is not None
        rollups.write(data.history, file, DAY, file.seal)
        days.close()
    return data, str(rollups.path_of(data.history, DAY, "minutes").relative_to(data.history))


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.999])
def test_a_flipped_bit_in_a_rollup_is_found(tmp_path: Path, at: float) -> None:
    data, name = rolled(tmp_path / "data")
    assert found(data) == []
    number = flip(data, name, "rollup", "rowid", "block", at)
    (one,) = found(data)
    assert (one.file, one.block, one.tag) == (name, f"rollup {number}", "plant/bool")


def test_a_rollup_of_another_tag_is_found(tmp_path: Path) -> None:
    data, name = rolled(tmp_path / "data")
    change(
        data,
        name,
        "UPDATE rollup SET block = (SELECT block FROM rollup AS r WHERE r.rowid = 2) WHERE rowid = 1",
    )
    (one,) = found(data)
    assert one.message == "it has the summaries of another tag or day"


@pytest.mark.parametrize(
    ("change_", "message"),
    [
        ("UPDATE edit SET t1 = t1 + 1", "its row gives other times than its samples"),
        ("UPDATE edit SET tag = 1", "it has samples of another tag"),
        ("UPDATE edit SET new = substr(new, 1, 10)", ""),
    ],
)
def test_edits_are_looked_at(tmp_path: Path, change_: str, message: str) -> None:
    data = settled(tmp_path / "data")
    store = SqliteStore.appender(data.history)
    one_s = Columns(np.array([T0 + 5]), np.zeros(1, np.uint64), np.zeros(1, np.uint32))
    with store._transaction() as db:
        edits.insert(db, 9, "insert", one_s, edits.NONE.added, edits.Who("a", "cli", 7, "why"))
    store.close()
    assert found(data) == []
    change(data, FILE, change_)
    (one,) = found(data)
    assert one.block == "edit 1"
    assert one.message.startswith(message)


def test_a_day_that_retention_deletes_meanwhile_is_no_damage(tmp_path: Path) -> None:
    data = settled(tmp_path / "data")
    path = data.history / DAY_FILE

    def forget(name: str, _share: float, _blocks: int) -> None:
        if name == DAY_FILE:
            change(data, FILE, f"DELETE FROM day WHERE day = {DAY}")
            path.unlink()

    report = check(data.history, forget)
    assert report.damage == []
    with opened(path, DAY_FILE, report) as db:
        assert db is None
    assert report.notes == [f"{DAY_FILE}: was deleted meanwhile, as retention does"]


def test_a_missing_day_is_found(tmp_path: Path) -> None:
    data = settled(tmp_path / "data")
    (data.history / DAY_FILE).unlink()
    (one,) = found(data)
    assert (one.file, one.message) == (DAY_FILE, "the file is missing")


def test_the_audit_trail_is_followed(tmp_path: Path) -> None:
    data = settled(tmp_path / "data")
    for i in range(3):
        audit.record(data.history, "x", i + 1, note=str(i))
    assert found(data) == []
    with audit.Trail(data.history) as trail:
        told = trail.anchor()
    assert told is not None
    store = SqliteStore.appender(data.history)
    store.append(Batch(events=[{"kind": "audit", "t": 9, **told}], utc_ns=T0))
    store.close()
    assert found(data) == []
    change(data, audit.FILE, "DELETE FROM entry WHERE seq = 3")  # the end is cut off
    (one,) = found(data)
    assert one.message.endswith("it is missing, and was there before")
    change(data, audit.FILE, "UPDATE entry SET json = replace(json, '1', '7') WHERE seq = 2")
    (one,) = found(data)
    assert (one.file, one.block) == ("audit.sqlite", "entry 2")


@pytest.mark.parametrize("name", [FILE, DAY_FILE])
def test_a_file_that_is_no_database_is_found(tmp_path: Path, name: str) -> None:
    data = settled(tmp_path / "data")
    for ending in ("-wal", "-shm"):
        (data.history / f"{name}{ending}").unlink(missing_ok=True)
    (data.history / name).write_bytes(b"\0" * 9000)
    assert any(one.file == name and one.block == "structure" for one in found(data))


def ruin(path: Path, where: Callable[[int], int], seed: int) -> None:
    content = bytearray(path.read_bytes())
    at = where(len(content))
    for i in range(at, min(len(content), at + 40)):
        content[i] ^= 0xA5 ^ (seed & 0x0F)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("seed", range(12))
def test_bytes_ruined_anywhere_in_a_day_change_nothing_or_are_found(tmp_path: Path, seed: int) -> None:
    data = settled(tmp_path / "data", 800)
    before = plain(everything(data))
    path = data.history / DAY_FILE
    change(data, DAY_FILE, "PRAGMA wal_checkpoint(TRUNCATE)")
    chance = random.Random(seed)
    ruin(path, chance.randrange, seed)
    damage = found(data)
    try:
        after = plain(everything(data))
    except Exception:  # noqa: BLE001 - what a reader says of it is not our matter here
        after = {}
    assert damage or after == before


def test_what_can_still_be_read_of_a_table_is_looked_at(tmp_path: Path) -> None:
    """A page in the midst of a table is gone: the chunks before and behind it are still looked at."""
    tags = [tag(i + 1, f"plant/T-{i}", "float64") for i in range(30)]
    data = empty(tmp_path / "data", tags)
    store = SqliteStore.writer(data.history)
    rows = np.zeros(30 * 500, SAMPLE)
    rows["tag"], rows["t"] = np.repeat(np.arange(1, 31), 500), np.tile(T0 + np.arange(500) * SECOND, 30)
    rows["bits"] = np.random.default_rng(1).random(len(rows)).view(np.uint64)
    store.append(Batch(rows, utc_ns=T0))
    store.fold(force=True)
    store.close()
    flip(data, DAY_FILE, "chunk", "id", "samples")
    path = data.history / DAY_FILE
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'chunk'").fetchone()[0]
    content = bytearray(path.read_bytes())
    page = memoryview(content)[(root - 1) * size : root * size]
    assert page[0] == 5  # the root has leaves below it
    third = int.from_bytes(page[16:18], "big")  # the third cell: number of a leaf
    leaf = int.from_bytes(page[third : third + 4], "big")
    content[(leaf - 1) * size] = 0xEE
    path.write_bytes(bytes(content))
    report = check(data.history)
    lost = [one for one in report.damage if one.message == "SQLite cannot read it"]
    assert len(lost) == 1
    numbers = [int(word) for word in lost[0].block.split() if word.isdecimal()]
    gone = numbers[-1] - numbers[0] + 1
    assert 2 < numbers[0] <= numbers[-1] < 10
    assert [one.block for one in report.damage if one.message == "its checksum is another"] == ["chunk 1"]
    assert report.samples == (30 - gone) * 500


def test_a_backup_is_checked_like_a_plant_and_the_command_says_what_it_found(tmp_path: Path) -> None:
    data = settled(tmp_path / "data")
    backup(data, tmp_path / "backup", 7)
    assert say(data, "check", tmp_path / "backup")[0] == 0
    copy = DataDir(tmp_path / "copy")
    shutil.copytree(tmp_path / "backup", copy.root)
    flip(copy, DAY_FILE, "chunk", "id", "samples")
    code, text = say(data, "check", copy.root)
    assert code == 1
    line = next(line for line in text.splitlines() if line.startswith(DAY_FILE))
    assert line.split("\t")[1:] == [
        f"chunk {first_chunk(data)}",
        "plant/bool",
        "2026-09-21T14:13:20.123Z",
        "2026-09-21T14:14:18.123Z",
        "60",
        "its checksum is another",
    ]
    assert "2 files, 13 blocks, 543 samples: 1 damaged." in text
    assert all(line in text for line in UNCOVERED)

"""Bytes flip on the disk. What a checksum covers is found and named; no reader is ever given a value that was not written."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from historian import audit
from historian.connect import FILE
from historian.fold.chores import Chores
from historian.sqlite import SqliteStore
from historian.store import StoreError
from historian.transfer.check import Report, check
from tests.faults.verdict import ALL
from tests.faults.work import SAMPLED, batch_of, settle, time_of
from tests.historian.contract import NOTE, TAGS

BATCHES: Final = 60
COVERED: Final = {
    "journal": "seq, t0, t1, n, samples, utc_ns, positions",
    "chunk": "tag, t0, t1, n, samples",
    "times": "block",
    "entry": "seq, t, json, prev, hash",
}

Good = set[tuple[int, int, int]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some days, settled but for the last commits, and an audit trail."""
    folder = tmp_path_factory.mktemp("flips") / "history"
    store = SqliteStore.writer(folder)
    store.declare(TAGS.values())
    chores = Chores(store.work())
    for number in range(1, BATCHES + 1):
        store.append(batch_of(number))
        if number % 10 == 0 and number < BATCHES:
            settle(chores, time_of(number))
    store.close()
    audit.record(folder, "login", 1, user="anna")
    for number in range(30):
        audit.record(folder, "write", number, path="tank1/LIC-101/SP", value=number)
    return folder


def contents(folder: Path) -> dict[str, list[Any] | None]:
    """What the tables hold that checksums cover; None of a file that SQLite cannot read."""
    found: dict[str, list[Any] | None] = {}
    for path in sorted(folder.rglob("*.sqlite")):
        name = path.relative_to(folder).as_posix()
        try:
            with contextlib.closing(sqlite3.connect(path)) as db:
                tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                found[name] = [
                    db.execute(f"SELECT {COVERED[table]} FROM {table} ORDER BY rowid").fetchall()
                    for table in sorted(COVERED.keys() & set(tables))
                ]
        except (sqlite3.Error, UnicodeDecodeError):
            found[name] = None
    return found


def good(folder: Path) -> Good:
    """All samples with a Good status that a reader gets."""
    store = SqliteStore.reader(folder)
    try:
        return {
            (tag, t, bits)
            for tag in SAMPLED
            for found in [store.raw(tag, 0, ALL)]
            for t, bits, status in zip(
                found.t.tolist(), found.bits.tolist(), found.status.tolist(), strict=True
            )
            if status == 0
        }
    finally:
        store.close()


def flipped(history: Path, copy: Path, flips: int, chance: random.Random) -> Iterator[tuple[str, int, int]]:
    """Flips one bit at a time, in places chosen among all bytes of all files; says where."""
    files = [path for path in sorted(history.rglob("*.sqlite")) if path.stat().st_size]
    for _ in range(flips):
        path = chance.choices(files, [min(path.stat().st_size, 1 << 18) for path in files])[0]
        at, bit = chance.randrange(path.stat().st_size), chance.randrange(8)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(history, copy)
        target = copy / path.relative_to(history)
        with target.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))
        yield path.relative_to(history).as_posix(), at, bit


@pytest.mark.parametrize("flips", [40, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_what_a_checksum_covers_is_found_and_named(history: Path, tmp_path: Path, flips: int) -> None:
    before, wanted = contents(history), good(history)
    assert (report := check(history)).count == 0, report.damage
    found = unseen = lost = 0
    for name, at, bit in flipped(history, tmp_path / "copy", flips, random.Random(flips)):
        report = checked(tmp_path / "copy")
        changed = contents(tmp_path / "copy") != before
        assert report.count or not changed, (name, at, bit)
        assert not report.count or any(damage.file == name for damage in report.damage), (name, at, report)
        with contextlib.suppress(StoreError):
            left = good(tmp_path / "copy")
            assert left <= wanted, (name, at, bit)
            lost += left < wanted and not report.count
        found += bool(report.count)
        unseen += not report.count
    print(f"{flips} bits flipped: {found} found and named, {unseen} in no block, {lost} of these hid samples")


def checked(folder: Path) -> Report:
    try:
        return check(folder)
    except StoreError as error:
        pytest.fail(f"check gave up: {error}")


def test_a_flip_in_each_block_is_named(history: Path, tmp_path: Path) -> None:
    """Each journal row, chunk, block of times and entry of the audit, one after the other."""
    chance = random.Random(1)
    blocks = [(FILE, "journal", "seq", "samples"), ("audit.sqlite", "entry", "seq", "json")]
    for path in sorted((history / "days").glob("*.sqlite")):
        name = path.relative_to(history).as_posix()
        blocks += [(name, "chunk", "id", "samples"), (name, "times", "id", "block")]
    for name, table, key, column in blocks:
        with contextlib.closing(sqlite3.connect(history / name)) as db:
            rows = [row[0] for row in db.execute(f"SELECT {key} FROM {table}")]
        assert rows, (name, table)
        row = chance.choice(rows)
        copy = tmp_path / f"{table}-{name.replace('/', '-')}"
        shutil.copytree(history, copy)
        with contextlib.closing(sqlite3.connect(copy / name, isolation_level=None)) as db:
            (value,) = db.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (row,)).fetchone()
            data = bytearray(value.encode() if isinstance(value, str) else value)
            data[chance.randrange(len(data))] ^= 1
            changed = data.decode("latin-1") if isinstance(value, str) else bytes(data)
            db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (changed, row))
        report = check(copy)
        assert any(damage.file == name and str(row) in damage.block for damage in report.damage), (
            name,
            table,
            row,
            report.damage,
        )
    assert np.array(blocks).shape[0] > 4


def test_a_flip_in_a_text_or_an_event_costs_that_one_alone(history: Path, tmp_path: Path) -> None:
    """No checksum covers them; all the same the others must be readable, and the samples of all tags."""
    copy = tmp_path / "copy"
    shutil.copytree(history, copy)
    with contextlib.closing(sqlite3.connect(copy / FILE, isolation_level=None)) as db:
        db.execute("UPDATE event SET json = CAST(x'7bff22' AS TEXT) WHERE id = 50")
        db.execute("UPDATE text SET text = CAST(x'ff31' AS TEXT) WHERE id = 50")
        db.execute("UPDATE tag SET path = CAST(x'ff31' AS TEXT) WHERE id = ?", (SAMPLED[1],))
    store = SqliteStore.reader(copy)
    events = store.events(0, ALL)
    assert len(events) == BATCHES
    assert [event["t"] for event in events if "damaged" in event] == [time_of(50)]
    assert len(store.raw(NOTE, 0, ALL).values) == BATCHES
    store.close()
    assert good(copy) == good(history)

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian import audit
from historian.audit import BEGIN, FILE, Trail
from historian.auditor import Auditor
from historian.store import StoreError
from tags.mapped import Position
from tests.historian.plant import SECOND, Plant

ALL = 2**62


def event(n: int, kind: str = "login", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "t": n, "user": "anna", **fields}


def test_a_crash_in_the_midst_of_a_commit_hides_nothing(tmp_path: Path) -> None:
    with Trail(tmp_path) as trail:
        trail.append([event(1)])
    killed = f"""
import os, sqlite3
db = sqlite3.connect({str(tmp_path / FILE)!r}, isolation_level=None)
db.executescript("PRAGMA journal_mode = PERSIST; PRAGMA cache_size = 2; BEGIN IMMEDIATE")
for i in range(2000):
    db.execute("INSERT INTO reserve (filler) VALUES (zeroblob(3000))")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", killed], check=False)
    assert [entry.event for entry in audit.entries(tmp_path, 0, ALL)] == [event(1)]
    assert audit.verify(tmp_path).ok


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    with Trail(tmp_path) as trail:
        yield trail


def change(folder: Path, *statements: str) -> None:
    db = sqlite3.connect(folder / FILE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_entries_are_chained_and_come_back(trail: Trail, tmp_path: Path) -> None:
    trail.append([event(1), event(2, "request", items=[["a/b", 1.5]])], {"hmi": Position(3, 40)})
    trail.append([event(3)])
    found = audit.entries(tmp_path, 0, ALL)
    assert [(entry.seq, entry.t, entry.event["kind"]) for entry in found] == [
        (1, 1, "login"),
        (2, 2, "request"),
        (3, 3, "login"),
    ]
    assert [e.seq for e in audit.entries(tmp_path, 0, ALL, ["login"], limit=1)] == [3]
    assert [e.seq for e in audit.entries(tmp_path, 2, 3)] == [2]
    assert trail.reached("hmi") == Position(3, 40)
    assert trail.reached("field") is None
    assert audit.verify(tmp_path) == (3, found[-1].hash, "", 0)
    assert trail.head() == (3, found[-1].hash)


def test_another_reader_computes_the_same_hash(trail: Trail, tmp_path: Path) -> None:
    trail.append([{"kind": "x", "t": 7}])
    db = sqlite3.connect(tmp_path / FILE)
    seq, t, json, prev, hash_ = db.execute("SELECT * FROM entry").fetchone()
    db.close()
    assert (seq, t, json, prev) == (1, 7, '{"kind":"x","t":7}', bytes(32))
    assert hash_.hex() == "f6b9bcd48168e9da9e1b403b40b0aa75d2a1e2260e9da20fee9f9bc72ed6fff4"


def test_many_entries_are_read_some_at_a_time(
    trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_AT_ONCE", 4)
    trail.append([event(n, "edit" if n % 3 else "login") for n in range(1, 21)])
    assert [e.seq for e in audit.entries(tmp_path, 0, ALL)] == list(range(1, 21))
    assert [e.seq for e in audit.entries(tmp_path, 0, ALL, limit=6)] == list(range(15, 21))
    assert [e.seq for e in audit.entries(tmp_path, 0, ALL, ["login"], 3)] == [12, 15, 18]
    assert audit.verify(tmp_path).entries == 20


def test_an_empty_trail_is_right(trail: Trail, tmp_path: Path) -> None:
    assert audit.verify(tmp_path) == (0, BEGIN, "", 0)
    assert audit.entries(tmp_path, 0, ALL) == []


def test_without_a_trail_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no audit trail yet"):
        audit.verify(tmp_path)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE entry SET json = replace(json, 'anna', 'bert') WHERE seq = 3",
            "entry 3: it is not what was written",
        ),
        ("UPDATE entry SET t = 99 WHERE seq = 3", "entry 3: it is not what was written"),
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 2", "entry 2: it is not what was written"),
        (
            "UPDATE entry SET prev = zeroblob(32) WHERE seq = 3",
            "entry 3: it does not follow the entry before it",
        ),
        ("DELETE FROM entry WHERE seq = 3", "entry 3: it is missing; 4 comes next"),
        ("DELETE FROM entry WHERE seq = 1", "entry 1: it is missing; 2 comes next"),
        ("UPDATE entry SET t = 'x' WHERE seq = 3", "entry 3: it is not what was written"),
    ],
)
def test_every_change_is_found_and_named(trail: Trail, tmp_path: Path, statement: str, problem: str) -> None:
    trail.append([event(n) for n in range(5)])
    change(tmp_path, statement)
    found = audit.verify(tmp_path)
    assert found.problem == problem
    assert not found.ok
    assert found.entries == int(problem.split()[1].rstrip(":")) - 1


def test_an_end_that_was_cut_off_is_noticed_by_who_knows_a_hash(trail: Trail, tmp_path: Path) -> None:
    trail.append([event(n) for n in range(5)])
    seq, head = trail.head()
    change(tmp_path, "DELETE FROM entry WHERE seq > 3")
    assert audit.verify(tmp_path).ok
    assert audit.verify(tmp_path, {seq: head}).problem == "entry 5: it is missing, and was there before"
    trail.append([event(n) for n in range(5)])  # made anew, with other contents
    assert audit.verify(tmp_path).ok
    assert audit.verify(tmp_path, {seq: head}).problem.startswith("entry 5: its hash is not the one")


@given(st.lists(st.binary(max_size=20), max_size=8), st.integers(0, 7))
def test_a_hash_depends_on_all_that_came_before(texts: list[bytes], at: int) -> None:
    def head(texts: list[bytes]) -> bytes:
        found = BEGIN
        for seq, text in enumerate(texts, 1):
            found = audit.chained(found, seq, 5, text)
        return found

    if at < len(texts):
        other = [*texts]
        other[at] += b"!"
        assert head(other) != head(texts)
    assert head([*texts, b""]) != head(texts)


def test_two_processes_chain_one_after_the_other(trail: Trail, tmp_path: Path) -> None:
    for n in range(10):
        trail.append([event(n)])
        audit.record(tmp_path, "import", n, rows=5)
    found = audit.verify(tmp_path)
    assert (found.entries, found.problem) == (20, "")


def test_a_reader_may_look_while_it_is_written(trail: Trail, tmp_path: Path) -> None:
    for n in range(5):
        trail.append([event(n)])
        assert audit.verify(tmp_path).entries == n + 1


def test_another_file_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / FILE)
    db.executescript("CREATE TABLE x (a); PRAGMA user_version = 1;")
    db.close()
    with pytest.raises(StoreError, match="not an audit trail"):
        Trail(tmp_path)


# The reserve


def free_bytes(trail: Trail) -> int:
    return int(trail._db.execute("PRAGMA freelist_count").fetchone()[0]) * 4096


def test_the_reserve_is_filled_again(trail: Trail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(audit, "RESERVE", 1 << 20)
    assert trail.keep_reserve()
    size = (tmp_path / FILE).stat().st_size
    assert free_bytes(trail) >= 1 << 20
    trail.append([event(n, text="x" * 400) for n in range(2000)])
    assert (tmp_path / FILE).stat().st_size == size
    assert free_bytes(trail) < 3 << 18
    assert trail.keep_reserve()
    assert free_bytes(trail) >= 1 << 20
    assert audit.verify(tmp_path).ok
    assert (1 << 19) <= (tmp_path / f"{FILE}-journal").stat().st_size < 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def test_a_full_disk_takes_entries_for_long(small_disk: Path) -> None:
    with Trail(small_disk) as trail:
        trail.append([event(0)])
        assert trail.keep_reserve()
        fill(small_disk)
        for n in range(500):
            trail.append([event(n, text="x" * 500) for _ in range(20)])
        assert trail.keep_reserve() is False  # more than a quarter is used, and there is no room
        assert audit.verify(small_disk) == (10_001, trail.head()[1], "", 0)
        audit.record(small_disk, "edit", 5, user="bert")
        (small_disk / "filler").unlink()
        assert trail.keep_reserve()
        assert free_bytes(trail) >= audit.RESERVE


def test_when_the_reserve_is_used_up_nothing_is_half_written(small_disk: Path) -> None:
    with Trail(small_disk) as trail:
        trail.append([event(0)])
        fill(small_disk)
        with pytest.raises(StoreError, match="full"):
            trail.append([event(n, text="x" * 4000) for n in range(100)])
        assert trail.head()[0] == 1
        (small_disk / "filler").unlink()
        trail.append([event(2)])
        assert audit.verify(small_disk).entries == 2


# In the historian


def auditor_of(plant: Plant) -> tuple[Auditor, list[tuple[str, dict[str, Any]]]]:
    reports: list[tuple[str, dict[str, Any]]] = []
    found = Auditor(
        plant.data, plant.site.writers(), plant.clock, lambda kind, **fields: reports.append((kind, fields))
    )
    return found, reports


def kinds(plant: Plant) -> list[str]:
    return [entry.event["kind"] for entry in audit.entries(plant.data.history, 0, ALL)]


def test_what_people_and_services_did_is_there_once(plant: Plant) -> None:
    auditor, _ = auditor_of(plant)
    plant.event("login", writer="hmi", user="anna")
    plant.event("alarm", path="tank1/LT-101/HH")
    plant.put("tank1/note", "eins")
    plant.event("request", id="1", status="confirmed")
    plant.publishers["hmi"].events.append(b"not json")
    plant.publishers["hmi"].events.append(b'{"kind": 5, "t": 1}')
    assert auditor.tick() == 2
    assert auditor.tick() == 0
    plant.event("write", writer="field", path="tank1/LV-101", value=5.0)
    again, _ = auditor_of(plant)  # nobody saw the first one stop
    assert again.tick() == 1
    assert sorted(kinds(plant)) == ["login", "request", "write"]
    auditor.close()
    again.close()


def test_a_ring_that_overran_leaves_a_gap(plant: Plant) -> None:
    auditor, _ = auditor_of(plant)
    auditor.tick()
    for n in range(40):
        plant.event("write", writer="field", path="x" * 50_000, value=n)
    auditor.tick()
    found = audit.entries(plant.data.history, 0, ALL, ["gap"])
    assert sum(entry.event["events_lost"] for entry in found) + kinds(plant).count("write") == 40
    assert found
    auditor.close()


def test_the_history_is_told_the_head_of_the_chain(plant: Plant) -> None:
    auditor, reports = auditor_of(plant)
    plant.event("login", writer="hmi")
    auditor.tick()
    plant.clock.advance(10 * SECOND)
    plant.event("login", writer="hmi")
    auditor.tick()
    plant.clock.advance(3600 * SECOND)
    plant.event("login", writer="hmi")
    auditor.tick()
    told = [fields for kind, fields in reports if kind == "audit"]
    assert [fields["seq"] for fields in told] == [1, 3]
    assert audit.verify(plant.data.history, told=told) == (3, bytes.fromhex(told[1]["hash"]), "", 0)
    change(plant.data.history, "DELETE FROM entry WHERE seq = 3")
    assert audit.verify(plant.data.history, told=told).problem.startswith("entry 3: it is missing")
    auditor.close()


def test_a_damaged_trail_is_moved_aside_and_a_new_one_begun(plant: Plant) -> None:
    auditor, reports = auditor_of(plant)
    plant.event("login", writer="hmi")
    auditor.tick()
    auditor.close()
    (plant.data.history / FILE).write_bytes(b"rubbish" * 1000)
    auditor, reports = auditor_of(plant)
    auditor.tick()
    assert [fields["state"] for kind, fields in reports if kind == "service"] == ["audit damaged"]
    plant.event("login", writer="hmi")
    auditor.tick()
    assert "login" in kinds(plant)
    (told,) = [fields for kind, fields in reports if kind == "audit"]
    old = {"seq": 77, "hash": "00" * 32, "first": "00" * 32}
    verdict = audit.verify(plant.data.history, told=[old, told, {"seq": "x"}])
    assert (verdict.ok, verdict.others) == (True, 1)
    assert len(list(plant.data.history.glob("audit.sqlite.damaged-*0"))) == 1
    auditor.close()


def test_a_disk_that_fails_loses_nothing(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    auditor, _ = auditor_of(plant)
    auditor.tick()
    plant.event("login", writer="hmi")

    def full(self: Trail, *_: Any) -> None:
        raise StoreError("the disk is full")

    append = Trail.append
    monkeypatch.setattr(Trail, "append", full)
    for _ in range(2):
        with pytest.raises(StoreError):
            auditor.tick()
    plant.event("login", writer="hmi")
    monkeypatch.setattr(Trail, "append", append)
    assert auditor.tick() == 2
    assert kinds(plant) == ["login", "login"]
    auditor.close()

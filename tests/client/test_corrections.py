"""Who may correct history, and what stands in the audit trail then."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from historian import audit
from historian.sqlite import SqliteStore
from scada.client import Archive, Corrections, EditError, StoreError
from scada.clock import SimulatedClock
from scada.datadir import DataDir
from tests.historian.contract import LEVEL, TAGS, batch

PATH = "tank1/LT-101"
ALL = 2**62


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    data = DataDir(tmp_path)
    store = SqliteStore.writer(data.history)
    store.declare(TAGS.values())
    store.append(batch(*((LEVEL, t, float(t), 0) for t in (10, 20, 30))))
    store.close()
    return data


@pytest.fixture
def archive(data: DataDir) -> Iterator[Archive]:
    archive = Archive(data.root)
    yield archive
    archive.close()


def corrections(data: DataDir, role: str = "engineer") -> Corrections:
    return Corrections(
        data.root, TAGS, user="anna", role=role, source="hmi", clock=SimulatedClock(utc_ns=5000)
    )


def test_an_edit_is_shown_and_stands_in_the_audit_trail(data: DataDir, archive: Archive) -> None:
    edit = corrections(data).put(PATH, [(20, 2.5), (25, 9.0, 0x40000000)], "sensor was out")
    found = archive.history(PATH, 0, ALL)
    assert (found.t.tolist(), found.values) == ([10, 20, 25, 30], [10.0, 2.5, 9.0, 30.0])
    assert found.status.tolist() == [0, 0x0408, 0x40000000, 0]
    assert archive.history(PATH, 0, ALL, originals=True).t.tolist() == [10, 20, 30]
    (entry,) = audit.entries(data.history, 0, ALL)
    assert entry.event == {
        "kind": "edit", "t": 5000, "id": edit.id, "path": PATH, "edit": "replace", "from": 20, "to": 25, "old": 1,
        "new": 2, "undoes": None, "user": "anna", "role": "engineer", "source": "hmi", "reason": "sensor was out",
    }  # fmt: skip
    assert [e.id for e in archive.history_edits(PATH, 0, ALL)] == [edit.id]
    store = SqliteStore.reader(data.history)
    assert store.events(0, ALL) == [entry.event]
    assert store.last_commit_ns() == 0  # the historian did not run: nothing is known to hold until now
    store.close()


def test_deleted_and_taken_back(data: DataDir, archive: Archive) -> None:
    edit = corrections(data).delete(PATH, 15, 25, "test signal")
    assert archive.history(PATH, 0, ALL).t.tolist() == [10, 30]
    corrections(data).undo(edit.id, "it was real")
    assert archive.history(PATH, 0, ALL).t.tolist() == [10, 20, 30]
    assert [e.event["edit"] for e in audit.entries(data.history, 0, ALL)] == ["delete", "undo"]
    assert {e.event["path"] for e in audit.entries(data.history, 0, ALL)} == {PATH}


@pytest.mark.parametrize("role", ["", "viewer", "operator"])
def test_who_may_not_edit(data: DataDir, archive: Archive, role: str) -> None:
    refused = corrections(data, role)
    with pytest.raises(PermissionError, match="takes the role engineer"):
        refused.put(PATH, [(20, 2.5)], "why not")
    with pytest.raises(PermissionError):
        refused.delete(PATH, 0, ALL, "why not")
    with pytest.raises(PermissionError):
        refused.undo(1, "why not")
    assert archive.history_edits(PATH, 0, ALL) == []


def test_without_an_audit_trail_nothing_is_changed(
    data: DataDir, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(audit, "record", full)
    with pytest.raises(StoreError, match="full"):
        corrections(data).delete(PATH, 0, ALL, "test")
    assert archive.history(PATH, 0, ALL).t.tolist() == [10, 20, 30]


def test_an_edit_that_failed_after_all_is_said_so(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    edit = SqliteStore.edit

    def failing(self: SqliteStore, *arguments: object) -> None:
        edit(self, *arguments)  # type: ignore[arg-type]
        raise StoreError("the disk is full")

    monkeypatch.setattr(SqliteStore, "edit", failing)
    with pytest.raises(StoreError):
        corrections(data).delete(PATH, 0, ALL, "test")
    assert [e.event.get("failed") for e in audit.entries(data.history, 0, ALL)] == [None, "the disk is full"]


def test_what_does_not_fit(data: DataDir) -> None:
    with pytest.raises(KeyError, match="no such tag"):
        corrections(data).delete("no/such", 0, 9, "test")
    with pytest.raises(EditError, match="there is a sample"):
        corrections(data).put(PATH, [(10, 1.0)], "test", "insert")
    with pytest.raises(ValueError, match="finite"):
        corrections(data).put(PATH, [(10, float("nan"))], "test")
    with pytest.raises(EditError, match="texts are not edited"):
        corrections(data).put("tank1/note", [(10, "x")], "test")
    with pytest.raises(EditError, match="reason"):
        corrections(data).delete(PATH, 0, ALL, "")


def test_annotations(data: DataDir, archive: Archive) -> None:
    with pytest.raises(PermissionError, match="operator"):
        corrections(data, "viewer").annotate(PATH, 15, "no")
    made = corrections(data, "operator").annotate(PATH, 15, "cleaned")
    assert archive.annotations(PATH, 0, ALL) == [made]
    assert archive.annotations(None, 0, ALL) == [made]
    assert archive.annotations("tank1/P-101/RUN", 0, ALL) == []
    corrections(data, "operator").unannotate(made.id)
    assert archive.annotations(None, 0, ALL) == []
    assert [e.event["kind"] for e in audit.entries(data.history, 0, ALL)] == ["annotation", "annotation"]


def test_a_renamed_tag_is_found_by_its_earlier_path(data: DataDir) -> None:
    data.create()
    renamed = dataclasses.replace(TAGS[PATH], path="tank1/LT-101A", was=PATH)
    store = SqliteStore.writer(data.history)
    store.declare([renamed])
    store.append(batch((LEVEL, 40, 4.0, 0)))
    store.close()
    data.tag_ids.write_text(json.dumps({PATH: LEVEL, "tank1/LT-101A": LEVEL, "gone/long/ago": 99_999}))
    archive = Archive(data.root)
    assert PATH not in archive.tags
    assert {path: tag.path for path, tag in archive.earlier.items()} == {PATH: "tank1/LT-101A"}
    for path in (PATH, "tank1/LT-101A"):
        assert archive.history(path, 0, ALL).t.tolist() == [10, 20, 30, 40]
    with pytest.raises(KeyError):
        archive.history("gone/long/ago", 0, ALL)
    archive.close()

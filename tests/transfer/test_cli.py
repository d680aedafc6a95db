"""`scada history export` and `import`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from historian import audit
from historian.sqlite import SqliteStore
from historian.store import Batch, StoreError
from historian.transfer import room as module
from historian.transfer.room import room
from scada.cli.app import app
from scada.datadir import DataDir
from tests.transfer.plant import T0, empty, everything, make, plain


def say(data: DataDir, *words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["history", *map(str, words), "--data", str(data.root)])
    return done.exit_code, done.output


def asked(data: DataDir, *words: object) -> dict[str, Any]:
    code, text = say(data, *words, "--json")
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


def test_out_of_one_plant_and_into_another(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one"), empty(tmp_path / "two")
    file = tmp_path / "x.parquet"
    assert say(one, "export", file)[1].startswith(f"{file}: 600 samples of 10 tags, ")
    assert say(two, "import", file) == (0, f"{file}: 600 samples of 10 tags are in history.\n")
    assert plain(everything(one)) == plain(everything(two))
    code, text = say(two, "import", file)
    assert (code, "were imported before; nothing was done" in text) == (0, True)
    code, text = say(two, "import", file, "--dry-run")
    assert (code, "No problems; nothing was imported." in text) == (0, True)


def test_patterns_and_times_choose_what_is_exported(tmp_path: Path) -> None:
    data = make(tmp_path / "data")
    found = asked(
        data, "export", tmp_path / "x.csv", "plant/UINT*", "plant/bool", "--start", "2026-09-21T14:14:00Z"
    )
    assert found["tags"] == dict.fromkeys(("plant/uint16", "plant/uint32", "plant/uint64", "plant/bool"), 20)
    assert (found["samples"], found["start"]) == (80, "2026-09-21T14:14:00.000Z")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("export", "x.csv", "nix/*"), 1, "No tag in history matches nix/*."),
        (
            ("export", "x.xlsx"),
            2,
            "x.xlsx: which format? Name it .csv, .parquet or .lines, or give --format.",
        ),
        (("export", "x.csv", "--start", "now", "--end", "-1h"), 2, "--end -1h is not after --start now."),
        (("import", "x.lines"), 2, "x.lines: only CSV and Parquet can be imported."),
    ],
)
def test_what_cannot_be_meant_is_said_so(
    tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    found, text = say(make(tmp_path / "data"), *words)
    assert (found, text[: len(message)]) == (code, message)


def test_problems_of_a_file_come_with_place_and_code(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("tag,time,value\nplant/int,now,1\n")
    data = empty(tmp_path / "data")
    code, text = say(data, "import", file)
    assert code == 1
    lines = text.splitlines()
    assert lines[0] == f"{file}:2: 'now' is no time. Write 2026-11-22T12:00:00.5Z or 2026-11-22 13:00"
    assert lines[1].startswith(f"{file}:2: there is no tag 'plant/int'. Did you mean ")
    assert lines[2] == "2 problems; nothing was imported."
    code, text = say(data, "import", file, "--json")
    assert (code, json.loads(text)["count"]) == (1, 2)


def test_an_import_is_an_event_with_name_and_reason(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one"), empty(tmp_path / "two")
    say(one, "export", tmp_path / "x.csv")
    say(two, "import", tmp_path / "x.csv", "--reason", "old logger")
    say(two, "import", tmp_path / "x.csv", "--reason", "by mistake")
    store = SqliteStore.reader(two.history)
    (event,) = store.events(0, 2**62, ["import"])
    store.close()
    assert (event["file"], event["samples"], event["reason"]) == ("x.csv", 600, "old logger")
    assert event["user"]
    (entry,) = audit.entries(two.history, 0, 2**62)
    assert entry.event == event


def test_samples_that_are_not_there_afterwards_are_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = make(tmp_path / "one"), empty(tmp_path / "two")
    say(one, "export", tmp_path / "x.csv")
    append = SqliteStore.append

    def forgetful(store: SqliteStore, batch: Batch) -> bool:
        batch.samples = batch.samples[batch.samples["t"] > T0]
        return append(store, batch)

    monkeypatch.setattr(SqliteStore, "append", forgetful)
    code, text = say(two, "import", tmp_path / "x.csv")
    assert code == 1
    assert "plant/bool: 1 sample of these are not there." in text
    assert "Samples are missing: are they older than history is kept" in text


class Folds:
    """A store of which only folding is asked."""

    def __init__(self) -> None:
        self.folds = 0

    def fold(self, *, force: bool = False) -> int:
        self.folds += force
        return 0


def test_an_import_waits_for_the_historian_or_folds_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = empty(tmp_path / "data")
    waiting = [5, 4, 1]
    monkeypatch.setattr(module, "_waiting", lambda _: waiting.pop(0))
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    monkeypatch.setattr(module, "_LOOK_S", 0.001)
    store = Folds()
    room(data.history, store, lambda: True)()
    assert (waiting, store.folds) == ([], 0)
    waiting[:] = [5, 4, 1]
    room(data.history, store, lambda: False)()
    assert (waiting, store.folds) == ([], 2)
    (data.history / "sinks.sqlite").touch()
    waiting[:] = [5]
    room(data.history, store, lambda: False)()
    monkeypatch.setattr(module, "SINKS_MAX", 4)
    waiting[:] = [5]
    with pytest.raises(StoreError, match="only be imported while the plant runs"):
        room(data.history, store, lambda: False)()
    monkeypatch.setattr(module, "_PATIENCE_S", 0.0)
    waiting[:] = [5]
    with pytest.raises(StoreError, match="a repeated import goes on here"):
        room(data.history, store, lambda: True)()

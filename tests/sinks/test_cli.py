from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from historian.sinks.state import State
from historian.sqlite import SqliteStore
from scada.cli.app import app


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "history"
    SqliteStore.writer(folder).close()
    desk = State.writer(folder)
    desk.commit(
        "db",
        None,
        [("small v=1 1", "HTTP 400: conflict", 1_750_000_000_000_000_000), ("small v=2 2", "no", 1)],
    )
    desk.close()
    return tmp_path


def scada(*words: str, data: Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["history", "quarantine", *words, "--data", str(data)])
    return done.exit_code, done.stdout, done.stderr


def test_the_quarantine_is_listed_sent_again_and_dropped(data: Path) -> None:
    code, text, _ = scada("list", "--json", data=data)
    rows = json.loads(text)
    assert code == 0
    assert [(row["sink"], row["line"], row["error"]) for row in rows] == [
        ("db", "small v=1 1", "HTTP 400: conflict"),
        ("db", "small v=2 2", "no"),
    ]
    assert (
        scada("retry", "db", "--row", str(rows[0]["id"]), data=data)[1] == "db: 1 row will be sent again.\n"
    )
    assert "to be sent again; HTTP 400" in scada("list", data=data)[1]
    assert scada("drop", "db", data=data)[1] == "db: 2 rows forgotten.\n"
    assert json.loads(scada("list", "--json", data=data)[1]) == []
    code, _, said = scada("retry", "db", data=data)
    assert (code, said) == (1, "db has no such rows in quarantine. See: scada history quarantine list\n")


def test_without_sinks_the_quarantine_is_empty_and_nothing_is_made(tmp_path: Path) -> None:
    SqliteStore.writer(tmp_path / "history").close()
    assert scada("list", "--json", data=tmp_path)[0] == 0
    assert not (tmp_path / "history" / "sinks.sqlite").exists()

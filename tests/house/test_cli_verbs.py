"""Verbs on a data directory whose plant does not run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from scada.cli.app import app, main
from tags.model import Tag
from tags.types import to_bits

DEMO = Path(__file__).parents[2] / "config" / "demo"
SECOND = 1_000_000_000


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A data directory with two samples of one tag, and nothing in `run/`."""
    tag = Tag(id=7, path="tank1/LT-101", type="float64", kind="device", writer="field", row=0)
    store = SqliteStore.writer(tmp_path / "history")
    store.declare([tag])
    samples = np.array(
        [(7, 0, 1_750_000_000 * SECOND, to_bits("float64", 2.5)), (7, 0, 1_750_000_001 * SECOND, 0)], SAMPLE
    )
    store.append(Batch(samples=samples))
    store.close()
    return tmp_path


def scada(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_history_of_a_stopped_plant(stopped: Path) -> None:
    when = ("--start", "2025-06-15", "--end", "2025-06-16", "--data", str(stopped))
    code, text, _ = scada("history", "TANK1/lt-101", *when, "--format", "csv")
    assert (code, text.splitlines()) == (
        0,
        ["time,value,quality", "2025-06-15T15:06:40.000Z,2.5,Good", "2025-06-15T15:06:41.000Z,0.0,Good"],
    )
    code, text, _ = scada("history", "tank1/LT-101", *when, "--format", "json")
    assert [row["value"] for row in orjson.loads(text)] == [2.5, 0.0]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["tank1/LT-102"], 1, "Did you mean tank1/LT-101?"),
        (["tank1/LT-101", "--start", "now", "--end", "-1h"], 2, "not after"),
        (["tank1/LT-101", "--start", "soon"], 2, "no time"),
    ],
)
def test_history_says_what_is_wrong(stopped: Path, arguments: list[str], code: int, word: str) -> None:
    ended, _, said = scada("history", *arguments, "--data", str(stopped))
    assert ended == code
    assert word in said


def test_history_of_no_plant(tmp_path: Path) -> None:
    code, _, said = scada("history", "a/b", "--data", str(tmp_path))
    assert code == 1
    assert "there is no plant, and no history of one" in said


def test_history_that_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "history.sqlite").write_bytes(b"not a database" * 1000)
    code, _, said = scada("history", "a/b", "--data", str(tmp_path))
    assert code == 1
    assert "history.sqlite" in said


def test_check_uses_the_numbers_of_a_data_directory(tmp_path: Path) -> None:
    assert scada("check", str(DEMO), "--data", str(tmp_path))[0] == 0
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "tags.json").write_text("damaged")
    code, _, said = scada("check", str(DEMO), "--data", str(tmp_path))
    assert code == 1
    assert "tags.json cannot be read" in said


def test_bytes_that_are_no_text_are_a_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["scada", "read", "a\udcff"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "UTF-8" in capsys.readouterr().err
